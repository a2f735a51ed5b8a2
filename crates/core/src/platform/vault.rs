//! Secrets at rest: sealed with a key that lies in a file beside the data, not in the database, so that who reads
//! the database alone (a copy, a dump, a query gone wrong) reads none of them.
//!
//! XChaCha20-Poly1305 (RFC 8439, nonces of 24 random bytes). The key file has one key a line, 64 hexadecimal digits:
//! the first seals, all of them open. It is made when the first secret is sealed, readable by its owner alone.

use std::io::Write;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::secret::Random;
use crate::error::{Doing, Error, Result};

/// Name of the key file in the data folder.
pub const KEY_FILE: &str = "secret.key";

/// First byte of what is sealed: the form of the rest (id of the key, nonce, ciphertext with its tag).
const FORM: u8 = 1;
const ID: usize = 4;
const NONCE: usize = 24;
const HEAD: usize = 1 + ID + NONCE;
/// Largest key file read: 64 keys.
const FILE_MOST: u64 = 64 * 65;

type Key = Zeroizing<[u8; 32]>;

/// Seals and opens secrets of one installation. Cheap to clone; reads the key file at each use, so that a file
/// that was put back is used at once.
#[derive(Debug, Clone)]
pub struct Vault {
    file: PathBuf,
}

fn unusable(file: &Path, why: &str) -> Error {
    Error::Unavailable { doing: format!("reading the key file {}", file.display()), cause: why.into() }
}

/// Names a key without telling anything of it.
fn id_of(key: &Key) -> [u8; ID] {
    let mut hash = Sha256::new();
    hash.update(b"tocsin key id");
    hash.update(key.as_slice());
    let all = hash.finalize();
    [all[0], all[1], all[2], all[3]]
}

fn parse(line: &str) -> Option<Key> {
    let line = line.trim().as_bytes();
    let mut key = Zeroizing::new([0; 32]);
    if line.len() != 64 {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(line.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(*pair.first()?)? * 16 + digit(*pair.last()?)?).ok()?;
    }
    Some(key)
}

/// Refuses a file that others on the machine can read, as SSH does with its keys.
#[cfg(unix)]
fn check_mode(file: &Path, meta: &std::fs::Metadata) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if meta.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let remedy = format!("others can read or change it; run chmod 600 {}", file.display());
    Err(unusable(file, &remedy))
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &std::fs::Metadata) -> Result<()> {
    Ok(())
}

impl Vault {
    /// The vault of a data folder. Nothing is read or made yet.
    pub fn new(data_dir: &Path) -> Vault {
        Vault { file: data_dir.join(KEY_FILE) }
    }

    /// Where the key file is, whether it is there or not.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Seals a secret. `context` says what it is and whose (`totp/17`): it opens in the same context alone, so that a
    /// sealed value moved to another row is of no use. `random` gives the nonce, and the key where there is none yet.
    ///
    /// # Errors
    /// The key file cannot be read, made or used.
    pub fn seal(&self, random: Random, context: &str, secret: &[u8]) -> Result<Vec<u8>> {
        let keys = match self.keys()? {
            Some(keys) => keys,
            None => self.make(random)?,
        };
        let key = keys.first().ok_or_else(|| unusable(&self.file, "it holds no key"))?;
        let mut nonce = [0; NONCE];
        random(&mut nonce);
        let sealed = XChaCha20Poly1305::new((&**key).into())
            .encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: context.as_bytes() })
            .map_err(|_| Error::Internal { doing: format!("sealing {context}"), cause: "too long".into() })?;
        let mut out = Vec::with_capacity(HEAD + sealed.len());
        out.push(FORM);
        out.extend(id_of(key));
        out.extend(nonce);
        out.extend(sealed);
        Ok(out)
    }

    /// Opens what [`Vault::seal`] made in the same context. What is given back is wiped when it is dropped.
    ///
    /// # Errors
    /// The key that sealed it is not there (the error says where it belongs), or the value was changed or is of
    /// another context.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let doing = || format!("opening the sealed secret {context}");
        let damaged = || Error::Internal { doing: doing(), cause: "it was changed or moved".into() };
        let (Some(&FORM), Some(id), Some(nonce), Some(body)) =
            (sealed.first(), sealed.get(1..=ID), sealed.get(1 + ID..HEAD), sealed.get(HEAD..))
        else {
            return Err(damaged());
        };
        let keys = self.keys()?.unwrap_or_default();
        let key = keys.iter().find(|k| id_of(k) == id).ok_or_else(|| Error::Unavailable {
            doing: doing(),
            cause: format!(
                "the key that sealed it is missing; put the key file of the installation that sealed it at {}",
                self.file.display()
            )
            .into(),
        })?;
        let nonce = <[u8; NONCE]>::try_from(nonce).map_err(|_| damaged())?;
        XChaCha20Poly1305::new((&**key).into())
            .decrypt(&XNonce::from(nonce), Payload { msg: body, aad: context.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| damaged())
    }

    /// All keys; nothing where there is no file.
    fn keys(&self) -> Result<Option<Vec<Key>>> {
        let what = format!("reading the key file {}", self.file.display());
        let meta = match std::fs::metadata(&self.file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.doing(&what)?,
        };
        check_mode(&self.file, &meta)?;
        if meta.len() > FILE_MOST {
            return Err(unusable(&self.file, "it is too long for a key file"));
        }
        let text = Zeroizing::new(std::fs::read_to_string(&self.file).doing(&what)?);
        let keys: Option<Vec<Key>> = text.lines().filter(|l| !l.trim().is_empty()).map(parse).collect();
        match keys.filter(|k| !k.is_empty()) {
            Some(keys) => Ok(Some(keys)),
            None => Err(unusable(&self.file, "it does not hold keys of 64 hexadecimal digits, one a line")),
        }
    }

    /// Makes the file with a new key; where another process was sooner, its key is used.
    fn make(&self, random: Random) -> Result<Vec<Key>> {
        let what = format!("making the key file {}", self.file.display());
        let mut key: Key = Zeroizing::new([0; 32]);
        random(key.as_mut_slice());
        let mut text = Zeroizing::new(String::with_capacity(65));
        for byte in key.iter() {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        text.push('\n');
        let mut tail = [0; 8];
        random(&mut tail);
        let temp = self.file.with_extension(format!("{:016x}.tmp", u64::from_le_bytes(tail)));
        let written = create_private(&temp)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            // a link fails where the name is taken: nobody's key is ever written over
            .and_then(|()| std::fs::hard_link(&temp, &self.file));
        let _ = std::fs::remove_file(&temp);
        match written {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other.doing(&what)?,
        }
        if let Some(dir) = self.file.parent() {
            std::fs::File::open(dir).and_then(|d| d.sync_all()).doing(&what)?;
        }
        self.keys()?.ok_or_else(|| unusable(&self.file, "it was taken away while it was made"))
    }
}

/// A new file that its owner alone can read and write.
///
/// # Errors
/// There is one of that name, or it cannot be made.
pub fn create_private(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::super::testing::random;
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_context_alone() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::new(dir.path());
        assert!(!vault.file().exists());
        let sealed = vault.seal(random, "totp/1", b"seed").unwrap();
        assert!(!sealed.windows(4).any(|w| w == b"seed"));
        assert_eq!(vault.open("totp/1", &sealed).unwrap().as_slice(), b"seed");
        assert!(vault.open("totp/2", &sealed).is_err(), "of another person");
        assert_ne!(vault.seal(random, "totp/1", b"seed").unwrap(), sealed, "nonces never repeat");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.open("totp/1", &changed).is_err(), "byte {at} changed");
            assert!(vault.open("totp/1", &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(Vault::new(dir.path()).open("totp/1", &sealed).unwrap().as_slice(), b"seed");
    }

    #[test]
    fn older_keys_open_and_the_first_seals() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (old, new) = (Vault::new(a.path()), Vault::new(b.path()));
        let first = old.seal(random, "x", b"1").unwrap();
        new.seal(random, "x", b"2").unwrap();
        let error = new.open("x", &first).unwrap_err().to_string();
        assert!(error.contains("secret.key") && error.contains("missing"), "{error}");
        let key = |v: &Vault| std::fs::read_to_string(v.file()).unwrap();
        std::fs::write(new.file(), format!("{}\n{}", key(&new), key(&old))).unwrap();
        assert_eq!(new.open("x", &first).unwrap().as_slice(), b"1");
        let second = new.seal(random, "x", b"3").unwrap();
        assert!(old.open("x", &second).is_err());
    }

    #[test]
    fn one_key_whoever_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::new(dir.path());
        let sealed: Vec<Vec<u8>> = std::thread::scope(|s| {
            let each: Vec<_> =
                (0..8).map(|_| s.spawn(|| vault.seal(random, "x", b"secret").unwrap())).collect();
            each.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(sealed.iter().all(|s| vault.open("x", s).unwrap().as_slice() == b"secret"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing stays behind");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::new(dir.path());
        let sealed = vault.seal(random, "x", b"secret").unwrap();
        let mode = |m: u32| {
            std::fs::set_permissions(vault.file(), std::fs::Permissions::from_mode(m)).unwrap();
        };
        assert_eq!(std::fs::metadata(vault.file()).unwrap().permissions().mode() & 0o777, 0o600);
        mode(0o640);
        let error = vault.open("x", &sealed).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        mode(0o600);
        for bad in ["", "\n", "abc", &"g".repeat(64), &"0".repeat(66), &"0".repeat(5000)] {
            std::fs::write(vault.file(), bad).unwrap();
            assert!(vault.open("x", &sealed).is_err(), "{bad:?}");
            assert!(
                vault.seal(random, "x", b"secret").is_err(),
                "{bad:?}: no second key is made over a bad file"
            );
        }
    }
}
