//! Drafting: a report of a period from the desk, and sections from stories, with what is known of our products now.

use std::collections::HashMap;

use chrono::{Datelike, Days, NaiveDate};
use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::edit::{days, full, line, raise};
use super::store::{append, note, open, sections, wrote};
use super::types::{Concerned, Facts, Text};
use super::{SECTIONS, json, rejected, stricter, strictness, writes};
use crate::desk::{self, Shown};
use crate::detection::{self, Standing};
use crate::error::{Error, Result};
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::query::grouped;
use crate::platform::{clock, sql};

/// Stories that a draft is filled with where it is not told.
const USUAL: u64 = 20;
/// Stories that a draft can be filled with.
const MOST: u64 = 50;
/// Characters of a source's text that stand in a draft where nobody assessed the story.
const EXCERPT: usize = 600;
/// References of a section, and products named in a sentence.
const REFERENCES: usize = 12;
const NAMED: usize = 5;

/// A report that somebody wants drafted. What is empty has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = ReportWanted)]
pub struct Wanted {
    /// First day of the period; empty: the Monday of the week that it is.
    pub first: String,
    /// Last day of the period; empty: six days after the first.
    pub last: String,
    /// Title; empty: that of a weekly report.
    pub title: String,
    /// Stories that it is filled with at most; 0: 20. At most 50.
    pub most: u64,
    /// It begins without stories.
    pub empty: bool,
}

/// Monday and Sunday of the week of an instant (ISO 8601).
pub fn week(now: &str) -> (String, String) {
    let day = clock::parse(now).map(|t| t.date_naive()).unwrap_or_default();
    let monday = day - Days::new(u64::from(day.weekday().num_days_from_monday()));
    (monday.to_string(), (monday + Days::new(6)).to_string())
}

fn period(actor: &Actor, wanted: &Wanted) -> Result<(String, String, NaiveDate)> {
    let first = if wanted.first.is_empty() { week(&actor.now).0 } else { wanted.first.clone() };
    let last = match (wanted.last.is_empty(), NaiveDate::parse_from_str(&first, "%Y-%m-%d")) {
        (true, Ok(day)) => (day + Days::new(6)).to_string(),
        _ => wanted.last.clone(),
    };
    let (_, to) = days(&first, &last)?;
    Ok((first, last, to))
}

/// Drafts a report: the stories of the period that were assessed or marked, or are relevant, by relevance. Its id.
///
/// # Errors
/// Denied; [`Error::Rejected`]: no such period; the database does not answer.
pub async fn draft(db: &DatabaseConnection, actor: &Actor, wanted: &Wanted) -> Result<i64> {
    writes(actor)?;
    let (first, last, to) = period(actor, wanted)?;
    let most = match wanted.most {
        0 => USUAL,
        n if n <= MOST => n,
        _ => return Err(rejected("most", format!("at most {MOST} stories"))),
    };
    let title = match wanted.title.trim() {
        "" => format!("Weekly report, week {} of {}", to.iso_week().week(), to.iso_week().year()),
        title => line("title", title)?,
    };
    let new = if wanted.empty {
        Vec::new()
    } else {
        let stories = desk::of_period(db, actor, (&first, &last), most).await?;
        let ids: Vec<i64> = stories.iter().map(|s| s.id).collect();
        written(db, actor, &ids, (&first, &last)).await?
    };
    let tlp = new.iter().fold("GREEN", |t, s| stricter(t, &s.1.tlp)).to_owned();
    let mut change = Change::begin(db, actor).await?;
    let what = "drafting a report";
    // the row of the workspace is what two drafts of one instant wait for
    let hold = format!("SELECT id FROM workspace WHERE id = $1{}", sql::for_update(&change.tx));
    let _: Vec<(i64,)> = sql::rows(&change.tx, what, &hold, vec![actor.workspace.into()]).await?;
    let usual = "SELECT language FROM report WHERE workspace = $1 ORDER BY id DESC LIMIT 1";
    let language: Option<(String,)> = sql::row(&change.tx, what, usual, vec![actor.workspace.into()]).await?;
    let year = i64::from(to.year());
    let insert = "INSERT INTO report (workspace, year, number, revision, title, first, last, language, intro, tlp, state, \
                  author, author_name, writer, writer_name, created, changed, search) SELECT CAST($1 AS BIGINT), \
                  CAST($2 AS BIGINT), COALESCE(MAX(r.number), 0) + 1, 1, CAST($3 AS TEXT), CAST($4 AS TEXT), \
                  CAST($5 AS TEXT), CAST($6 AS TEXT), '', CAST($7 AS TEXT), 'draft', CAST($8 AS BIGINT), \
                  CAST($9 AS TEXT), CAST($8 AS BIGINT), CAST($9 AS TEXT), CAST($10 AS TEXT), CAST($10 AS TEXT), \
                  CAST($11 AS TEXT) FROM report r WHERE r.workspace = $1 AND r.year = $2 RETURNING id";
    let values = vec![
        actor.workspace.into(),
        year.into(),
        sql::text(&title),
        first.clone().into(),
        last.clone().into(),
        language.map_or_else(|| "en".to_owned(), |l| l.0).into(),
        tlp.into(),
        actor.person.unwrap_or(0).into(),
        sql::text(&actor.name),
        actor.now.clone().into(),
        sql::text(&title.to_lowercase()),
    ];
    let row: Option<(i64,)> = sql::row(&change.tx, what, insert, values).await?;
    let (id,) = row.ok_or_else(|| Error::NotFound("the report".to_owned()))?;
    append(&change, id, &new).await?;
    let detail = format!("{first} to {last}, {} sections", new.len());
    note(&change, id, ("draft", 0, 1), &detail, "").await?;
    change.record("report.draft", format!("report/{id}"), &title, &(), wanted);
    change.commit().await?;
    Ok(id)
}

/// Adds a story to a report, as its last section; that section's id. A story that is in it already is not added again.
///
/// # Errors
/// Denied; not found; [`Error::Rejected`]: the report is full; [`Error::Conflict`]: it was sent, or has the story.
pub async fn pick(db: &DatabaseConnection, actor: &Actor, report: i64, story: i64) -> Result<i64> {
    writes(actor)?;
    let head = super::store::whole(db, actor.workspace, report).await?.head;
    let mut new = written(db, actor, &[story], (&head.first, &head.last)).await?;
    let Some((story, text, facts)) = new.pop() else { return Err(Error::NotFound(format!("story {story}"))) };
    let mut change = Change::begin(db, actor).await?;
    let found = open(&change, report).await?;
    found.editable()?;
    let there = sections(&change.tx, report).await?;
    full(there.len())?;
    if there.iter().any(|s| s.story == story) {
        return Err(Error::Conflict(format!("the story is a section of {} already", found.title)));
    }
    let ids = append(&change, report, &[(story, text.clone(), facts)]).await?;
    let id = ids.first().copied().unwrap_or(0);
    raise(&change, &found, &text.tlp).await?;
    wrote(&mut change, &found).await?;
    note(&change, report, ("add", id, 1), &text.heading, &json(&text)).await?;
    change.record("report.pick", format!("report/{report}"), &found.title, &(), &story);
    change.commit().await?;
    Ok(id)
}

/// Adds a story to the youngest report that is being written; one of this week is drafted, without other stories, where
/// there is none. Ids of report and section.
///
/// # Errors
/// As [`pick`].
pub async fn pick_current(db: &DatabaseConnection, actor: &Actor, story: i64) -> Result<(i64, i64)> {
    writes(actor)?;
    let select = "SELECT id FROM report WHERE workspace = $1 AND state IN ('draft', 'review') AND corrects = 0 \
                  ORDER BY last DESC, id DESC LIMIT 1";
    let values = vec![actor.workspace.into()];
    let current: Option<(i64,)> = sql::row(db, "finding the report of this week", select, values).await?;
    let report = match current {
        Some((id,)) => id,
        None => {
            // a story that is none must not leave an empty report behind
            desk::story(db, actor, story).await?;
            draft(db, actor, &Wanted { empty: true, ..Wanted::default() }).await?
        }
    };
    Ok((report, pick(db, actor, report, story).await?))
}

/// Sections of stories, in their order: story, texts, facts. Stories are read one by one, at most [`MOST`] of them, as
/// their page reads them; what became of findings is asked once for all.
async fn written(
    db: &DatabaseConnection,
    actor: &Actor,
    stories: &[i64],
    period: (&str, &str),
) -> Result<Vec<(i64, Text, Facts)>> {
    let mut shown: Vec<Shown> = Vec::new();
    for story in stories.iter().take(SECTIONS) {
        shown.push(desk::story(db, actor, *story).await?);
    }
    let mut ids: Vec<String> = shown.iter().flat_map(|s| s.story.ids.iter().cloned()).collect();
    ids.sort();
    ids.dedup();
    let (mains, standing) = detection::standing(db, actor, &ids, period).await?;
    Ok(shown.iter().map(|s| section(s, &mains, &standing, &actor.now)).collect())
}

fn section(
    s: &Shown,
    mains: &HashMap<String, String>,
    standing: &HashMap<String, Standing>,
    now: &str,
) -> (i64, Text, Facts) {
    let facts = facts(s, mains, standing, now);
    let or = |written: &str, drafted: String| {
        if written.trim().is_empty() { drafted } else { written.trim().to_owned() }
    };
    let said: Vec<&str> =
        [s.note.summary.trim(), s.note.assessment.trim()].into_iter().filter(|t| !t.is_empty()).collect();
    let tlp = s.pieces.iter().fold("CLEAR", |t, p| stricter(t, &p.tlp));
    // what an analyst marked goes before what its items say
    let tlp = if s.note.tlp.is_empty() { stricter(tlp, &s.story.tlp) } else { &s.note.tlp };
    let heading: String = s.story.title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = Text {
        heading: heading.chars().take(super::LINE).collect(),
        explanation: or(&said.join("\n\n"), excerpt(s)),
        impact: or(&s.note.impact, impact(&facts)),
        done: or(&s.note.done, done(&facts)),
        recommendation: s.note.recommendation.trim().to_owned(),
        references: references(s),
        tlp: if strictness(tlp) == strictness("RED") { "RED".to_owned() } else { tlp.to_owned() },
        version: 1,
    };
    (s.story.id, text, facts)
}

fn facts(
    s: &Shown,
    mains: &HashMap<String, String>,
    standing: &HashMap<String, Standing>,
    now: &str,
) -> Facts {
    let mut ids: Vec<&String> = s.story.ids.iter().filter_map(|id| mains.get(id)).collect();
    ids.sort();
    ids.dedup();
    let mut facts = Facts {
        at: now.to_owned(),
        ids: s.story.ids.clone(),
        relevance: format!("{:.1}", s.story.relevance),
        ..Facts::default()
    };
    for found in ids.into_iter().filter_map(|id| standing.get(id)) {
        facts.closed += found.closed;
        facts.exploited |= found.exploited;
        for (status, n) in &found.open {
            match facts.statuses.iter_mut().find(|k| k.0 == *status) {
                Some(known) => known.1 += n,
                None => facts.statuses.push((status.clone(), *n)),
            }
        }
    }
    facts.statuses.sort();
    facts.exploited |= s.addends.iter().any(|a| a.code == "exploited");
    facts.products = s
        .affected
        .iter()
        .map(|a| Concerned {
            product: a.product,
            name: a.name.clone(),
            releases: a.releases,
            units: a.units,
            findings: a.findings,
            affected: a.affected,
            holds: a.holds.clone(),
        })
        .collect();
    facts
}

/// A source's text as plain Markdown: nothing in it is markup.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '#' | '|' | '~') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The beginning of the item that weighs most, for the analyst to write from.
fn excerpt(s: &Shown) -> String {
    let Some(lead) = s.pieces.iter().find(|p| p.lead).or(s.pieces.last()) else { return String::new() };
    let words = lead.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut begin: String = words.chars().take(EXCERPT).collect();
    if begin.len() < words.len() {
        begin.truncate(begin.rfind(' ').unwrap_or(begin.len()));
        begin.push('…');
    }
    if begin.is_empty() { begin } else { format!("{} ({})", plain(&begin), plain(&lead.source)) }
}

fn count(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(u64::try_from(n).unwrap_or(0)), if n == 1 { one } else { many })
}

fn impact(facts: &Facts) -> String {
    if facts.products.is_empty() {
        return "No release of ours has a finding of these ids, and none holds a component that is named."
            .to_owned();
    }
    let names: Vec<String> = facts.products.iter().take(NAMED).map(|p| plain(&p.name)).collect();
    let more = match facts.products.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let sum = |of: fn(&Concerned) -> i64| facts.products.iter().map(of).sum::<i64>();
    let (releases, findings, affected) = (sum(|p| p.releases), sum(|p| p.findings), sum(|p| p.affected));
    let verb = if releases == 1 { "is" } else { "are" };
    let mut text =
        format!("{} of {}{more} {verb} concerned", count(releases, "release", "releases"), names.join(", "));
    text.push_str(&match (findings, affected) {
        (0, _) => "; no finding is open.".to_owned(),
        (_, 0) => format!(
            ", with {}; none is decided to be affected.",
            count(findings, "open finding", "open findings")
        ),
        _ => format!(
            ", with {}, of which {} decided to be affected.",
            count(findings, "open finding", "open findings"),
            count(affected, "is", "are")
        ),
    });
    text
}

fn done(facts: &Facts) -> String {
    let decided: Vec<String> = facts
        .statuses
        .iter()
        .map(|(status, n)| {
            format!("{} {}", grouped(u64::try_from(*n).unwrap_or(0)), status.replace('_', " "))
        })
        .collect();
    let mut parts = Vec::new();
    if !decided.is_empty() {
        parts.push(format!("Findings that are open: {}.", decided.join(", ")));
    }
    if facts.closed > 0 {
        parts.push(format!("{} closed in the period.", count(facts.closed, "finding was", "findings were")));
    }
    parts.join(" ")
}

fn references(s: &Shown) -> String {
    let mut lines: Vec<String> = Vec::new();
    for p in s.pieces.iter().filter(|p| p.url.starts_with("https://") || p.url.starts_with("http://")) {
        // what would end the address early is written as it stands in addresses
        let url: String = p
            .url
            .chars()
            .map(|c| match c {
                '(' => "%28".to_owned(),
                ')' => "%29".to_owned(),
                '<' => "%3C".to_owned(),
                '>' => "%3E".to_owned(),
                c if c.is_whitespace() => "%20".to_owned(),
                c => c.to_string(),
            })
            .collect();
        let line = format!("- [{}: {}]({url})", plain(&p.source), plain(&p.title.replace('\n', " ")));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.truncate(REFERENCES);
    lines.join("\n")
}
