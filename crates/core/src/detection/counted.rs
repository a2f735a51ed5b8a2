//! Counts of releases by day: how many findings were open when the day ended.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{DatabaseConnection, QueryResult};
use serde::Serialize;
use tocsin_model::finding::Confidence;

use crate::error::Result;
use crate::inventory::in_lines;
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// Counts of a release, or of several together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The day, `2026-01-31`.
    pub day: String,
    /// When on that day they last changed (RFC 3339, UTC).
    pub at: String,
    /// Distinct components.
    pub components: i64,
    /// Components with an open finding.
    pub vulnerable: i64,
    /// Open findings, surely identified and not decided away: critical, high, medium, low, without rating.
    pub open: [i64; 5],
    /// Findings decided away.
    pub suppressed: i64,
    /// Open findings on which something was decided.
    pub audited: i64,
    /// Releases in these counts.
    pub releases: i64,
}

impl Counted {
    fn add(&mut self, other: &Counted) {
        self.components += other.components;
        self.vulnerable += other.vulnerable;
        for (sum, n) in self.open.iter_mut().zip(other.open) {
            *sum += n;
        }
        self.suppressed += other.suppressed;
        self.audited += other.audited;
        self.releases += 1;
        if other.at > self.at {
            self.at.clone_from(&other.at);
        }
    }
}

/// Keeps the counts of releases as those of this day.
pub(crate) async fn keep(change: &Change<'_>, releases: &[i64]) -> Result<()> {
    let away = "f.status IN ('not_affected', 'fixed', 'false_positive')";
    let sum = |condition: &str| format!("SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)");
    let write = format!(
        "INSERT INTO release_count (release, day, at, components, vulnerable, critical, high, medium, low, unrated, \
         suppressed, audited) SELECT r.id, $2, $3, r.components, x.vulnerable, r.critical, r.high, r.medium, r.low, \
         r.unrated, x.suppressed, x.audited FROM release r JOIN (SELECT o.id AS id, COUNT(DISTINCT CASE WHEN NOT {away} \
         THEN f.component END) AS vulnerable, {} AS suppressed, {} AS audited FROM release o LEFT JOIN finding f \
         ON f.release = o.id AND f.closed IS NULL AND f.confidence > {} WHERE o.id IN {} GROUP BY o.id) x \
         ON x.id = r.id WHERE 1 = 1 ON CONFLICT (release, day) DO UPDATE SET at = excluded.at, \
         components = excluded.components, vulnerable = excluded.vulnerable, critical = excluded.critical, \
         high = excluded.high, medium = excluded.medium, low = excluded.low, unrated = excluded.unrated, \
         suppressed = excluded.suppressed, audited = excluded.audited",
        sum(away),
        sum(&format!("NOT {away} AND f.decision IS NOT NULL")),
        Confidence::Inferred as i64,
        sql::numbers(&change.tx, 1),
    );
    let now = &change.actor.now;
    let day = now.get(..10).unwrap_or(now);
    for chunk in releases.chunks(5_000) {
        let values = vec![sql::list(chunk), day.into(), now.as_str().into()];
        sql::run(&change.tx, "keeping the counts of the day", &write, values).await?;
    }
    Ok(())
}

fn read(row: &QueryResult) -> std::result::Result<(i64, Counted), sea_orm::DbErr> {
    let number = |n: usize| row.try_get_by_index::<i64>(n);
    let counted = Counted {
        day: row.try_get_by_index(1)?,
        at: row.try_get_by_index(2)?,
        components: number(3)?,
        vulnerable: number(4)?,
        open: [number(5)?, number(6)?, number(7)?, number(8)?, number(9)?],
        suppressed: number(10)?,
        audited: number(11)?,
        releases: 1,
    };
    Ok((number(0)?, counted))
}

/// Counts by day from the day `since` on, of one release or of all active ones together, oldest first: a day for each
/// on which something changed. The first tells the state in which the time begins, where there is one.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn counted(
    db: &DatabaseConnection,
    actor: &Actor,
    release: Option<i64>,
    since: &str,
) -> Result<Vec<Counted>> {
    let what = "reading counts by day";
    let mut values = vec![actor.workspace.into(), since.into()];
    let scope = in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let which = match release {
        Some(id) => {
            values.push(id.into());
            format!(" AND r.id = ${}", values.len())
        }
        None => " AND r.active = 1".to_owned(),
    };
    let select = format!(
        "SELECT c.release, c.day, c.at, c.components, c.vulnerable, c.critical, c.high, c.medium, c.low, c.unrated, \
         c.suppressed, c.audited FROM release_count c JOIN release r ON r.id = c.release JOIN product p \
         ON p.id = r.product WHERE r.workspace = $1{scope}{which} AND c.day >= COALESCE((SELECT MAX(b.day) \
         FROM release_count b WHERE b.release = c.release AND b.day <= $2), '') ORDER BY c.day, c.release"
    );
    let rows = sql::raw(db, what, &select, values).await?;
    Ok(add_up(sql::read(&rows, what, read)?, since))
}

/// Adds releases up day by day; a release counts with its last state on days without one of its own.
fn add_up(rows: Vec<(i64, Counted)>, since: &str) -> Vec<Counted> {
    let mut days: BTreeMap<String, Vec<(i64, Counted)>> = BTreeMap::new();
    for (release, counted) in rows {
        let day = if counted.day.as_str() < since { since } else { &counted.day };
        days.entry(day.to_owned()).or_default().push((release, counted));
    }
    let mut last: HashMap<i64, Counted> = HashMap::new();
    let mut out = Vec::with_capacity(days.len());
    for (day, changed) in days {
        last.extend(changed);
        let mut sum = Counted { day, ..Counted::default() };
        last.values().for_each(|c| sum.add(c));
        out.push(sum);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_counts_until_it_changes() {
        let row = |release: i64, day: &str, critical: i64| {
            let open = [critical, 0, 0, 0, 0];
            (
                release,
                Counted {
                    day: day.to_owned(),
                    at: format!("{day}T01"),
                    open,
                    releases: 1,
                    ..Counted::default()
                },
            )
        };
        let rows = vec![
            row(1, "2026-01-01", 5),
            row(2, "2026-01-03", 1),
            row(1, "2026-01-04", 2),
            row(2, "2026-01-04", 0),
        ];
        let sums: Vec<(String, i64, i64)> =
            add_up(rows, "2026-01-02").into_iter().map(|c| (c.day, c.open[0], c.releases)).collect();
        let want = [("2026-01-02", 5, 1), ("2026-01-03", 6, 2), ("2026-01-04", 2, 2)];
        assert_eq!(sums, want.map(|(d, n, r)| (d.to_owned(), n, r)));
    }
}
