//! Passkeys: whether what an authenticator answers holds (Web Authentication Level 3, sections 7.1 and 7.2).
//!
//! The user is verified by the authenticator (UV), so that a passkey is both steps at once. Attestation is not asked
//! for, and what comes of it is not trusted for anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::signature::{Form, Key};

/// Why an answer does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(&'static str);

/// Algorithms taken, as they are offered: EdDSA, ES256, RS256 (COSE numbers).
pub const ALGORITHMS: [i64; 3] = [-8, -7, -257];

/// What an answer must be about.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// What was to be signed.
    pub challenge: &'a [u8],
    /// Where our pages are: `https://tocsin.example.org`, with the port where it is not the scheme's.
    pub origin: &'a str,
    /// Host to which passkeys are bound (RP ID).
    pub party: &'a str,
}

/// A new passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its id, at most 1023 bytes.
    pub credential: Vec<u8>,
    /// COSE number of its algorithm.
    pub algorithm: i64,
    /// Its public key as it came (COSE key, RFC 9052).
    pub key: Vec<u8>,
    /// Signatures it has made; 0 where it does not count.
    pub counter: i64,
}

/// Longest answer read, in bytes; real ones have some hundreds.
const MOST: usize = 16 << 10;
const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

/// Checks what the browser says of the ceremony (steps 7 to 11 of both sections).
fn check_client(json: &[u8], kind: &str, expected: &Expected<'_>) -> Result<(), Fault> {
    if json.len() > MOST {
        return Err(Fault("the browser's answer is too long"));
    }
    let data: ClientData =
        serde_json::from_slice(json).map_err(|_| Fault("the browser's answer cannot be read"))?;
    if data.kind != kind {
        return Err(Fault("the answer is to another question"));
    }
    let challenge = URL_SAFE_NO_PAD.decode(data.challenge.trim_end_matches('='));
    if expected.challenge.len() < 16 || challenge.as_deref() != Ok(expected.challenge) {
        return Err(Fault("the answer is to another sign-in"));
    }
    if data.origin != expected.origin {
        return Err(Fault("the answer was given to another site; is the server's --public-url right?"));
    }
    if data.cross_origin || data.top_origin.is_some() {
        return Err(Fault("the answer was given within another site's page"));
    }
    Ok(())
}

/// Authenticator data (section 6.1): flags, counter, and what is behind them.
fn authenticator<'a>(data: &'a [u8], expected: &Expected<'_>) -> Result<(u8, i64, &'a [u8]), Fault> {
    let short = Fault("the authenticator's answer is cut short");
    if data.len() > MOST {
        return Err(Fault("the authenticator's answer is too long"));
    }
    let (party, rest) = data.split_at_checked(32).ok_or_else(|| short.clone())?;
    let (head, rest) = rest.split_at_checked(5).ok_or_else(|| short.clone())?;
    if party != Sha256::digest(expected.party.as_bytes()).as_slice() {
        return Err(Fault("the passkey is of another site"));
    }
    let [flags, a, b, c, d] = *head else { return Err(short) };
    if flags & USER_PRESENT == 0 {
        return Err(Fault("nobody was present at the authenticator"));
    }
    if flags & USER_VERIFIED == 0 {
        return Err(Fault("the authenticator did not verify who was present (PIN, finger or face)"));
    }
    if flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0 {
        return Err(Fault("the authenticator contradicts itself"));
    }
    Ok((flags, i64::from(u32::from_be_bytes([a, b, c, d])), rest))
}

/// Reads one CBOR item and steps over it.
fn cbor(bytes: &mut &[u8]) -> Result<Value, Fault> {
    ciborium::de::from_reader_with_recursion_limit(bytes, 16)
        .map_err(|_| Fault("the authenticator's answer is no CBOR"))
}

fn field(map: &Value, name: i64) -> Option<&Value> {
    let wanted = Value::Integer(name.into());
    map.as_map()?.iter().find(|(k, _)| *k == wanted).map(|(_, v)| v)
}

/// The key of a COSE key (RFC 9052 section 7, RFC 9053, RFC 8230), and its algorithm.
fn key(cose: &Value) -> Option<(i64, Key)> {
    let number = |name: i64| field(cose, name)?.as_integer().and_then(|n| i64::try_from(n).ok());
    let bytes = |name: i64| field(cose, name)?.as_bytes().map(Vec::as_slice);
    let exact = |name: i64| bytes(name).filter(|b| b.len() == 32);
    let algorithm = number(3)?;
    let key = match (number(1)?, algorithm) {
        (2, -7) if number(-1)? == 1 => Key::p256(exact(-2)?, exact(-3)?)?,
        (1, -8) if number(-1)? == 6 => Key::Ed25519(exact(-2)?.to_vec()),
        (3, -257) => Key::Rsa(bytes(-1)?.to_vec(), bytes(-2)?.to_vec()),
        _ => return None,
    };
    Some((algorithm, key))
}

/// Checks the answer to the making of a passkey (section 7.1).
///
/// # Errors
/// [`Fault`] with what does not hold.
pub fn created(client: &[u8], attestation: &[u8], expected: &Expected<'_>) -> Result<Created, Fault> {
    check_client(client, "webauthn.create", expected)?;
    if attestation.len() > MOST {
        return Err(Fault("the authenticator's answer is too long"));
    }
    let object = cbor(&mut &*attestation)?;
    let data = object
        .as_map()
        .and_then(|m| m.iter().find(|(k, _)| k.as_text() == Some("authData")))
        .and_then(|(_, v)| v.as_bytes())
        .ok_or(Fault("the authenticator's answer has no data"))?;
    let (flags, counter, rest) = authenticator(data, expected)?;
    if flags & ATTESTED == 0 {
        return Err(Fault("the authenticator's answer has no passkey"));
    }
    let short = || Fault("the authenticator's answer is cut short");
    let (_, rest) = rest.split_at_checked(16).ok_or_else(short)?;
    let (length, rest) = rest.split_at_checked(2).ok_or_else(short)?;
    let [high, low] = *length else { return Err(short()) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length == 0 || length > 1023 {
        return Err(Fault("the passkey's id is empty or too long"));
    }
    let (credential, mut rest) = rest.split_at_checked(length).ok_or_else(short)?;
    let before = rest;
    let cose = cbor(&mut rest)?;
    let raw = before.get(..before.len() - rest.len()).unwrap_or_default();
    let (algorithm, _) = key(&cose).ok_or(Fault("the passkey's key is of a kind that is not taken"))?;
    if flags & EXTENSIONS != 0 {
        cbor(&mut rest)?;
    }
    if !rest.is_empty() {
        return Err(Fault("the authenticator's answer is too long"));
    }
    Ok(Created { credential: credential.to_vec(), algorithm, key: raw.to_vec(), counter })
}

/// What an authenticator answers at a sign-in.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// What the browser says, JSON.
    pub client: &'a [u8],
    /// Authenticator data.
    pub data: &'a [u8],
    /// Signature over both.
    pub signature: &'a [u8],
}

/// Checks the answer of a passkey with this key and counter (section 7.2); gives the counter to be kept.
///
/// # Errors
/// [`Fault`] with what does not hold.
pub fn answered(
    answer: &Answer<'_>,
    cose: &[u8],
    counter: i64,
    expected: &Expected<'_>,
) -> Result<i64, Fault> {
    check_client(answer.client, "webauthn.get", expected)?;
    let (flags, now, mut rest) = authenticator(answer.data, expected)?;
    if flags & EXTENSIONS != 0 {
        cbor(&mut rest)?;
    }
    if flags & ATTESTED != 0 || !rest.is_empty() {
        return Err(Fault("the authenticator's answer is too long"));
    }
    let (_, key) = key(&cbor(&mut &*cose)?).ok_or(Fault("the passkey's key cannot be read"))?;
    let mut message = answer.data.to_vec();
    message.extend_from_slice(&Sha256::digest(answer.client));
    if !key.signed(Form::Der, &message, answer.signature) {
        return Err(Fault("the passkey did not sign this"));
    }
    // one that counts and does not move on was copied
    if (now != 0 || counter != 0) && now <= counter {
        return Err(Fault("the passkey's counter went back: it may have been copied"));
    }
    Ok(now)
}

#[cfg(test)]
#[path = "webauthn_tests.rs"]
mod tests;
