//! Writing a report: its head, its sections, their order. Versions keep two writers apart.

use chrono::NaiveDate;
use sea_orm::{DatabaseConnection, Value};

use super::store::{self, Open, note, open, since, wrote};
use super::types::{Facts, Head, LANGUAGES, Section, Text};
use super::{LINE, SECTIONS, TEXT, is_tlp, json, rejected, stricter, strictness, writes};
use crate::error::{Error, Result};
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// The days of a period, read.
pub(super) fn days(first: &str, last: &str) -> Result<(NaiveDate, NaiveDate)> {
    let day = |name: &str, text: &str| {
        // one form only, so that the order of texts is the order of days
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .filter(|d| d.format("%Y-%m-%d").to_string() == text)
            .ok_or_else(|| rejected(name, "a day such as 2026-11-23"))
    };
    let (from, to) = (day("first", first)?, day("last", last)?);
    if to < from || (to - from).num_days() > 366 {
        return Err(rejected("last", "not before the first day, and at most a year after it"));
    }
    Ok((from, to))
}

/// A title or heading: one line.
pub(super) fn line(name: &str, text: &str) -> Result<String> {
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.is_empty() || text.chars().count() > LINE {
        return Err(rejected(name, format!("1 to {LINE} characters")));
    }
    Ok(text)
}

pub(super) fn body(name: &str, text: &str) -> Result<String> {
    let text = text.trim().replace("\r\n", "\n");
    if text.len() > TEXT {
        return Err(rejected(name, format!("at most {TEXT} bytes")));
    }
    Ok(text)
}

/// Writes the head of a report.
///
/// # Errors
/// Denied; not found; [`Error::Rejected`]; [`Error::Conflict`]: it was sent, or somebody changed it meanwhile.
pub async fn set_head(db: &DatabaseConnection, actor: &Actor, report: i64, new: &Head) -> Result<()> {
    writes(actor)?;
    days(&new.first, &new.last)?;
    is_tlp(&new.tlp)?;
    if !LANGUAGES.iter().any(|l| l.0 == new.language) {
        let codes: Vec<&str> = LANGUAGES.iter().map(|l| l.0).collect();
        return Err(rejected("language", format!("one of {}", codes.join(", "))));
    }
    let new = Head { title: line("title", &new.title)?, intro: body("intro", &new.intro)?, ..new.clone() };
    let mut change = Change::begin(db, actor).await?;
    let what = "writing the head of a report";
    let found = open(&change, report).await?;
    found.editable()?;
    let before = store::whole(&change.tx, actor.workspace, report).await?;
    if before.head.version != new.version {
        let changed = since(&change, report, 0, new.version).await?;
        return Err(Error::Conflict(format!(
            "somebody changed the head of the report meanwhile ({changed})"
        )));
    }
    let strictest = before.sections.iter().fold("CLEAR", |t, s| stricter(t, &s.text.tlp));
    if strictness(&new.tlp) < strictness(strictest) {
        return Err(rejected("tlp", format!("at least {strictest}, since a section is marked so")));
    }
    let changed = before.head.differs(&new);
    if changed.is_empty() {
        return Ok(());
    }
    let update = "UPDATE report SET title = $2, first = $3, last = $4, language = $5, intro = $6, tlp = $7, search = $8, \
                  version = version + 1 WHERE id = $1";
    let values = vec![
        report.into(),
        sql::text(&new.title),
        new.first.clone().into(),
        new.last.clone().into(),
        new.language.clone().into(),
        sql::text(&new.intro),
        new.tlp.clone().into(),
        sql::text(&format!("{}\n{}", new.title, new.intro).to_lowercase()),
    ];
    sql::run(&change.tx, what, update, values).await?;
    wrote(&mut change, &found).await?;
    note(&change, report, ("head", 0, new.version + 1), &changed.join(", "), &json(&new)).await?;
    change.record("report.head", format!("report/{report}"), &new.title, &before.head, &new);
    change.commit().await
}

/// The sections of a report that is being changed.
async fn sections(change: &Change<'_>, report: i64) -> Result<(Open, Vec<Section>)> {
    let found = open(change, report).await?;
    found.editable()?;
    Ok((found, store::sections(&change.tx, report).await?))
}

fn one(sections: &[Section], id: i64) -> Result<&Section> {
    sections.iter().find(|s| s.id == id).ok_or_else(|| Error::NotFound(format!("section {id}")))
}

/// Raises the marking of a report to that of a section.
pub(super) async fn raise(change: &Change<'_>, found: &Open, tlp: &str) -> Result<()> {
    if strictness(tlp) > strictness(&found.tlp) {
        let update = "UPDATE report SET tlp = $2, version = version + 1 WHERE id = $1";
        sql::run(&change.tx, "marking a report", update, vec![found.id.into(), tlp.into()]).await?;
        note(change, found.id, ("head", 0, found.version + 1), "tlp", "").await?;
    }
    Ok(())
}

/// Writes a section. The report is marked at least as strictly as it.
///
/// # Errors
/// Denied; not found; [`Error::Rejected`]; [`Error::Conflict`]: the report was sent, or somebody changed the section
/// meanwhile; the text tells what and who.
pub async fn set_section(
    db: &DatabaseConnection,
    actor: &Actor,
    (report, section): (i64, i64),
    new: &Text,
) -> Result<()> {
    writes(actor)?;
    is_tlp(&new.tlp)?;
    let new = Text {
        heading: line("heading", &new.heading)?,
        explanation: body("explanation", &new.explanation)?,
        impact: body("impact", &new.impact)?,
        done: body("done", &new.done)?,
        recommendation: body("recommendation", &new.recommendation)?,
        references: body("references", &new.references)?,
        tlp: new.tlp.clone(),
        version: new.version,
    };
    let mut change = Change::begin(db, actor).await?;
    let (found, all) = sections(&change, report).await?;
    let before = one(&all, section)?;
    if before.text.version != new.version {
        let changed = since(&change, report, section, new.version).await?;
        return Err(Error::Conflict(format!("somebody changed this section meanwhile ({changed})")));
    }
    let changed = before.text.differs(&new);
    if changed.is_empty() {
        return Ok(());
    }
    let update = "UPDATE report_section SET heading = $2, explanation = $3, impact = $4, done = $5, recommendation = $6, \
                  refs = $7, tlp = $8, search = $9, version = version + 1 WHERE id = $1";
    let values = vec![
        section.into(),
        sql::text(&new.heading),
        sql::text(&new.explanation),
        sql::text(&new.impact),
        sql::text(&new.done),
        sql::text(&new.recommendation),
        sql::text(&new.references),
        new.tlp.clone().into(),
        sql::text(&store::searched(&new, &before.facts)),
    ];
    sql::run(&change.tx, "writing a section", update, values).await?;
    raise(&change, &found, &new.tlp).await?;
    wrote(&mut change, &found).await?;
    note(&change, report, ("section", section, new.version + 1), &changed.join(", "), &json(&new)).await?;
    change.record("report.section", format!("report/{report}"), &found.title, &before.text, &new);
    change.commit().await
}

/// Adds a section that is of no story; its id.
///
/// # Errors
/// Denied; not found; [`Error::Rejected`]; [`Error::Conflict`]: the report was sent.
pub async fn add(db: &DatabaseConnection, actor: &Actor, report: i64, heading: &str) -> Result<i64> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let (found, all) = sections(&change, report).await?;
    full(all.len())?;
    let text =
        Text { heading: line("heading", heading)?, tlp: found.tlp.clone(), version: 1, ..Text::default() };
    let facts = Facts { at: actor.now.clone(), ..Facts::default() };
    let ids = store::append(&change, report, &[(0, text.clone(), facts)]).await?;
    let id = ids.first().copied().unwrap_or(0);
    wrote(&mut change, &found).await?;
    note(&change, report, ("add", id, 1), &text.heading, &json(&text)).await?;
    change.record("report.add", format!("report/{report}"), &found.title, &(), &text);
    change.commit().await?;
    Ok(id)
}

pub(super) fn full(sections: usize) -> Result<()> {
    if sections >= SECTIONS {
        return Err(rejected("story", format!("a report has at most {SECTIONS} sections; remove one first")));
    }
    Ok(())
}

/// Removes a section; its text stays in the history.
///
/// # Errors
/// Denied; not found; [`Error::Conflict`]: the report was sent.
pub async fn remove_section(
    db: &DatabaseConnection,
    actor: &Actor,
    (report, section): (i64, i64),
) -> Result<()> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let (found, all) = sections(&change, report).await?;
    let gone = one(&all, section)?;
    let delete = "DELETE FROM report_section WHERE id = $1";
    sql::run(&change.tx, "removing a section", delete, vec![section.into()]).await?;
    wrote(&mut change, &found).await?;
    let body = json(&gone.text);
    note(&change, report, ("remove", section, gone.text.version), &gone.text.heading, &body).await?;
    change.record("report.remove-section", format!("report/{report}"), &found.title, &gone.text, &());
    change.commit().await
}

/// Moves a section to a place, from 1; the others move up or down.
///
/// # Errors
/// Denied; not found; [`Error::Conflict`]: the report was sent.
pub async fn move_to(
    db: &DatabaseConnection,
    actor: &Actor,
    (report, section): (i64, i64),
    place: i64,
) -> Result<()> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let (found, all) = sections(&change, report).await?;
    let moving = one(&all, section)?;
    let to = usize::try_from(place - 1).unwrap_or(0).min(all.len().saturating_sub(1));
    let mut ids: Vec<i64> = all.iter().map(|s| s.id).filter(|id| *id != section).collect();
    ids.insert(to, section);
    let rows: Vec<[Value; 2]> = ids.iter().zip(1_i64..).map(|(id, n)| [(*id).into(), n.into()]).collect();
    let head = "UPDATE report_section SET place = v.column2";
    bulk::update(&change.tx, "ordering sections", head, "WHERE report_section.id = v.column1", rows).await?;
    wrote(&mut change, &found).await?;
    let detail = format!("{} to {}", moving.text.heading, to + 1);
    note(&change, report, ("move", section, moving.text.version), &detail, "").await?;
    change.record("report.move", format!("report/{report}"), &found.title, &moving.place, &(to + 1));
    change.commit().await
}
