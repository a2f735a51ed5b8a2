//! Passkeys of people. Whether an authenticator's answer holds is decided by the program; what is known of them, and
//! that each question is answered once, is here.

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;

use super::super::access::Actor;
use super::super::change::Change;
use super::super::secret;
use super::super::sql;
use super::super::ticket::{self, Ticket};
use super::{Door, Session, account, own, rejected, session};
use crate::error::{Error, Result};

/// How long a question to an authenticator stays open, in minutes.
const MINUTES: i64 = 10;
/// Passkeys of one person.
const MOST: i64 = 20;

/// What an authenticator is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To make a passkey.
    Make,
    /// To sign in.
    Enter,
}

impl Purpose {
    fn kind(self) -> &'static str {
        match self {
            Purpose::Make => "passkey-make",
            Purpose::Enter => "passkey-enter",
        }
    }
}

/// A passkey as its person sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Passkey {
    /// Id.
    pub id: i64,
    /// Its id at the authenticator, base64url.
    pub credential: String,
    /// What its person calls it.
    pub name: String,
    /// When it was made.
    pub created: String,
    /// When it was last used.
    pub used: Option<String>,
}

/// A passkey as its answers are checked.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Id.
    pub id: i64,
    /// Whose it is.
    pub person: i64,
    /// COSE key.
    pub key: Vec<u8>,
    /// Signatures it has made, as far as it tells.
    pub counter: i64,
}

/// Opens a question: its token, and the 32 random bytes that are to be signed. `person` is 0 where nobody is known yet.
///
/// # Errors
/// The database or the vault does not answer.
pub async fn ask_passkey(door: &Door<'_>, purpose: Purpose, person: i64) -> Result<(String, Vec<u8>)> {
    let mut challenge = vec![0; 32];
    (door.random)(&mut challenge);
    let ticket = Ticket { person, workspace: 0, data: challenge.clone() };
    Ok((ticket::put(door, door.db, purpose.kind(), &ticket, MINUTES).await?, challenge))
}

/// Closes a question and gives what was to be signed; it is answered once, whatever the answer is.
///
/// # Errors
/// [`Error::NotFound`]: it was answered, is over, or was put to another person.
pub async fn asked_passkey(door: &Door<'_>, purpose: Purpose, person: i64, token: &str) -> Result<Vec<u8>> {
    let gone = || Error::NotFound("question that waits for this answer".to_owned());
    let open = ticket::look(door, purpose.kind(), token).await?.ok_or_else(gone)?;
    if !ticket::tear(door.db, purpose.kind(), token).await? || open.person != person {
        return Err(gone());
    }
    Ok(open.data)
}

/// The actor's own passkeys, newest first.
///
/// # Errors
/// Denied: a key has none.
pub async fn passkeys(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Passkey>> {
    let select = "SELECT id, credential, name, created, used FROM passkey WHERE person = $1 ORDER BY id DESC";
    type Row = (i64, String, String, String, Option<String>);
    let rows: Vec<Row> = sql::rows(db, "listing passkeys", select, vec![own(actor)?.into()]).await?;
    let passkey =
        |(id, credential, name, created, used): Row| Passkey { id, credential, name, created, used };
    Ok(rows.into_iter().map(passkey).collect())
}

/// Refuses where the password is not the actor's own: who has their session alone makes no passkey for themselves.
///
/// # Errors
/// [`Error::Rejected`].
pub async fn may_make_passkey(db: &DatabaseConnection, actor: &Actor, password: &str) -> Result<()> {
    account::need_password(db, actor, password).await?;
    let count = i64::try_from(passkeys(db, actor).await?.len()).unwrap_or(MOST);
    if count >= MOST {
        return Err(rejected("passkey", "twenty passkeys are enough; remove one first"));
    }
    Ok(())
}

/// A new passkey whose answer was checked.
#[derive(Debug, Clone)]
pub struct NewPasskey {
    /// What its person calls it.
    pub name: String,
    /// Its id at the authenticator, base64url.
    pub credential: String,
    /// COSE number of its algorithm.
    pub algorithm: i64,
    /// COSE key.
    pub key: Vec<u8>,
    /// Signatures it has made.
    pub counter: i64,
}

/// Notes a new passkey of the actor.
///
/// # Errors
/// [`Error::Rejected`]: the name does not do; [`Error::Conflict`]: it is known already.
pub async fn note_passkey(
    db: &DatabaseConnection,
    actor: &Actor,
    new: &NewPasskey,
    keep: &str,
) -> Result<()> {
    let person = own(actor)?;
    let name = new.name.trim();
    if name.is_empty() || name.len() > 100 {
        return Err(rejected("passkey", "a passkey's name has 1 to 100 characters"));
    }
    let mut change = Change::begin(db, actor).await?;
    let insert = "INSERT INTO passkey (person, credential, algorithm, key, counter, name, created) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (credential) DO NOTHING";
    let values = vec![
        person.into(),
        new.credential.clone().into(),
        new.algorithm.into(),
        Value::from(new.key.clone()),
        new.counter.into(),
        sql::text(name),
        actor.now.clone().into(),
    ];
    if sql::run(&change.tx, "noting a passkey", insert, values).await? != 1 {
        return Err(Error::Conflict("this passkey is known already".to_owned()));
    }
    // the authenticator has just verified who it is
    let method = "UPDATE session SET method = 'passkey' WHERE hash = $1 AND method = 'password'";
    sql::run(&change.tx, "noting a passkey", method, vec![secret::digest(keep).into()]).await?;
    // sessions that began with a password alone, elsewhere, are as suspect as at a new password
    session::end_all(&change, person, keep, 0).await?;
    change.record("person.passkey", format!("person/{person}"), &actor.name, &(), &name);
    change.commit().await
}

/// A passkey by its id at the authenticator, of somebody who may sign in.
///
/// # Errors
/// The database does not answer.
pub async fn passkey_of(db: &DatabaseConnection, credential: &str) -> Result<Option<Stored>> {
    let select = "SELECT k.id, k.person, k.key, k.counter FROM passkey k JOIN person p ON p.id = k.person \
                  WHERE k.credential = $1 AND p.disabled = 0";
    let values = vec![sql::text(credential)];
    let row: Option<(i64, i64, Vec<u8>, i64)> = sql::row(db, "reading a passkey", select, values).await?;
    Ok(row.map(|(id, person, key, counter)| Stored { id, person, key, counter }))
}

/// Begins a session of whose passkey has answered; `counter` is what it tells now.
///
/// # Errors
/// [`Error::Denied`]: it was used in the meantime, or its person may not sign in.
pub async fn enter_with_passkey(
    door: &Door<'_>,
    passkey: &Stored,
    counter: i64,
    before: Option<&str>,
) -> Result<Session> {
    let update = "UPDATE passkey SET counter = $2, used = $3 WHERE id = $1 AND (counter < $2 OR (counter = 0 AND \
                  $2 = 0))";
    let values = vec![passkey.id.into(), counter.into(), door.now.into()];
    if sql::run(door.db, "signing in", update, values).await? != 1 {
        return Err(Error::Denied("the passkey was used in the meantime".to_owned()));
    }
    let csrf = session::csrf_before(door, passkey.person, before).await?;
    session::enter(door, passkey.person, "passkey", csrf, 0).await
}

/// Removes a passkey of the actor.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn remove_passkey(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<()> {
    let person = own(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let delete = "DELETE FROM passkey WHERE id = $1 AND person = $2 RETURNING name";
    let row: Option<(String,)> =
        sql::row(&change.tx, "removing a passkey", delete, vec![id.into(), person.into()]).await?;
    let (name,) = row.ok_or_else(|| Error::NotFound("the passkey".to_owned()))?;
    change.record("person.passkey", format!("person/{person}"), &actor.name, &name, &"removed");
    change.commit().await
}
