//! The book of a workspace: its early warnings as a small index, matched beside the shared one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use sea_orm::ConnectionTrait;
use tocsin_engine::index::{Changed, Group, Index, IndexError, SegmentBuilder, encode};

use super::actions::{COLUMNS, Row, read_row};
use super::record;
use crate::error::{Error, Result};
use crate::intel::{self, Changes, Opened};
use crate::platform::sql;

/// The early warnings of a workspace, ready to be matched.
pub(crate) struct Book {
    /// They alone, with what is known of exploitation and is stated of them.
    pub opened: Opened,
    /// Main ids of the flaws in it: open warnings by their names, merged ones by what they were merged into. What the
    /// shared index says of these is in the book too and is not asked for a second time.
    pub mains: BTreeSet<String>,
    /// The warnings: id, and how stale it is.
    pub stale: Vec<(i64, i64)>,
    /// Where findings have to be looked at.
    pub changes: Changes,
}

fn damaged(e: IndexError) -> Error {
    Error::Internal { doing: "matching early warnings".to_owned(), cause: Box::new(e) }
}

/// The book of a workspace; nothing where it has no early warning. It is made once for an edition of the shared index and
/// a state of the warnings.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn book(
    db: &impl ConnectionTrait,
    workspace: i64,
    opened: Option<&Opened>,
) -> Result<Option<Arc<Book>>> {
    let select = "SELECT COUNT(*), CAST(COALESCE(SUM(version), 0) AS BIGINT), COALESCE(MAX(changed), '') FROM warning \
                  WHERE workspace = $1 AND state IN ('open', 'merged')";
    let row: Option<(i64, i64, String)> =
        sql::row(db, "reading early warnings", select, vec![workspace.into()]).await?;
    let (count, versions, changed) = row.unwrap_or_default();
    if count == 0 {
        return Ok(None);
    }
    let Some(opened) = opened else { return Ok(make(db, workspace, None, false).await?.map(Arc::new)) };
    let stamp = format!("{count}/{versions}/{changed}");
    let kept = opened.beside.lock().unwrap_or_else(PoisonError::into_inner).get(&workspace).cloned();
    let kept = kept.filter(|(of, _)| *of == stamp).and_then(|(_, book)| book.downcast::<Book>().ok());
    if kept.is_some() {
        return Ok(kept);
    }
    let Some(book) = make(db, workspace, Some(opened), false).await?.map(Arc::new) else { return Ok(None) };
    let mut all = opened.beside.lock().unwrap_or_else(PoisonError::into_inner);
    all.insert(workspace, (stamp, book.clone()));
    Ok(Some(book))
}

/// The early warnings that findings are to be brought up to, withdrawn ones too; nothing where there are none.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn stale_book(
    db: &impl ConnectionTrait,
    workspace: i64,
    opened: Option<&Opened>,
) -> Result<Option<Book>> {
    make(db, workspace, opened, true).await
}

async fn make(
    db: &impl ConnectionTrait,
    workspace: i64,
    opened: Option<&Opened>,
    stale: bool,
) -> Result<Option<Book>> {
    let what = "reading early warnings";
    let which = if stale { "w.stale > 0" } else { "w.state <> 'withdrawn'" };
    let select = format!("SELECT {COLUMNS} FROM warning w WHERE w.workspace = $1 AND {which} ORDER BY w.id");
    let rows = sql::raw(db, what, &select, vec![workspace.into()]).await?;
    let rows = sql::read(&rows, what, read_row)?;
    if rows.is_empty() {
        return Ok(None);
    }
    // two warnings of one flaw stand together
    let merged: Vec<&str> = rows.iter().filter(|r| r.state == "merged").map(|r| r.main.as_str()).collect();
    let mut others: Vec<Row> = Vec::new();
    if stale && !merged.is_empty() {
        let select = format!(
            "SELECT {COLUMNS} FROM warning w WHERE w.workspace = $1 AND w.state = 'merged' AND w.stale = 0 AND w.main IN {} \
             ORDER BY w.id",
            sql::texts(db, 2)
        );
        let found = sql::raw(db, what, &select, vec![workspace.into(), sql::list(&merged)]).await?;
        others = sql::read(&found, what, read_row)?;
    }
    let shared: HashMap<String, Group> = intel::groups(db, &merged).await?.into_iter().collect();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for row in rows.iter().chain(&others) {
        let record = record::of(&row.name, &row.what, &row.state, (&row.times.0, &row.times.1));
        let group = match row.state.as_str() {
            "merged" => {
                let known = shared.get(&row.main);
                let main = known.map_or(&row.main, |g| &g.id);
                let group = groups.entry(main.clone()).or_insert_with(|| {
                    known.cloned().unwrap_or_else(|| Group { id: main.clone(), ..Group::default() })
                });
                group.aliases.push(row.name.clone());
                group
            }
            _ => groups
                .entry(row.name.clone())
                .or_insert_with(|| Group { id: row.name.clone(), ..Group::default() }),
        };
        group.records.push(record);
    }
    let mut builder = SegmentBuilder::default();
    groups.values().for_each(|g| builder.push(encode(g)));
    let segment: Vec<Arc<dyn AsRef<[u8]> + Send + Sync>> = vec![Arc::new(builder.finish())];
    let index = match opened {
        Some(opened) => opened.index.beside(segment),
        None => Index::open(segment, None),
    };
    let index = index.map_err(damaged)?;
    let ids: BTreeSet<String> = groups
        .values()
        .flat_map(|g| std::iter::once(&g.id).chain(&g.aliases))
        .map(|i| i.to_ascii_uppercase())
        .collect();
    let spoken = |s: &&tocsin_model::vex::VexStatement| {
        std::iter::once(&s.vulnerability).chain(&s.aliases).any(|id| ids.contains(&id.to_ascii_uppercase()))
    };
    let vex = opened.map(|o| o.vex.iter().filter(spoken).cloned().collect()).unwrap_or_default();
    let mut changed = Changed::default();
    for main in groups.keys() {
        index.tell_of(main, &mut changed).map_err(damaged)?;
    }
    let mains: BTreeSet<String> = groups.into_keys().collect();
    let changes = Changes {
        keys: changed.keys.iter().map(|k| *k as i64).collect(),
        vulnerabilities: mains.clone(),
        exploitation: Some(BTreeSet::new()),
    };
    let generation = opened.map_or(0, |o| o.generation);
    let stale = rows.iter().map(|r| (r.id, r.stale)).collect();
    Ok(Some(Book { opened: Opened::new(index, vex, generation), mains, stale, changes }))
}

/// Findings are up to these warnings, where they did not change meanwhile.
pub(crate) async fn fresh(db: &impl ConnectionTrait, warnings: &[(i64, i64)]) -> Result<()> {
    let update = format!(
        "UPDATE warning SET stale = 0 WHERE EXISTS (SELECT 1 FROM {} p WHERE p.a = warning.id AND p.b = warning.stale)",
        sql::pairs(db, 1)
    );
    sql::run(db, "closing the matching of early warnings", &update, vec![sql::list(warnings)]).await?;
    Ok(())
}

/// Main ids of flaws that a workspace has merged warnings into, of those that changed. They are marked as to be brought
/// up to, since the shared index alone does not tell all of them.
pub(crate) async fn merged_of(
    db: &impl ConnectionTrait,
    workspace: i64,
    changed: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let what = "reading early warnings";
    let select = "SELECT w.id, w.main, COALESCE((SELECT v.main FROM alias a JOIN vulnerability v ON v.id = a.vulnerability \
                  WHERE a.id = w.main), w.main) FROM warning w WHERE w.workspace = $1 AND w.main <> ''";
    let rows: Vec<(i64, String, String)> = sql::rows(db, what, select, vec![workspace.into()]).await?;
    let of: Vec<(i64, String)> = rows
        .into_iter()
        .filter(|(_, was, is)| changed.contains(was) || changed.contains(is))
        .map(|(id, _, is)| (id, is))
        .collect();
    if !of.is_empty() {
        let ids: Vec<i64> = of.iter().map(|o| o.0).collect();
        let update =
            format!("UPDATE warning SET stale = stale + 1 WHERE stale = 0 AND id IN {}", sql::numbers(db, 1));
        sql::run(db, what, &update, vec![sql::list(&ids)]).await?;
    }
    Ok(of.into_iter().map(|o| o.1).collect())
}
