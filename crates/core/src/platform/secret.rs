//! Tokens and passwords: made from randomness that is handed in, kept only as hashes.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Fills a buffer with randomness fit for keys; handed in by the program.
pub type Random = fn(&mut [u8]);

/// Shortest password taken (NIST SP 800-63B section 3.1.1.2 asks for 15 where it is the only factor).
pub const PASSWORD_LEAST: usize = 15;
/// Longest password taken: what is hashed must be bounded.
pub const PASSWORD_MOST: usize = 256;

/// Letters without look-alikes, 32 of them: five bits each.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";

/// A random text of `len` letters (five bits each).
pub(crate) fn token(random: Random, len: usize) -> String {
    let mut bytes = vec![0; len];
    random(&mut bytes);
    bytes.iter().map(|b| char::from(LETTERS[usize::from(b & 31)])).collect()
}

/// SHA-256 of a token in hexadecimal: what is stored. Tokens are long and random, so they need no salt and no
/// slow hash.
pub(crate) fn digest(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// Argon2id, 19 MiB, two passes, one lane (OWASP password storage cheat sheet).
fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|e| internal(&e))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn internal(e: &dyn std::fmt::Display) -> Error {
    Error::Internal { doing: "hashing a password".to_owned(), cause: e.to_string().into() }
}

/// The PHC string of a password. Takes tens of milliseconds on purpose.
///
/// # Errors
/// [`Error::Rejected`]: it is too short or too long.
pub fn hash_password(password: &str, random: Random) -> Result<String> {
    let length = password.chars().count();
    if length < PASSWORD_LEAST || password.len() > PASSWORD_MOST {
        let what =
            format!("a password has {PASSWORD_LEAST} to {PASSWORD_MOST} characters; this one has {length}");
        return Err(Error::Rejected { field: "password".to_owned(), message: what });
    }
    let mut salt = [0; 16];
    random(&mut salt);
    let hash = hasher()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(|e| internal(&e))?;
    Ok(hash.to_string())
}

/// Whether a password belongs to a stored hash. Where there is none, the same time is spent and the answer is no,
/// so that the time does not tell which names exist.
pub fn check_password(password: &str, stored: Option<&str>) -> bool {
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                          AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let Ok(hash) = PasswordHash::new(stored.unwrap_or(NOBODY)) else { return false };
    let Ok(hasher) = hasher() else { return false };
    password.len() <= PASSWORD_MOST
        && hasher.verify_password(password.as_bytes(), &hash).is_ok()
        && stored.is_some()
}
