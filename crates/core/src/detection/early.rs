//! Early warnings in findings: matched beside what the shared index tells, and merged into a CVE with all that was found
//! and decided.

use std::collections::BTreeSet;
use std::sync::Arc;

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;
use tocsin_engine::matching::{self, Report};
use tocsin_engine::stories::address;
use tocsin_model::bom::Bom;

use super::decide::rejected;
use super::fanout::{self, Behind, EVERY};
use super::rematch::{self, Done, Means};
use super::{carry, note, renew};
use crate::error::{Error, Result};
use crate::intel::{self, Opened};
use crate::inventory;
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::{people, sql};
use crate::warnings::{self, Book};

/// Matches a document with the early warnings of the actor's workspace; nothing where it has none.
pub(super) async fn of_document(
    change: &Change<'_>,
    bom: &Bom,
    opened: Option<&Opened>,
) -> Result<Option<(Arc<Book>, Report)>> {
    let Some(book) = warnings::book(&change.tx, change.actor.workspace, opened).await? else {
        return Ok(None);
    };
    let report = matching::scan(&book.opened.index, bom, &book.opened.vex, &inventory::options())
        .map_err(|e| Error::Internal { doing: "matching early warnings".to_owned(), cause: Box::new(e) })?;
    Ok(Some((book, report)))
}

/// Brings findings of all workspaces up to their early warnings that changed. It may be broken off at any `await` and
/// done again: a release that is matched meanwhile is matched with the warnings too.
///
/// # Errors
/// The database does not answer.
pub async fn bring(db: &DatabaseConnection, opened: Option<&Arc<Opened>>, means: &Means<'_>) -> Result<Done> {
    let mut done = Done::default();
    for workspace in people::workspaces(db).await? {
        let opened = opened.map(Arc::as_ref);
        let Some(book) = warnings::stale_book(db, workspace, opened).await? else { continue };
        let Book { opened, changes, stale, mains } = book;
        let actor = Actor::system(workspace, &(means.now)());
        let work = fanout::look(db, Behind { workspace, generation: EVERY, releases: 0 }, changes).await?;
        let unread = rematch::asked(db, &actor, &Arc::new(opened), Arc::new(work), means, &mut done).await?;
        for release in unread {
            let of = inventory::release_of(db, &actor, release).await?;
            let e =
                rejected("document", "it cannot be read, so that early warnings are not looked for in it");
            (means.refused)(&format!("{} {}", of.product_name, of.version), &e);
        }
        settle(db, &actor, &mains).await?;
        warnings::fresh(db, &stale).await?;
    }
    Ok(done)
}

/// Records looked through for the addresses of early warnings in one edition of the index, the youngest ids first.
const LOOKED: usize = 2_000;

/// Proposes vulnerabilities that changed in the shared intelligence and whose records name an address of an open early
/// warning.
pub(crate) async fn recognise(
    db: &DatabaseConnection,
    actor: &Actor,
    changed: &BTreeSet<String>,
) -> Result<()> {
    let open = warnings::open_of(db, actor.workspace).await?;
    let links: Vec<(i64, &String, String)> = open
        .iter()
        .flat_map(|w| w.what.links.iter().map(|l| (w.id, l, address(l))))
        .filter(|(_, _, address)| !address.is_empty())
        .collect();
    if links.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = changed.iter().rev().take(LOOKED).map(String::as_str).collect();
    let mut proposals: BTreeSet<(i64, String, String)> = BTreeSet::new();
    for chunk in ids.chunks(200) {
        for (_, group) in intel::groups(db, chunk).await? {
            let named: BTreeSet<String> =
                group.records.iter().flat_map(|r| &r.references).map(|(_, url)| address(url)).collect();
            for (warning, link, _) in links.iter().filter(|(_, _, address)| named.contains(address)) {
                proposals.insert((*warning, group.id.clone(), format!("its record names {link}")));
            }
        }
    }
    if proposals.is_empty() {
        return Ok(());
    }
    let mut change = Change::begin(db, actor).await?;
    warnings::propose(&mut change, &proposals.into_iter().collect::<Vec<_>>()).await?;
    change.commit().await
}

/// Decisions that came with a merge are, from now on, about the severity that the merged flaw has.
async fn settle(db: &DatabaseConnection, actor: &Actor, mains: &BTreeSet<String>) -> Result<()> {
    let mains: Vec<&String> = mains.iter().collect();
    let update = format!(
        "UPDATE decision SET severity = COALESCE((SELECT MAX(f.severity) FROM finding f WHERE f.decision = decision.id), 0) \
         WHERE workspace = $1 AND severity < 0 AND vulnerability IN {}",
        sql::texts(db, 2)
    );
    sql::run(
        db,
        "settling decisions after a merge",
        &update,
        vec![actor.workspace.into(), sql::list(&mains)],
    )
    .await?;
    Ok(())
}

/// What a merge moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = WarningMerged)]
pub struct Merged {
    /// Findings that go on as findings of the CVE.
    pub findings: u64,
    /// Of them, those that were joined with one that the CVE had already.
    pub joined: u64,
    /// Decisions that go on as decisions on the CVE.
    pub decisions: u64,
}

/// Merges an open early warning into the vulnerability that it turned out to be: it is one more record of it from now on,
/// and its name leads there. Its findings, with history, owners, due dates and decisions, go on as findings of the
/// vulnerability, known since the early day. `version` is that of the warning which was read (0: whatever it is).
///
/// # Errors
/// Denied; not found; [`Error::Conflict`]: it is not open, or somebody changed it meanwhile; [`Error::Rejected`]: no id.
pub async fn merge(
    db: &DatabaseConnection,
    actor: &Actor,
    name: &str,
    version: i64,
    into: &str,
) -> Result<Merged> {
    let mut change = Change::begin(db, actor).await?;
    let row = warnings::version_of(&change, name, version).await?;
    let what = "merging an early warning";
    let given = into.trim();
    let into = given.to_ascii_uppercase();
    let select = "SELECT v.main FROM alias a JOIN vulnerability v ON v.id = a.vulnerability WHERE a.id IN \
                  (CAST($1 AS TEXT), CAST($2 AS TEXT)) ORDER BY v.id LIMIT 1";
    let values = vec![sql::text(given), sql::text(&into)];
    let known: Option<(String,)> = sql::row(&change.tx, what, select, values).await?;
    let main = match known {
        Some((main,)) => main,
        // a CVE may be told of before any source has its record
        None if is_cve(&into) => into.clone(),
        None => {
            return Err(rejected(
                "into",
                format!("'{into}' is no vulnerability that is known, and no CVE id"),
            ));
        }
    };
    let merged = take_over(&change, &row.name, &main).await?;
    let update =
        "UPDATE warning SET state = 'merged', main = $2, changed = $3, version = version + 1 WHERE id = $1";
    let values = vec![row.id.into(), main.clone().into(), actor.now.clone().into()];
    sql::run(&change.tx, what, update, values).await?;
    let update = "UPDATE warning_proposal SET state = 'merged' WHERE warning = $1 AND main = $2";
    sql::run(&change.tx, what, update, vec![row.id.into(), main.clone().into()]).await?;
    warnings::event(&change, row.id, "merged", &main).await?;
    change.record(
        "warning.merge",
        format!("warning/{}", row.name),
        &row.what.title,
        &row.state,
        &(&main, merged),
    );
    warnings::stale(&mut change, row.id).await?;
    change.commit().await?;
    Ok(merged)
}

/// A CVE id (CVE Program, "CVE ID Syntax"): four digits of a year, and four or more.
fn is_cve(id: &str) -> bool {
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    id.strip_prefix("CVE-")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(year, n)| year.len() == 4 && digits(year) && (4..=19).contains(&n.len()) && digits(n))
}

/// Makes findings of one vulnerability those of another, in the actor's workspace.
async fn take_over(change: &Change<'_>, from: &str, to: &str) -> Result<Merged> {
    let what = "merging an early warning";
    let workspace = change.actor.workspace;
    let both = || -> Vec<Value> { vec![workspace.into(), from.into(), to.into()] };
    let lock = format!(
        "SELECT id FROM release WHERE id IN (SELECT f.release FROM finding f WHERE f.workspace = $1 AND f.vulnerability \
         IN (CAST($2 AS TEXT), CAST($3 AS TEXT))) ORDER BY id{}",
        sql::for_update(&change.tx)
    );
    sql::rows::<(i64,)>(&change.tx, what, &lock, both()).await?;
    let select = "SELECT f.id, f.release, COALESCE(k.id, 0) FROM finding f LEFT JOIN finding k ON k.release = f.release \
                  AND k.component = f.component AND k.vulnerability = $3 WHERE f.workspace = $1 AND f.vulnerability = $2 \
                  ORDER BY f.id";
    let rows: Vec<(i64, i64, i64)> = sql::rows(&change.tx, what, select, both()).await?;
    let twice: Vec<(i64, i64)> = rows.iter().filter(|r| r.2 != 0).map(|r| (r.0, r.2)).collect();
    for pairs in twice.chunks(10_000) {
        join(change, pairs).await?;
    }
    let update = "UPDATE finding SET vulnerability = $3 WHERE workspace = $1 AND vulnerability = $2";
    sql::run(&change.tx, what, update, both()).await?;
    // what was decided stands, though the sources judge the severity otherwise: see `settle`
    let update = "UPDATE decision SET vulnerability = $3, severity = CASE WHEN ended IS NULL THEN -1 ELSE severity END \
                  WHERE workspace = $1 AND vulnerability = $2";
    let decisions = sql::run(&change.tx, what, update, both()).await?;
    for statement in [
        "UPDATE flaw SET first_seen = (SELECT MIN(o.first_seen) FROM flaw o WHERE o.workspace = $1 AND o.vulnerability IN \
         (CAST($2 AS TEXT), CAST($3 AS TEXT))) WHERE workspace = $1 AND vulnerability = $3",
        "UPDATE flaw SET vulnerability = $3 WHERE workspace = $1 AND vulnerability = $2 AND NOT EXISTS \
         (SELECT 1 FROM flaw o WHERE o.workspace = $1 AND o.vulnerability = $3)",
    ] {
        sql::run(&change.tx, what, statement, both()).await?;
    }
    let mut two = both();
    two.truncate(2);
    sql::run(&change.tx, what, "DELETE FROM flaw WHERE workspace = $1 AND vulnerability = $2", two).await?;
    let events =
        rows.iter().map(|(id, _, k)| (if *k == 0 { *id } else { *k }, "merged", format!("{from} is {to}")));
    note(change, events.collect()).await?;
    let releases: Vec<i64> = rows.iter().map(|r| r.1).collect::<BTreeSet<_>>().into_iter().collect();
    for releases in releases.chunks(1_000) {
        carry::follow(change, releases).await?;
        renew::count(change, releases).await?;
    }
    Ok(Merged { findings: rows.len() as u64, joined: twice.len() as u64, decisions })
}

/// Joins findings of one release and component: (that which goes, that which stays). What stays has the earlier day, the
/// history of both, and what the other has and it lacks: owner, due date, decision.
async fn join(change: &Change<'_>, pairs: &[(i64, i64)]) -> Result<()> {
    let what = "joining findings";
    let list = sql::pairs(&change.tx, 1);
    let undecided = "finding.decision IS NULL AND finding.status = 'under_investigation'";
    for statement in [
        format!(
            "UPDATE finding SET first_seen = CASE WHEN g.first_seen < finding.first_seen THEN g.first_seen ELSE \
             finding.first_seen END, owner = COALESCE(finding.owner, g.owner), due = COALESCE(finding.due, g.due), \
             proposal = COALESCE(finding.proposal, g.proposal), status = CASE WHEN {undecided} THEN g.status ELSE \
             finding.status END, justification = CASE WHEN {undecided} THEN g.justification ELSE finding.justification END, \
             decision = CASE WHEN {undecided} THEN g.decision ELSE finding.decision END \
             FROM {list} p JOIN finding g ON g.id = p.a WHERE finding.id = p.b"
        ),
        format!(
            "INSERT INTO finding_event (finding, n, at, actor, what, detail) SELECT p.b, e.n + COALESCE((SELECT MAX(m.n) \
             FROM finding_event m WHERE m.finding = p.b), 0), e.at, e.actor, e.what, e.detail FROM {list} p \
             JOIN finding_event e ON e.finding = p.a"
        ),
        format!(
            "INSERT INTO outbox_finding (event, finding) SELECT o.event, p.b FROM {list} p JOIN outbox_finding o \
             ON o.finding = p.a WHERE p.a > 0 ON CONFLICT DO NOTHING"
        ),
        format!("UPDATE decision SET finding = p.b FROM {list} p WHERE decision.finding = p.a"),
        format!("DELETE FROM finding WHERE id IN (SELECT p.a FROM {list} p)"),
    ] {
        sql::run(&change.tx, what, &statement, vec![sql::list(pairs)]).await?;
    }
    Ok(())
}
