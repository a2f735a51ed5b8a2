//! The sources that are followed: whether and where each is asked, what it last gave, and what stands in its way.
//!
//! What a source gives goes through the import like a file; here is only what is remembered between two times. A
//! source that fails is asked less and less often (a circuit breaker) until it is heard again; what it gave before
//! stays.

use std::collections::BTreeMap;

use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::secret::{Random, from_hexadecimal, hexadecimal};
use crate::platform::sql;
use crate::platform::vault::Vault;

mod note;
mod signers;
#[cfg(test)]
mod tests;

pub use note::{Outcome, PATIENCE, Run, Sum, note, runs, times, until};
pub use signers::{Provider, Signed, Signer, decide, key_of, providers, shown};

/// Longest key, in bytes.
const LONGEST_KEY: usize = 4000;
/// Longest value of an option, in bytes: a list of feeds is one.
const LONGEST_VALUE: usize = 64 << 10;

/// What a publisher calls the edition it gave (RFC 9110, sections 8.8.2 and 8.8.3), word for word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Address that it belongs to.
    pub address: String,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub modified: Option<String>,
}

/// The state of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Feed {
    /// Name: `kev`.
    pub name: String,
    /// Address that the operator set; empty where the publisher's own holds.
    pub address: String,
    /// Whether it is followed.
    pub enabled: bool,
    /// The edition that was last taken in whole.
    pub mark: Option<Mark>,
    /// When it was last asked.
    pub tried: Option<String>,
    /// When it was last heard and understood.
    pub good: Option<String>,
    /// Why it was not since, with the remedy; empty where it was.
    pub error: String,
    /// Failures in a row.
    pub failures: i64,
    /// It is left alone until then.
    pub not_before: Option<String>,
    /// Of the last edition that was taken in: records or facts read …
    pub read: i64,
    /// … not known before …
    pub new: i64,
    /// … known and now different …
    pub changed: i64,
    /// … and not understood.
    pub refused: i64,
    /// Its bytes.
    pub bytes: i64,
    /// How far it is read, in the source's own words; empty before the first time.
    pub cursor: String,
    /// Further settings, by name.
    pub options: BTreeMap<String, String>,
    /// It has credentials.
    pub keyed: bool,
    #[serde(skip)]
    sealed: String,
}

impl Feed {
    /// Until when it is left alone, where that is not over.
    pub fn paused(&self, now: &str) -> Option<&str> {
        self.not_before.as_deref().filter(|until| *until > now)
    }
}

const COLUMNS: &str = "name, address, enabled, mark, tried, good, error, failures, not_before";
const NUMBERS: &str = "read, fresh, changed, refused, bytes";
type Told = (String, String, i64, String, Option<String>, Option<String>, String, i64, Option<String>);
type Numbers = (String, i64, i64, i64, i64, i64);
const FURTHER: &str = "cursor, options, secret";
type Further = (String, String, String, String);

/// The state of every source that was ever set or asked, by name.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn feeds(db: &DatabaseConnection, actor: &Actor) -> Result<BTreeMap<String, Feed>> {
    actor.need_everywhere(Permission::IntelRead)?;
    let what = "reading the sources";
    let told: Vec<Told> = sql::rows(db, what, &format!("SELECT {COLUMNS} FROM feed"), vec![]).await?;
    let numbers = format!("SELECT name, {NUMBERS} FROM feed");
    let numbers: Vec<Numbers> = sql::rows(db, what, &numbers, vec![]).await?;
    let mut all: BTreeMap<String, Feed> = told.into_iter().map(feed).map(|f| (f.name.clone(), f)).collect();
    for (name, read, new, changed, refused, bytes) in numbers {
        if let Some(f) = all.get_mut(&name) {
            (f.read, f.new, f.changed, f.refused, f.bytes) = (read, new, changed, refused, bytes);
        }
    }
    let further = format!("SELECT name, {FURTHER} FROM feed");
    let further: Vec<Further> = sql::rows(db, what, &further, vec![]).await?;
    for (name, cursor, options, sealed) in further {
        if let Some(f) = all.get_mut(&name) {
            (f.cursor, f.keyed) = (cursor, !sealed.is_empty());
            f.options = serde_json::from_str(&options).unwrap_or_default();
            f.sealed = sealed;
        }
    }
    Ok(all)
}

fn feed((name, address, enabled, mark, tried, good, error, failures, not_before): Told) -> Feed {
    let mark = serde_json::from_str(&mark).ok();
    let enabled = enabled != 0;
    Feed { name, address, enabled, mark, tried, good, error, failures, not_before, ..Feed::default() }
}

/// The state of one source; that of one which was never asked is empty.
///
/// # Errors
/// As [`feeds`].
pub async fn one(db: &DatabaseConnection, actor: &Actor, name: &str) -> Result<Feed> {
    let never = Feed { name: name.to_owned(), ..Feed::default() };
    Ok(feeds(db, actor).await?.remove(name).unwrap_or(never))
}

/// What is to be set of a source; what is missing stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    /// Whether it is followed.
    pub enabled: Option<bool>,
    /// Its address; an empty one is the publisher's own.
    pub address: Option<String>,
    /// Further settings by name; an empty one is taken away. Whether the source has such a setting, and whether it is one
    /// of several lines, is the caller's to know.
    pub options: BTreeMap<String, String>,
}

fn rejected(field: &str, message: &str) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.to_owned() }
}

/// Whether a text can be an address that is called; empty is none.
fn is_address(text: &str) -> bool {
    let scheme = text.starts_with("https://") || text.starts_with("http://");
    // a login in an address would be shown in lists and in the trail
    scheme && text.len() <= 2000 && !text.contains(['@', ' ', '#']) && !text.contains(char::is_control)
}

/// Sets what is told of a source. One that is set to another address is read from its beginning.
///
/// # Errors
/// Denied; [`Error::Rejected`]: the address is none, or a setting is too long.
pub async fn set(db: &DatabaseConnection, actor: &Actor, name: &str, new: &Set) -> Result<Feed> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let before = one(db, actor, name).await?;
    let address = new.address.as_deref().map_or(before.address.as_str(), str::trim);
    if !address.is_empty() && !is_address(address) {
        return Err(rejected("address", "an address beginning with https://, without login, space and #"));
    }
    let mut options = before.options.clone();
    for (option, value) in &new.options {
        let value = value.trim().replace("\r\n", "\n");
        let value = value.as_str();
        if value.len() > LONGEST_VALUE
            || value.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'))
        {
            return Err(rejected(option, "text of at most 64 KiB"));
        }
        if option == "proxy" && !value.is_empty() && !is_address(value) {
            return Err(rejected(option, "an address beginning with http://, without login, space and #"));
        }
        if value.is_empty() {
            options.remove(option);
        } else {
            options.insert(option.clone(), value.to_owned());
        }
    }
    let enabled = new.enabled.unwrap_or(before.enabled);
    let cursor = if address == before.address { before.cursor.as_str() } else { "" };
    let mut change = Change::begin(db, actor).await?;
    // Whoever sets a source has looked at it: it is asked again.
    let upsert = "INSERT INTO feed (name, address, enabled, options, cursor) VALUES ($1, $2, $3, $4, $5) \
                  ON CONFLICT (name) DO UPDATE SET address = excluded.address, enabled = excluded.enabled, \
                  options = excluded.options, cursor = excluded.cursor, failures = 0, not_before = NULL";
    let values = vec![
        name.into(),
        address.into(),
        i64::from(enabled).into(),
        serde_json::to_string(&options).unwrap_or_default().into(),
        cursor.into(),
    ];
    sql::run(&change.tx, "setting a source", upsert, values).await?;
    let (was, is) = ((before.enabled, &before.address, &before.options), (enabled, address, &options));
    change.record("source.set", format!("source/{name}"), name, &was, &is);
    change.commit().await?;
    one(db, actor, name).await
}

fn context(name: &str) -> String {
    format!("feed/{name}")
}

/// Seals the key that a source is asked with; `None` takes it away. `random` gives the nonce.
///
/// # Errors
/// Denied; [`Error::Rejected`]: it is no key; the vault does not answer.
pub async fn set_key(
    db: &DatabaseConnection,
    actor: &Actor,
    vault: (&Vault, Random),
    name: &str,
    key: Option<&str>,
) -> Result<()> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let key = key.map(str::trim).filter(|k| !k.is_empty());
    // it goes into a header: a line break would add one of its own
    if key.is_some_and(|k| k.len() > LONGEST_KEY || !k.bytes().all(|b| (0x21..0x7f).contains(&b))) {
        return Err(rejected("key", "one word of printable ASCII characters"));
    }
    let sealed = match key {
        Some(key) => hexadecimal(&vault.0.seal(vault.1, &context(name), key.as_bytes())?),
        None => String::new(),
    };
    let mut change = Change::begin(db, actor).await?;
    let upsert = "INSERT INTO feed (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE \
                  SET secret = excluded.secret, failures = 0, not_before = NULL";
    sql::run(&change.tx, "setting a source's key", upsert, vec![name.into(), sealed.into()]).await?;
    change.record("source.key", format!("source/{name}"), name, &(), &key.is_some());
    change.commit().await
}

/// The key that a source is asked with, opened; wiped when dropped. Not to be shown or logged.
///
/// # Errors
/// Denied; the vault does not answer, or it was sealed with a key that is not there.
pub fn key(actor: &Actor, vault: &Vault, feed: &Feed) -> Result<Option<zeroize::Zeroizing<String>>> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    if feed.sealed.is_empty() {
        return Ok(None);
    }
    let bytes = from_hexadecimal(&feed.sealed).unwrap_or_default();
    let opened = vault.open(&context(&feed.name), &bytes)?;
    Ok(std::str::from_utf8(&opened).ok().map(|k| zeroize::Zeroizing::new(k.to_owned())))
}

/// Forgets how far a source is read: it is taken in anew from its beginning. What it gave stays.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn again(db: &DatabaseConnection, actor: &Actor, name: &str) -> Result<()> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let mut change = Change::begin(db, actor).await?;
    let update = "UPDATE feed SET cursor = '', mark = '' WHERE name = $1";
    sql::run(&change.tx, "forgetting how far a source is read", update, vec![name.into()]).await?;
    change.record("source.again", format!("source/{name}"), name, &(), &());
    change.commit().await
}

impl crate::intel::Store {
    /// Notes how far a source is read, after what it stands for was imported: broken off now, it goes on from here.
    /// It is bookkeeping of a run, whose end is in the trail. Blocks.
    ///
    /// # Errors
    /// Denied; the database does not answer.
    pub fn reach(&self, actor: &Actor, name: &str, cursor: &str) -> Result<()> {
        actor.need_everywhere(Permission::SettingsWrite)?;
        let upsert = "INSERT INTO feed (name, cursor) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE \
                      SET cursor = excluded.cursor";
        let noted =
            sql::run(&self.db, "noting how far a source is read", upsert, vec![name.into(), cursor.into()]);
        self.runtime.block_on(noted).map(|_| ())
    }
}
