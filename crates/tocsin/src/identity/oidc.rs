//! OpenID Connect Core 1.0 with the authorization code flow, PKCE (RFC 7636), nonce and state: what is asked of a
//! provider, and whether what it answers holds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tocsin_core::platform::people::Claims;

use super::signature::{Form, Key};

/// Why an answer of a provider does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its configuration cannot be used.
    #[error("the provider's configuration cannot be used: {0}")]
    Configuration(&'static str),
    /// Its answer with the token cannot be used.
    #[error("the provider's answer cannot be used: {0}")]
    Answer(String),
    /// The identity token does not hold.
    #[error("the provider's identity token does not hold: {0}")]
    Token(&'static str),
}

/// What is needed of a provider's configuration (OpenID Connect Discovery 1.0 section 3).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// Issuer, as it stands in tokens.
    pub issuer: String,
    /// Where people are sent.
    pub authorization_endpoint: String,
    /// Where codes are exchanged.
    pub token_endpoint: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// How clients may say who they are.
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// Where a provider's configuration is.
pub fn configuration(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl Metadata {
    /// Reads a configuration; it must be of the issuer that was asked (Discovery section 4.3), to the letter.
    ///
    /// # Errors
    /// [`Fault::Configuration`].
    pub fn read(issuer: &str, bytes: &[u8]) -> Result<Metadata, Fault> {
        let read: Metadata = serde_json::from_slice(bytes)
            .map_err(|_| Fault::Configuration("it is no JSON, or an endpoint is missing"))?;
        if read.issuer != issuer {
            return Err(Fault::Configuration("it names another issuer than was set here"));
        }
        Ok(read)
    }

    /// Whether the client's secret goes into the form; else it goes as HTTP Basic, which is the default (section 3).
    pub fn secret_in_form(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        !methods.is_empty()
            && !methods.iter().any(|m| m == "client_secret_basic")
            && methods.iter().any(|m| m == "client_secret_post")
    }

    /// The address to which somebody is sent.
    pub fn address(&self, client: &str, callback: &str, state: &str, nonce: &str, verifier: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let pairs = [
            ("response_type", "code"),
            ("scope", "openid profile email"),
            ("client_id", client),
            ("redirect_uri", callback),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={}", crate::ui::encode(v))).collect();
        let join = if self.authorization_endpoint.contains('?') { '&' } else { '?' };
        format!("{}{join}{}", self.authorization_endpoint, query.join("&"))
    }
}

/// Credentials for HTTP Basic: each part form-encoded first (RFC 6749 section 2.3.1).
pub fn basic(client: &str, secret: &str) -> String {
    let pair = format!("{}:{}", crate::ui::encode(client), crate::ui::encode(secret));
    base64::engine::general_purpose::STANDARD.encode(pair)
}

/// The identity token of a token endpoint's answer.
///
/// # Errors
/// [`Fault::Answer`] with the provider's own code, where it tells one.
pub fn identity_token(bytes: &[u8]) -> Result<String, Fault> {
    let answer: Value =
        serde_json::from_slice(bytes).map_err(|_| Fault::Answer("it is no JSON".to_owned()))?;
    if let Some(token) = answer.get("id_token").and_then(Value::as_str) {
        return Ok(token.to_owned());
    }
    let code = answer.get("error").and_then(Value::as_str).unwrap_or("it has no identity token");
    let plain: String = code.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(80).collect();
    Err(Fault::Answer(plain))
}

/// What a token must say.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// Issuer.
    pub issuer: &'a str,
    /// Our name at the provider.
    pub client: &'a str,
    /// What was sent along.
    pub nonce: &'a str,
    /// Now, in seconds since 1970.
    pub now: i64,
    /// Claim that lists groups.
    pub groups: &'a str,
}

/// How far clocks may differ, in seconds.
const SKEW: i64 = 120;
/// Oldest token taken, in seconds after it was made: it comes straight from the provider.
const OLDEST: i64 = 600;

fn part(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A key of a JWK set (RFC 7517) for an algorithm.
fn key(jwk: &Value, algorithm: &str) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| text(name).and_then(part);
    if text("use").is_some_and(|u| u != "sig") || text("alg").is_some_and(|a| a != algorithm) {
        return None;
    }
    match (algorithm, text("kty")?, text("crv")) {
        ("RS256", "RSA", _) => Some(Key::Rsa(bytes("n")?, bytes("e")?)),
        ("ES256", "EC", Some("P-256")) => Key::p256(&bytes("x")?, &bytes("y")?),
        ("EdDSA", "OKP", Some("Ed25519")) => Some(Key::Ed25519(bytes("x")?)),
        _ => None,
    }
}

/// The claims of a token that one of these keys signed (RFC 7515): RS256, ES256 or EdDSA. Neither `none` nor a keyed
/// hash is taken, whatever the token says.
fn opened(jwks: &[u8], token: &str) -> Result<Map<String, Value>, Fault> {
    let unreadable = Fault::Token("it cannot be read");
    let mut parts = token.split('.');
    let (Some(head), Some(body), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(unreadable);
    };
    let json = |text: &str| part(text).and_then(|b| serde_json::from_slice::<Map<String, Value>>(&b).ok());
    let header = json(head).ok_or_else(|| unreadable.clone())?;
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    if !["RS256", "ES256", "EdDSA"].contains(&algorithm) {
        return Err(Fault::Token("it is signed in a way that is not taken; RS256, ES256 and EdDSA are"));
    }
    if header.contains_key("crit") {
        return Err(Fault::Token("it asks for an extension that is not known"));
    }
    let set: Value =
        serde_json::from_slice(jwks).map_err(|_| Fault::Token("the provider's keys cannot be read"))?;
    let kid = header.get("kid").and_then(Value::as_str);
    let keys = set.get("keys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let named = |jwk: &&Value| kid.is_none_or(|kid| jwk.get("kid").and_then(Value::as_str) == Some(kid));
    let signature = part(signature).ok_or_else(|| unreadable.clone())?;
    let message = format!("{head}.{body}");
    let is_signed = keys
        .iter()
        .filter(named)
        .take(20)
        .filter_map(|jwk| key(jwk, algorithm))
        .any(|key| key.signed(Form::Fixed, message.as_bytes(), &signature));
    if !is_signed {
        return Err(Fault::Token("none of the provider's keys signed it"));
    }
    json(body).ok_or(unreadable)
}

/// Checks an identity token (OpenID Connect Core section 3.1.3.7) and gives what it says of the person.
///
/// # Errors
/// [`Fault::Token`].
pub fn check(jwks: &[u8], token: &str, expected: &Expected<'_>) -> Result<Claims, Fault> {
    let claims = opened(jwks, token)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| claims.get(name).and_then(Value::as_f64).map(|n| n as i64);
    if text("iss") != expected.issuer {
        return Err(Fault::Token("it is of another issuer"));
    }
    let ours = |v: &Value| v.as_str() == Some(expected.client);
    let audiences = match claims.get("aud") {
        Some(Value::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    if !audiences.iter().any(ours) {
        return Err(Fault::Token("it is for somebody else"));
    }
    let party = claims.get("azp");
    if party.is_some_and(|p| !ours(p)) || (audiences.len() > 1 && party.is_none()) {
        return Err(Fault::Token("it was given to somebody else"));
    }
    if number("exp").is_none_or(|at| at + SKEW <= expected.now) {
        return Err(Fault::Token("it has expired"));
    }
    let made = number("iat").ok_or(Fault::Token("it does not say when it was made"))?;
    if made > expected.now + SKEW || made + OLDEST + SKEW < expected.now {
        return Err(Fault::Token(
            "it was made at another time; see that the clocks of both servers are right",
        ));
    }
    if expected.nonce.is_empty() || text("nonce") != expected.nonce {
        return Err(Fault::Token("it does not answer this sign-in"));
    }
    let subject = text("sub");
    if subject.is_empty() || subject.len() > 255 {
        return Err(Fault::Token("it names nobody"));
    }
    let groups = match claims.get(expected.groups) {
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).map(str::to_owned).take(1000).collect()
        }
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    Ok(Claims {
        subject: subject.to_owned(),
        login: text("preferred_username").to_owned(),
        name: text("name").to_owned(),
        email: text("email").to_owned(),
        groups,
    })
}

#[cfg(test)]
#[path = "oidc_tests.rs"]
mod tests;
