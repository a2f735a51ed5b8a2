//! The text search over ids, titles and packages: FTS5 on SQLite, a text search column on PostgreSQL. It knows
//! what the index knows.

use sea_orm::{DatabaseConnection, DbBackend, TransactionTrait, Value};

use crate::error::{Doing, Result};
use crate::intel::Store;
use crate::intel::types::{Hit, Hits};
use crate::platform::access::{Actor, Permission};
use crate::platform::bulk::insert;
use crate::platform::sql::{list, numbers, rows as ask, run, text};

/// Writes rows (number, ids, title, packages) in place of those with their numbers.
pub(crate) async fn write(store: &Store, rows: &[(i64, String, String, String)]) -> Result<()> {
    let what = "writing the text search";
    let tx = store.db.begin().await.doing(what)?;
    let ids: Vec<i64> = rows.iter().map(|r| r.0).collect();
    let sql = format!("DELETE FROM search WHERE rowid IN {}", numbers(&tx, 1));
    run(&tx, what, &sql, vec![list(&ids)]).await?;
    let row = |(id, ids, title, packages): &(i64, String, String, String)| {
        [Value::from(*id), text(ids), text(title), text(packages)]
    };
    let head = "INSERT INTO search (rowid, ids, title, packages)";
    insert(&tx, what, head, "", rows.iter().map(row).collect()).await?;
    tx.commit().await.doing(what)
}

/// The words of a question in the backend's language: every word of the text, its pieces one after the other,
/// the last one as the beginning of a word. `None`: no word.
fn question(backend: DbBackend, asked: &str) -> Option<String> {
    let pieces = |word: &str| -> Vec<String> {
        word.split(|c: char| !c.is_alphanumeric()).filter(|p| !p.is_empty()).map(str::to_lowercase).collect()
    };
    let words: Vec<String> = asked
        .split_whitespace()
        .map(pieces)
        .filter(|p| !p.is_empty())
        .map(|p| match backend {
            DbBackend::Postgres => format!("({}:*)", p.join(" <-> ")),
            _ => format!("\"{}\"*", p.join(" ")),
        })
        .collect();
    let and = if backend == DbBackend::Postgres { " & " } else { " " };
    (!words.is_empty()).then(|| words.join(and))
}

impl Store {
    /// Vulnerabilities whose ids, title or packages hold every word of `asked` (as the beginning of a word), a page
    /// of at most `limit`; `after` is [`Hits::next`] of the page before. The flaw whose id was asked for comes
    /// first, then the order of the store.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn search(&self, asked: &str, limit: u32, after: Option<i64>) -> Result<Hits> {
        self.runtime.block_on(search(&self.db, asked, limit, after))
    }
}

/// See [`Store::search`], for whoever has a database open.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn known(
    db: &DatabaseConnection,
    actor: &Actor,
    asked: &str,
    limit: u32,
    after: Option<i64>,
) -> Result<Hits> {
    actor.need(Permission::IntelRead)?;
    search(db, asked, limit, after).await
}

async fn search(db: &DatabaseConnection, asked: &str, limit: u32, after: Option<i64>) -> Result<Hits> {
    let Some(words) = question(db.get_database_backend(), asked) else { return Ok(Hits::default()) };
    let what = "searching";
    type Row = (i64, String, String, String, String);
    let columns = "SELECT v.id, v.main, s.title, s.ids, s.packages FROM search s
         JOIN vulnerability v ON v.id = s.rowid";
    let sql = format!("{columns} JOIN alias a ON a.vulnerability = v.id WHERE a.id = $1");
    let exact: Vec<Row> = ask(db, what, &sql, vec![text(asked.trim())]).await?;
    let condition = match db.get_database_backend() {
        DbBackend::Postgres => "s.words @@ to_tsquery('simple', $1)",
        _ => "search MATCH $1",
    };
    let sql = format!("{columns} WHERE {condition} AND s.rowid > $2 ORDER BY s.rowid LIMIT $3");
    let more = i64::from(limit) + 1;
    let values = vec![Value::from(words), Value::from(after.unwrap_or(-1)), Value::from(more)];
    let mut found: Vec<Row> = ask(db, what, &sql, values).await?;
    found.truncate(usize::try_from(more).unwrap_or(usize::MAX));
    let next = if found.len() > limit as usize {
        found.truncate(limit as usize);
        found.last().map(|r| r.0)
    } else {
        None
    };
    found.retain(|f| exact.iter().all(|e| e.0 != f.0));
    if after.is_none() {
        found.splice(0..0, exact);
    }
    let hits = found.into_iter().map(|(_, id, title, ids, packages)| Hit { id, title, ids, packages });
    Ok(Hits { hits: hits.collect(), next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_the_database_cuts_them() {
        let both = |asked| (question(DbBackend::Sqlite, asked), question(DbBackend::Postgres, asked));
        let some = |a: &str, b: &str| (Some(a.to_owned()), Some(b.to_owned()));
        assert_eq!(both("CVE-2021-44"), some("\"cve 2021 44\"*", "(cve <-> 2021 <-> 44:*)"));
        assert_eq!(both("Log4j \" \'ldap"), some("\"log4j\"* \"ldap\"*", "(log4j:*) & (ldap:*)"));
        assert_eq!(both(" -- "), (None, None));
    }
}
