//! Asking for findings: lists by filter, one with its evidence, its history, counts.

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Value};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Evidence, SEVERITIES};
use crate::error::{Error, Result};
use crate::inventory::in_lines;
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// What findings are wanted. Everything empty: all open ones that are surely identified.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this release.
    pub release: Option<i64>,
    /// In this product.
    pub product: Option<i64>,
    /// Of this vulnerability (main id).
    pub vulnerability: Option<String>,
    /// At least this severity (0 to 5).
    pub severity: Option<i64>,
    /// Known to be exploited.
    pub kev: bool,
    /// With this status.
    pub status: Option<String>,
    /// Closed ones too.
    pub closed: bool,
    /// Guesses too.
    pub inferred: bool,
    /// Vulnerability, title, component, product or version holds this.
    pub text: String,
}

/// A finding as lists show it.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Finding {
    /// Id.
    pub id: i64,
    /// Release.
    pub release: i64,
    /// Product line of the release.
    pub line: i64,
    /// Product.
    pub product: String,
    /// Version of the release.
    pub release_version: String,
    /// Component.
    pub component: i64,
    /// Its name with its group.
    pub component_name: String,
    /// Its version.
    pub component_version: String,
    /// Its package URL, or empty.
    pub purl: String,
    /// Main id of the vulnerability.
    pub vulnerability: String,
    /// Title of the vulnerability.
    pub title: String,
    /// `affected` or `conditional`.
    pub verdict: String,
    /// `exact`, `declared`, `inferred`.
    pub confidence: &'static str,
    /// `critical` … `unknown`.
    pub severity: &'static str,
    /// CVSS score.
    pub score: Option<f64>,
    /// EPSS score, 0 to 1.
    pub epss: Option<f64>,
    /// Known to be exploited.
    pub kev: bool,
    /// Public exploits.
    pub exploits: i64,
    /// Fixed versions.
    pub fixed: String,
    /// Status.
    pub status: String,
    /// Justification, or empty.
    pub justification: String,
    /// When it was first found.
    pub first_seen: String,
    /// When it was closed.
    pub closed: Option<String>,
    /// Why it was closed.
    pub reason: String,
    /// Place in the order of urgency.
    pub rank: i64,
    /// The decision in force ([`super::decision`]).
    pub decision: Option<i64>,
    /// A decision that waits for approval.
    pub proposal: Option<i64>,
    /// Why a decision holds no longer, in words, or empty.
    pub lapsed: String,
    /// Who looks after it: a person.
    pub owner: Option<i64>,
    /// Their name, or empty.
    pub owner_name: String,
    /// Day by which it is to be done.
    pub due: Option<String>,
}

/// A page of findings.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// The findings.
    pub findings: Vec<Finding>,
    /// Where the next page begins, where there is one: `RANK-ID`.
    pub next: Option<String>,
}

/// An event of a finding's life.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Story {
    /// When.
    pub at: String,
    /// Who.
    pub actor: String,
    /// `closed`, `reopened`, `updated`, `proposed`, `decided`, `turned-down`, `lapsed`, `expired`, `withdrawn`,
    /// `let-go`, `owned`, `remarked`.
    pub what: String,
    /// In words.
    pub detail: String,
}

/// Open findings of the workspace, surely identified and not decided away, by severity.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Counts {
    /// Critical, high, medium, low, without rating.
    pub open: [i64; 5],
    /// Of flaws known to be exploited.
    pub exploited: i64,
}

pub(super) const COLUMNS: &str = "f.id, f.release, p.name, r.version, f.component, c.grp, c.name, c.version, c.purl, \
                       f.vulnerability, f.title, f.verdict, f.confidence, f.severity, f.score, f.epss, f.kev, \
                       f.exploits, f.fixed, f.status, f.justification, f.first_seen, f.closed, f.reason, f.rank, p.line, \
                       f.decision, f.proposal, f.lapsed, f.owner, COALESCE(w.name, ''), f.due";
const TABLES: &str = "FROM finding f JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product \
                      JOIN component c ON c.id = f.component LEFT JOIN person w ON w.id = f.owner";

pub(super) fn read(row: &QueryResult) -> std::result::Result<Finding, sea_orm::DbErr> {
    let number = |n: usize| row.try_get_by_index::<i64>(n);
    let text = |n: usize| row.try_get_by_index::<String>(n);
    let (group, name) = (text(5)?, text(6)?);
    Ok(Finding {
        id: number(0)?,
        release: number(1)?,
        product: text(2)?,
        release_version: text(3)?,
        component: number(4)?,
        component_name: if group.is_empty() { name } else { format!("{group}/{name}") },
        component_version: text(7)?,
        purl: text(8)?,
        vulnerability: text(9)?,
        title: text(10)?,
        verdict: text(11)?,
        confidence: ["inferred", "declared", "exact"]
            .get(number(12)? as usize)
            .copied()
            .unwrap_or("inferred"),
        severity: SEVERITIES.get(number(13)? as usize).copied().unwrap_or("unknown"),
        score: row.try_get_by_index(14)?,
        epss: row.try_get_by_index(15)?,
        kev: number(16)? != 0,
        exploits: number(17)?,
        fixed: text(18)?,
        status: text(19)?,
        justification: text(20)?,
        first_seen: text(21)?,
        closed: row.try_get_by_index(22)?,
        reason: text(23)?,
        rank: number(24)?,
        line: number(25)?,
        decision: row.try_get_by_index(26)?,
        proposal: row.try_get_by_index(27)?,
        lapsed: text(28)?,
        owner: row.try_get_by_index(29)?,
        owner_name: text(30)?,
        due: row.try_get_by_index(31)?,
    })
}

/// Rank and id of [`Page::next`].
fn place(next: &str) -> Option<(i64, i64)> {
    let (rank, id) = next.split_once('-')?;
    Some((rank.parse().ok()?, id.parse().ok()?))
}

/// Findings that the actor may see, most urgent first; `after` is [`Page::next`] of the page before.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn findings(
    db: &DatabaseConnection,
    actor: &Actor,
    filter: &Filter,
    after: Option<&str>,
    most: u64,
) -> Result<Page> {
    let mut values: Vec<Value> = vec![actor.workspace.into()];
    let mut sql = format!("SELECT {COLUMNS} {TABLES} WHERE f.workspace = $1");
    sql.push_str(&in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?);
    let mut bind = |sql: &mut String, condition: &str, value: Value| {
        values.push(value);
        sql.push_str(" AND ");
        sql.push_str(&condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(id) = filter.release {
        bind(&mut sql, "f.release = ?", id.into());
    }
    if let Some(id) = filter.product {
        bind(&mut sql, "r.product = ?", id.into());
    }
    if let Some(id) = &filter.vulnerability {
        bind(&mut sql, "f.vulnerability = ?", id.as_str().into());
    }
    if let Some(least) = filter.severity {
        bind(&mut sql, "f.severity >= ?", least.into());
    }
    if let Some(status) = &filter.status {
        bind(&mut sql, "f.status = ?", status.as_str().into());
    }
    if !filter.text.trim().is_empty() {
        let like = format!("%{}%", filter.text.trim().to_lowercase());
        let condition = "LOWER(f.vulnerability || ' ' || f.title || ' ' || c.grp || '/' || c.name || '@' || c.version \
                         || ' ' || p.name || ' ' || r.version) LIKE ?";
        bind(&mut sql, condition, like.into());
    }
    if filter.kev {
        sql.push_str(" AND f.kev = 1");
    }
    if !filter.closed {
        sql.push_str(" AND f.closed IS NULL");
    }
    if !filter.inferred {
        sql.push_str(" AND f.confidence > 0");
    }
    if let Some((rank, id)) = after.and_then(place) {
        let at = values.len();
        values.extend([Value::from(rank), id.into()]);
        sql.push_str(&format!(" AND (f.rank < ${0} OR f.rank = ${0} AND f.id > ${1})", at + 1, at + 2));
    }
    values.push((most as i64 + 1).into());
    sql.push_str(&format!(" ORDER BY f.rank DESC, f.id LIMIT ${}", values.len()));
    let rows = sql::raw(db, "listing findings", &sql, values).await?;
    let mut findings = sql::read(&rows, "listing findings", read)?;
    let more = findings.len() as u64 > most;
    findings.truncate(most as usize);
    let next = findings.last().filter(|_| more).map(|f| format!("{}-{}", f.rank, f.id));
    Ok(Page { findings, next })
}

/// One finding with its evidence.
///
/// # Errors
/// [`Error::NotFound`], also where the actor may not see it.
pub async fn finding(db: &impl ConnectionTrait, actor: &Actor, id: i64) -> Result<(Finding, Vec<Evidence>)> {
    let mut values = vec![actor.workspace.into(), id.into()];
    let scope = in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let select = format!("SELECT {COLUMNS}, f.evidence {TABLES} WHERE f.workspace = $1 AND f.id = $2{scope}");
    let rows = sql::raw(db, "reading a finding", &select, values).await?;
    let both = |row: &QueryResult| Ok((read(row)?, row.try_get_by_index::<String>(32)?));
    let found = sql::read(&rows, "reading a finding", both)?;
    let (finding, evidence) =
        found.into_iter().next().ok_or_else(|| Error::NotFound(format!("finding {id}")))?;
    Ok((finding, serde_json::from_str(&evidence).unwrap_or_default()))
}

/// What happened to a finding, newest first.
///
/// # Errors
/// As [`finding`].
pub async fn history(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Vec<Story>> {
    finding(db, actor, id).await?;
    let select = "SELECT at, actor, what, detail FROM finding_event WHERE finding = $1 ORDER BY n DESC";
    let rows: Vec<(String, String, String, String)> =
        sql::rows(db, "reading a finding's history", select, vec![id.into()]).await?;
    Ok(rows.into_iter().map(|(at, actor, what, detail)| Story { at, actor, what, detail }).collect())
}

/// Counts over the releases that the actor may see.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn counts(db: &DatabaseConnection, actor: &Actor) -> Result<Counts> {
    let mut values = vec![actor.workspace.into()];
    let scope = in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let sum = |column: &str| format!("CAST(COALESCE(SUM(r.{column}), 0) AS BIGINT)");
    let columns = ["critical", "high", "medium", "low", "unrated", "exploited"].map(sum).join(", ");
    let select = format!(
        "SELECT {columns} FROM release r JOIN product p ON p.id = r.product \
         WHERE r.workspace = $1 AND r.active = 1{scope}"
    );
    let row: Option<(i64, i64, i64, i64, i64, i64)> =
        sql::row(db, "counting findings", &select, values).await?;
    Ok(row.map_or_else(Counts::default, |(c, h, m, l, u, exploited)| Counts {
        open: [c, h, m, l, u],
        exploited,
    }))
}

/// Ids of all vulnerabilities that hurt, or hurt once, a release that the actor may see.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn vulnerabilities(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<String>> {
    let mut values = vec![actor.workspace.into()];
    let scope = in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT DISTINCT f.vulnerability FROM finding f JOIN release r ON r.id = f.release JOIN product p \
         ON p.id = r.product WHERE f.workspace = $1{scope}"
    );
    let rows: Vec<(String,)> = sql::rows(db, "listing vulnerabilities", &select, values).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// How far a vulnerability reaches: what is open of it and not decided away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Spread {
    /// Releases that it hurts.
    pub releases: i64,
    /// Their units in the field.
    pub units: i64,
    /// Customers who have some of them.
    pub customers: i64,
}

/// See [`Spread`]; over the releases that the actor may see.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn spread(db: &DatabaseConnection, actor: &Actor, vulnerability: &str) -> Result<Spread> {
    let mut values = vec![actor.workspace.into(), vulnerability.into()];
    let scope = in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let hurt = format!(
        "SELECT DISTINCT r.id, r.units FROM finding f JOIN release r ON r.id = f.release JOIN product p \
         ON p.id = r.product WHERE f.workspace = $1 AND f.vulnerability = $2 AND f.closed IS NULL \
         AND f.status NOT IN ('not_affected', 'fixed', 'false_positive'){scope}"
    );
    let select = format!(
        "WITH hurt AS ({hurt}) SELECT COUNT(*), CAST(COALESCE(SUM(units), 0) AS BIGINT), (SELECT COUNT(DISTINCT \
         customer) FROM deployment WHERE units > 0 AND release IN (SELECT id FROM hurt)) FROM hurt"
    );
    let row: Option<(i64, i64, i64)> =
        sql::row(db, "asking how far a vulnerability reaches", &select, values).await?;
    Ok(row.map_or_else(Spread::default, |(releases, units, customers)| Spread { releases, units, customers }))
}
