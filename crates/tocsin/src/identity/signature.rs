//! Signatures of others: the three kinds that providers and authenticators use.

use ring::signature::{
    self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Point of P-256: 0x04, x, y (SEC 1 section 2.3.3).
    P256(Vec<u8>),
    /// Ed25519 (RFC 8032).
    Ed25519(Vec<u8>),
    /// RSA: modulus and exponent, big-endian.
    Rsa(Vec<u8>, Vec<u8>),
}

/// How an ECDSA signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// r and s one after the other (JWS, RFC 7518 section 3.4).
    Fixed,
    /// A sequence of two integers in DER (WebAuthn section 6.5.5).
    Der,
}

impl Key {
    /// A point of P-256 of its coordinates, which may have lost leading zeros.
    pub fn p256(x: &[u8], y: &[u8]) -> Option<Key> {
        let mut point = vec![4];
        for coordinate in [x, y] {
            let padding = 32_usize.checked_sub(coordinate.len())?;
            point.extend(std::iter::repeat_n(0, padding));
            point.extend_from_slice(coordinate);
        }
        Some(Key::P256(point))
    }

    /// Whether this key signed `message`: ECDSA and RSA (PKCS #1 1.5) with SHA-256, Ed25519. RSA keys have 2048 to 8192
    /// bits.
    pub fn signed(&self, form: Form, message: &[u8], signature: &[u8]) -> bool {
        let checked = match self {
            Key::P256(point) => {
                let algorithm: &'static dyn signature::VerificationAlgorithm = match form {
                    Form::Fixed => &ECDSA_P256_SHA256_FIXED,
                    Form::Der => &ECDSA_P256_SHA256_ASN1,
                };
                UnparsedPublicKey::new(algorithm, point).verify(message, signature)
            }
            Key::Ed25519(key) => UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signature),
            Key::Rsa(n, e) => {
                // ring takes no leading zeros
                let bare = |bytes: &[u8]| bytes.iter().copied().skip_while(|b| *b == 0).collect::<Vec<u8>>();
                let key = RsaPublicKeyComponents { n: bare(n), e: bare(e) };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        checked.is_ok()
    }
}
