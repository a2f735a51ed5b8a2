//! OpenPGP signatures of CSAF providers: good, bad, missing, and of another key.

use pgp::composed::{ArmorOptions, DetachedSignature, KeyType, SecretKeyParamsBuilder, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::types::{KeyDetails, Password};
use rand::rngs::OsRng;
use serde_json::{Value, json};

use crate::feeds::run;
use crate::publisher::{Play, Publisher};
use crate::serve::Server;
use crate::sources::{csaf, edition, known, sha256};

fn secret() -> SignedSecretKey {
    let mut params = SecretKeyParamsBuilder::default();
    params.key_type(KeyType::Ed25519).can_certify(true).can_sign(true);
    params.primary_user_id("Maker PSIRT <psirt@maker.example>".to_owned());
    params.build().unwrap().generate(OsRng).unwrap()
}

fn print(key: &SignedSecretKey) -> String {
    format!("{:x}", key.fingerprint())
}

fn signed(key: &SignedSecretKey, hash: HashAlgorithm, data: &[u8]) -> Play {
    let made =
        DetachedSignature::sign_binary_data(OsRng, &key.primary_key, &Password::empty(), hash, data).unwrap();
    edition(made.to_armored_bytes(ArmorOptions::default()).unwrap())
}

/// A provider with a directory, and a data folder that follows it.
struct Provider {
    dir: tempfile::TempDir,
    publisher: Publisher,
    list: String,
}

impl Provider {
    fn new(keys: &[&SignedSecretKey]) -> Provider {
        let mut p = Provider {
            dir: tempfile::tempdir().unwrap(),
            publisher: Publisher::start(),
            list: String::new(),
        };
        p.shows(keys);
        let address = p.publisher.address("/p/provider-metadata.json");
        p.run(&["set", "csaf", "--address", &address], 0);
        p
    }

    fn shows(&mut self, keys: &[&SignedSecretKey]) {
        let p = &self.publisher;
        let key = |(n, key): (usize, &&SignedSecretKey)| {
            let armored = key.to_public_key().to_armored_bytes(ArmorOptions::default()).unwrap();
            p.page(&format!("/p/key{n}.asc"), edition(armored));
            json!({"fingerprint": print(key).to_uppercase(), "url": p.address(&format!("/p/key{n}.asc"))})
        };
        let keys: Vec<Value> = keys.iter().enumerate().map(key).collect();
        let metadata = json!({"role": "csaf_provider", "public_openpgp_keys": keys,
            "distributions": [{"directory_url": p.address("/p/white/")}]});
        p.page("/p/provider-metadata.json", edition(metadata.to_string().into_bytes()));
    }

    /// Publishes an advisory about a CVE with this signature.
    fn publishes(&mut self, n: u32, signature: impl Fn(&[u8]) -> Play) {
        let body = csaf(&format!("A-{n}"), &format!("CVE-2025-{n:04}"));
        let p = &self.publisher;
        p.page(&format!("/p/white/{n}.json.asc"), signature(&body));
        p.page(&format!("/p/white/{n}.json.sha256"), edition(sha256(&body)));
        p.page(&format!("/p/white/{n}.json"), edition(body));
        self.list.push_str(&format!("\"{n}.json\",\"2025-01-{n:02}T00:00:00Z\"\n"));
        p.page("/p/white/changes.csv", edition(self.list.clone().into_bytes()));
    }

    fn run(&self, args: &[&str], code: i32) -> Value {
        run(self.dir.path(), &self.publisher, args, code).0
    }

    fn sync(&self, code: i32) -> Value {
        self.run(&["sync", "csaf", "--force"], code)
    }

    fn knows(&self, n: u32) -> bool {
        known(self.dir.path(), &format!("CVE-2025-{n:04}"))
    }
}

fn counts(feed: &Value) -> [i64; 3] {
    ["signed", "unsigned", "refused"].map(|n| feed["providers"][0][n].as_i64().unwrap_or(-1))
}

#[test]
fn what_is_signed_is_checked_and_what_does_not_fit_is_not_taken() {
    let key = secret();
    let mut p = Provider::new(&[&key]);
    p.publishes(1, |body| signed(&key, HashAlgorithm::Sha512, body));
    p.publishes(2, |_| Play::Status(404, None));
    let feed = p.sync(0);
    assert!(p.knows(1) && p.knows(2), "{feed}");
    assert_eq!(counts(&feed), [1, 1, 0], "a missing signature is counted: {feed}");
    assert_eq!(feed["providers"][0]["keys"][0]["fingerprint"], print(&key));
    p.publishes(3, |_| signed(&key, HashAlgorithm::Sha512, b"{}"));
    p.publishes(4, |body| signed(&secret(), HashAlgorithm::Sha512, body));
    p.publishes(5, |_| edition(b"-----BEGIN PGP SIGNATURE-----\n".to_vec()));
    let feed = p.sync(1);
    let error = feed["error"].as_str().unwrap();
    assert!(error.contains("it does not fit the document") && error.contains("of another key"), "{error}");
    assert!((3..6).all(|n| !p.knows(n)) && counts(&feed) == [0, 0, 3], "{feed}");
    p.publishes(3, |body| signed(&key, HashAlgorithm::Sha256, body));
    let feed = p.sync(1);
    assert!(p.knows(3), "what is put right is taken in: {feed}");
    // where there must be one
    let owner = p.publisher.address("/p/provider-metadata.json");
    p.run(&["set", "csaf", "--option", &format!("signed={owner}")], 0);
    p.publishes(7, |_| Play::Status(404, None));
    let feed = p.sync(1);
    assert!(feed["error"].as_str().unwrap().contains("bears no signature") && !p.knows(7), "{feed}");
}

#[test]
fn another_key_is_refused_until_an_administrator_accepts_it() {
    let (old, new) = (secret(), secret());
    let mut p = Provider::new(&[&old]);
    p.publishes(1, |body| signed(&old, HashAlgorithm::Sha256, body));
    p.sync(0);
    p.shows(&[&new]);
    p.publishes(2, |body| signed(&new, HashAlgorithm::Sha256, body));
    let feed = p.sync(1);
    let error = feed["error"].as_str().unwrap();
    assert!(error.contains(&print(&old)) && error.contains("--accept-key") && !p.knows(2), "{error}");
    p.shows(&[]);
    assert!(p.sync(1)["error"].as_str().unwrap().contains("no longer shows the key") && !p.knows(2));
    p.sync(1);
    let feed = p.sync(1);
    assert_eq!(
        (&feed["failures"], &feed["not_before"]),
        (&json!(4), &Value::Null),
        "others do not wait for it"
    );
    p.shows(&[&old, &new]);
    p.publishes(3, |body| signed(&old, HashAlgorithm::Sha256, body));
    let feed = p.sync(1);
    assert!(p.knows(3) && !p.knows(2), "the old one counts while it is shown: {feed}");
    p.shows(&[&new]);
    p.run(&["set", "csaf", "--accept-key", &print(&new).to_uppercase()], 0);
    let feed = p.sync(0);
    assert!(p.knows(2), "{feed}");
}

#[test]
fn keys_are_decided_by_page_and_by_api() {
    let (old, new) = (secret(), secret());
    let mut p = Provider::new(&[&old]);
    p.publishes(1, |body| signed(&old, HashAlgorithm::Sha256, body));
    p.sync(0);
    p.shows(&[&new]);
    p.sync(1);
    let server = Server::start_with(p.dir.path(), &["--allow-host", &p.publisher.host()], None);
    let page = server.page("/sources/csaf").text();
    assert!(page.contains(&print(&new)) && page.contains("not accepted") && page.contains(">trusted<"));
    let key = server.key("manager");
    let api = |method: &str, path: &str| server.send(method, path, &[("X-Api-Key", key.as_str())], b"");
    let providers = api("GET", "/api/v2/sources/csaf/providers").json();
    let keys = providers["items"][0]["keys"].clone();
    assert_eq!((&keys[0]["trusted"], &keys[1]["trusted"]), (&json!(true), &json!(false)));
    let place = |n: usize| format!("/api/v2/sources/csaf/signers/{}", keys[n]["id"]);
    assert_eq!(api("PUT", &place(1)).json()["trusted"], json!(true));
    assert_eq!(api("DELETE", &place(0)).status, 204);
    assert_eq!(api("DELETE", &place(0)).status, 404);
    let posted = server.post(&format!("/sources/csaf/signers/{}", keys[1]["id"]), "accept=1");
    assert_eq!(posted.status, 303);
    let posted = server.post(&format!("/sources/csaf/signers/{}", keys[1]["id"]), "");
    assert_eq!(posted.status, 303);
    assert!(!server.page("/sources/csaf").text().contains("/signers/"), "none is known any more");
}
