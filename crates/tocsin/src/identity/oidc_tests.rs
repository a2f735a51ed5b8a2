//! Tokens that hold and tokens that do not.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;

const NOW: i64 = 1_767_600_000;

/// A signer of the test and its key as a provider publishes it.
struct Signer {
    kind: &'static str,
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    jwk: Value,
}

fn signer(kind: &'static str) -> Signer {
    let random = SystemRandom::new();
    let ed = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let point = ec.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let jwk = match kind {
        "EdDSA" => json!({"kty": "OKP", "crv": "Ed25519", "kid": "1",
            "x": URL_SAFE_NO_PAD.encode(ed.public_key().as_ref())}),
        _ => json!({"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "alg": "ES256", "x": x, "y": y}),
    };
    Signer { kind, ed, ec, jwk }
}

impl Signer {
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let message = format!("{}.{}", text(header), text(claims));
        let signature = match self.kind {
            "EdDSA" => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
            _ => self.ec.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn jwks(&self) -> Vec<u8> {
        json!({"keys": [{"kty": "oct", "k": "AAAA"}, self.jwk]}).to_string().into_bytes()
    }
}

fn claims() -> Value {
    json!({"iss": "https://id.example.org", "sub": "u-17", "aud": "tocsin", "nonce": "n-1", "iat": NOW - 5,
        "exp": NOW + 300, "preferred_username": "anna", "name": "Anna Berg", "email": "anna@example.org",
        "groups": ["psirt", 7, "all"]})
}

fn expected() -> Expected<'static> {
    Expected { issuer: "https://id.example.org", client: "tocsin", nonce: "n-1", now: NOW, groups: "groups" }
}

#[test]
fn a_token_of_each_kind_holds_and_says_who_it_is() {
    for kind in ["ES256", "EdDSA"] {
        let signer = signer(kind);
        let token = signer.sign(&json!({"alg": kind, "kid": "1"}), &claims());
        let who = check(&signer.jwks(), &token, &expected()).unwrap();
        assert_eq!(
            (who.subject.as_str(), who.login.as_str(), who.name.as_str()),
            ("u-17", "anna", "Anna Berg")
        );
        assert_eq!(who.groups, ["psirt", "all"]);
    }
}

/// RFC 7515 appendix A.2: RS256 over its example claims, which are no identity token.
#[test]
fn rs256_is_that_of_rfc_7515() {
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let jwks = json!({"keys": [{"kty": "RSA", "n": N, "e": "AQAB"}]}).to_string();
    assert_eq!(opened(jwks.as_bytes(), TOKEN).unwrap()["iss"], "joe");
    let changed = TOKEN.replace("eyJpc3MiOiJqb2Ui", "eyJpc3MiOiJKb2Ui");
    assert!(opened(jwks.as_bytes(), &changed).is_err());
}

#[test]
fn a_token_that_says_anything_else_does_not_hold() {
    let signer = signer("ES256");
    let header = json!({"alg": "ES256", "kid": "1"});
    let cases: [(&str, Value, &str); 14] = [
        ("iss", json!("https://evil.example.org"), "another issuer"),
        ("iss", json!("https://id.example.org/"), "another issuer"),
        ("aud", json!("other"), "somebody else"),
        ("aud", json!(["other", "tocsin"]), "given to somebody else"),
        ("aud", json!([]), "somebody else"),
        ("azp", json!("other"), "given to somebody else"),
        ("exp", json!(NOW - 121), "expired"),
        ("exp", json!("soon"), "expired"),
        ("iat", json!(NOW + 200), "another time"),
        ("iat", json!(NOW - 5000), "another time"),
        ("nonce", json!("n-2"), "this sign-in"),
        ("nonce", Value::Null, "this sign-in"),
        ("sub", json!(""), "nobody"),
        ("sub", json!("x".repeat(256)), "nobody"),
    ];
    for (claim, value, why) in cases {
        let mut claims = claims();
        claims[claim] = value.clone();
        let fault = check(&signer.jwks(), &signer.sign(&header, &claims), &expected()).unwrap_err();
        assert!(fault.to_string().contains(why), "{claim} {value}: {fault}");
    }
    let two = {
        let mut claims = claims();
        claims["aud"] = json!(["other", "tocsin"]);
        claims["azp"] = json!("tocsin");
        claims
    };
    assert!(check(&signer.jwks(), &signer.sign(&header, &two), &expected()).is_ok());
}

#[test]
fn a_token_that_is_not_signed_by_the_provider_does_not_hold() {
    let (ours, other) = (signer("ES256"), signer("ES256"));
    let check = |token: &str| check(&ours.jwks(), token, &expected());
    let good = ours.sign(&json!({"alg": "ES256", "kid": "1"}), &claims());
    assert!(check(&good).is_ok());
    assert!(check(&other.sign(&json!({"alg": "ES256", "kid": "1"}), &claims())).is_err());
    assert!(
        check(&ours.sign(&json!({"alg": "ES256", "kid": "2"}), &claims())).is_err(),
        "a key of another name"
    );
    for alg in ["none", "HS256", "RS256", "EdDSA", "ES384", ""] {
        assert!(check(&ours.sign(&json!({"alg": alg, "kid": "1"}), &claims())).is_err(), "{alg}");
    }
    assert!(check(&ours.sign(&json!({"alg": "ES256", "kid": "1", "crit": ["x"]}), &claims())).is_err());
    let (message, _) = good.rsplit_once('.').unwrap();
    for token in
        [message.to_owned(), format!("{message}."), format!("{good}.x"), String::new(), "..".to_owned()]
    {
        assert!(check(&token).is_err(), "{token}");
    }
}

#[test]
fn a_configuration_is_of_the_issuer_that_was_asked() {
    let text = json!({"issuer": "https://id.example.org/r", "authorization_endpoint": "https://id.example.org/a?x=1",
        "token_endpoint": "https://id.example.org/t", "jwks_uri": "https://id.example.org/k",
        "token_endpoint_auth_methods_supported": ["client_secret_post"]})
    .to_string();
    let read = Metadata::read("https://id.example.org/r", text.as_bytes()).unwrap();
    assert!(read.secret_in_form());
    let address =
        read.address("a b", "https://t.example/cb", "s", "n", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    // the challenge is that of RFC 7636 appendix B
    assert!(
        address.contains(
            "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        )
    );
    assert!(address.starts_with(
        "https://id.example.org/a?x=1&response_type=code&scope=openid%20profile%20email&client_id=a%20b&"
    ));
    assert!(Metadata::read("https://id.example.org", text.as_bytes()).is_err());
    assert!(Metadata::read("https://id.example.org/r", b"{}").is_err());
    assert_eq!(
        configuration("https://id.example.org/r/"),
        "https://id.example.org/r/.well-known/openid-configuration"
    );
    assert_eq!(
        identity_token(br#"{"error": "invalid_grant"}"#),
        Err(Fault::Answer("invalid_grant".to_owned()))
    );
    assert_eq!(basic("a b", "c:d"), "YSUyMGI6YyUzQWQ=");
}
