//! Answers that hold and answers that do not; those of a browser's authenticator are under `testdata/webauthn.json`.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;

const CHALLENGE: &[u8] = b"0123456789abcdef0123456789abcdef";

fn expected() -> Expected<'static> {
    Expected { challenge: CHALLENGE, origin: "https://tocsin.example.org", party: "tocsin.example.org" }
}

/// An authenticator of the test.
enum Signer {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    fn both() -> [Signer; 2] {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        [Signer::Ec(ec), Signer::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())]
    }

    fn cose(&self) -> Value {
        let number = |n: i64| Value::Integer(n.into());
        let pairs = match self {
            Signer::Ec(pair) => {
                let point = pair.public_key().as_ref();
                vec![
                    (number(1), number(2)),
                    (number(3), number(-7)),
                    (number(-1), number(1)),
                    (number(-2), Value::Bytes(point[1..33].to_vec())),
                    (number(-3), Value::Bytes(point[33..].to_vec())),
                ]
            }
            Signer::Ed(pair) => vec![
                (number(1), number(1)),
                (number(3), number(-8)),
                (number(-1), number(6)),
                (number(-2), Value::Bytes(pair.public_key().as_ref().to_vec())),
            ],
        };
        Value::Map(pairs)
    }

    fn sign(&self, data: &[u8], client: &[u8]) -> Vec<u8> {
        let message = [data, Sha256::digest(client).as_slice()].concat();
        match self {
            Signer::Ec(pair) => pair.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(&message).as_ref().to_vec(),
        }
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

fn client(kind: &str) -> serde_json::Value {
    json!({"type": kind, "challenge": URL_SAFE_NO_PAD.encode(CHALLENGE), "origin": "https://tocsin.example.org",
        "crossOrigin": false})
}

fn data(party: &str, flags: u8, counter: u32, behind: &[u8]) -> Vec<u8> {
    [Sha256::digest(party.as_bytes()).as_slice(), &[flags], &counter.to_be_bytes(), behind].concat()
}

/// What is behind the counter of a new passkey: AAGUID, id, key.
fn attested(cose: &Value, id: &[u8]) -> Vec<u8> {
    let length = u16::try_from(id.len()).unwrap().to_be_bytes();
    [&[0; 16], &length[..], id, &bytes(cose)].concat()
}

fn object(data: &[u8]) -> Vec<u8> {
    let text = |t: &str| Value::Text(t.to_owned());
    bytes(&Value::Map(vec![
        (text("fmt"), text("none")),
        (text("attStmt"), Value::Map(Vec::new())),
        (text("authData"), Value::Bytes(data.to_vec())),
    ]))
}

const NEW: u8 = USER_PRESENT | USER_VERIFIED | ATTESTED;
const HERE: u8 = USER_PRESENT | USER_VERIFIED;
const PARTY: &str = "tocsin.example.org";

#[test]
fn a_passkey_is_made_and_signs_in() {
    for signer in Signer::both() {
        let made = object(&data(PARTY, NEW, 7, &attested(&signer.cose(), b"id-1")));
        let made = created(client("webauthn.create").to_string().as_bytes(), &made, &expected()).unwrap();
        assert_eq!((made.credential.as_slice(), made.counter), (&b"id-1"[..], 7));
        assert_eq!(made.key, bytes(&signer.cose()));
        let client = client("webauthn.get").to_string();
        let data = data(PARTY, HERE, 8, &[]);
        let signature = signer.sign(&data, client.as_bytes());
        let answer = Answer { client: client.as_bytes(), data: &data, signature: &signature };
        assert_eq!(answered(&answer, &made.key, made.counter, &expected()), Ok(8));
        assert!(answered(&answer, &made.key, 8, &expected()).unwrap_err().to_string().contains("counter"));
        let others = bytes(&Signer::both()[0].cose());
        assert!(answered(&answer, &others, 7, &expected()).is_err(), "another passkey");
    }
}

#[test]
fn an_answer_about_anything_else_does_not_hold() {
    let [signer, _] = Signer::both();
    let key = bytes(&signer.cose());
    let check = |client: &serde_json::Value, data: &[u8]| {
        let client = client.to_string();
        let signature = signer.sign(data, client.as_bytes());
        answered(&Answer { client: client.as_bytes(), data, signature: &signature }, &key, 0, &expected())
    };
    let good = data(PARTY, HERE, 0, &[]);
    assert_eq!(check(&client("webauthn.get"), &good), Ok(0), "one that does not count");
    for (name, value, why) in [
        ("type", json!("webauthn.create"), "another question"),
        ("challenge", json!(URL_SAFE_NO_PAD.encode(b"another challenge, not ours")), "another sign-in"),
        ("challenge", json!(""), "another sign-in"),
        ("origin", json!("https://evil.example.org"), "another site"),
        ("origin", json!("http://tocsin.example.org"), "another site"),
        ("origin", json!("https://tocsin.example.org:8443"), "another site"),
        ("crossOrigin", json!(true), "another site's page"),
        ("topOrigin", json!("https://evil.example.org"), "another site's page"),
    ] {
        let mut client = client("webauthn.get");
        client[name] = value;
        let fault = check(&client, &good).unwrap_err();
        assert!(fault.to_string().contains(why), "{name}: {fault}");
    }
    for (data, why) in [
        (data("example.org", HERE, 0, &[]), "another site"),
        (data(PARTY, USER_VERIFIED, 0, &[]), "nobody"),
        (data(PARTY, USER_PRESENT, 0, &[]), "did not verify"),
        (data(PARTY, HERE | BACKED_UP, 0, &[]), "contradicts"),
        (data(PARTY, HERE, 0, b"x"), "too long"),
        (data(PARTY, HERE | ATTESTED, 0, &attested(&signer.cose(), b"id")), "too long"),
        (data(PARTY, HERE | EXTENSIONS, 0, b""), "no CBOR"),
        (good[..36].to_vec(), "cut short"),
        (Vec::new(), "cut short"),
    ] {
        let fault = check(&client("webauthn.get"), &data).unwrap_err();
        assert!(fault.to_string().contains(why), "{why}: {fault}");
    }
    // signed over something else
    let client = client("webauthn.get").to_string();
    let mut signature = signer.sign(&good, client.as_bytes());
    *signature.last_mut().unwrap() ^= 1;
    let answer = Answer { client: client.as_bytes(), data: &good, signature: &signature };
    assert!(answered(&answer, &key, 0, &expected()).is_err());
}

#[test]
fn a_new_passkey_is_whole_or_none() {
    let [signer, _] = Signer::both();
    let client = client("webauthn.create").to_string();
    let check = |data: &[u8]| created(client.as_bytes(), &object(data), &expected());
    let whole = data(PARTY, NEW, 0, &attested(&signer.cose(), b"id-1"));
    assert!(check(&whole).is_ok());
    for at in 0..whole.len() {
        assert!(check(&whole[..at]).is_err(), "cut at {at}");
    }
    assert!(check(&[&whole[..], b"x"].concat()).is_err());
    assert!(check(&data(PARTY, HERE, 0, &[])).is_err());
    assert!(check(&data(PARTY, NEW, 0, &attested(&signer.cose(), b""))).is_err());
    let number = |n: i64| Value::Integer(n.into());
    for (name, value) in [(3, number(-35)), (3, number(-8)), (-1, number(2)), (-2, Value::Bytes(vec![1; 31]))]
    {
        let mut cose = signer.cose();
        if let Value::Map(pairs) = &mut cose {
            pairs.iter_mut().find(|(k, _)| *k == number(name)).unwrap().1 = value;
        }
        assert!(check(&data(PARTY, NEW, 0, &attested(&cose, b"id-1"))).is_err(), "field {name}");
    }
    let deep = [vec![0x81; 10_000], vec![0x00]].concat();
    assert!(created(client.as_bytes(), &deep, &expected()).is_err(), "nested without end");
    assert!(
        created(client.as_bytes(), &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &expected())
            .is_err()
    );
}
