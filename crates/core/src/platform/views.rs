//! Saved views: a query over a list with a name, of one's own or shared with the workspace.

use sea_orm::ConnectionTrait;
use serde::Serialize;

use super::access::{Actor, Permission};
use super::change::Change;
use super::sql;
use crate::error::{Error, Result};

/// Most views of one person on one page.
const MOST: i64 = 200;

/// A saved view.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// Id.
    pub id: i64,
    /// Name, unique among one person's views of a page.
    pub name: String,
    /// The list it is of: `findings`.
    pub page: String,
    /// The query, order and columns in it.
    pub query: String,
    /// Everyone in the workspace sees it.
    pub shared: bool,
    /// It is the actor's own.
    pub own: bool,
    /// Name of whom it is.
    pub person: String,
}

const SELECT: &str = "SELECT v.id, v.name, v.page, v.query, v.shared, v.person, COALESCE(w.name, '') FROM view v \
                      LEFT JOIN person w ON w.id = v.person WHERE v.workspace = $1 AND (v.person = $2 OR v.shared = 1)";

type Row = (i64, String, String, String, i64, i64, String);

async fn read(db: &impl ConnectionTrait, actor: &Actor, and: &str, key: sea_orm::Value) -> Result<Vec<View>> {
    let own = actor.person.unwrap_or(0);
    let select = format!("{SELECT} AND {and} ORDER BY v.name, v.id");
    let values = vec![actor.workspace.into(), own.into(), key];
    let rows: Vec<Row> = sql::rows(db, "reading saved views", &select, values).await?;
    let view = |(id, name, page, query, shared, person, who)| View {
        id,
        name,
        page,
        query,
        shared: shared != 0,
        own: person == own,
        person: who,
    };
    Ok(rows.into_iter().map(view).collect())
}

/// The views of a page that are the actor's or shared, by name. They say what is asked, not what is found, so that
/// whoever may open the page may see them.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn views(db: &impl ConnectionTrait, actor: &Actor, page: &str) -> Result<Vec<View>> {
    actor.need(Permission::FindingRead)?;
    read(db, actor, "v.page = $3", page.into()).await
}

/// One of them.
///
/// # Errors
/// [`Error::NotFound`], also where it is another person's own.
pub async fn view(db: &impl ConnectionTrait, actor: &Actor, id: i64) -> Result<View> {
    actor.need(Permission::FindingRead)?;
    let found = read(db, actor, "v.id = $3", id.into()).await?;
    found.into_iter().next().ok_or_else(|| Error::NotFound(format!("saved view {id}")))
}

fn rejected(field: &str, message: String) -> Error {
    Error::Rejected { field: field.to_owned(), message }
}

/// Saves a view, in place of the person's own of that name. The query is one that the page could read.
///
/// # Errors
/// Denied (also to who is no person); [`Error::Rejected`] for the name or too many.
pub async fn save_view(
    change: &mut Change<'_>,
    page: &str,
    name: &str,
    query: &str,
    shared: bool,
) -> Result<i64> {
    let what = "saving a view";
    change.actor.need(Permission::FindingRead)?;
    let person =
        change.actor.person.ok_or_else(|| Error::Denied("only a person has saved views".to_owned()))?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        return Err(rejected(
            "name",
            "the name of a view has 1 to 80 characters and no line breaks".to_owned(),
        ));
    }
    let count = "SELECT COUNT(*) FROM view WHERE workspace = $1 AND person = $2 AND page = $3 AND name <> $4";
    let workspace = change.actor.workspace;
    let values = vec![workspace.into(), person.into(), page.into(), sql::text(name)];
    let row: Option<(i64,)> = sql::row(&change.tx, what, count, values).await?;
    if row.is_some_and(|r| r.0 >= MOST) {
        return Err(rejected(
            "name",
            format!("a person has at most {MOST} views of a page; remove one first"),
        ));
    }
    let insert = "INSERT INTO view (workspace, person, page, name, query, shared) VALUES ($1, $2, $3, $4, $5, $6) \
                  ON CONFLICT (workspace, person, page, name) DO UPDATE SET query = excluded.query, \
                  shared = excluded.shared RETURNING id";
    let values = vec![
        workspace.into(),
        person.into(),
        page.into(),
        sql::text(name),
        sql::text(query),
        i64::from(shared).into(),
    ];
    let row: Option<(i64,)> = sql::row(&change.tx, what, insert, values).await?;
    let id = row.map_or(0, |r| r.0);
    let after = serde_json::json!({"page": page, "query": query, "shared": shared});
    change.record("view.save", format!("view/{id}"), name, &(), &after);
    Ok(id)
}

/// Removes one of the actor's own views.
///
/// # Errors
/// [`Error::NotFound`], also where it is another person's; denied.
pub async fn remove_view(change: &mut Change<'_>, id: i64) -> Result<()> {
    let view = view(&change.tx, change.actor, id).await?;
    if !view.own {
        return Err(Error::Denied("a view is removed by whose it is".to_owned()));
    }
    sql::run(&change.tx, "removing a view", "DELETE FROM view WHERE id = $1", vec![id.into()]).await?;
    change.record("view.remove", format!("view/{id}"), &view.name, &view.query, &());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::access::{Grant, Role};
    use crate::platform::testing::each;

    #[test]
    fn views_are_ones_own_or_shared() {
        each(async |db| {
            for sql in [
                "INSERT INTO workspace (id, slug, name, settings, created) VALUES (1, 'a', 'A', '{}', '')",
                "INSERT INTO person (id, login, name, email, created) VALUES (1, 'ada', 'Ada', '', ''), (2, 'bo', 'Bo', '', '')",
            ] {
                db.execute_unprepared(sql).await.unwrap();
            }
            let person = |id| Actor {
                person: Some(id),
                grants: vec![Grant { role: Role::Auditor, line: None }],
                ..Actor::system(1, "2026-01-01T00:00:00.000Z")
            };
            let (ada, bo) = (person(1), person(2));
            let mut change = Change::begin(db, &ada).await.unwrap();
            let own = save_view(&mut change, "findings", "Mine", "kev:true", false).await.unwrap();
            let shared = save_view(&mut change, "findings", "Ours", "severity>=high", true).await.unwrap();
            assert_eq!(save_view(&mut change, "findings", " Mine ", "kev:false", false).await.unwrap(), own);
            assert!(save_view(&mut change, "findings", "", "", false).await.is_err());
            change.commit().await.unwrap();
            let names = |views: Vec<View>| views.into_iter().map(|v| (v.name, v.own)).collect::<Vec<_>>();
            assert_eq!(
                names(views(db, &ada, "findings").await.unwrap()),
                [("Mine".into(), true), ("Ours".into(), true)]
            );
            assert_eq!(names(views(db, &bo, "findings").await.unwrap()), [("Ours".into(), false)]);
            assert!(views(db, &ada, "releases").await.unwrap().is_empty());
            assert_eq!(view(db, &ada, own).await.unwrap().query, "kev:false");
            assert!(matches!(view(db, &bo, own).await, Err(Error::NotFound(_))));
            let mut change = Change::begin(db, &bo).await.unwrap();
            assert!(matches!(remove_view(&mut change, own).await, Err(Error::NotFound(_))));
            assert!(matches!(remove_view(&mut change, shared).await, Err(Error::Denied(_))));
            drop(change);
            let mut change = Change::begin(db, &ada).await.unwrap();
            remove_view(&mut change, own).await.unwrap();
            change.commit().await.unwrap();
            assert_eq!(views(db, &ada, "findings").await.unwrap().len(), 1);
            let system = Actor::system(1, "");
            let mut change = Change::begin(db, &system).await.unwrap();
            assert!(
                save_view(&mut change, "findings", "x", "", false).await.is_err(),
                "the program has no views"
            );
        });
    }
}
