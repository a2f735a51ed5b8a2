//! Uploads that move far more of a release than usual: the one who uploads is asked before anything is changed. What
//! was uploaded is kept meanwhile, so that the answer is a word and not another upload.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DatabaseConnection, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tocsin_model::bom::{Component, ComponentKind};

use super::document::{self, Difference};
use super::{Prepared, Release, in_lines, release_of};
use crate::error::{Doing, Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// Fewer components than these come and go without a question.
const FEW: usize = 10;
/// Share of the components that may go, and that may come, go or change, where no history says otherwise.
const GONE: f64 = 0.3;
const MOVED: f64 = 0.6;
/// How many times what was usual.
const TIMES: f64 = 2.0;
/// Most documents of the history that are looked at.
const PAST: i64 = 20;
/// Most changed versions that a question lists.
const LISTED: usize = 200;

/// What is unusual about an upload, and how to have it all the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Unusual {
    /// Release.
    pub release: i64,
    /// Sent back, it applies these very bytes to the release as it is now.
    pub confirm: String,
    /// What is unusual, in words.
    pub reasons: Vec<String>,
    /// Components before.
    pub before: usize,
    /// Components after.
    pub after: usize,
    /// Components that would come.
    pub added: usize,
    /// Components that would go.
    pub removed: usize,
    /// Components in another version: name, before, after; the first 200.
    pub changed: Vec<(String, String, String)>,
    /// How many change their version.
    pub changes: usize,
}

/// Shares of a release that uploads moved so far: what went, and what came, went or changed; the largest of each.
struct Usual {
    uploads: usize,
    gone: f64,
    moved: f64,
    roots: usize,
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn moved(d: &Difference) -> usize {
    d.added + d.removed + d.changed.len()
}

/// What comes, goes or changes, as a share of all that was or would be there.
fn moved_share(d: &Difference, before: usize) -> f64 {
    share(moved(d), before + d.added).min(1.0)
}

async fn usual(change: &Change<'_>, release: i64) -> Result<Usual> {
    let select =
        "SELECT components, difference, root FROM document WHERE release = $1 ORDER BY id DESC LIMIT $2";
    let rows: Vec<(i64, String, Option<i64>)> =
        sql::rows(&change.tx, "reading what uploads changed", select, vec![release.into(), PAST.into()])
            .await?;
    let mut usual = Usual { uploads: rows.len().saturating_sub(1), gone: 0.0, moved: 0.0, roots: 0 };
    usual.roots = rows.iter().filter_map(|r| r.2).collect::<BTreeSet<i64>>().len();
    for (newer, older) in rows.iter().zip(rows.iter().skip(1)) {
        let d: Difference = serde_json::from_str(&newer.1).unwrap_or_default();
        let before = usize::try_from(older.0).unwrap_or(0);
        usual.gone = usual.gone.max(share(d.removed, before).min(1.0));
        usual.moved = usual.moved.max(moved_share(&d, before));
    }
    Ok(usual)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// What is unusual, given what was.
fn reasons(before: usize, after: usize, d: &Difference, usual: &Usual) -> Vec<String> {
    let mut reasons = Vec::new();
    if after == 0 && before > 0 {
        reasons.push(format!("it has no component; the release has {before}"));
        return reasons;
    }
    let past = |most: f64| match usual.uploads {
        0 => String::new(),
        1 => format!("; the upload before moved {}", percent(most)),
        n => format!("; in {n} uploads before, it was at most {}", percent(most)),
    };
    let gone = share(d.removed, before);
    if d.removed >= FEW && gone > GONE.max(TIMES * usual.gone) {
        let text = format!("{} of {before} components would go ({})", d.removed, percent(gone));
        reasons.push(text + &past(usual.gone));
    }
    let all = moved_share(d, before);
    // a small release that grows loses nothing
    if before >= 2 * FEW && all > MOVED.max(TIMES * usual.moved) {
        let (n, of) = (moved(d), before + d.added);
        let text =
            format!("{n} of {of} components would come, go or change their version ({})", percent(all));
        reasons.push(text + &past(usual.moved));
    }
    reasons
}

/// What a document describes, where that names a product: a path or a file is where it was made.
fn product(group: &str, name: &str, kind: &str) -> Option<String> {
    let path = name.contains(['/', '\\']) || matches!(name.trim(), "" | "." | "..");
    (kind != "file" && !path).then(|| {
        let group = group.trim();
        if group.is_empty() {
            name.trim().to_lowercase()
        } else {
            format!("{group}/{}", name.trim()).to_lowercase()
        }
    })
}

fn described(c: &Component) -> Option<String> {
    let kind = if c.kind == ComponentKind::File { "file" } else { "" };
    product(c.group.as_deref().unwrap_or(""), &c.name, kind)
}

/// The token of an upload: bound to its bytes, the release and what the release holds now.
fn token(release: i64, current: i64, hash: &str) -> String {
    let text = format!("confirm upload\n{release}\n{current}\n{hash}");
    Sha256::digest(text).iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// Asks whether an upload that is about to replace `current` is unusual.
///
/// # Errors
/// [`Error::Unusual`] where it is and was not confirmed; the database does not answer.
pub(super) async fn ask(
    change: &Change<'_>,
    release: &Release,
    p: &Prepared,
    before: usize,
    difference: &Difference,
    current: (i64, &str),
) -> Result<()> {
    let usual = usual(change, release.id).await?;
    let mut reasons = reasons(before, p.placed.len(), difference, &usual);
    let select =
        "SELECT c.grp, c.name, c.kind FROM document d JOIN component c ON c.id = d.root WHERE d.id = $1";
    let was: Option<(String, String, String)> =
        sql::row(&change.tx, "reading what a document describes", select, vec![current.0.into()]).await?;
    let was = was.and_then(|(group, name, kind)| product(&group, &name, &kind));
    let is = p.bom.root.and_then(|at| p.bom.components.get(at)).and_then(described);
    // where it was another each time, it says nothing
    if let (Some(was), Some(is)) = (was, is)
        && was != is
        && usual.roots < 2
    {
        reasons.push(format!("it describes {is}; what the release has describes {was}"));
    }
    let confirm = token(release.id, current.0, current.1);
    if reasons.is_empty() || p.confirm.as_deref() == Some(confirm.as_str()) {
        return Ok(());
    }
    Err(Error::Unusual(Box::new(Unusual {
        release: release.id,
        confirm,
        reasons,
        before,
        after: p.placed.len(),
        added: difference.added,
        removed: difference.removed,
        changes: difference.changed.len(),
        changed: difference.changed.iter().take(LISTED).cloned().collect(),
    })))
}

/// Keeps an upload that waits for a word.
///
/// # Errors
/// Denied; [`Error::NotFound`]; the database does not answer.
pub async fn hold_upload(change: &mut Change<'_>, p: &Prepared, question: &Unusual) -> Result<()> {
    let what = "keeping an upload that waits";
    let release = release_of(&change.tx, change.actor, question.release).await?;
    change.actor.need_in(Permission::SbomUpload, release.line)?;
    let blob = document::keep(change, &p.bytes).await?;
    let insert = "INSERT INTO held_upload (token, workspace, release, blob, name, question, at, actor) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (token) DO UPDATE SET at = $7, actor = $8";
    let values = vec![
        question.confirm.clone().into(),
        change.actor.workspace.into(),
        release.id.into(),
        blob.into(),
        sql::text(&p.name),
        sql::text(&serde_json::to_string(question).unwrap_or_default()),
        change.actor.now.clone().into(),
        sql::text(&change.actor.name),
    ];
    sql::run(&change.tx, what, insert, values).await?;
    let name = format!("{} {}", release.product_name, release.version);
    change.record("sbom.hold", format!("release/{}", release.id), &name, &(), &(&p.name, &question.reasons));
    Ok(())
}

/// An upload that waits for a word.
#[derive(Debug, Clone, Serialize)]
pub struct Held {
    /// File name.
    pub name: String,
    /// Product and version of the release.
    pub release_name: String,
    /// What is unusual.
    pub question: Unusual,
    /// When it was uploaded.
    pub at: String,
    /// By whom.
    pub actor: String,
}

/// Uploads that wait, of a release or of all in which the actor may upload, newest first.
///
/// # Errors
/// The database does not answer.
pub async fn held(
    db: &DatabaseConnection,
    actor: &Actor,
    release: Option<i64>,
    most: u64,
) -> Result<Vec<Held>> {
    if !actor.may(Permission::SbomUpload) {
        return Ok(Vec::new());
    }
    let mut values: Vec<Value> =
        vec![actor.workspace.into(), release.unwrap_or(0).into(), (most as i64).into()];
    let scope = in_lines(db, actor, Permission::SbomUpload, "p.line", &mut values)?;
    let select = format!(
        "SELECT h.name, p.name, r.version, h.question, h.at, h.actor FROM held_upload h \
         JOIN release r ON r.id = h.release JOIN product p ON p.id = r.product WHERE h.workspace = $1 \
         AND ($2 = 0 OR h.release = $2){scope} ORDER BY h.at DESC, h.token LIMIT $3"
    );
    type Row = (String, String, String, String, String, String);
    let rows: Vec<Row> = sql::rows(db, "listing uploads that wait", &select, values).await?;
    let one = |(name, product, version, question, at, actor): Row| Held {
        name,
        release_name: format!("{product} {version}"),
        question: serde_json::from_str(&question).unwrap_or_default(),
        at,
        actor,
    };
    Ok(rows.into_iter().map(one).collect())
}

/// Name and bytes of an upload that waits.
///
/// # Errors
/// [`Error::NotFound`], also where the actor may not upload there.
pub async fn held_bytes(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    token: &str,
) -> Result<(String, Vec<u8>)> {
    let what = "reading an upload that waits";
    let line = release_of(db, actor, release).await?.line;
    actor.need_in(Permission::SbomUpload, line)?;
    let select = "SELECT h.name, b.size, b.body FROM held_upload h JOIN blob b ON b.hash = h.blob \
                  WHERE h.workspace = $1 AND h.release = $2 AND h.token = $3";
    let values = vec![actor.workspace.into(), release.into(), token.into()];
    let row: Option<(String, i64, Vec<u8>)> = sql::row(db, what, select, values).await?;
    let missing = || {
        Error::NotFound(
            "upload that waits; it was confirmed or dropped, or the release has changed".to_owned(),
        )
    };
    let (name, size, body) = row.ok_or_else(missing)?;
    Ok((name, zstd::bulk::decompress(&body, usize::try_from(size).unwrap_or(0)).doing(what)?))
}

/// Drops an upload that waits.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn drop_held(change: &mut Change<'_>, release: i64, token: &str) -> Result<()> {
    let r = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::SbomUpload, r.line)?;
    let select = "SELECT name FROM held_upload WHERE workspace = $1 AND release = $2 AND token = $3";
    let values = vec![change.actor.workspace.into(), release.into(), token.into()];
    let row: Option<(String,)> = sql::row(&change.tx, "dropping an upload", select, values).await?;
    let (file,) = row.ok_or_else(|| Error::NotFound("upload that waits".to_owned()))?;
    forget(&change.tx, "h.release = $1 AND h.token = $2", vec![release.into(), token.into()]).await?;
    let name = format!("{} {}", r.product_name, r.version);
    change.record("sbom.drop", format!("release/{release}"), &name, &file, &());
    Ok(())
}

/// Uploads that waited for a release that has other content now: their difference is no longer true.
pub(super) async fn settled(change: &Change<'_>, release: i64) -> Result<()> {
    forget(&change.tx, "h.release = $1", vec![release.into()]).await
}

/// Drops uploads that nobody said a word about since `before` (a time); the number of them does not matter.
///
/// # Errors
/// The database does not answer.
pub async fn forget_held(db: &DatabaseConnection, before: &str) -> Result<()> {
    forget(db, "h.at < $1", vec![before.into()]).await
}

async fn forget(db: &impl ConnectionTrait, condition: &str, values: Vec<Value>) -> Result<()> {
    let what = "dropping uploads that waited";
    let select = format!("SELECT h.blob FROM held_upload h WHERE {condition}");
    let blobs: Vec<(String,)> = sql::rows(db, what, &select, values.clone()).await?;
    if blobs.is_empty() {
        return Ok(());
    }
    let delete = format!(
        "DELETE FROM held_upload WHERE token IN (SELECT h.token FROM held_upload h WHERE {condition})"
    );
    sql::run(db, what, &delete, values).await?;
    let blobs: Vec<String> = blobs.into_iter().map(|b| b.0).collect();
    let delete = format!(
        "DELETE FROM blob WHERE hash IN {} AND NOT EXISTS (SELECT 1 FROM document d WHERE d.blob = blob.hash) \
         AND NOT EXISTS (SELECT 1 FROM held_upload h WHERE h.blob = blob.hash) \
         AND NOT EXISTS (SELECT 1 FROM vex_import v WHERE v.blob = blob.hash) \
         AND NOT EXISTS (SELECT 1 FROM job j WHERE j.blob = blob.hash)",
        sql::texts(db, 1)
    );
    sql::run(db, what, &delete, vec![sql::list(&blobs)]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unusual_depends_on_what_was_usual() {
        let d = |added: usize, removed: usize, changed: usize| Difference {
            added,
            removed,
            changed: vec![Default::default(); changed],
            ..Difference::default()
        };
        let usual = |uploads, gone, moved| Usual { uploads, gone, moved, roots: 1 };
        for (before, after, difference, was, asked) in [
            // small releases come and go
            (5, 1, d(0, 4, 0), usual(0, 0.0, 0.0), 0),
            (100, 71, d(0, 29, 0), usual(0, 0.0, 0.0), 0),
            (100, 60, d(0, 40, 0), usual(0, 0.0, 0.0), 1),
            // it was as much before
            (100, 60, d(0, 40, 0), usual(3, 0.35, 0.35), 0),
            (100, 10, d(0, 90, 0), usual(3, 0.35, 0.25), 2),
            (3, 40, d(40, 3, 0), usual(0, 0.0, 0.0), 0),
            // everything was another each time
            (40, 40, d(40, 40, 0), usual(2, 1.0, 1.0), 0),
            (100, 100, d(0, 0, 59), usual(0, 0.0, 0.0), 0),
            (100, 100, d(0, 0, 95), usual(2, 0.0, 0.05), 1),
            (100, 400, d(300, 0, 0), usual(0, 0.0, 0.0), 1),
            (100, 0, d(0, 100, 0), usual(5, 1.0, 1.0), 1),
            (0, 0, d(0, 0, 0), usual(0, 0.0, 0.0), 0),
        ] {
            let said = reasons(before, after, &difference, &was);
            assert_eq!(said.len(), asked, "{before} {after} {said:?}");
        }
    }

    #[test]
    fn a_path_is_no_product() {
        for (group, name, kind, product_is) in [
            ("", "Pump", "firmware", Some("pump")),
            ("org.example", "pump", "application", Some("org.example/pump")),
            ("", "/tmp/build-17", "application", None),
            ("", "pump.bin", "file", None),
            ("", ".", "application", None),
        ] {
            assert_eq!(product(group, name, kind).as_deref(), product_is, "{name}");
        }
    }
}
