//! Asking for decisions: lists, one with what it reaches, those that are like the one to be made.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Value};
use serde::Serialize;

use super::Reach;
use super::thing::Thing;
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Lines, Permission};
use crate::platform::sql;

/// A decision as lists show it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = KeptDecision)]
pub struct Kept {
    /// Id.
    pub id: i64,
    /// Main id of the vulnerability.
    pub vulnerability: String,
    /// How far it reaches.
    pub reach: Reach,
    /// Product line; 0 where it holds everywhere.
    pub line: i64,
    /// Status.
    pub status: String,
    /// Justification, or empty.
    pub justification: String,
    /// Response, or empty.
    pub response: String,
    /// In words.
    pub detail: String,
    /// `person` or `vex`.
    pub source: String,
    /// The VEX document that was taken in.
    pub vex: Option<i64>,
    /// Component decided on, with its group.
    pub component: String,
    /// Its version.
    pub version: String,
    /// Product, or empty.
    pub product: String,
    /// Version of the release, or empty.
    pub release: String,
    /// Day on which it ends.
    pub expires: Option<String>,
    /// When it was proposed.
    pub proposed: String,
    /// Who proposed it: `person:anna`.
    pub author: String,
    /// Waits for a second person.
    pub waits: bool,
    /// When it was approved.
    pub approved: Option<String>,
    /// Who approved it or turned it down.
    pub approver: String,
    /// Their words.
    pub remark: String,
    /// When it ended.
    pub ended: Option<String>,
    /// How: `replaced`, `withdrawn`, `expired`, `rejected`.
    pub ending: String,
    /// Findings that stand on it, or for which it waits.
    pub findings: i64,
}

impl Kept {
    /// Where it holds, in words.
    pub fn place(&self) -> String {
        let of = |what: &str| format!("{what} {}", self.product);
        match self.reach {
            Reach::Finding => format!("{} {}", self.product, self.release),
            Reach::Release => format!("every component of {} {}", self.product, self.release),
            Reach::Product => of("every release of"),
            Reach::Component => "every product".to_owned(),
        }
    }
}

/// Where a decision stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// In force.
    #[default]
    Standing,
    /// Waits for a second person.
    Waiting,
    /// Replaced, withdrawn, expired or turned down.
    Ended,
}

/// What decisions are wanted.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Where they stand; any where missing.
    pub state: Option<State>,
    /// With this status.
    pub status: Option<String>,
    /// Vulnerability, component, product, author or words hold this.
    pub text: String,
    /// Those that end on a day up to this one.
    pub expires: Option<String>,
}

pub(super) const COLUMNS: &str = "d.id, d.vulnerability, d.reach, d.line, d.status, d.justification, d.response, d.detail, \
                       d.source, d.vex, COALESCE(c.grp, ''), COALESCE(c.name, ''), COALESCE(c.version, d.version), \
                       COALESCE(p.name, ''), COALESCE(r.version, ''), d.expires, d.proposed, d.author, d.waits, \
                       d.approved, d.approver_name, d.remark, d.ended, d.ending, (SELECT COUNT(*) FROM finding f \
                       WHERE f.decision IS NOT NULL AND f.decision = d.id) + (SELECT COUNT(*) FROM finding f \
                       WHERE f.proposal IS NOT NULL AND f.proposal = d.id), COALESCE(c.purl, '')";
pub(super) const TABLES: &str = "decision d LEFT JOIN component c ON c.id = d.subject LEFT JOIN finding g ON g.id = d.finding \
                      LEFT JOIN release r ON r.id = COALESCE(d.release, g.release) \
                      LEFT JOIN product p ON p.id = COALESCE(d.product, r.product)";

pub(super) fn read(row: &QueryResult) -> std::result::Result<(Kept, Thing), sea_orm::DbErr> {
    let text = |n: usize| row.try_get_by_index::<String>(n);
    let (group, name, version) = (text(10)?, text(11)?, text(12)?);
    let thing = Thing::new(&text(25)?, &group, &name, &version);
    let kept = Kept {
        id: row.try_get_by_index(0)?,
        vulnerability: text(1)?,
        reach: Reach::parse(&text(2)?).unwrap_or(Reach::Finding),
        line: row.try_get_by_index(3)?,
        status: text(4)?,
        justification: text(5)?,
        response: text(6)?,
        detail: text(7)?,
        source: text(8)?,
        vex: row.try_get_by_index(9)?,
        component: if group.is_empty() { name } else { format!("{group}/{name}") },
        version,
        product: text(13)?,
        release: text(14)?,
        expires: row.try_get_by_index(15)?,
        proposed: text(16)?,
        author: text(17)?,
        waits: row.try_get_by_index::<i64>(18)? != 0,
        approved: row.try_get_by_index(19)?,
        approver: text(20)?,
        remark: text(21)?,
        ended: row.try_get_by_index(22)?,
        ending: text(23)?,
        findings: row.try_get_by_index(24)?,
    };
    Ok((kept, thing))
}

/// Decisions of the lines in which a permission is held, and those that hold everywhere.
fn scope(
    db: &impl ConnectionTrait,
    actor: &Actor,
    permission: Permission,
    values: &mut Vec<Value>,
) -> Result<String> {
    actor.need(permission)?;
    Ok(match actor.lines(permission) {
        Lines::All => String::new(),
        Lines::Some(lines) => {
            values.push(sql::list(&lines));
            format!(" AND (d.line = 0 OR d.line IN {})", sql::numbers(db, values.len()))
        }
    })
}

/// Decisions that the actor may see, newest first; `below` is the id of the last one of the page before.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn decisions(
    db: &DatabaseConnection,
    actor: &Actor,
    asked: &Asked,
    below: Option<i64>,
    most: u64,
) -> Result<Vec<Kept>> {
    let what = "listing decisions";
    let mut values: Vec<Value> = vec![actor.workspace.into()];
    let mut select = format!("SELECT {COLUMNS} FROM {TABLES} WHERE d.workspace = $1");
    select.push_str(&scope(db, actor, Permission::FindingRead, &mut values)?);
    select.push_str(match asked.state {
        None => "",
        Some(State::Standing) => " AND d.ended IS NULL AND d.waits = 0",
        Some(State::Waiting) => " AND d.ended IS NULL AND d.waits = 1",
        Some(State::Ended) => " AND d.ended IS NOT NULL",
    });
    let mut bind = |condition: &str, value: Value| {
        values.push(value);
        select.push_str(" AND ");
        select.push_str(&condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(status) = &asked.status {
        bind("d.status = ?", status.as_str().into());
    }
    if let Some(day) = &asked.expires {
        bind("d.expires IS NOT NULL AND d.expires <= ?", day.as_str().into());
    }
    if !asked.text.trim().is_empty() {
        let holds = "LOWER(d.vulnerability || ' ' || COALESCE(c.grp, '') || '/' || COALESCE(c.name, '') || '@' || \
                     COALESCE(c.version, '') || ' ' || COALESCE(p.name, '') || ' ' || COALESCE(r.version, '') || ' ' \
                     || d.author || ' ' || d.detail) LIKE ?";
        bind(holds, format!("%{}%", asked.text.trim().to_lowercase()).into());
    }
    if let Some(below) = below {
        bind("d.id < ?", below.into());
    }
    values.push((most as i64).into());
    select.push_str(&format!(" ORDER BY d.id DESC LIMIT ${}", values.len()));
    let rows = sql::raw(db, what, &select, values).await?;
    Ok(sql::read(&rows, what, read)?.into_iter().map(|r| r.0).collect())
}

/// One decision.
///
/// # Errors
/// [`Error::NotFound`], also where the actor may not see it.
pub async fn decision(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Kept> {
    let what = "reading a decision";
    let mut values: Vec<Value> = vec![actor.workspace.into(), id.into()];
    let scope = scope(db, actor, Permission::FindingRead, &mut values)?;
    let select = format!("SELECT {COLUMNS} FROM {TABLES} WHERE d.workspace = $1 AND d.id = $2{scope}");
    let rows = sql::raw(db, what, &select, values).await?;
    let found = sql::read(&rows, what, read)?.into_iter().next();
    found.map(|r| r.0).ok_or_else(|| Error::NotFound(format!("decision {id}")))
}

/// How many decisions wait that the actor may approve; their own count only for others.
///
/// # Errors
/// The database does not answer.
pub async fn waiting(db: &DatabaseConnection, actor: &Actor) -> Result<i64> {
    if !actor.may(Permission::DecisionApprove) {
        return Ok(0);
    }
    let mut values: Vec<Value> =
        vec![actor.workspace.into(), actor.person.unwrap_or(0).into(), actor.name.clone().into()];
    let scope = scope(db, actor, Permission::DecisionApprove, &mut values)?;
    let select = format!(
        "SELECT COUNT(*) FROM decision d WHERE d.workspace = $1 AND d.waits = 1 AND d.ended IS NULL \
         AND d.proposer <> $2 AND d.author <> $3{scope}"
    );
    let row: Option<(i64,)> = sql::row(db, "counting what waits for approval", &select, values).await?;
    Ok(row.map_or(0, |r| r.0))
}

/// A decision that may serve as an example.
#[derive(Debug, Clone, Serialize)]
pub struct Like {
    /// The decision, as an example.
    pub decision: Kept,
    /// Decisions in the same words.
    pub times: usize,
    /// Of the same vulnerability; otherwise of the same component.
    pub same_vulnerability: bool,
}

/// Most decisions looked through for [`similar`] ones.
const SEEN: i64 = 400;

/// Decisions like the one to be made on a finding: on its vulnerability elsewhere, then on its component for other
/// vulnerabilities. Those in the same words are told once.
///
/// # Errors
/// [`Error::NotFound`], also where the actor may not see the finding.
pub async fn similar(db: &DatabaseConnection, actor: &Actor, finding: i64, most: usize) -> Result<Vec<Like>> {
    let what = "looking for similar decisions";
    let (f, _) = super::finding(db, actor, finding).await?;
    let current = f.decision.or(f.proposal).unwrap_or(0);
    let mut values: Vec<Value> = vec![
        actor.workspace.into(),
        f.vulnerability.clone().into(),
        f.component.into(),
        current.into(),
        SEEN.into(),
    ];
    let scope = scope(db, actor, Permission::FindingRead, &mut values)?;
    let select = format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE d.id IN (SELECT id FROM decision WHERE workspace = $1 AND vulnerability = $2 \
         UNION SELECT x.id FROM component a JOIN component b ON b.plain = a.plain JOIN decision x ON x.subject = b.id \
         WHERE a.id = $3 AND x.workspace = $1) AND d.waits = 0 AND d.status <> 'under_investigation' \
         AND d.ending <> 'rejected' AND d.id <> $4{scope} ORDER BY d.id DESC LIMIT $5"
    );
    let rows = sql::raw(db, what, &select, values).await?;
    let mut order: Vec<Like> = Vec::new();
    let mut known: HashMap<(String, String, String, String, String), usize> = HashMap::new();
    let mut all = sql::read(&rows, what, read)?;
    // standing ones first, then by age
    all.sort_by_key(|(k, _)| (k.vulnerability != f.vulnerability, k.ended.is_some()));
    for (kept, thing) in all {
        let words = (kept.vulnerability.clone(), kept.status.clone());
        let key = (words.0, words.1, kept.justification.clone(), kept.detail.clone(), thing.key());
        match known.get(&key).and_then(|at| order.get_mut(*at)) {
            Some(like) => like.times += 1,
            None => {
                known.insert(key, order.len());
                let same_vulnerability = kept.vulnerability == f.vulnerability;
                order.push(Like { decision: kept, times: 1, same_vulnerability });
            }
        }
    }
    order.truncate(most);
    Ok(order)
}

/// Findings that stand on a decision or for which it waits: id, component with version, product, release, closed.
///
/// # Errors
/// As [`decision`].
pub async fn reached(
    db: &DatabaseConnection,
    actor: &Actor,
    decision: i64,
    most: u64,
) -> Result<Vec<(i64, String, String, String, bool)>> {
    let mut values: Vec<Value> = vec![actor.workspace.into(), decision.into(), (most as i64).into()];
    let scope = crate::inventory::in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT f.id, c.name || ' ' || c.version, p.name, r.version, f.closed FROM finding f \
         JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product JOIN component c ON c.id = f.component \
         WHERE f.workspace = $1 AND (f.decision IS NOT NULL AND f.decision = $2 OR f.proposal IS NOT NULL \
         AND f.proposal = $2){scope} ORDER BY p.name, r.id DESC, f.id LIMIT $3"
    );
    type Row = (i64, String, String, String, Option<String>);
    let rows: Vec<Row> = sql::rows(db, "listing what a decision reaches", &select, values).await?;
    Ok(rows.into_iter().map(|(id, c, p, r, closed)| (id, c, p, r, closed.is_some())).collect())
}
