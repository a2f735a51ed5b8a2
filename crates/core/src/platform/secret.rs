//! Tokens and passwords: made from randomness that is handed in, kept only as hashes.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

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

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Bytes of hexadecimal digits.
pub(crate) fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    digits.chunks(2).map(|pair| u8::try_from(pair.first()? * 16 + pair.get(1)?).ok()).collect()
}

/// Passwords hashed at once. Each takes 19 MiB; more would let a crowd at the sign-in page take all memory.
static HASHING: Semaphore = Semaphore::const_new(4);

/// [`hash_password`] on a thread that may block.
///
/// # Errors
/// As [`hash_password`].
pub(crate) async fn hash(password: &str, random: Random) -> Result<String> {
    let _permit = HASHING.acquire().await.map_err(|e| internal(&e))?;
    let password = password.to_owned();
    let hashed = tokio::task::spawn_blocking(move || hash_password(&password, random)).await;
    hashed.map_err(|e| internal(&e))?
}

/// [`check_password`] on a thread that may block.
pub(crate) async fn is_right(password: &str, stored: Option<String>) -> bool {
    let Ok(_permit) = HASHING.acquire().await else { return false };
    let password = password.to_owned();
    let checked = tokio::task::spawn_blocking(move || check_password(&password, stored.as_deref())).await;
    checked.unwrap_or(false)
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

/// Words that passwords are made of where nobody thought of one; one a line.
const COMMON: &str = include_str!("common_words.txt");

/// Refuses a password that is guessed early: one made up of common words, rows of keys or digits, the person's own
/// names, or the same few letters over and over. `own` are the person's names.
///
/// # Errors
/// [`Error::Rejected`].
pub fn check_rules(password: &str, own: &[&str]) -> Result<()> {
    let reject =
        |message: &str| Err(Error::Rejected { field: "password".to_owned(), message: message.to_owned() });
    let length = password.chars().count();
    if length < PASSWORD_LEAST || password.len() > PASSWORD_MOST {
        return reject(&format!(
            "a password has {PASSWORD_LEAST} to {PASSWORD_MOST} characters; this one has {length}"
        ));
    }
    let letters: Vec<char> = password.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let mut distinct = letters.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 5 {
        return reject(
            "this password has the same few characters over and over; take a sentence of your own",
        );
    }
    let own = own.iter().flat_map(|name| name.split(|c: char| !c.is_alphanumeric()));
    let own: Vec<String> = own.filter(|w| w.chars().count() > 2).map(str::to_lowercase).collect();
    let words: Vec<Vec<char>> = COMMON
        .lines()
        .filter(|w| !w.is_empty())
        .chain(own.iter().map(String::as_str))
        .map(|w| w.chars().collect())
        .collect();
    if is_made_of(&letters, &words) {
        return reject("this password is made of words that are guessed first; take a sentence of your own");
    }
    Ok(())
}

/// Whether a text is nothing but words of a list, digits between them left out.
fn is_made_of(letters: &[char], words: &[Vec<char>]) -> bool {
    let mut reached = vec![false; letters.len() + 1];
    reached[0] = true;
    for at in 0..letters.len() {
        if !reached[at] {
            continue;
        }
        let rest = &letters[at..];
        if rest[0].is_ascii_digit() {
            reached[at + 1] = true;
        }
        for word in words.iter().filter(|w| rest.starts_with(w)) {
            reached[at + word.len()] = true;
        }
    }
    reached[letters.len()]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_are_guessed_first_are_refused() {
        let refused = [
            "too short",
            "passwordpassword",
            "Password1234567890",
            "qwertyuiop123456",
            "letmein-letmein-2026",
            "aaaaaaaaaaaaaaaaaaaa",
            "abababababababab",
            "tocsin tocsin tocsin",
            "Anna.Berg.Anna.Berg.1",
            "iloveyou iloveyou 99",
            "1234567890123456",
        ];
        for password in refused {
            assert!(check_rules(password, &["anna", "Anna Berg"]).is_err(), "{password}");
        }
        let taken = [
            "correct horse battery",
            "a sentence does well here",
            "Passwords are made of sand",
            "ゆきがふるよるにねむるきつねたち",
        ];
        for password in taken {
            assert!(check_rules(password, &["anna", "Anna Berg"]).is_ok(), "{password}");
        }
        assert!(check_rules(&"long ".repeat(60), &[]).is_err(), "what is hashed is bounded");
    }

    #[test]
    fn hexadecimal_comes_back() {
        let bytes = [0, 1, 0x7f, 0x80, 0xff];
        assert_eq!(from_hexadecimal(&hexadecimal(&bytes)).unwrap(), bytes);
        assert!(from_hexadecimal("0g").is_none() && from_hexadecimal("012").is_none());
    }
}
