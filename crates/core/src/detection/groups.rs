//! Findings by vulnerability: a list of vulnerabilities, each with what a query finds of it.

use std::collections::HashMap;

use sea_orm::{DatabaseConnection, DbBackend};
use serde::Serialize;
use tocsin_model::query::{Filter, Query};

use super::flaws::{self, FLAW_ORDERS, FLAWS, Flaw};
use super::list::{FINDINGS, FROM};
use super::query::{COLUMNS, Finding, read};
use crate::error::Result;
use crate::platform::access::Actor;
use crate::platform::query::{self, Rows, Statement, Total};
use crate::platform::sql;

/// A vulnerability with what is found of it.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
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
    /// Findings that meet the query.
    pub findings: i64,
    /// Releases they are in.
    pub releases: i64,
    /// Findings under investigation among them.
    pub undecided: i64,
    /// The first of them, at most [`FOLDED`].
    pub first: Vec<Finding>,
}

/// Findings of which the vulnerabilities are collected for a list of groups; of more, vulnerabilities are walked until
/// a page of them has some.
const COLLECTED: u64 = 50_000;

/// The parts of a query that only ask for what all findings of a vulnerability have in common. Asked of the
/// vulnerabilities too, they spare looking for findings of those that cannot have any.
fn of_flaws(query: &Query) -> Query {
    let common = |f: &Filter| {
        let (mut all, mut words) = (true, false);
        f.tests(&mut |t| all &= COMMON.contains(&t.field));
        has_words(f, &mut words);
        all && !words
    };
    let parts: Vec<Filter> = query.parts().into_iter().filter(|f| common(f)).cloned().collect();
    Query { filter: (!parts.is_empty()).then(|| Filter::all(parts)), ..Query::default() }
}

/// Fields that a finding has from its vulnerability, and both nouns by the same name.
const COMMON: [&str; 6] = ["vulnerability", "severity", "score", "epss", "kev", "exploit"];

fn has_words(filter: &Filter, found: &mut bool) {
    match filter {
        Filter::All(list) | Filter::Any(list) => list.iter().for_each(|f| has_words(f, found)),
        Filter::Not(inner) => has_words(inner, found),
        Filter::Word(_) => *found = true,
        Filter::Test(_) => {}
    }
}

/// Findings shown of each group.
pub const FOLDED: u64 = 8;

/// Whether groups can be listed in a query's order.
pub fn groups_sorted(query: &Query) -> bool {
    query.sort.is_none_or(|s| FLAW_ORDERS.iter().any(|o| o.name == s.field))
}

/// Findings of a query by vulnerability, each with its first findings; `after` as for [`list`]. The total counts
/// findings.
///
/// # Errors
/// As [`list`].
pub async fn groups(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Group>> {
    let s = query::statement(db, actor, &FINDINGS, query)?;
    let counted = query::count_up_to(db, &s, COLLECTED).await?;
    let total = Total { n: counted.n.min(query::COUNTED), more: counted.n > query::COUNTED };
    let found = s.conditions(counted.more);
    let condition = if counted.more {
        format!("EXISTS (SELECT 1 FROM finding f WHERE f.vulnerability = v.vulnerability AND {found})")
    } else {
        // they are few: collected first
        let few = format!("v.vulnerability IN (SELECT f.vulnerability FROM finding f WHERE {found})");
        sql::picked(db.get_database_backend(), &few)
    };
    let mut flaws = Statement::over(&FLAWS, &s);
    flaws.push(condition);
    flaws.also(&of_flaws(query));
    // the flaws of few findings are few, those of many are walked in their order; both are the noun's own
    let walked = Total { n: total.n, more: true };
    let rows = query::list(db, flaws, query, (flaws::COLUMNS, flaws::read), after, (most, walked)).await?;
    let names: Vec<&str> = rows.rows.iter().map(|f| f.vulnerability.as_str()).collect();
    let numbers = numbers(db, &s, &names).await?;
    let mut first = first(db, &s, &names).await?;
    let group = |f: Flaw| {
        let (findings, releases, undecided) = numbers.get(&f.vulnerability).copied().unwrap_or_default();
        Group {
            first: first.remove(&f.vulnerability).unwrap_or_default(),
            vulnerability: f.vulnerability,
            title: f.title,
            severity: f.severity,
            score: f.score,
            epss: f.epss,
            kev: f.kev,
            exploits: f.exploits,
            first_seen: f.first_seen,
            findings,
            releases,
            undecided,
        }
    };
    Ok(Rows { rows: rows.rows.into_iter().map(group).collect(), next: rows.next, total })
}

/// Findings, releases and undecided findings of some vulnerabilities under a statement.
async fn numbers(
    db: &DatabaseConnection,
    s: &Statement,
    names: &[&str],
) -> Result<HashMap<String, (i64, i64, i64)>> {
    let mut values = s.values.clone();
    values.push(sql::list(names));
    let select = format!(
        "SELECT f.vulnerability, COUNT(*), COUNT(DISTINCT f.release), CAST(SUM(CASE WHEN f.status = \
         'under_investigation' THEN 1 ELSE 0 END) AS BIGINT) FROM finding f WHERE f.vulnerability IN {} AND {} \
         GROUP BY f.vulnerability",
        sql::texts(db, values.len()),
        s.conditions(true)
    );
    let rows: Vec<(String, i64, i64, i64)> = sql::rows(db, FINDINGS.doing, &select, values).await?;
    Ok(rows.into_iter().map(|(v, n, releases, undecided)| (v, (n, releases, undecided))).collect())
}

/// The first findings of some vulnerabilities under a statement.
async fn first(
    db: &DatabaseConnection,
    s: &Statement,
    names: &[&str],
) -> Result<HashMap<String, Vec<Finding>>> {
    let mut values = s.values.clone();
    values.push(sql::list(names));
    let of_flaw = format!(
        "SELECT f.id AS pick FROM finding f WHERE f.vulnerability = v.vulnerability AND {} ORDER BY f.id DESC \
         LIMIT {FOLDED}",
        s.conditions(true)
    );
    // a few rows of each flaw by its index: each database has words of its own for that, and none for the other's
    let (from, picked) = match db.get_database_backend() {
        DbBackend::Sqlite => (format!("flaw v CROSS JOIN {FROM}"), format!("f.id IN ({of_flaw})")),
        _ => {
            (format!("flaw v CROSS JOIN LATERAL ({of_flaw}) x CROSS JOIN {FROM}"), "f.id = x.pick".to_owned())
        }
    };
    let select = format!(
        "SELECT {COLUMNS} FROM {from} WHERE v.workspace = $1 AND v.vulnerability IN {} AND {picked} AND {} \
         ORDER BY f.vulnerability, f.id DESC",
        sql::texts(db, values.len()),
        FINDINGS.on,
    );
    let rows = sql::raw(db, FINDINGS.doing, &select, values).await?;
    let mut out: HashMap<String, Vec<Finding>> = HashMap::new();
    for f in sql::read(&rows, FINDINGS.doing, read)? {
        out.entry(f.vulnerability.clone()).or_default().push(f);
    }
    Ok(out)
}
