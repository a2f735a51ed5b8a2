//! The second step: codes of an authenticator (RFC 6238) and, where it is lost, recovery codes.

use hmac::{Hmac, KeyInit, Mac};
use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};
use sha1::Sha1;

use super::super::access::{Actor, Permission};
use super::super::change::Change;
use super::super::ticket::{self, Ticket};
use super::super::{clock, secret, sql};
use super::{Door, account, login_of, members, own, rejected, session};
use crate::error::{Error, Result};

/// Seconds of a time step (RFC 6238 section 4.1).
const STEP: i64 = 30;
/// Steps before and after now whose codes are taken too: clocks differ (section 5.2).
const DRIFT: i64 = 1;
/// Bytes of a secret: what SHA-1 gives (RFC 4226 section 4 R6 asks for 128 bits, recommends 160).
const SECRET: usize = 20;
/// Recovery codes made at once.
const CODES: usize = 10;
/// How long an enrolment stays open, in minutes.
const ENROL_MINUTES: i64 = 60;
const ENROL: &str = "totp";

/// The code of a time step: HOTP with SHA-1, six digits (RFC 4226 section 5.3).
fn code(secret: &[u8], step: i64) -> Option<u32> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash.last()? & 15);
    let four: [u8; 4] = hash.get(at..at + 4)?.try_into().ok()?;
    Some((u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

/// The time step around `now` whose code this is. All steps are computed, so that the time tells nothing.
fn step_of(secret: &[u8], text: &str, now: i64) -> Option<i64> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let wanted: u32 = if digits.len() == 6 { digits.parse().ok()? } else { return None };
    let step = now.div_euclid(STEP);
    let newer = |found, s| if code(secret, s) == Some(wanted) { Some(s) } else { found };
    (step - DRIFT..=step + DRIFT).fold(None, newer)
}

/// RFC 4648 section 6, without padding, as authenticators take it.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut five = [0_u8; 8];
        five[3..3 + chunk.len()].copy_from_slice(chunk);
        let word = u64::from_be_bytes(five);
        for n in 0..(chunk.len() * 8).div_ceil(5) {
            out.push(char::from(LETTERS[usize::try_from((word >> (35 - 5 * n)) & 31).unwrap_or(0)]));
        }
    }
    out
}

fn context(person: i64) -> String {
    format!("totp/{person}")
}

/// Whether a code opens the second step of a person: the authenticator's of about now, each once, or a recovery code
/// that is used up with it.
pub(super) async fn check(door: &Door<'_>, person: i64, text: &str) -> Result<bool> {
    let what = "checking a code";
    let select = "SELECT totp FROM person WHERE id = $1 AND totp IS NOT NULL";
    let row: Option<(Vec<u8>,)> = sql::row(door.db, what, select, vec![person.into()]).await?;
    let Some((sealed,)) = row else { return Ok(false) };
    let secret = door.vault.open(&context(person), &sealed)?;
    if let Some(step) = step_of(&secret, text, clock::seconds(door.now)) {
        let update = "UPDATE person SET totp_step = $2 WHERE id = $1 AND totp_step < $2";
        return Ok(sql::run(door.db, what, update, vec![person.into(), step.into()]).await? == 1);
    }
    let update = "UPDATE recovery_code SET used = $3 WHERE person = $1 AND hash = $2 AND used IS NULL";
    let values = vec![person.into(), secret::digest(&plain(text)).into(), door.now.into()];
    Ok(sql::run(door.db, what, update, values).await? == 1)
}

/// A recovery code as it is hashed: without what people put between its letters.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).take(64).collect()
}

/// An authenticator that is being set up.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Names the enrolment when its first code comes.
    pub token: String,
    /// The secret to type, in groups of four.
    pub secret: String,
    /// The same as an address for a QR code (`otpauth://totp/…`, Google Authenticator's key URI format).
    pub address: String,
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    secret: Vec<u8>,
}

fn shown(token: String, secret: &[u8], login: &str) -> Enrolment {
    let text = base32(secret);
    let groups: Vec<String> =
        text.as_bytes().chunks(4).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    let login: String =
        login.chars().map(|c| if c == '@' { "%40".to_owned() } else { c.to_string() }).collect();
    let address = format!(
        "otpauth://totp/Tocsin:{login}?secret={text}&issuer=Tocsin&algorithm=SHA1&digits=6&period={STEP}"
    );
    Enrolment { token, secret: groups.join(" "), address }
}

/// Begins to set up an authenticator for the actor; nothing changes until [`confirm_second_step`]. With the token of an
/// enrolment that is open, that one is shown again.
///
/// # Errors
/// Denied; [`Error::Conflict`]: one is set up already.
pub async fn enrolment(door: &Door<'_>, actor: &Actor, token: Option<&str>) -> Result<Enrolment> {
    let person = own(actor)?;
    let known = account::profile(door.db, actor).await?;
    if known.second_step {
        return Err(Error::Conflict("an authenticator is set up already; remove it first".to_owned()));
    }
    if let Some(token) = token
        && let Some(open) = ticket::look(door, ENROL, token).await?.filter(|t| t.person == person)
        && let Ok(waiting) = serde_json::from_slice::<Waiting>(&open.data)
    {
        return Ok(shown(token.to_owned(), &waiting.secret, &known.login));
    }
    let mut secret = vec![0; SECRET];
    (door.random)(&mut secret);
    let data = serde_json::to_vec(&Waiting { secret: secret.clone() }).unwrap_or_default();
    let token =
        ticket::put(door, door.db, ENROL, &Ticket { person, workspace: 0, data }, ENROL_MINUTES).await?;
    Ok(shown(token, &secret, &known.login))
}

/// Sets the authenticator up that gives this code; gives recovery codes, which are told once. Other sessions of the
/// person end: they began without it.
///
/// # Errors
/// [`Error::NotFound`]: the enrolment is over; [`Error::Rejected`]: the code is not right.
pub async fn confirm_second_step(
    door: &Door<'_>,
    actor: &Actor,
    token: &str,
    text: &str,
    keep: &str,
) -> Result<Vec<String>> {
    let person = own(actor)?;
    let gone = || Error::NotFound("enrolment; begin again".to_owned());
    let open = ticket::look(door, ENROL, token).await?.filter(|t| t.person == person).ok_or_else(gone)?;
    let waiting: Waiting = serde_json::from_slice(&open.data).map_err(|_| gone())?;
    let Some(step) = step_of(&waiting.secret, text, clock::seconds(door.now)) else {
        ticket::wrong(door.db, ENROL, token).await?;
        let message = "this is not the code of now; see that the clock of the device is right";
        return Err(rejected("code", message));
    };
    let sealed = door.vault.seal(door.random, &context(person), &waiting.secret)?;
    let mut change = Change::begin(door.db, actor).await?;
    if !ticket::tear(&change.tx, ENROL, token).await? {
        return Err(gone());
    }
    let update = "UPDATE person SET totp = $2, totp_step = $3 WHERE id = $1 AND totp IS NULL";
    let values = vec![person.into(), sea_orm::Value::from(sealed), step.into()];
    if sql::run(&change.tx, "setting up a second step", update, values).await? != 1 {
        return Err(Error::Conflict("an authenticator is set up already".to_owned()));
    }
    let codes = write_codes(&change, door, person).await?;
    session::end_all(&change, person, keep, 0).await?;
    let method = "UPDATE session SET method = 'password and code' WHERE hash = $1 AND method = 'password'";
    sql::run(&change.tx, "setting up a second step", method, vec![secret::digest(keep).into()]).await?;
    change.record("person.second-step", format!("person/{person}"), &actor.name, &(), &"authenticator");
    change.commit().await?;
    Ok(codes)
}

/// New recovery codes in place of those that were.
async fn write_codes(change: &Change<'_>, door: &Door<'_>, person: i64) -> Result<Vec<String>> {
    let what = "making recovery codes";
    sql::run(&change.tx, what, "DELETE FROM recovery_code WHERE person = $1", vec![person.into()]).await?;
    let codes: Vec<String> = (0..CODES).map(|_| secret::token(door.random, 16).to_lowercase()).collect();
    let rows = codes.iter().map(|c| [person.into(), secret::digest(c).into()]).collect();
    let head = "INSERT INTO recovery_code (person, hash)";
    super::super::bulk::insert(&change.tx, what, head, "", rows).await?;
    let spaced = |c: &String| {
        c.as_bytes().chunks(4).map(|p| String::from_utf8_lossy(p).into_owned()).collect::<Vec<_>>().join("-")
    };
    Ok(codes.iter().map(spaced).collect())
}

/// New recovery codes for the actor; those they had are no longer good.
///
/// # Errors
/// [`Error::Rejected`]: the password is not right; [`Error::Conflict`]: there is no second step.
pub async fn new_recovery_codes(door: &Door<'_>, actor: &Actor, password: &str) -> Result<Vec<String>> {
    let person = own(actor)?;
    account::need_password(door.db, actor, password).await?;
    if !account::profile(door.db, actor).await?.second_step {
        return Err(Error::Conflict("no authenticator is set up".to_owned()));
    }
    let mut change = Change::begin(door.db, actor).await?;
    let codes = write_codes(&change, door, person).await?;
    change.record("person.recovery-codes", format!("person/{person}"), &actor.name, &(), &());
    change.commit().await?;
    Ok(codes)
}

async fn clear(change: &Change<'_>, person: i64) -> Result<()> {
    let what = "removing a second step";
    let update = "UPDATE person SET totp = NULL WHERE id = $1";
    sql::run(&change.tx, what, update, vec![person.into()]).await?;
    sql::run(&change.tx, what, "DELETE FROM recovery_code WHERE person = $1", vec![person.into()]).await?;
    Ok(())
}

/// Removes the actor's own authenticator.
///
/// # Errors
/// [`Error::Rejected`]: the password is not right.
pub async fn remove_second_step(door: &Door<'_>, actor: &Actor, password: &str) -> Result<()> {
    let person = own(actor)?;
    account::need_password(door.db, actor, password).await?;
    let mut change = Change::begin(door.db, actor).await?;
    clear(&change, person).await?;
    change.record("person.second-step", format!("person/{person}"), &actor.name, &"authenticator", &"none");
    change.commit().await
}

/// Removes authenticator and passkeys of a person who has lost them, and ends their sessions.
///
/// # Errors
/// Denied, also where the person is in a workspace whose people the actor does not manage; [`Error::NotFound`].
pub async fn reset_second_step(db: &DatabaseConnection, actor: &Actor, person: i64) -> Result<()> {
    actor.need_everywhere(Permission::PeopleManage)?;
    members::need_whole(db, actor, person).await?;
    let (login, _) = login_of(db, person).await?;
    let mut change = Change::begin(db, actor).await?;
    clear(&change, person).await?;
    let delete = "DELETE FROM passkey WHERE person = $1";
    sql::run(&change.tx, "removing a second step", delete, vec![person.into()]).await?;
    session::end_all(&change, person, "", 0).await?;
    change.record("person.second-step", format!("person/{person}"), &login, &(), &"reset");
    change.commit().await
}

/// The code that an authenticator with the secret as it is shown gives at a moment.
#[cfg(test)]
pub(super) fn tests_code(shown: &str, now: &str) -> String {
    let mut bits = 0_u64;
    let (mut held, mut secret) = (0, Vec::new());
    for c in shown.chars().filter(|c| *c != ' ') {
        bits = (bits << 5) | u64::try_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap()).unwrap();
        held += 5;
        if held >= 8 {
            held -= 8;
            secret.push(u8::try_from((bits >> held) & 255).unwrap());
        }
    }
    format!("{:06}", code(&secret, clock::seconds(now).div_euclid(STEP)).unwrap())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B gives eight digits; six are their last.
        let secret = b"12345678901234567890";
        let vectors = [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ];
        for (at, wanted) in vectors {
            assert_eq!(code(secret, at / STEP), Some(wanted), "at {at}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_late_and_no_more() {
        let secret = b"12345678901234567890";
        for (now, step) in [(59, Some(1)), (29, Some(1)), (89, Some(1)), (120, None), (-2, None)] {
            assert_eq!(step_of(secret, "287 082", now), step, "at {now}");
        }
        for wrong in ["287083", "28708", "2870820", "", "abcdef", "+28708"] {
            assert_eq!(step_of(secret, wrong, 59), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_base32() {
        for (bytes, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }
}
