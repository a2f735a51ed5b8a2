//! OpenPGP (RFC 9580) as publishers of documents use it: public keys, and signatures that stand beside a document.
//!
//! What a key may be used for is read strictly: a revoked key signs nothing, neither does one whose time was over when it
//! signed, nor a subkey that the key does not vouch for or that does not vouch for itself; MD5 and SHA-1 count for nothing.

use std::io::Cursor;

use pgp::composed::{Deserializable, DetachedSignature, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag, VerifyingKey};

/// Signatures of one file, keys of one file and certifications of one key that are looked at.
const MOST: usize = 64;
/// How far a publisher's clock may be ahead of ours, in seconds.
const AHEAD: i64 = 24 * 3600;

/// A public key with its subkeys.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    key: SignedPublicKey,
    /// Fingerprint of the primary key, hexadecimal in small letters.
    pub fingerprint: String,
}

/// A fingerprint in the form in which they are compared: people write them with spaces, colons and capital letters.
pub(super) fn plain(fingerprint: &str) -> String {
    let text = fingerprint.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect::<String>().to_ascii_lowercase()
}

/// The public keys of a file, armored or not.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, String> {
    let (keys, _) = SignedPublicKey::from_reader_many(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let mut all = Vec::new();
    for key in keys.take(MOST) {
        let key = key.map_err(|e| e.to_string())?;
        let fingerprint = format!("{:x}", key.fingerprint());
        all.push(Certificate { key, fingerprint });
    }
    if all.is_empty() { Err("there is no public key in it".to_owned()) } else { Ok(all) }
}

/// Fingerprint of the key among these with which a document is signed, at `now` (seconds since 1970).
pub(super) fn check(
    signature: &[u8],
    document: &[u8],
    keys: &[Certificate],
    now: i64,
) -> Result<String, String> {
    let (signatures, _) =
        DetachedSignature::from_reader_many(Cursor::new(signature)).map_err(|e| e.to_string())?;
    let mut why = "there is no signature in it".to_owned();
    for signature in signatures.take(MOST) {
        let signature = signature.map_err(|e| e.to_string())?.signature;
        for key in keys {
            match one(&signature, document, &key.key, now) {
                Ok(()) => return Ok(key.fingerprint.clone()),
                Err(other) => why = other,
            }
        }
        if keys.is_empty() {
            why = "there is no key to check it with".to_owned();
        }
    }
    Err(why)
}

fn one(signature: &Signature, document: &[u8], key: &SignedPublicKey, now: i64) -> Result<(), String> {
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err("it is no signature of a document".to_owned());
    }
    if !is_strong(signature) {
        return Err("it is made with a hash that no longer counts".to_owned());
    }
    let made = signature.created().map(|t| i64::from(t.as_secs()));
    let made = made.ok_or_else(|| "it does not say when it was made".to_owned())?;
    if made > now + AHEAD {
        return Err("it is of a time that has not come".to_owned());
    }
    let lasts = signature.signature_expiration_time().map_or(0, |d| i64::from(d.as_secs()));
    if lasts > 0 && made + lasts < now {
        return Err("it was for a time that is over".to_owned());
    }
    if key.details.revocation_signatures.iter().any(|r| r.verify_key(&key.primary_key).is_ok()) {
        return Err(format!("the key {:x} is revoked", key.fingerprint()));
    }
    let own = certification(key).ok_or_else(|| format!("the key {:x} names nobody", key.fingerprint()))?;
    let in_time = |of: &Signature, born: i64| {
        let lasts = of.key_expiration_time().map_or(0, |d| i64::from(d.as_secs()));
        born <= made && (lasts == 0 || made <= born + lasts)
    };
    let born = i64::from(key.primary_key.created_at().as_secs());
    if !in_time(own, born) {
        return Err(format!("the key {:x} was not in use when it was made", key.fingerprint()));
    }
    // flags that are not told forbid nothing to a primary key
    let flags = own.key_flags();
    let told = flags.sign() || flags.certify() || flags.encrypt_comms() || flags.encrypt_storage();
    let mut why = Err("it is of another key".to_owned());
    let mut tried = |fits: pgp::errors::Result<()>, named: bool| match fits {
        Ok(()) => true,
        Err(_) => {
            if named {
                why = Err("it does not fit the document".to_owned());
            }
            false
        }
    };
    if (flags.sign() || !told)
        && tried(signature.verify(&key.primary_key, document), names(signature, &key.primary_key))
    {
        return Ok(());
    }
    for subkey in key.public_subkeys.iter().take(MOST) {
        let bound = |s: &&Signature| {
            s.typ() == Some(SignatureType::SubkeyBinding)
                && is_strong(s)
                && s.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok()
        };
        let revoked = subkey.signatures.iter().take(MOST).any(|s| {
            s.typ() == Some(SignatureType::SubkeyRevocation)
                && s.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok()
        });
        let newest = subkey.signatures.iter().take(MOST).filter(bound).max_by_key(|s| s.created());
        let Some(binding) = newest.filter(|b| !revoked && b.key_flags().sign()) else { continue };
        let back = binding.embedded_signature();
        let back = back.is_some_and(|b| b.verify_primary_key_binding(&subkey.key, &key.primary_key).is_ok());
        let born = i64::from(subkey.key.created_at().as_secs());
        if back
            && in_time(binding, born)
            && tried(signature.verify(&subkey.key, document), names(signature, &subkey.key))
        {
            return Ok(());
        }
    }
    why
}

/// Whether a signature says that it is of this key.
fn names(signature: &Signature, key: &impl VerifyingKey) -> bool {
    let id = key.legacy_key_id();
    let fingerprint = key.fingerprint();
    signature.issuer_key_id().into_iter().any(|k| *k == id)
        || signature.issuer_fingerprint().into_iter().any(|f| *f == fingerprint)
}

fn is_strong(signature: &Signature) -> bool {
    use HashAlgorithm as H;
    matches!(
        signature.hash_alg(),
        Some(H::Sha224 | H::Sha256 | H::Sha384 | H::Sha512 | H::Sha3_256 | H::Sha3_512)
    )
}

/// The newest word of a key about itself: of a user id, or of itself directly. Words of others do not count.
fn certification(key: &SignedPublicKey) -> Option<&Signature> {
    let users = key.details.users.iter().take(MOST).flat_map(|u| {
        let own = |s: &&Signature| {
            s.is_certification() && s.verify_certification(&key.primary_key, Tag::UserId, &u.id).is_ok()
        };
        u.signatures.iter().take(MOST).filter(own)
    });
    let direct = key.details.direct_signatures.iter().take(MOST);
    users.chain(direct.filter(|s| s.verify_key(&key.primary_key).is_ok())).max_by_key(|s| s.created())
}

#[cfg(test)]
mod tests {
    use pgp::composed::{
        ArmorOptions, KeyType, SecretKeyParamsBuilder, SignedSecretKey, SubkeyParamsBuilder,
    };
    use pgp::packet::{SignatureConfig, Subpacket, SubpacketData};
    use pgp::types::{Password, Timestamp};

    use super::*;

    const NOW: i64 = 4_000_000_000;

    fn secret(signs: bool) -> SignedSecretKey {
        let mut subkey = SubkeyParamsBuilder::default();
        subkey.key_type(KeyType::Ed25519).can_sign(true);
        let mut params = SecretKeyParamsBuilder::default();
        params.key_type(KeyType::Ed25519).can_certify(true).can_sign(signs);
        params.primary_user_id("Maker PSIRT <psirt@maker.example>".to_owned());
        if !signs {
            params.subkey(subkey.build().unwrap());
        }
        params.build().unwrap().generate(rand_of()).unwrap()
    }

    fn rand_of() -> rand::rngs::OsRng {
        rand::rngs::OsRng
    }

    fn armored(key: &SignedSecretKey) -> String {
        key.to_public_key().to_armored_string(ArmorOptions::default()).unwrap()
    }

    fn signed(key: &SignedSecretKey, hash: HashAlgorithm, data: &[u8]) -> String {
        let made = match key.secret_subkeys.first() {
            Some(sub) => {
                DetachedSignature::sign_binary_data(rand_of(), &sub.key, &Password::empty(), hash, data)
            }
            None => DetachedSignature::sign_binary_data(
                rand_of(),
                &key.primary_key,
                &Password::empty(),
                hash,
                data,
            ),
        };
        made.unwrap().to_armored_string(ArmorOptions::default()).unwrap()
    }

    #[test]
    fn a_signature_fits_its_document_and_its_key_alone() {
        for signs in [true, false] {
            let (ours, other) = (secret(signs), secret(signs));
            let keys = certificates(armored(&ours).as_bytes()).unwrap();
            let others = certificates(armored(&other).as_bytes()).unwrap();
            let signature = signed(&ours, HashAlgorithm::Sha256, b"{}");
            let both = [others.clone(), keys.clone()].concat();
            assert_eq!(check(signature.as_bytes(), b"{}", &both, NOW), Ok(keys[0].fingerprint.clone()));
            assert!(check(signature.as_bytes(), b"{ }", &keys, NOW).unwrap_err().contains("fit"));
            assert!(check(signature.as_bytes(), b"{}", &others, NOW).unwrap_err().contains("another key"));
            assert!(check(signature.as_bytes(), b"{}", &[], NOW).unwrap_err().contains("no key"));
            assert!(check(signature.as_bytes(), b"{}", &keys, 1).unwrap_err().contains("not come"));
        }
        let key = secret(true);
        let keys = certificates(armored(&key).as_bytes()).unwrap();
        for bad in ["", "<html>", "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"] {
            assert!(check(bad.as_bytes(), b"{}", &keys, NOW).is_err(), "{bad}");
            assert!(certificates(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(certificates(signed(&key, HashAlgorithm::Sha256, b"{}").as_bytes()).is_err());
    }

    #[test]
    fn weak_hashes_and_revoked_keys_count_for_nothing() {
        let mut params = SecretKeyParamsBuilder::default();
        params.key_type(KeyType::Rsa(2048)).can_certify(true).can_sign(true);
        params.primary_user_id("Maker".to_owned());
        let key = params.build().unwrap().generate(rand_of()).unwrap();
        let keys = certificates(armored(&key).as_bytes()).unwrap();
        let weak = signed(&key, HashAlgorithm::Sha1, b"{}");
        assert!(check(weak.as_bytes(), b"{}", &keys, NOW).unwrap_err().contains("no longer counts"));
        let good = signed(&key, HashAlgorithm::Sha512, b"{}");
        assert!(check(good.as_bytes(), b"{}", &keys, NOW).is_ok());
        let public = key.primary_key.public_key();
        let mut config = SignatureConfig::v4(
            SignatureType::KeyRevocation,
            key.primary_key.algorithm(),
            HashAlgorithm::Sha256,
        );
        config.hashed_subpackets = vec![
            Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::now())).unwrap(),
            Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint())).unwrap(),
        ];
        let revocation = config.sign_key(&key.primary_key, &Password::empty(), public).unwrap();
        let mut revoked = key.to_public_key();
        revoked.details.revocation_signatures.push(revocation);
        let revoked = revoked.to_armored_bytes(ArmorOptions::default()).unwrap();
        let keys = certificates(&revoked).unwrap();
        assert!(check(good.as_bytes(), b"{}", &keys, NOW).unwrap_err().contains("is revoked"));
    }

    /// A key and a signature that another program made, over a document of a provider.
    #[test]
    #[allow(clippy::print_stderr, reason = "a test says what it skips")]
    fn a_signature_that_was_made_elsewhere_is_understood() {
        let base = std::env::var_os("TOCSIN_CORPUS").map(std::path::PathBuf::from);
        let base = base
            .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").into())
            .join("csaf-provider-fixtures/testdata/simple-directory-provider");
        let Ok(key) = std::fs::read(base.join("openpgp/pubkey.asc")) else {
            eprintln!("SKIPPED: {} is not in the corpus", base.display());
            return;
        };
        let keys = certificates(&key).unwrap();
        let document = std::fs::read(base.join("white/avendor-advisory-0004.json")).unwrap();
        let signature = std::fs::read(base.join("white/avendor-advisory-0004.json.asc")).unwrap();
        assert_eq!(check(&signature, &document, &keys, NOW), Ok(keys[0].fingerprint.clone()));
        assert!(check(&signature, b"{}", &keys, NOW).is_err());
    }

    #[test]
    fn fingerprints_compare_however_they_are_written() {
        assert_eq!(plain("0xAB12 cd34:EF"), "ab12cd34ef");
    }
}
