//! Where something is used: by name, package URL, version range, CPE name, hash, licence or vulnerability, to the
//! releases that hold it, who has them and how many.

use std::collections::{HashMap, HashSet};

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;

use super::in_lines;
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

mod ask;
mod ways;

use ask::{Ask, ask};

/// Where a component is used.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Use {
    /// Release.
    pub release: i64,
    /// Its product.
    pub product: String,
    /// Its product line.
    pub line: String,
    /// Its version.
    pub release_version: String,
    /// Component.
    pub component: i64,
    /// Name with its group.
    pub name: String,
    /// Version found.
    pub version: String,
    /// Package URL, or empty.
    pub purl: String,
    /// Named by the product itself.
    pub direct: bool,
    /// Units in the field.
    pub units: i64,
}

/// A release that holds what was asked for.
#[derive(Debug, Clone, Serialize)]
pub struct Holder {
    /// Release.
    pub release: i64,
    /// Its version.
    pub version: String,
    /// Product.
    pub product: i64,
    /// Its name.
    pub product_name: String,
    /// Its product line.
    pub line: String,
    /// Still watched.
    pub active: bool,
    /// Units in the field.
    pub units: i64,
    /// Components of it that answer.
    pub count: i64,
    /// Some of them, by name and version.
    pub parts: Vec<FoundPart>,
}

impl Holder {
    /// How many answer beside those that are listed.
    pub fn more(&self) -> i64 {
        self.count - self.parts.len() as i64
    }
}

/// A component of a release that answers.
#[derive(Debug, Clone, Serialize)]
pub struct FoundPart {
    /// Component.
    pub component: i64,
    /// Name with its group.
    pub name: String,
    /// Version found.
    pub version: String,
    /// Package URL, or empty.
    pub purl: String,
    /// Named by the product itself.
    pub direct: bool,
    /// The shortest way to it from the product, names with versions; empty where the document tells none.
    pub path: Vec<String>,
}

/// Units of a customer in a region, of all releases that answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// Customer.
    pub customer: String,
    /// Region, or empty.
    pub region: String,
    /// Units.
    pub units: i64,
    /// In how many of the releases.
    pub releases: i64,
}

/// How much answers, over everything that the actor may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Releases.
    pub releases: i64,
    /// Products.
    pub products: i64,
    /// Components of releases.
    pub occurrences: i64,
    /// Units in the field.
    pub units: i64,
    /// Customers.
    pub customers: i64,
    /// Regions.
    pub regions: i64,
}

/// The answer to "where is it used?".
#[derive(Debug, Clone, Default, Serialize)]
pub struct Answer {
    /// What was understood, in words.
    pub asked: String,
    /// The vulnerability's main id, where one was asked for.
    pub vulnerability: Option<String>,
    /// How much answers.
    pub totals: Totals,
    /// A page of releases, by product line and product, newest first.
    pub releases: Vec<Holder>,
    /// Customers with most units first, at most [`OWNERS`].
    pub owners: Vec<Owner>,
}

/// Most customers and regions that an answer lists.
pub const OWNERS: u64 = 500;
/// Most components of one release that an answer lists.
const PARTS: i64 = 12;

/// The pairs of release and component that a question means: a select of both, with its values.
struct Hits {
    select: String,
    /// Releases with how many pairs each has, where that is kept counted.
    counted: Option<String>,
    asked: String,
    vulnerability: Option<String>,
}

/// Reads a question; its values come after those there are.
async fn hits(db: &DatabaseConnection, actor: &Actor, text: &str, values: &mut Vec<Value>) -> Result<Hits> {
    actor.need(Permission::InventoryRead)?;
    let of_components = |condition: String| {
        format!(
            "SELECT o.release, o.component FROM component c JOIN occurrence o ON o.component = c.id WHERE {condition}"
        )
    };
    let text = text.trim();
    let (mut vulnerability, mut counted) = (None, None);
    let (select, asked) = match ask(text)? {
        Ask::Name(name) => {
            values.push(name.clone().into());
            (of_components(format!("c.plain = ${}", values.len())), format!("components named {name}"))
        }
        Ask::Begins(column, start) => {
            values.extend([Value::from(start.clone()), format!("{start}\u{10ffff}").into()]);
            let n = values.len();
            let what = if column == "purl" { "a package URL" } else { "a name" };
            let condition = format!("c.{column} >= ${} AND c.{column} < ${n}", n - 1);
            (of_components(condition), format!("components with {what} that begins with {start}"))
        }
        Ask::Range(purl, range) => {
            values.push(sql::list(&ask::in_range(db, &purl, &range).await?));
            let select = format!(
                "SELECT release, component FROM occurrence WHERE component IN {}",
                sql::numbers(db, values.len())
            );
            (select, format!("{purl} in the range of versions"))
        }
        Ask::Cpe(cpe) => {
            values.push(sql::list(&ask::covered(db, &cpe).await?));
            let select = format!(
                "SELECT release, component FROM occurrence WHERE component IN {}",
                sql::numbers(db, values.len())
            );
            (select, "components with a CPE name that this one covers".to_owned())
        }
        Ask::Hash(hash) => {
            values.push(hash.into());
            let select =
                format!("SELECT release, component FROM occurrence_hash WHERE value = ${}", values.len());
            (select, "components with this hash".to_owned())
        }
        Ask::Licence(name) => {
            values.push(name.to_lowercase().into());
            let n = values.len();
            let select =
                format!("SELECT release, component FROM occurrence_licence WHERE LOWER(licence) = ${n}");
            counted = Some(format!(
                "SELECT release, CAST(SUM(components) AS BIGINT) AS n FROM release_licence \
                 WHERE LOWER(licence) = ${n} GROUP BY release"
            ));
            (select, format!("components with {name} among their licences"))
        }
        Ask::Vulnerability(id) => {
            actor.need(Permission::FindingRead)?;
            let main = main_id(db, &id).await?;
            values.push(main.clone().into());
            let select = format!(
                "SELECT DISTINCT f.release, f.component FROM finding f WHERE f.vulnerability = ${} AND f.workspace = $1 \
                 AND f.closed IS NULL AND f.status NOT IN ('not_affected', 'fixed', 'false_positive')",
                values.len()
            );
            let asked = format!("components in which {main} is open and not decided away");
            vulnerability = Some(main);
            (select, asked)
        }
    };
    Ok(Hits { select, counted, asked, vulnerability })
}

/// The main id of the flaw that has this id; the id in capitals where no source tells of it.
pub(crate) async fn main_id(db: &DatabaseConnection, id: &str) -> Result<String> {
    let upper = id.to_uppercase();
    let select = "SELECT v.main FROM alias a JOIN vulnerability v ON v.id = a.vulnerability WHERE a.id = $1 OR a.id = $2 \
                  ORDER BY v.main LIMIT 1";
    let values = vec![id.into(), upper.clone().into()];
    let row: Option<(String,)> = sql::row(db, "looking a vulnerability up", select, values).await?;
    Ok(row.map_or(upper, |r| r.0))
}

/// Where the actor may see what answers; findings have a permission of their own.
fn scope(db: &DatabaseConnection, actor: &Actor, hits: &Hits, values: &mut Vec<Value>) -> Result<String> {
    let mut scope = in_lines(db, actor, Permission::InventoryRead, "p.line", values)?;
    if hits.vulnerability.is_some() {
        scope.push_str(&in_lines(db, actor, Permission::FindingRead, "p.line", values)?);
    }
    Ok(scope)
}

/// Releases that hold what `text` asks for, with how much answers in all and who has it:
///
/// - `openssl`, `log4j*`: a component of this name, or whose name begins so;
/// - `pkg:npm/left`: whose package URL begins so;
/// - `pkg:npm/left-pad@>=1.0,<1.3.0`: this package in versions of this range, in the order of the package's ecosystem;
/// - `cpe:2.3:…` or `cpe:/…`: with a CPE name that this one covers (NISTIR 7696, equal or superset);
/// - `sha256:…` (any algorithm) or the bare hexadecimal: with this hash;
/// - `licence:GPL-3.0-only`: with this licence among theirs;
/// - `CVE-2021-44228`, or another id of a vulnerability: in which it is open and not decided away.
///
/// `paths` asks for the way to each component that is listed.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] for a range or CPE name that cannot be read; the database does not answer.
pub async fn answer(
    db: &DatabaseConnection,
    actor: &Actor,
    text: &str,
    skip: u64,
    most: u64,
    paths: bool,
) -> Result<Answer> {
    let what = "asking where a component is used";
    let mut values: Vec<Value> = vec![actor.workspace.into()];
    let hits = hits(db, actor, text, &mut values).await?;
    let scope = scope(db, actor, &hits, &mut values)?;
    let held = hits.counted.clone().unwrap_or_else(|| {
        format!("SELECT hit.release, COUNT(*) AS n FROM ({}) AS hit GROUP BY hit.release", hits.select)
    });
    // What was asked is sought once; the rest is told of the releases that it is in.
    let select = format!(
        "WITH held AS MATERIALIZED ({held}) SELECT r.id, r.version, r.product, p.name, l.name, r.active, r.units, held.n \
         FROM held CROSS JOIN release r CROSS JOIN product p CROSS JOIN line l WHERE r.id = held.release \
         AND p.id = r.product AND l.id = p.line AND r.workspace = $1{scope} ORDER BY l.name, p.name, r.id DESC"
    );
    let seen: Vec<Row> = sql::rows(db, what, &select, values.clone()).await?;
    let (totals, owners) = told(db, actor, &seen).await?;
    let holder = |(release, version, product, product_name, line, active, units, count): Row| Holder {
        release,
        version,
        product,
        product_name,
        line,
        active: active != 0,
        units,
        count,
        parts: Vec::new(),
    };
    let (skip, most) =
        (usize::try_from(skip).unwrap_or(usize::MAX), usize::try_from(most).unwrap_or(usize::MAX));
    let mut releases: Vec<Holder> = seen.into_iter().skip(skip).take(most).map(holder).collect();
    parts(db, &hits.select, values, &mut releases).await?;
    if paths {
        ways::find(db, &mut releases).await?;
    }
    Ok(Answer { asked: hits.asked, vulnerability: hits.vulnerability, totals, releases, owners })
}

/// A release that answers: id, version, product, names of product and line, active, units, how often.
type Row = (i64, String, i64, String, String, i64, i64, i64);

/// How much answers, and who has it.
async fn told(db: &DatabaseConnection, actor: &Actor, seen: &[Row]) -> Result<(Totals, Vec<Owner>)> {
    let what = "asking who has what is used";
    let ids: Vec<i64> = seen.iter().map(|r| r.0).collect();
    let products: HashSet<i64> = seen.iter().map(|r| r.2).collect();
    let values = vec![actor.workspace.into(), sql::list(&ids)];
    let theirs = format!(
        "FROM deployment d WHERE d.workspace = $1 AND d.units > 0 AND d.release IN {}",
        sql::numbers(db, 2)
    );
    let select = format!("SELECT COUNT(DISTINCT d.customer), COUNT(DISTINCT NULLIF(d.region, '')) {theirs}");
    let row: Option<(i64, i64)> = sql::row(db, what, &select, values.clone()).await?;
    let (customers, regions) = row.unwrap_or_default();
    let totals = Totals {
        releases: i64::try_from(seen.len()).unwrap_or(i64::MAX),
        products: i64::try_from(products.len()).unwrap_or(i64::MAX),
        occurrences: seen.iter().map(|r| r.7).sum(),
        units: seen.iter().map(|r| r.6).sum(),
        customers,
        regions,
    };
    let select = format!(
        "SELECT d.customer, d.region, CAST(SUM(d.units) AS BIGINT), COUNT(*) {theirs} \
         GROUP BY d.customer, d.region ORDER BY 3 DESC, 1, 2 LIMIT {OWNERS}"
    );
    let rows: Vec<(String, String, i64, i64)> = sql::rows(db, what, &select, values).await?;
    let owner = |(customer, region, units, releases)| Owner { customer, region, units, releases };
    Ok((totals, rows.into_iter().map(owner).collect()))
}

/// Lists components of the releases that answer.
async fn parts(
    db: &DatabaseConnection,
    hits: &str,
    mut values: Vec<Value>,
    releases: &mut [Holder],
) -> Result<()> {
    let ids: Vec<i64> = releases.iter().map(|r| r.release).collect();
    values.push(sql::list(&ids));
    // the releases as a list of numbers, so that an index that begins with what is asked for goes on with them
    let listed = format!("hit.release IN {}", sql::numbers(db, values.len()));
    let listed = sql::picked(db.get_database_backend(), &listed);
    // The question's own values come first; `$1` may be unused in it, so it is named here.
    let select = format!(
        "WITH hit AS ({hits}), listed AS (SELECT hit.release, c.id, c.grp, c.name, c.version, c.purl, \
         ROW_NUMBER() OVER (PARTITION BY hit.release ORDER BY c.name, c.version, c.id) AS n FROM hit JOIN component c \
         ON c.id = hit.component WHERE $1 = $1 AND {listed}) SELECT x.release, x.id, x.grp, x.name, x.version, \
         x.purl, o.direct FROM listed x JOIN occurrence o ON o.release = x.release AND o.component = x.id \
         WHERE x.n <= {PARTS} ORDER BY x.release, x.n"
    );
    type Row = (i64, i64, String, String, String, String, i64);
    let rows: Vec<Row> = sql::rows(db, "listing what is used", &select, values).await?;
    let mut of: HashMap<i64, Vec<FoundPart>> = HashMap::new();
    for (release, component, group, name, version, purl, direct) in rows {
        let name = if group.is_empty() { name } else { format!("{group}/{name}") };
        of.entry(release).or_default().push(FoundPart {
            component,
            name,
            version,
            purl,
            direct: direct != 0,
            path: Vec::new(),
        });
    }
    for r in releases {
        r.parts = of.remove(&r.release).unwrap_or_default();
    }
    Ok(())
}

/// One row for each release and component that answers, at most `most`; for what may be asked see [`answer`].
///
/// # Errors
/// As [`answer`].
pub async fn where_used(db: &DatabaseConnection, actor: &Actor, text: &str, most: u64) -> Result<Vec<Use>> {
    let mut values: Vec<Value> = vec![actor.workspace.into()];
    let hits = hits(db, actor, text, &mut values).await?;
    let scope = scope(db, actor, &hits, &mut values)?;
    values.push((most as i64).into());
    // Only the rows that are told are read whole.
    let select = format!(
        "WITH hit AS MATERIALIZED ({}), top AS MATERIALIZED (SELECT hit.release, hit.component FROM hit CROSS JOIN release r \
         CROSS JOIN product p CROSS JOIN line l CROSS JOIN component c WHERE r.id = hit.release AND p.id = r.product \
         AND l.id = p.line AND c.id = hit.component AND r.workspace = $1{scope} \
         ORDER BY l.name, p.name, r.id DESC, c.name, c.version, c.id LIMIT ${}) SELECT r.id, p.name, l.name, r.version, \
         c.id, c.grp, c.name, c.version, c.purl, o.direct, r.units FROM top CROSS JOIN occurrence o CROSS JOIN component c \
         CROSS JOIN release r CROSS JOIN product p CROSS JOIN line l WHERE o.release = top.release \
         AND o.component = top.component AND c.id = top.component AND r.id = top.release AND p.id = r.product \
         AND l.id = p.line ORDER BY l.name, p.name, r.id DESC, c.name, c.version, c.id",
        hits.select,
        values.len()
    );
    type Row = (i64, String, String, String, i64, String, String, String, String, i64, i64);
    let rows: Vec<Row> = sql::rows(db, "asking where a component is used", &select, values).await?;
    let one = |(
        release,
        product,
        line,
        release_version,
        component,
        group,
        name,
        version,
        purl,
        direct,
        units,
    ): Row| Use {
        release,
        product,
        line,
        release_version,
        component,
        name: if group.is_empty() { name } else { format!("{group}/{name}") },
        version,
        purl,
        direct: direct != 0,
        units,
    };
    Ok(rows.into_iter().map(one).collect())
}
