//! Reading reports, and the rows that each change of one writes.

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult};

use super::types::{Edition, Facts, Head, Report, Section, Text, Whole};
use super::{json, reads};
use crate::error::{Error, Result};
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::sql;

pub(super) const COLUMNS: &str = "r.id, r.year, r.number, r.revision, r.corrects, r.title, r.first, r.last, r.tlp, \
    r.state, r.author_name, r.writer_name, r.approver_name, (SELECT COUNT(*) FROM report_section x WHERE x.report = r.id), \
    r.created, r.changed, r.submitted, r.approved, r.sent";
/// Editions that a history shows, the youngest.
const EDITIONS: i64 = 500;

type Read<T> = std::result::Result<T, sea_orm::DbErr>;

pub(super) fn read(row: &QueryResult) -> Read<Report> {
    let text = |n: usize| row.try_get_by_index::<String>(n);
    let number = |n: usize| row.try_get_by_index::<i64>(n);
    Ok(Report {
        id: number(0)?,
        year: number(1)?,
        number: number(2)?,
        revision: number(3)?,
        corrects: number(4)?,
        title: text(5)?,
        first: text(6)?,
        last: text(7)?,
        tlp: text(8)?,
        state: text(9)?,
        author: text(10)?,
        writer: text(11)?,
        approver: text(12)?,
        sections: number(13)?,
        created: text(14)?,
        changed: text(15)?,
        submitted: text(16)?,
        approved: text(17)?,
        sent: text(18)?,
    })
}

fn missing(id: i64) -> Error {
    Error::NotFound(format!("report {id}"))
}

/// A report with everything.
///
/// # Errors
/// Denied; not found; the database does not answer.
pub async fn report(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Whole> {
    reads(actor)?;
    whole(db, actor.workspace, id).await
}

pub(super) async fn whole(db: &impl ConnectionTrait, workspace: i64, id: i64) -> Result<Whole> {
    let what = "reading a report";
    let select = format!(
        "SELECT {COLUMNS}, r.language, r.intro, r.version, w.name, w.created FROM report r JOIN workspace w ON w.id = r.workspace \
         WHERE r.id = $1 AND r.workspace = $2"
    );
    let rows = sql::raw(db, what, &select, vec![id.into(), workspace.into()]).await?;
    let found = sql::read(&rows, what, |row| {
        let report = read(row)?;
        let head = Head {
            title: report.title.clone(),
            first: report.first.clone(),
            last: report.last.clone(),
            language: row.try_get_by_index(19)?,
            intro: row.try_get_by_index(20)?,
            tlp: report.tlp.clone(),
            version: row.try_get_by_index(21)?,
        };
        Ok((report, head, (row.try_get_by_index::<String>(22)?, row.try_get_by_index::<String>(23)?)))
    })?;
    let (report, head, (name, since)) = found.into_iter().next().ok_or_else(|| missing(id))?;
    let sections = sections(db, id).await?;
    Ok(Whole { report, workspace: name, workspace_id: workspace, workspace_since: since, head, sections })
}

pub(super) async fn sections(db: &impl ConnectionTrait, report: i64) -> Result<Vec<Section>> {
    let what = "reading the sections of a report";
    let select = "SELECT id, place, story, heading, explanation, impact, done, recommendation, refs, tlp, version, facts \
                  FROM report_section WHERE report = $1 ORDER BY place, id";
    let rows = sql::raw(db, what, select, vec![report.into()]).await?;
    let mut found = sql::read(&rows, what, |row| {
        let text = |n: usize| row.try_get_by_index::<String>(n);
        Ok(Section {
            id: row.try_get_by_index(0)?,
            place: row.try_get_by_index(1)?,
            story: row.try_get_by_index(2)?,
            text: Text {
                heading: text(3)?,
                explanation: text(4)?,
                impact: text(5)?,
                done: text(6)?,
                recommendation: text(7)?,
                references: text(8)?,
                tlp: text(9)?,
                version: row.try_get_by_index(10)?,
            },
            facts: serde_json::from_str::<Facts>(&text(11)?).unwrap_or_default(),
        })
    })?;
    for (n, section) in found.iter_mut().enumerate() {
        section.place = n as i64 + 1;
    }
    Ok(found)
}

/// Changes of a report, newest first, without bodies.
///
/// # Errors
/// Denied; not found; the database does not answer.
pub async fn history(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Vec<Edition>> {
    reads(actor)?;
    let what = "reading the history of a report";
    let select = "SELECT e.n, e.at, e.actor, e.what, e.section, e.detail FROM report_edition e JOIN report r \
                  ON r.id = e.report WHERE e.report = $1 AND r.workspace = $2 ORDER BY e.n DESC LIMIT $3";
    type Row = (i64, String, String, String, i64, String);
    let values = vec![id.into(), actor.workspace.into(), EDITIONS.into()];
    let rows: Vec<Row> = sql::rows(db, what, select, values).await?;
    if rows.is_empty() {
        return Err(missing(id));
    }
    let read = |(n, at, actor, what, section, detail)| Edition {
        n,
        at,
        actor,
        what,
        section,
        detail,
        body: String::new(),
    };
    Ok(rows.into_iter().map(read).collect())
}

/// One change of a report, with the texts as they stood after it.
///
/// # Errors
/// Denied; not found; the database does not answer.
pub async fn edition(db: &DatabaseConnection, actor: &Actor, id: i64, n: i64) -> Result<Edition> {
    reads(actor)?;
    let select = "SELECT e.at, e.actor, e.what, e.section, e.detail, e.body FROM report_edition e JOIN report r \
                  ON r.id = e.report WHERE e.report = $1 AND r.workspace = $2 AND e.n = $3";
    type Row = (String, String, String, i64, String, String);
    let values = vec![id.into(), actor.workspace.into(), n.into()];
    let row: Option<Row> = sql::row(db, "reading an edition of a report", select, values).await?;
    let (at, actor, what, section, detail, body) =
        row.ok_or_else(|| Error::NotFound(format!("edition {n} of report {id}")))?;
    Ok(Edition { n, at, actor, what, section, detail, body })
}

/// A report that is being changed; nobody else changes it until the change ends.
pub(super) struct Open {
    pub(super) id: i64,
    pub(super) title: String,
    pub(super) state: String,
    pub(super) author: i64,
    pub(super) author_name: String,
    pub(super) writer: i64,
    pub(super) writer_name: String,
    pub(super) tlp: String,
    pub(super) version: i64,
}

pub(super) async fn open(change: &Change<'_>, id: i64) -> Result<Open> {
    let select = format!(
        "SELECT title, state, author, author_name, writer, writer_name, tlp, version FROM report WHERE id = $1 AND workspace = $2{}",
        sql::for_update(&change.tx)
    );
    type Row = (String, String, i64, String, i64, String, String, i64);
    let values = vec![id.into(), change.actor.workspace.into()];
    let row: Option<Row> = sql::row(&change.tx, "opening a report", &select, values).await?;
    let (title, state, author, author_name, writer, writer_name, tlp, version) =
        row.ok_or_else(|| missing(id))?;
    Ok(Open { id, title, state, author, author_name, writer, writer_name, tlp, version })
}

impl Open {
    /// Refuses to change what was sent.
    pub(super) fn editable(&self) -> Result<()> {
        if self.state == "sent" {
            return Err(Error::Conflict(
                "this report was sent and stays as it is; write a correction of it".to_owned(),
            ));
        }
        Ok(())
    }
}

/// Notes that somebody wrote something: an approval is withdrawn by it.
pub(super) async fn wrote(change: &mut Change<'_>, open: &Open) -> Result<()> {
    let update = "UPDATE report SET changed = $2, writer = $3, writer_name = $4, state = CASE WHEN state = 'approved' \
                  THEN 'draft' ELSE state END, approver = 0, approver_name = '', approved = '' WHERE id = $1";
    let values = vec![
        open.id.into(),
        change.actor.now.clone().into(),
        change.actor.person.unwrap_or(0).into(),
        sql::text(&change.actor.name),
    ];
    sql::run(&change.tx, "writing a report", update, values).await?;
    if open.state == "approved" {
        let by = "withdrawn by an edit";
        note(change, open.id, ("reject", 0, 0), by, "").await?;
        change.record("report.withdraw", format!("report/{}", open.id), &open.title, &"approved", &"draft");
    }
    Ok(())
}

/// Writes an edition: what was done, the section or 0, and the version of what was changed.
pub(super) async fn note(
    change: &Change<'_>,
    report: i64,
    (what, section, version): (&str, i64, i64),
    detail: &str,
    body: &str,
) -> Result<()> {
    let insert = "INSERT INTO report_edition (report, n, at, actor, what, section, version, detail, body) \
                  SELECT CAST($1 AS BIGINT), COALESCE(MAX(e.n), 0) + 1, CAST($2 AS TEXT), CAST($3 AS TEXT), \
                  CAST($4 AS TEXT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS TEXT), CAST($8 AS TEXT) \
                  FROM report_edition e WHERE e.report = $1";
    let values = vec![
        report.into(),
        change.actor.now.clone().into(),
        sql::text(&change.actor.name),
        what.into(),
        section.into(),
        version.into(),
        sql::text(detail),
        sql::text(body),
    ];
    sql::run(&change.tx, "writing an edition of a report", insert, values).await?;
    Ok(())
}

/// What others changed since a version was read, in words: `person:ben at 10:12 UTC: impact, done`.
pub(super) async fn since(change: &Change<'_>, report: i64, section: i64, version: i64) -> Result<String> {
    let select = "SELECT at, actor, detail FROM report_edition WHERE report = $1 AND section = $2 AND version > $3 \
                  AND what IN ('head', 'section') ORDER BY n LIMIT 20";
    let values = vec![report.into(), section.into(), version.into()];
    let rows: Vec<(String, String, String)> =
        sql::rows(&change.tx, "reading what changed meanwhile", select, values).await?;
    let one = |(at, who, what): &(String, String, String)| {
        let who = who.split_once(':').map_or(who.as_str(), |(_, name)| name);
        format!("{who} at {} UTC: {what}", at.get(11..16).unwrap_or(at))
    };
    Ok(rows.iter().map(one).collect::<Vec<_>>().join("; "))
}

/// What is looked for in a section, in lower case.
pub(super) fn searched(text: &Text, facts: &Facts) -> String {
    let products = facts.products.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(" ");
    let all = [
        text.heading.as_str(),
        &text.explanation,
        &text.impact,
        &text.done,
        &text.recommendation,
        &text.references,
        &facts.ids.join(" "),
        &products,
    ];
    all.join("\n").to_lowercase()
}

/// Writes sections at the end of a report; their ids in order.
pub(super) async fn append(change: &Change<'_>, report: i64, new: &[(i64, Text, Facts)]) -> Result<Vec<i64>> {
    let what = "writing the sections of a report";
    let select = "SELECT COALESCE(MAX(place), 0) FROM report_section WHERE report = $1";
    let last: Option<(i64,)> = sql::row(&change.tx, what, select, vec![report.into()]).await?;
    let mut place = last.map_or(0, |r| r.0);
    let first = place;
    let mut rows: Vec<[sea_orm::Value; 12]> = Vec::new();
    for (story, text, facts) in new {
        place += 1;
        rows.push([
            report.into(),
            place.into(),
            (*story).into(),
            sql::text(&text.heading),
            sql::text(&text.explanation),
            sql::text(&text.impact),
            sql::text(&text.done),
            sql::text(&text.recommendation),
            sql::text(&text.references),
            text.tlp.clone().into(),
            sql::text(&json(facts)),
            sql::text(&searched(text, facts)),
        ]);
    }
    let head = "INSERT INTO report_section (report, place, story, heading, explanation, impact, done, recommendation, \
                refs, tlp, facts, search)";
    crate::platform::bulk::insert(&change.tx, what, head, "", rows).await?;
    let select = "SELECT id FROM report_section WHERE report = $1 AND place > $2 ORDER BY place";
    let ids: Vec<(i64,)> = sql::rows(&change.tx, what, select, vec![report.into(), first.into()]).await?;
    Ok(ids.into_iter().map(|r| r.0).collect())
}
