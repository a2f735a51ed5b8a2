//! Vulnerabilities that were ever found in the workspace: one row each, kept by matching, for lists by vulnerability.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{DatabaseConnection, QueryResult, Value};
use serde::Serialize;
use tocsin_model::query::{Field, Kind, Query, Schema};

use super::SEVERITIES;
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::query::{self, Entry, How, Key, Noun, Order, Rows, Total};
use crate::platform::{bulk, sql};

/// Orders of vulnerabilities, by which groups of findings are listed too.
pub(super) static FLAW_ORDERS: [Order; 6] = [
    Order {
        name: "urgency",
        keys: &[("v.rank", Key::Int), ("v.id", Key::Int)],
        from: None,
        apart: false,
        down: true,
    },
    Order {
        name: "severity",
        keys: &[("v.severity", Key::Int), ("v.rank", Key::Int), ("v.id", Key::Int)],
        from: None,
        apart: false,
        down: true,
    },
    Order {
        name: "score",
        keys: &[("COALESCE(v.score, -1.0)", Key::Real), ("v.id", Key::Int)],
        from: None,
        apart: false,
        down: true,
    },
    Order {
        name: "epss",
        keys: &[("COALESCE(v.epss, -1.0)", Key::Real), ("v.id", Key::Int)],
        from: None,
        apart: false,
        down: true,
    },
    Order {
        name: "vulnerability",
        keys: &[("v.vulnerability", Key::Text)],
        from: None,
        apart: false,
        down: false,
    },
    Order {
        name: "found",
        keys: &[("v.first_seen", Key::Text), ("v.id", Key::Int)],
        from: None,
        apart: false,
        down: true,
    },
];

/// A vulnerability that is or was found.
#[derive(Debug, Clone, Serialize)]
pub struct Flaw {
    /// Main id.
    pub vulnerability: String,
    /// Title.
    pub title: String,
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
    /// When it was first found.
    pub first_seen: String,
}

pub(super) const COLUMNS: &str =
    "v.vulnerability, v.title, v.severity, v.score, v.epss, v.kev, v.exploits, v.first_seen";

pub(super) fn read(row: &QueryResult) -> std::result::Result<Flaw, sea_orm::DbErr> {
    let severity = usize::try_from(row.try_get_by_index::<i64>(2)?).unwrap_or(0);
    Ok(Flaw {
        vulnerability: row.try_get_by_index(0)?,
        title: row.try_get_by_index(1)?,
        severity: SEVERITIES.get(severity).copied().unwrap_or("unknown"),
        score: row.try_get_by_index(3)?,
        epss: row.try_get_by_index(4)?,
        kev: row.try_get_by_index::<i64>(5)? != 0,
        exploits: row.try_get_by_index(6)?,
        first_seen: row.try_get_by_index(7)?,
    })
}

const fn entry(
    name: &'static str,
    kind: Kind,
    optional: bool,
    expr: &'static str,
    what: &'static str,
) -> Entry {
    Entry { field: Field { name, kind, optional, what }, how: How::Own(expr), leads: false }
}

const IS_FLAW: &str = "v.vulnerability IN (SELECT m.main FROM alias a JOIN vulnerability m ON m.id = a.vulnerability \
                       WHERE a.id IN (CAST({} AS TEXT), UPPER(CAST({} AS TEXT))) \
                       UNION SELECT CAST({} AS TEXT) UNION SELECT UPPER(CAST({} AS TEXT)) \
                       UNION SELECT w.main FROM warning w WHERE w.workspace = $1 AND w.main <> '' AND w.name = UPPER(CAST({} AS TEXT)))";

/// Vulnerabilities found, as a noun of queries. A list of them is limited to product lines by the findings that it
/// asks for, so that the table itself is not.
pub(crate) static FLAWS: Noun = Noun {
    doing: "listing vulnerabilities",
    permission: Permission::FindingRead,
    entries: &[
        Entry {
            field: Field { name: "vulnerability", kind: Kind::Id, optional: false, what: "any id of it" },
            how: How::Id(IS_FLAW, "LOWER(v.vulnerability) {}"),
            leads: false,
        },
        entry("title", Kind::Text, false, "v.title", "its title"),
        entry("severity", Kind::Scale(&SEVERITIES), false, "v.severity", "how bad it is"),
        entry("score", Kind::Number, true, "COALESCE(v.score, -1.0)", "CVSS score, 0 to 10"),
        entry(
            "epss",
            Kind::Number,
            true,
            "COALESCE(v.epss, -1.0)",
            "probability of exploitation in 30 days, 0 to 1",
        ),
        entry("kev", Kind::Truth, false, "v.kev = 1", "known to be exploited"),
        entry("exploit", Kind::Truth, false, "v.exploits > 0", "an exploit is public"),
        entry("found", Kind::Time, false, "v.first_seen", "when it was first found"),
        entry("age", Kind::Age, false, "v.first_seen", "time since it was first found"),
    ],
    orders: &FLAW_ORDERS,
    columns: &["severity", "score", "vulnerability", "epss", "found"],
    groups: &[],
    table: "flaw v",
    id: "v.id",
    from: "flaw v",
    on: "",
    workspace: "v.workspace = $1",
    lines: "",
    unless: &[],
    words: &["LOWER(v.vulnerability || ' ' || v.title) {}"],
};

/// What a query over vulnerabilities found may name.
pub fn flaw_schema() -> Schema {
    FLAWS.schema()
}

/// How far a vulnerability reaches into what the actor may see.
#[derive(Debug, Clone, Serialize)]
pub struct Hurting {
    /// The vulnerability.
    pub flaw: Flaw,
    /// Open findings that are not decided away.
    pub findings: i64,
    /// Releases they are in.
    pub releases: i64,
    /// Units of these releases in the field.
    pub units: i64,
}

/// Vulnerabilities that are counted exactly.
const COUNTED: u64 = 1_000;

/// What hurts: open, surely identified, not decided away.
const HURTS: &str = "f.workspace = $1 AND f.closed IS NULL AND f.confidence > 0 \
                     AND f.status NOT IN ('not_affected', 'fixed', 'false_positive')";

/// Vulnerabilities of a query that hurt releases that the actor may see.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn hurting(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Hurting>> {
    let mut s = query::statement(db, actor, &FLAWS, query)?;
    let scope = query::in_lines(db, actor, Permission::FindingRead, "p.line", &mut s.values)?;
    let scope = scope.strip_prefix(" AND ").map_or(String::new(), |scope| {
        format!(
            " AND f.release IN (SELECT r.id FROM release r JOIN product p ON p.id = r.product WHERE {scope})"
        )
    });
    s.push(format!(
        "EXISTS (SELECT 1 FROM finding f WHERE f.vulnerability = v.vulnerability AND {HURTS}{scope})"
    ));
    let total = query::count_up_to(db, &s, COUNTED).await?;
    // walked in their order: each is asked whether it hurts until the page is full
    let walked = Total { n: total.n, more: true };
    let rows = query::list(db, s, query, (COLUMNS, read), after, (most, walked)).await?;
    let names: Vec<&str> = rows.rows.iter().map(|f| f.vulnerability.as_str()).collect();
    let numbers = reaching(db, actor, &names).await?;
    let hurting = |flaw: Flaw| {
        let reach = numbers.get(&flaw.vulnerability).copied().unwrap_or_default();
        Hurting { flaw, findings: reach.findings, releases: reach.releases, units: reach.units }
    };
    Ok(Rows { rows: rows.rows.into_iter().map(hurting).collect(), next: rows.next, total })
}

/// What is open of a vulnerability and not decided away, in what the actor may see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Reaching {
    /// Findings.
    pub findings: i64,
    /// Releases they are in.
    pub releases: i64,
    /// Units of these releases in the field.
    pub units: i64,
}

/// How far some vulnerabilities reach; those that hurt nothing are not in it.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn reaching(
    db: &DatabaseConnection,
    actor: &Actor,
    names: &[&str],
) -> Result<HashMap<String, Reaching>> {
    let mut values = vec![actor.workspace.into(), sql::list(names)];
    let scope = query::in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT h.vulnerability, CAST(SUM(h.n) AS BIGINT), COUNT(*), CAST(SUM(r.units) AS BIGINT) FROM (SELECT \
         f.vulnerability, f.release, COUNT(*) AS n FROM finding f WHERE f.vulnerability IN {} AND {HURTS} \
         GROUP BY f.vulnerability, f.release) h JOIN release r ON r.id = h.release JOIN product p ON p.id = r.product \
         WHERE p.workspace = $1{scope} GROUP BY h.vulnerability",
        sql::texts(db, 2)
    );
    let rows: Vec<(String, i64, i64, i64)> = sql::rows(db, FLAWS.doing, &select, values).await?;
    Ok(rows
        .into_iter()
        .map(|(v, findings, releases, units)| (v, Reaching { findings, releases, units }))
        .collect())
}

/// A release in which a vulnerability is or was found.
#[derive(Debug, Clone, Serialize)]
pub struct Presence {
    /// Release.
    pub release: i64,
    /// Product.
    pub product: String,
    /// Version of the release.
    pub version: String,
    /// Product line.
    pub line: String,
    /// Units in the field.
    pub units: i64,
    /// Customers who have some.
    pub customers: i64,
    /// Findings by status, the most first; `closed` among them.
    pub statuses: Vec<(String, i64)>,
    /// Some are open and not decided away.
    pub hurts: bool,
}

/// The releases in which a vulnerability is or was found, those that it hurts first, then by units.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn presence(db: &DatabaseConnection, actor: &Actor, vulnerability: &str) -> Result<Vec<Presence>> {
    let mut values = vec![actor.workspace.into(), vulnerability.into()];
    let scope = query::in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT h.release, p.name, r.version, l.name, r.units, h.state, h.n, (SELECT COUNT(DISTINCT d.customer) FROM \
         deployment d WHERE d.release = h.release AND d.units > 0) FROM (SELECT f.release, CASE WHEN f.closed IS NULL \
         THEN f.status ELSE 'closed' END AS state, COUNT(*) AS n FROM finding f WHERE f.vulnerability = $2 \
         AND f.workspace = $1 GROUP BY f.release, CASE WHEN f.closed IS NULL THEN f.status ELSE 'closed' END) h \
         JOIN release r ON r.id = h.release JOIN product p ON p.id = r.product JOIN line l ON l.id = p.line \
         WHERE p.workspace = $1{scope} ORDER BY p.name, h.release, h.n DESC, h.state"
    );
    type Row = (i64, String, String, String, i64, String, i64, i64);
    let rows: Vec<Row> = sql::rows(db, "listing where a vulnerability is found", &select, values).await?;
    let mut places: Vec<Presence> = Vec::new();
    for (release, product, version, line, units, state, n, customers) in rows {
        let hurts = !["not_affected", "fixed", "false_positive", "closed"].contains(&state.as_str());
        match places.last_mut().filter(|p| p.release == release) {
            Some(place) => {
                place.statuses.push((state, n));
                place.hurts |= hurts;
            }
            None => {
                let statuses = vec![(state, n)];
                places.push(Presence { release, product, version, line, units, customers, statuses, hurts });
            }
        }
    }
    places.sort_by_key(|p| (std::cmp::Reverse(p.hurts), std::cmp::Reverse(p.units)));
    Ok(places)
}

/// What a row of `flaw` says: vulnerability, title, severity, score, EPSS, KEV, exploits, rank.
pub(super) type Facts = [Value; 8];

/// Notes vulnerabilities of which findings are written, by their ids. Rows are written in the order of the ids, so that
/// two releases that are matched at once wait for each other and never in a ring.
pub(super) async fn met(change: &Change<'_>, facts: BTreeMap<String, Facts>) -> Result<()> {
    let rows: Vec<[Value; 10]> = facts
        .into_values()
        .map(|[id, title, severity, score, epss, kev, exploits, rank]| {
            let (workspace, now) = (change.actor.workspace.into(), change.actor.now.clone().into());
            [workspace, id, title, severity, score, epss, kev, exploits, rank, now]
        })
        .collect();
    let head = "INSERT INTO flaw (workspace, vulnerability, title, severity, score, epss, kev, exploits, rank, first_seen)";
    let tail = "ON CONFLICT (workspace, vulnerability) DO UPDATE SET title = excluded.title, \
                severity = excluded.severity, score = excluded.score, epss = excluded.epss, kev = excluded.kev, \
                exploits = excluded.exploits, rank = excluded.rank \
                WHERE flaw.rank <> excluded.rank OR flaw.severity <> excluded.severity OR flaw.kev <> excluded.kev \
                OR flaw.exploits <> excluded.exploits OR flaw.title <> excluded.title \
                OR COALESCE(flaw.score, -1.0) <> COALESCE(excluded.score, -1.0) \
                OR COALESCE(flaw.epss, -1.0) <> COALESCE(excluded.epss, -1.0)";
    bulk::insert(&change.tx, "noting vulnerabilities", head, tail, rows).await?;
    Ok(())
}
