//! Everything that was ever shipped, as a tree: product lines, products, releases, filtered and in an order.

use std::cmp::Reverse;
use std::collections::HashMap;

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;

use super::{RELEASE, Release, in_lines, like, release};
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// How a release stands with its support on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// Its last day is past.
    Ended,
    /// It ends within [`SOON`] days.
    Ending,
    /// Supported for longer.
    Supported,
    /// No day is told.
    Untold,
}

/// Days before its end from which support is said to be ending.
pub const SOON: i64 = 180;

/// Days since 1970-01-01 of a day written `YYYY-MM-DD` (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn number(day: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| day.get(range).and_then(|d| d.parse::<i64>().ok());
    let (y, m, d) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let y = if m <= 2 { y - 1 } else { y };
    let (era, shifted) = (y.div_euclid(400), (m + 9) % 12);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * shifted + 2) / 5 + d - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// How support stands on the day of `now`.
pub fn support(until: Option<&str>, now: &str) -> Support {
    match (until.and_then(number), number(now)) {
        (Some(until), Some(today)) if until < today => Support::Ended,
        (Some(until), Some(today)) if until <= today + SOON => Support::Ending,
        (Some(_), _) => Support::Supported,
        (None, _) => Support::Untold,
    }
}

/// What of the tree is wanted; everything empty: all that is watched.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Line, product or version holds this.
    pub text: String,
    /// In this product line.
    pub line: Option<i64>,
    /// Archived things alone (`archived`), with the others (`all`), or not at all.
    pub archived: String,
    /// With this support.
    pub support: Option<Support>,
    /// With open findings of at least this severity (0 to 5).
    pub severity: Option<i64>,
    /// `name`, `open`, `units`, `newest`, `support`.
    pub sort: String,
}

/// A product with its releases that are wanted, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct Branch {
    /// Product.
    pub id: i64,
    /// Name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Product line.
    pub line: i64,
    /// Its name.
    pub line_name: String,
    /// When it was archived.
    pub archived: Option<String>,
    /// Its releases.
    pub releases: Vec<Release>,
    /// Open findings of them by severity: critical, high, medium, low, without rating.
    pub open: [i64; 5],
    /// Open findings of flaws that are known to be exploited.
    pub exploited: i64,
    /// Units in the field.
    pub units: i64,
}

impl Branch {
    /// The last day of support told for any of its releases.
    pub fn support_until(&self) -> Option<&str> {
        self.releases.iter().filter_map(|r| r.support_until.as_deref()).max()
    }
}

/// Products with their releases, by product line unless another order is wanted.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn overview(db: &DatabaseConnection, actor: &Actor, wanted: &Wanted) -> Result<Vec<Branch>> {
    let what = "listing products";
    let mut values: Vec<Value> =
        vec![actor.workspace.into(), wanted.line.unwrap_or(0).into(), like(&wanted.text).into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let text = "LOWER(l.name || ' ' || p.name || ' ' || COALESCE(r.version, '')) LIKE $3 ESCAPE '!'";
    let shown = match wanted.archived.as_str() {
        "archived" => "r.active = 0",
        "all" => "1 = 1",
        _ => "r.active = 1",
    };
    let worst = [
        "1 = 1",
        "1 = 1",
        "r.critical + r.high + r.medium + r.low > 0",
        "r.critical + r.high + r.medium > 0",
        "r.critical + r.high > 0",
        "r.critical > 0",
    ];
    let hurt = wanted.severity.and_then(|s| worst.get(usize::try_from(s).ok()?)).copied().unwrap_or("1 = 1");
    let select = format!(
        "{RELEASE} WHERE r.workspace = $1 AND ($2 = 0 OR p.line = $2) AND {text} AND {shown} AND {hurt}{scope} \
         ORDER BY r.id DESC"
    );
    let rows = sql::raw(db, what, &select, values.clone()).await?;
    let mut of: HashMap<i64, Vec<Release>> = HashMap::new();
    for r in sql::read(&rows, what, release)? {
        if wanted.support.is_none_or(|s| s == support(r.support_until.as_deref(), &actor.now)) {
            of.entry(r.product).or_default().push(r);
        }
    }
    // A product without a release is shown where nothing of releases is asked for.
    let bare = wanted.support.is_none() && wanted.severity.is_none();
    let shown = match wanted.archived.as_str() {
        "archived" => "p.archived IS NOT NULL",
        "all" => "1 = 1",
        _ => "p.archived IS NULL",
    };
    let select = format!(
        "SELECT p.id, p.name, p.description, p.line, l.name, p.archived, CAST(CASE WHEN LOWER(l.name || ' ' || p.name) \
         LIKE $3 ESCAPE '!' AND {shown} AND NOT EXISTS (SELECT 1 FROM release r WHERE r.product = p.id) THEN 1 ELSE 0 END AS BIGINT) \
         FROM product p JOIN line l ON l.id = p.line WHERE p.workspace = $1 AND ($2 = 0 OR p.line = $2){scope} \
         ORDER BY l.name, p.name"
    );
    type Row = (i64, String, String, i64, String, Option<String>, i64);
    let rows: Vec<Row> = sql::rows(db, what, &select, values).await?;
    let mut out = Vec::new();
    for (id, name, description, line, line_name, archived, alone) in rows {
        let releases = of.remove(&id).unwrap_or_default();
        if releases.is_empty() && !(bare && alone == 1) {
            continue;
        }
        let mut open = [0; 5];
        for r in &releases {
            for (sum, n) in open.iter_mut().zip(r.open) {
                *sum += n;
            }
        }
        let (exploited, units) =
            (releases.iter().map(|r| r.exploited).sum(), releases.iter().map(|r| r.units).sum());
        out.push(Branch {
            id,
            name,
            description,
            line,
            line_name,
            archived,
            releases,
            open,
            exploited,
            units,
        });
    }
    match wanted.sort.as_str() {
        "open" => out.sort_by_key(|b| Reverse((b.exploited, b.open))),
        "units" => out.sort_by_key(|b| Reverse(b.units)),
        "newest" => out.sort_by_key(|b| Reverse(b.releases.first().map(|r| r.id))),
        "support" => out.sort_by_key(|b| b.support_until().map_or_else(|| "9999".to_owned(), str::to_owned)),
        "product" => out.sort_by_key(|b| b.name.to_lowercase()),
        _ => {}
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_ends_after_its_last_day() {
        let now = "2026-03-01T10:00:00.000Z";
        for (until, wanted) in [
            (Some("2026-02-28"), Support::Ended),
            (Some("2026-03-01"), Support::Ending),
            (Some("2026-08-28"), Support::Ending),
            (Some("2026-08-29"), Support::Supported),
            (None, Support::Untold),
        ] {
            assert_eq!(support(until, now), wanted, "{until:?}");
        }
        assert_eq!((number("1970-01-01"), number("2000-03-01")), (Some(0), Some(11_017)));
    }
}
