//! Findings asked for by query: the fields they have, lists one by one and by vulnerability, and what a bulk decision
//! takes from them.

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult};
use tocsin_model::query::{Field, Kind, Query, Schema, Sort};

use super::query::{COLUMNS, Finding, read};
use super::{JUSTIFICATIONS, SEVERITIES, STATUSES};
use crate::error::Result;
use crate::inventory::plain;
use crate::platform::access::{Actor, Permission};
use crate::platform::query::{self, Entry, How, Key, Noun, Order, Rows, Statement, Total};
use crate::platform::sql;

const VERDICTS: [&str; 2] = ["affected", "conditional"];
const CONFIDENCES: [&str; 3] = ["inferred", "declared", "exact"];

const IN_RELEASE: &str = "f.release IN (SELECT r.id FROM release r WHERE r.workspace = $1 AND {})";
const IN_PRODUCT: &str = "f.release IN (SELECT r.id FROM release r JOIN product p ON p.id = r.product \
                          WHERE r.workspace = $1 AND {})";
const IN_LINE: &str = "f.release IN (SELECT r.id FROM release r JOIN product p ON p.id = r.product \
                       JOIN line l ON l.id = p.line WHERE r.workspace = $1 AND {})";
const IN_FIELD: &str =
    "f.release IN (SELECT d.release FROM deployment d WHERE d.workspace = $1 AND d.units > 0 AND {})";
const IN_COMPONENT: &str = "f.component IN (SELECT c.id FROM component c WHERE {})";
/// Any id of the flaw, in the case in which it is written or in capitals.
const IS_FLAW: &str = "f.vulnerability IN (SELECT v.main FROM alias a JOIN vulnerability v ON v.id = a.vulnerability \
                       WHERE a.id IN (CAST({} AS TEXT), UPPER(CAST({} AS TEXT))) \
                       UNION SELECT CAST({} AS TEXT) UNION SELECT UPPER(CAST({} AS TEXT)) \
                       UNION SELECT w.main FROM warning w WHERE w.workspace = $1 AND w.main <> '' AND w.name = UPPER(CAST({} AS TEXT)))";

/// The tables of a list of findings, outermost first, which SQLite keeps to.
pub(super) const FROM: &str = "finding f CROSS JOIN release r CROSS JOIN product p CROSS JOIN component c \
                    LEFT JOIN person w ON w.id = f.owner";
const BY_COMPONENT: &str = "component c CROSS JOIN finding f CROSS JOIN release r CROSS JOIN product p \
                            LEFT JOIN person w ON w.id = f.owner";
const BY_PRODUCT: &str = "product p CROSS JOIN release r CROSS JOIN finding f CROSS JOIN component c \
                          LEFT JOIN person w ON w.id = f.owner";

const fn entry(name: &'static str, kind: Kind, optional: bool, how: How, what: &'static str) -> Entry {
    Entry {
        field: Field { name, kind, optional, what },
        how,
        leads: !matches!(how, How::Own(_) | How::Linked(..)),
    }
}

/// Findings as a noun of queries.
pub(crate) static FINDINGS: Noun = Noun {
    doing: "listing findings",
    permission: Permission::FindingRead,
    entries: &[
        entry("severity", Kind::Scale(&SEVERITIES), false, How::Own("f.severity"), "how bad the flaw is"),
        entry("status", Kind::Word(&STATUSES), false, How::Own("f.status"), "what was decided"),
        entry(
            "vulnerability",
            Kind::Id,
            false,
            How::Id(IS_FLAW, "LOWER(f.vulnerability) {}"),
            "any id of the flaw",
        ),
        entry(
            "component",
            Kind::Text,
            false,
            How::Name(IN_COMPONENT, "c.plain", plain),
            "name of the component",
        ),
        entry(
            "version",
            Kind::Text,
            false,
            How::Inside(IN_COMPONENT, "c.version"),
            "version of the component",
        ),
        entry("purl", Kind::Text, false, How::Inside(IN_COMPONENT, "c.purl"), "package URL of the component"),
        entry("product", Kind::Text, false, How::Inside(IN_PRODUCT, "p.name"), "name of the product"),
        entry("release", Kind::Text, false, How::Inside(IN_RELEASE, "r.version"), "version of the release"),
        entry("line", Kind::Text, false, How::Inside(IN_LINE, "l.name"), "product line"),
        entry(
            "latest",
            Kind::Truth,
            false,
            How::Inside(IN_RELEASE, "r.latest = 1"),
            "in a product's latest release",
        ),
        entry("kev", Kind::Truth, false, How::Own("f.kev = 1"), "known to be exploited"),
        entry("exploit", Kind::Truth, false, How::Own("f.exploits > 0"), "an exploit is public"),
        entry("score", Kind::Number, true, How::Own("COALESCE(f.score, -1.0)"), "CVSS score, 0 to 10"),
        entry(
            "epss",
            Kind::Number,
            true,
            How::Own("COALESCE(f.epss, -1.0)"),
            "probability of exploitation in 30 days, 0 to 1",
        ),
        entry("fix", Kind::Truth, false, How::Own("f.fixed <> ''"), "a fixed version is known"),
        entry("age", Kind::Age, false, How::Own("f.first_seen"), "time since it was found"),
        entry("found", Kind::Time, false, How::Own("f.first_seen"), "when it was found"),
        entry("seen", Kind::Time, false, How::Own("f.last_seen"), "when it last changed by matching"),
        entry("due", Kind::Time, true, How::Own("f.due"), "day by which it is to be decided"),
        entry(
            "owner",
            Kind::Text,
            true,
            How::Linked("f.owner", "f.owner IN (SELECT o.id FROM person o WHERE {})", "o.login"),
            "login of who works on it; me",
        ),
        entry("decided", Kind::Truth, false, How::Own("f.decision IS NOT NULL"), "a decision stands"),
        Entry {
            field: Field {
                name: "proposed",
                kind: Kind::Truth,
                optional: false,
                what: "a decision waits for approval",
            },
            how: How::Own("f.proposal IS NOT NULL"),
            leads: true,
        },
        entry("lapsed", Kind::Truth, false, How::Own("f.lapsed <> ''"), "its decision no longer holds"),
        entry(
            "justification",
            Kind::Word(&JUSTIFICATIONS),
            true,
            How::Own("f.justification"),
            "why it is not affected",
        ),
        entry("verdict", Kind::Word(&VERDICTS), false, How::Own("f.verdict"), "what matching says"),
        entry(
            "confidence",
            Kind::Scale(&CONFIDENCES),
            false,
            How::Own("f.confidence"),
            "how it was identified",
        ),
        entry(
            "guess",
            Kind::Truth,
            false,
            How::Own("f.confidence = 0"),
            "identified by a guess from its name",
        ),
        entry("closed", Kind::Truth, false, How::Own("f.closed IS NOT NULL"), "no longer found"),
        entry("reason", Kind::Text, true, How::Own("f.reason"), "why it was closed"),
        entry(
            "customer",
            Kind::Text,
            false,
            How::Inside(IN_FIELD, "d.customer"),
            "who has units of the release",
        ),
        entry(
            "region",
            Kind::Text,
            false,
            How::Inside(IN_FIELD, "d.region"),
            "where units of the release are",
        ),
        entry(
            "units",
            Kind::Number,
            false,
            How::Inside(IN_RELEASE, "r.units"),
            "units of the release in the field",
        ),
    ],
    orders: &[
        Order {
            name: "urgency",
            keys: &[("f.rank", Key::Int), ("f.id", Key::Int)],
            from: None,
            apart: false,
            down: true,
        },
        Order {
            name: "severity",
            keys: &[("f.severity", Key::Int), ("f.rank", Key::Int), ("f.id", Key::Int)],
            from: None,
            apart: false,
            down: true,
        },
        Order {
            name: "score",
            keys: &[("COALESCE(f.score, -1.0)", Key::Real), ("f.id", Key::Int)],
            from: None,
            apart: false,
            down: true,
        },
        Order {
            name: "epss",
            keys: &[("COALESCE(f.epss, -1.0)", Key::Real), ("f.id", Key::Int)],
            from: None,
            apart: false,
            down: true,
        },
        Order {
            name: "vulnerability",
            keys: &[("f.vulnerability", Key::Text), ("f.id", Key::Int)],
            from: None,
            apart: true,
            down: false,
        },
        Order {
            name: "component",
            keys: &[
                ("c.plain", Key::Text),
                ("c.version", Key::Text),
                ("c.id", Key::Int),
                ("f.vulnerability", Key::Text),
                ("f.id", Key::Int),
            ],
            from: Some(BY_COMPONENT),
            apart: false,
            down: false,
        },
        Order {
            name: "release",
            keys: &[
                ("p.name", Key::Text),
                ("r.version", Key::Text),
                ("f.component", Key::Int),
                ("f.vulnerability", Key::Text),
            ],
            from: Some(BY_PRODUCT),
            apart: false,
            down: false,
        },
        Order {
            name: "status",
            keys: &[("f.status", Key::Text), ("f.id", Key::Int)],
            from: None,
            apart: false,
            down: false,
        },
        Order {
            name: "found",
            keys: &[("f.first_seen", Key::Text), ("f.id", Key::Int)],
            from: None,
            apart: false,
            down: true,
        },
        Order {
            name: "due",
            keys: &[("COALESCE(f.due, '9999')", Key::Text), ("f.id", Key::Int)],
            from: None,
            apart: false,
            down: false,
        },
    ],
    columns: &[
        "severity",
        "score",
        "vulnerability",
        "component",
        "release",
        "fixed",
        "epss",
        "status",
        "found",
        "owner",
        "due",
        "confidence",
    ],
    groups: &["vulnerability"],
    table: "finding f",
    id: "f.id",
    from: FROM,
    on: "r.id = f.release AND p.id = r.product AND c.id = f.component AND p.workspace = $1",
    workspace: "f.workspace = $1",
    lines: "f.release IN (SELECT r.id FROM release r JOIN product p ON p.id = r.product WHERE {})",
    unless: &[(&["closed", "reason"], "f.closed IS NULL"), (&["guess", "confidence"], "f.confidence > 0")],
    words: &[
        "f.vulnerability IN (SELECT w.vulnerability FROM flaw w WHERE w.workspace = $1 \
         AND LOWER(w.vulnerability || ' ' || w.title) {})",
        "f.component IN (SELECT c.id FROM component c WHERE LOWER(c.grp || '/' || c.name || '@' || c.version || ' ' \
         || c.purl) {})",
        "f.release IN (SELECT r.id FROM release r JOIN product p ON p.id = r.product WHERE r.workspace = $1 \
         AND LOWER(p.name || ' ' || r.version) {})",
    ],
};

/// What a query over findings may name.
pub fn schema() -> Schema {
    FINDINGS.schema()
}

/// The order in which findings are listed.
///
/// # Errors
/// There is no such order.
pub fn sorted(query: &Query) -> Result<Sort> {
    query::sorted(&FINDINGS, query)
}

/// Findings of a query that the actor may see; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Finding>> {
    query::page(db, actor, &FINDINGS, query, (COLUMNS, read), after, most).await
}

/// As [`list`], of one release.
///
/// # Errors
/// As [`list`].
pub async fn in_release(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Finding>> {
    let s = of_release(db, actor, Some(release), query)?;
    let total = query::count(db, &s).await?;
    query::list(db, s, query, (COLUMNS, read), after, (most, total)).await
}

/// What a list of findings is of; everything where both are missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Within {
    /// Findings in this release.
    pub release: Option<i64>,
    /// Findings in releases of this product.
    pub product: Option<i64>,
}

/// As [`list`], of a release or a product.
///
/// # Errors
/// As [`list`].
pub async fn within(
    db: &DatabaseConnection,
    actor: &Actor,
    within: Within,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Finding>> {
    let mut s = of_release(db, actor, within.release, query)?;
    if let Some(product) = within.product {
        let place = s.bind(product);
        s.push(format!("f.release IN (SELECT r.id FROM release r WHERE r.product = {place})"));
        s.lead();
    }
    let total = query::count(db, &s).await?;
    query::list(db, s, query, (COLUMNS, read), after, (most, total)).await
}

fn of_release(
    db: &impl ConnectionTrait,
    actor: &Actor,
    release: Option<i64>,
    query: &Query,
) -> Result<Statement> {
    let mut s = query::statement(db, actor, &FINDINGS, query)?;
    if let Some(release) = release {
        let place = s.bind(release);
        s.push(format!("f.release = {place}"));
        s.lead();
    }
    Ok(s)
}

/// All findings of a query, page by page, with no more in memory than a page; counted once.
pub struct Export {
    query: Query,
    release: Option<i64>,
    after: Option<String>,
    total: Option<Total>,
    over: bool,
}

impl Export {
    /// Rows of a page.
    const ROWS: u64 = 1_000;

    /// Of a query, of one release or of all.
    pub fn new(query: Query, release: Option<i64>) -> Export {
        Export { query, release, after: None, total: None, over: false }
    }

    /// The next page; empty behind the last.
    ///
    /// # Errors
    /// As [`list`].
    pub async fn next(&mut self, db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Finding>> {
        if self.over {
            return Ok(Vec::new());
        }
        let s = of_release(db, actor, self.release, &self.query)?;
        let total = match self.total {
            Some(total) => total,
            None => query::count(db, &s).await?,
        };
        self.total = Some(total);
        let (selected, after) = ((COLUMNS, read as fn(&QueryResult) -> _), self.after.as_deref());
        let page = query::list(db, s, &self.query, selected, after, (Self::ROWS, total)).await?;
        self.over = page.next.is_none();
        self.after = page.next;
        Ok(page.rows)
    }
}

/// How many findings a query has.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn total(db: &impl ConnectionTrait, actor: &Actor, query: &Query) -> Result<Total> {
    query::count(db, &query::statement(db, actor, &FINDINGS, query)?).await
}

/// Ids of the findings of a query (of one release) that the actor may decide, at most `most`, and one more where there
/// are more.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn ids(
    db: &impl ConnectionTrait,
    actor: &Actor,
    release: Option<i64>,
    query: &Query,
    most: u64,
) -> Result<Vec<i64>> {
    let mut s = of_release(db, actor, release, query)?;
    let scope = query::in_lines(db, actor, Permission::FindingDecide, "p.line", &mut s.values)?;
    if let Some(scope) = scope.strip_prefix(" AND ") {
        s.push(FINDINGS.lines.replace("{}", scope));
        s.lead();
    }
    let conditions = s.conditions(false);
    let limit = s.bind(most as i64 + 1);
    let select = format!("SELECT f.id FROM finding f WHERE {conditions} ORDER BY f.id LIMIT {limit}");
    let rows: Vec<(i64,)> = sql::rows(db, FINDINGS.doing, &select, s.values).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// The conditions of a query over `finding f` and what they bind, for a question that begins elsewhere: `$1` is the
/// workspace, more values are bound behind.
pub(crate) fn conditions(
    db: &impl ConnectionTrait,
    actor: &Actor,
    query: &Query,
) -> Result<(String, Vec<sea_orm::Value>)> {
    let mut s = of_release(db, actor, None, query)?;
    s.lead();
    Ok((s.conditions(false), s.values))
}
