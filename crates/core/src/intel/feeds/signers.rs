//! Who signs the documents of a source: the keys that a publisher showed first are trusted from then on, another one only
//! once an administrator accepted it.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// How many documents of a publisher were looked at in a run, by what their signatures came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signed {
    /// Signed with a key that is trusted.
    pub signed: i64,
    /// Without a signature, and taken all the same.
    pub unsigned: i64,
    /// Not taken: the signature did not fit, or was missing where there must be one.
    pub refused: i64,
}

/// A publisher that a source follows, and its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SourceProvider)]
pub struct Provider {
    /// The name under which it is followed: a domain, or the address of its description.
    #[schema(example = "example.com")]
    pub owner: String,
    /// When it was last asked.
    pub seen: String,
    /// Of its last run that gave documents: those signed with a key that is trusted …
    pub signed: i64,
    /// … without a signature, and taken all the same …
    pub unsigned: i64,
    /// … and not taken because of the signature.
    pub refused: i64,
    /// The keys that it showed, oldest first.
    pub keys: Vec<Signer>,
}

/// A key that a publisher showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SourceSigner)]
pub struct Signer {
    /// Id.
    pub id: i64,
    /// Fingerprint of the primary key (RFC 9580, section 5.5.4), hexadecimal in small letters.
    pub fingerprint: String,
    /// Whether documents may be signed with it; else an administrator has not accepted it.
    pub trusted: bool,
    /// When it was first shown.
    pub seen: String,
}

/// The publishers that a source follows, by name, with their keys.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn providers(db: &impl ConnectionTrait, actor: &Actor, feed: &str) -> Result<Vec<Provider>> {
    actor.need_everywhere(Permission::IntelRead)?;
    let what = "reading the providers of a source";
    type Row = (i64, String, String, i64, i64, i64);
    let select = "SELECT id, owner, seen, signed, unsigned, refused FROM feed_provider WHERE feed = $1";
    let rows: Vec<Row> = sql::rows(db, what, select, vec![feed.into()]).await?;
    let select = "SELECT k.provider, k.id, k.fingerprint, k.state, k.seen FROM feed_key k JOIN feed_provider p \
                  ON p.id = k.provider WHERE p.feed = $1 ORDER BY k.id";
    let keys: Vec<(i64, i64, String, String, String)> =
        sql::rows(db, what, select, vec![feed.into()]).await?;
    let mut by: BTreeMap<i64, Vec<Signer>> = BTreeMap::new();
    for (provider, id, fingerprint, state, seen) in keys {
        by.entry(provider).or_default().push(Signer { id, fingerprint, trusted: state == "pinned", seen });
    }
    let one = |(id, owner, seen, signed, unsigned, refused): Row| {
        let keys = by.remove(&id).unwrap_or_default();
        Provider { owner, seen, signed, unsigned, refused, keys }
    };
    let mut all: Vec<Provider> = rows.into_iter().map(one).collect();
    all.sort_by(|a, b| a.owner.cmp(&b.owner));
    Ok(all)
}

/// Notes the keys that a publisher shows now, and gives all that are known of it. The first ones are trusted at once;
/// later ones wait for a word.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn shown(
    db: &DatabaseConnection,
    actor: &Actor,
    (feed, owner): (&str, &str),
    fingerprints: &[String],
) -> Result<Vec<Signer>> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let what = "noting the keys of a provider";
    let mut change = Change::begin(db, actor).await?;
    let upsert = "INSERT INTO feed_provider (feed, owner, seen) VALUES ($1, $2, $3) ON CONFLICT (feed, owner) \
                  DO UPDATE SET seen = excluded.seen";
    let values = vec![feed.into(), sql::text(owner), actor.now.clone().into()];
    sql::run(&change.tx, what, upsert, values).await?;
    let known = known(&change.tx, feed, owner).await?;
    let first = known.is_empty();
    let state = if first { "pinned" } else { "waiting" };
    let new: Vec<&String> =
        fingerprints.iter().filter(|f| !known.iter().any(|k| k.fingerprint == **f)).collect();
    // a publisher shows a few keys, and new ones once in years
    for fingerprint in &new {
        let insert = "INSERT INTO feed_key (provider, fingerprint, state, seen) SELECT p.id, $3, $4, $5 FROM \
                      feed_provider p WHERE p.feed = $1 AND p.owner = $2 ON CONFLICT (provider, fingerprint) DO NOTHING";
        let values = vec![
            feed.into(),
            sql::text(owner),
            sql::text(fingerprint),
            state.into(),
            actor.now.clone().into(),
        ];
        sql::run(&change.tx, what, insert, values).await?;
    }
    let all = if new.is_empty() {
        known
    } else {
        let action = if first { "source.key.pin" } else { "source.key.shown" };
        change.record(action, format!("source/{feed}"), owner, &(), &new);
        self::known(&change.tx, feed, owner).await?
    };
    change.commit().await?;
    Ok(all)
}

async fn known(db: &impl ConnectionTrait, feed: &str, owner: &str) -> Result<Vec<Signer>> {
    let select = "SELECT k.id, k.fingerprint, k.state, k.seen FROM feed_key k JOIN feed_provider p \
                  ON p.id = k.provider WHERE p.feed = $1 AND p.owner = $2 ORDER BY k.id";
    let values = vec![feed.into(), sql::text(owner)];
    let rows: Vec<(i64, String, String, String)> =
        sql::rows(db, "reading the keys of a provider", select, values).await?;
    let one = |(id, fingerprint, state, seen): (i64, String, String, String)| Signer {
        id,
        fingerprint,
        trusted: state == "pinned",
        seen,
    };
    Ok(rows.into_iter().map(one).collect())
}

/// Trusts a key that waits (`accept`), or forgets one: documents signed with it are not taken in then. A publisher of which
/// no key is known any more begins anew: what it shows next is trusted.
///
/// # Errors
/// Denied; the source has no such key.
pub async fn decide(
    db: &DatabaseConnection,
    actor: &Actor,
    feed: &str,
    key: i64,
    accept: bool,
) -> Result<Signer> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let what = "deciding about a provider's key";
    let mut change = Change::begin(db, actor).await?;
    let select = "SELECT p.owner, k.fingerprint, k.state, k.seen FROM feed_key k JOIN feed_provider p \
                  ON p.id = k.provider WHERE p.feed = $1 AND k.id = $2";
    let values = || vec![feed.into(), key.into()];
    let row: Option<(String, String, String, String)> = sql::row(&change.tx, what, select, values()).await?;
    let (owner, fingerprint, state, seen) =
        row.ok_or_else(|| Error::NotFound(format!("key {key} of source `{feed}`")))?;
    let (action, statement) = if accept {
        ("source.key.accept", "UPDATE feed_key SET state = 'pinned' WHERE id = $1")
    } else {
        ("source.key.forget", "DELETE FROM feed_key WHERE id = $1")
    };
    sql::run(&change.tx, what, statement, vec![key.into()]).await?;
    change.record(action, format!("source/{feed}"), &owner, &state, &fingerprint);
    change.commit().await?;
    Ok(Signer { id: key, fingerprint, trusted: accept, seen })
}

/// The id of a source's key by its fingerprint, spaces and capital letters in it being of no matter.
///
/// # Errors
/// Denied; there is none.
pub async fn key_of(db: &impl ConnectionTrait, actor: &Actor, feed: &str, fingerprint: &str) -> Result<i64> {
    let wanted: String =
        fingerprint.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase();
    let all = providers(db, actor, feed).await?;
    let mut keys = all.iter().flat_map(|p| &p.keys);
    let found = keys.find(|k| k.fingerprint == wanted).map(|k| k.id);
    found.ok_or_else(|| Error::NotFound(format!("a key {fingerprint} of source `{feed}`")))
}

impl crate::intel::Store {
    /// See [`shown`]. Blocks.
    ///
    /// # Errors
    /// As [`shown`].
    pub fn keys_shown(
        &self,
        actor: &Actor,
        whose: (&str, &str),
        fingerprints: &[String],
    ) -> Result<Vec<Signer>> {
        self.runtime.block_on(shown(&self.db, actor, whose, fingerprints))
    }

    /// Notes what the signatures of a publisher's documents came to in a run. Blocks.
    ///
    /// # Errors
    /// Denied; the database does not answer.
    pub fn signed(&self, actor: &Actor, (feed, owner): (&str, &str), signed: &Signed) -> Result<()> {
        actor.need_everywhere(Permission::SettingsWrite)?;
        let update = "UPDATE feed_provider SET signed = $3, unsigned = $4, refused = $5 WHERE feed = $1 AND owner = $2";
        let counts = [signed.signed, signed.unsigned, signed.refused];
        let mut values = vec![feed.into(), sql::text(owner)];
        values.extend(counts.map(sea_orm::Value::from));
        let noted = sql::run(&self.db, "noting what signatures came to", update, values);
        self.runtime.block_on(noted).map(|_| ())
    }
}
