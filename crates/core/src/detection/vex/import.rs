//! Taking a VEX document in: each statement decides the open findings that it names, and says of itself what it did or
//! why it did nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sea_orm::{DatabaseConnection, Value};
use serde::{Deserialize, Serialize};
use tocsin_engine::index::Index;
use tocsin_formats::vex::Document;
use tocsin_model::vex::VexStatement;

use super::names::{COLUMNS as NAMED, Named, Within, names, releases};
use crate::detection::decide::{Decision, JUSTIFICATIONS, Origin, RESPONSES, Reach, make};
use crate::error::{Error, Result};
use crate::inventory::{document, in_lines};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// Whose findings a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// One release.
    Release(i64),
    /// Every release of a product.
    Product(i64),
    /// Every release of the workspace in which the actor may decide.
    Workspace,
}

/// What became of a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = VexOutcome)]
pub struct Outcome {
    /// Where it stands in the document.
    pub path: String,
    /// Vulnerability as written.
    pub vulnerability: String,
    /// Its status.
    pub status: String,
    /// What it names, as written; the first few.
    pub names: Vec<String>,
    /// Findings it decided.
    pub applied: usize,
    /// Findings that were decided just so before.
    pub unchanged: usize,
    /// Why it did nothing, or not all it says; empty where it did.
    pub skipped: String,
}

/// A document that was taken in.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = VexImport)]
pub struct Imported {
    /// Id.
    pub id: i64,
    /// File name.
    pub name: String,
    /// `CSAF`, `OpenVEX` or `CycloneDX`.
    pub format: String,
    /// Its own id, or empty.
    pub document: String,
    /// Release or product it was for, in words; the workspace where empty.
    pub place: String,
    /// When.
    pub at: String,
    /// By whom.
    pub actor: String,
    /// Statements in it.
    pub statements: usize,
    /// Statements that decided something, or found it decided so.
    pub applied: usize,
    /// Findings decided, or proposed where the workspace asks for approval.
    pub findings: usize,
    /// What became of each statement.
    pub outcomes: Vec<Outcome>,
    /// Remarks of the reader: place and message.
    pub remarks: Vec<(String, String)>,
}

/// As stored in `vex_import.outcomes`.
#[derive(Default, Serialize, Deserialize)]
struct Stored {
    outcomes: Vec<Outcome>,
    remarks: Vec<(String, String)>,
}

/// Most names of a statement that are kept.
const NAMES: usize = 8;
/// Most remarks that are kept.
const REMARKS: usize = 1_000;

struct Candidate {
    finding: i64,
    release: i64,
    vulnerability: String,
    closed: Option<String>,
    /// The standing decision's status, justification, response and words.
    said: Option<(String, String, String, String)>,
    part: Named,
}

async fn candidates(change: &Change<'_>, place: Place, ids: &[String]) -> Result<Vec<Candidate>> {
    let what = "looking for what a VEX document names";
    let (condition, id) = match place {
        Place::Release(id) => (" AND f.release = $3", id),
        Place::Product(id) => (" AND r.product = $3", id),
        Place::Workspace => (" AND $3 = 0", 0),
    };
    let mut values: Vec<Value> = vec![change.actor.workspace.into(), sql::list(ids), id.into()];
    let scope = in_lines(&change.tx, change.actor, Permission::FindingDecide, "p.line", &mut values)?;
    let select = format!(
        "SELECT f.id, f.release, f.vulnerability, CASE WHEN f.closed IS NULL THEN NULL ELSE f.reason END, d.status, \
         COALESCE(d.justification, ''), COALESCE(d.response, ''), COALESCE(d.detail, ''), {NAMED} FROM finding f \
         JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product JOIN component c ON c.id = f.component \
         LEFT JOIN occurrence o ON o.release = f.release AND o.component = f.component \
         LEFT JOIN decision d ON d.id = COALESCE(f.proposal, f.decision) \
         WHERE f.workspace = $1 AND f.vulnerability IN {}{condition}{scope} ORDER BY f.id",
        sql::texts(&change.tx, 2)
    );
    let rows = sql::raw(&change.tx, what, &select, values).await?;
    sql::read(&rows, what, |row| {
        let said = match row.try_get_by_index::<Option<String>>(4)? {
            Some(status) => {
                Some((status, row.try_get_by_index(5)?, row.try_get_by_index(6)?, row.try_get_by_index(7)?))
            }
            None => None,
        };
        Ok(Candidate {
            finding: row.try_get_by_index(0)?,
            release: row.try_get_by_index(1)?,
            vulnerability: row.try_get_by_index(2)?,
            closed: row.try_get_by_index(3)?,
            said,
            part: Named::read(row, 8)?,
        })
    })
}

/// The main id of each id a document names, by the intelligence of this moment.
fn main_ids(document: &Document, index: Option<&Index>) -> Result<HashMap<String, String>> {
    let mut map = HashMap::new();
    let damaged = |e| Error::Internal { doing: "reading the index".to_owned(), cause: Box::new(e) };
    for s in &document.statements {
        for id in std::iter::once(&s.vulnerability).chain(&s.aliases) {
            if map.contains_key(id) {
                continue;
            }
            let found = match index {
                Some(index) => index.find(id).map_err(damaged)?.map(|v| v.id),
                None => None,
            };
            map.insert(id.clone(), found.unwrap_or_else(|| id.clone()));
        }
    }
    Ok(map)
}

/// A statement as a decision, or why it cannot be one.
fn decision(s: &VexStatement, format: &str) -> std::result::Result<Decision, String> {
    let known = |list: &[&str], word: Option<&String>| {
        word.filter(|w| list.contains(&w.as_str())).cloned().unwrap_or_default()
    };
    let mut detail = s.statement.clone().unwrap_or_default();
    let mut justification = known(&JUSTIFICATIONS, s.justification.as_ref());
    // CSAF's impact statement stands where a flag would
    if let Some(words) = s.justification.as_ref().filter(|_| justification.is_empty())
        && detail.is_empty()
    {
        detail.clone_from(words);
    }
    let status = if s.wrong_match { "false_positive" } else { s.status.as_str() };
    if status != "not_affected" {
        justification = String::new();
    }
    if status == "not_affected" && justification.is_empty() && detail.trim().is_empty() {
        if format != "CycloneDX" {
            return Err(
                "it says not affected without a justification or an impact statement, which VEX asks for"
                    .to_owned(),
            );
        }
        // CycloneDX asks for none, and this one is true
        "no justification was given".clone_into(&mut detail);
    }
    if detail.len() > 20_000 {
        let end = (0..=20_000).rev().find(|n| detail.is_char_boundary(*n)).unwrap_or(0);
        detail.truncate(end);
    }
    Ok(Decision {
        status: status.to_owned(),
        justification,
        response: known(&RESPONSES, s.response.as_ref()),
        detail: detail.trim().to_owned(),
        reach: Reach::Finding,
        expires: None,
    })
}

/// Takes a document in. Every statement is applied to the open findings that it names in the place it is for; of
/// several about one finding the last counts.
///
/// # Errors
/// Denied; [`Error::NotFound`]; the database does not answer; the index is damaged.
pub async fn import(
    change: &mut Change<'_>,
    place: Place,
    name: &str,
    bytes: &[u8],
    doc: &Document,
    index: Option<&Index>,
) -> Result<Imported> {
    let (line, place_name) = allowed(change, place).await?;
    let main = main_ids(doc, index)?;
    let ids: BTreeSet<String> = main.iter().flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
    let all = candidates(change, place, &ids.into_iter().collect::<Vec<_>>()).await?;
    let releases_of: Vec<i64> = all.iter().map(|c| c.release).collect::<BTreeSet<_>>().into_iter().collect();
    let within = releases(&change.tx, &releases_of).await?;
    let mut by_id: HashMap<&str, Vec<&Candidate>> = HashMap::new();
    for c in &all {
        by_id.entry(c.vulnerability.as_str()).or_default().push(c);
    }
    let mut outcomes = Vec::with_capacity(doc.statements.len());
    let mut decisions = Vec::with_capacity(doc.statements.len());
    let mut last: HashMap<i64, usize> = HashMap::new();
    let mut chosen: Vec<Vec<&Candidate>> = Vec::with_capacity(doc.statements.len());
    for (n, s) in doc.statements.iter().enumerate() {
        let of: HashSet<&str> = std::iter::once(&s.vulnerability)
            .chain(&s.aliases)
            .flat_map(|id| [Some(id), main.get(id)])
            .flatten()
            .map(String::as_str)
            .collect();
        let about: Vec<&Candidate> = of.iter().filter_map(|id| by_id.get(id)).flatten().copied().collect();
        let none = Within::default();
        let named: Vec<&Candidate> = about
            .iter()
            .filter(|c| {
                let release = within.get(&c.release).unwrap_or(&none);
                s.products.iter().any(|p| names(p, &c.part, release))
            })
            .copied()
            .collect();
        let (open, closed): (Vec<&Candidate>, Vec<&Candidate>) =
            named.iter().partition(|c| c.closed.is_none());
        let decision = decision(s, doc.format);
        let skipped = match &decision {
            Err(why) => why.clone(),
            Ok(_) if !open.is_empty() => String::new(),
            Ok(_) => why_not(s, &about, &closed),
        };
        let open = if decision.is_ok() { open } else { Vec::new() };
        for c in &open {
            last.insert(c.finding, n);
        }
        let names = s.products.iter().filter_map(|p| p.subcomponents.first().or(p.identifiers.first()));
        outcomes.push(Outcome {
            path: s.path.clone(),
            vulnerability: s.vulnerability.clone(),
            status: if s.wrong_match { "false_positive" } else { s.status.as_str() }.to_owned(),
            names: names.take(NAMES).cloned().collect(),
            applied: 0,
            unchanged: 0,
            skipped,
        });
        decisions.push(decision.ok());
        chosen.push(open);
    }
    let id = draft(change, place, line, name, bytes, doc).await?;
    let findings = apply(change, id, &mut outcomes, &decisions, &chosen, &last).await?;
    let applied = outcomes.iter().filter(|o| o.applied + o.unchanged > 0).count();
    let remarks: Vec<(String, String)> =
        doc.diagnostics.iter().take(REMARKS).map(|d| (d.path.clone(), d.message.clone())).collect();
    let stored = Stored { outcomes: outcomes.clone(), remarks: remarks.clone() };
    let update = "UPDATE vex_import SET applied = $2, findings = $3, outcomes = $4 WHERE id = $1";
    let values = vec![
        id.into(),
        (applied as i64).into(),
        (findings as i64).into(),
        sql::text(&serde_json::to_string(&stored).unwrap_or_default()),
    ];
    sql::run(&change.tx, "keeping what a VEX document did", update, values).await?;
    let told = (doc.format, doc.statements.len(), applied, findings);
    change.record("vex.import", format!("vex/{id}"), name, &(), &told);
    Ok(Imported {
        id,
        name: name.to_owned(),
        format: doc.format.to_owned(),
        document: doc.id.clone().unwrap_or_default(),
        place: place_name,
        at: change.actor.now.clone(),
        actor: change.actor.name.clone(),
        statements: doc.statements.len(),
        applied,
        findings,
        outcomes,
        remarks,
    })
}

/// Asks whether the actor may decide in a place; its product line (0 for the workspace) and its name.
async fn allowed(change: &Change<'_>, place: Place) -> Result<(i64, String)> {
    change.actor.need(Permission::FindingDecide)?;
    match place {
        Place::Release(id) => {
            let r = crate::inventory::release_of(&change.tx, change.actor, id).await?;
            change.actor.need_in(Permission::FindingDecide, r.line)?;
            Ok((r.line, format!("{} {}", r.product_name, r.version)))
        }
        Place::Product(id) => {
            let missing = || Error::NotFound(format!("product {id}"));
            let select = "SELECT line, name FROM product WHERE id = $1 AND workspace = $2";
            let values = vec![id.into(), change.actor.workspace.into()];
            let row: Option<(i64, String)> =
                sql::row(&change.tx, "reading a product", select, values).await?;
            let (line, name) = row.ok_or_else(missing)?;
            if change.actor.need_in(Permission::InventoryRead, line).is_err() {
                return Err(missing());
            }
            change.actor.need_in(Permission::FindingDecide, line)?;
            Ok((line, name))
        }
        Place::Workspace => Ok((0, String::new())),
    }
}

/// Why a statement that could be a decision is none.
fn why_not(s: &VexStatement, about: &[&Candidate], closed: &[&Candidate]) -> String {
    if s.products.is_empty() {
        return "it names no product or component".to_owned();
    }
    if about.is_empty() {
        return format!("there is no finding of {} here", s.vulnerability);
    }
    if let Some(c) = closed.first() {
        let reason = c.closed.as_deref().unwrap_or_default().replace('-', " ");
        return format!("its finding in {} {} is closed ({reason})", c.part.name, c.part.version);
    }
    let parts: BTreeSet<String> = about
        .iter()
        .take(50)
        .map(|c| format!("{} {}", c.part.name, c.part.version).trim().to_owned())
        .collect();
    let some: Vec<String> = parts.iter().take(3).cloned().collect();
    let more = if parts.len() > some.len() { " and others" } else { "" };
    format!("it does not name what has {} here: {}{more}", s.vulnerability, some.join(", "))
}

/// Makes the decisions, all that say the same in one go; the number of findings.
async fn apply(
    change: &mut Change<'_>,
    vex: i64,
    outcomes: &mut [Outcome],
    decisions: &[Option<Decision>],
    chosen: &[Vec<&Candidate>],
    last: &HashMap<i64, usize>,
) -> Result<usize> {
    type Words<'a> = (&'a str, &'a str, &'a str, &'a str);
    let mut alike: BTreeMap<Words<'_>, (&Decision, Vec<i64>)> = BTreeMap::new();
    for (n, list) in chosen.iter().enumerate() {
        let (Some(Some(d)), Some(outcome)) = (decisions.get(n), outcomes.get_mut(n)) else { continue };
        let mut overruled = 0;
        for c in list {
            if last.get(&c.finding) != Some(&n) {
                overruled += 1;
                continue;
            }
            let said = (d.status.clone(), d.justification.clone(), d.response.clone(), d.detail.clone());
            // what nobody decided is under investigation already
            let open = c.said.is_none() && d.status == "under_investigation" && d.detail.is_empty();
            if open || c.said.as_ref() == Some(&said) {
                outcome.unchanged += 1;
                continue;
            }
            outcome.applied += 1;
            let key = (d.status.as_str(), d.justification.as_str(), d.response.as_str(), d.detail.as_str());
            alike.entry(key).or_insert((d, Vec::new())).1.push(c.finding);
        }
        if overruled > 0 {
            let these = if overruled == list.len() {
                "a later statement decides the same"
            } else {
                "a later statement decides the rest"
            };
            these.clone_into(&mut outcome.skipped);
        }
    }
    let mut findings = 0;
    for (d, ids) in alike.into_values() {
        for chunk in ids.chunks(super::super::decide::MOST) {
            findings += make(change, chunk, d, Origin { vex: Some(vex) }).await?.len();
        }
    }
    Ok(findings)
}

async fn draft(
    change: &Change<'_>,
    place: Place,
    line: i64,
    name: &str,
    bytes: &[u8],
    doc: &Document,
) -> Result<i64> {
    let what = "keeping a VEX document";
    let blob = document::keep(change, bytes).await?;
    let insert = "INSERT INTO vex_import (workspace, line, product, release, name, format, document, blob, at, actor, \
                  statements, applied, findings, outcomes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, \
                  '') RETURNING id";
    let (product, release) = match place {
        Place::Release(id) => (None, Some(id)),
        Place::Product(id) => (Some(id), None),
        Place::Workspace => (None, None),
    };
    let values = vec![
        change.actor.workspace.into(),
        line.into(),
        product.into(),
        release.into(),
        sql::text(name),
        doc.format.into(),
        sql::text(doc.id.as_deref().unwrap_or_default()),
        blob.into(),
        change.actor.now.clone().into(),
        sql::text(&change.actor.name),
        (doc.statements.len() as i64).into(),
    ];
    let row: Option<(i64,)> = sql::row(&change.tx, what, insert, values).await?;
    row.map(|r| r.0).ok_or_else(|| Error::NotFound("the VEX document".to_owned()))
}

async fn listed(
    db: &DatabaseConnection,
    actor: &Actor,
    id: Option<i64>,
    release: Option<i64>,
    below: Option<i64>,
    most: u64,
) -> Result<Vec<Imported>> {
    let what = "listing VEX documents";
    let mut values: Vec<Value> = vec![
        actor.workspace.into(),
        id.unwrap_or(0).into(),
        below.unwrap_or(i64::MAX).into(),
        release.unwrap_or(0).into(),
        (most as i64).into(),
    ];
    let scope = in_lines(db, actor, Permission::FindingRead, "v.line", &mut values)?;
    let outcomes = if id.is_some() { "v.outcomes" } else { "''" };
    let select = format!(
        "SELECT v.id, v.name, v.format, v.document, COALESCE(p.name, ''), COALESCE(r.version, ''), v.at, v.actor, \
         v.statements, v.applied, v.findings, {outcomes} FROM vex_import v LEFT JOIN release r ON r.id = v.release \
         LEFT JOIN product p ON p.id = COALESCE(v.product, r.product) WHERE v.workspace = $1 \
         AND ($2 = 0 OR v.id = $2) AND v.id < $3 AND ($4 = 0 OR v.release = $4){scope} ORDER BY v.id DESC LIMIT $5"
    );
    let rows = sql::raw(db, what, &select, values).await?;
    sql::read(&rows, what, read)
}

/// Reads the columns of a list, the outcomes last.
pub(super) fn read(row: &sea_orm::QueryResult) -> std::result::Result<Imported, sea_orm::DbErr> {
    let text = |n: usize| row.try_get_by_index::<String>(n);
    let number =
        |n: usize| Ok::<usize, sea_orm::DbErr>(row.try_get_by_index::<i64>(n)?.unsigned_abs() as usize);
    let stored: Stored = serde_json::from_str(&text(11)?).unwrap_or_default();
    Ok(Imported {
        id: row.try_get_by_index(0)?,
        name: text(1)?,
        format: text(2)?,
        document: text(3)?,
        place: format!("{} {}", text(4)?, text(5)?).trim().to_owned(),
        at: text(6)?,
        actor: text(7)?,
        statements: number(8)?,
        applied: number(9)?,
        findings: number(10)?,
        outcomes: stored.outcomes,
        remarks: stored.remarks,
    })
}

/// VEX documents that were taken in, for a release or all, newest first, without what became of their statements.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn vex_imports(
    db: &DatabaseConnection,
    actor: &Actor,
    release: Option<i64>,
    below: Option<i64>,
    most: u64,
) -> Result<Vec<Imported>> {
    listed(db, actor, None, release, below, most).await
}

/// One VEX document with what became of its statements.
///
/// # Errors
/// [`Error::NotFound`], also where the actor may not see it.
pub async fn vex_import(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Imported> {
    let found = listed(db, actor, Some(id), None, None, 1).await?.into_iter().next();
    found.ok_or_else(|| Error::NotFound(format!("VEX document {id}")))
}
