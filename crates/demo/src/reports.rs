//! Reports of the maker's team: those of `reports.toml`, of stories that the desk holds.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use tocsin::server::{App, now};
use tocsin_core::desk;
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::clock;
use tocsin_core::platform::people::Known;
use tocsin_core::report::{self, Head, Text, Wanted};
use tocsin_model::query::parse;

#[derive(Deserialize)]
struct Reports {
    report: Vec<Report>,
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    title: String,
    /// Days before today.
    from: i64,
    to: i64,
    by: String,
    #[serde(default)]
    approved_by: String,
    #[serde(default)]
    intro: String,
    section: Vec<Section>,
}

#[derive(Deserialize)]
struct Section {
    /// An id that its story names; none for a section without a story.
    #[serde(default)]
    names: String,
    #[serde(default)]
    heading: String,
    #[serde(default)]
    explanation: String,
    #[serde(default)]
    done: String,
    #[serde(default)]
    recommendation: String,
}

/// Writes the reports.
///
/// # Errors
/// The file does not make sense.
pub async fn tell(app: &App, folder: &Path, team: &HashMap<&str, Known>) -> Result<()> {
    let text = std::fs::read_to_string(folder.join("reports.toml")).context("reading reports.toml")?;
    let all: Reports = toml::from_str(&text).context("reading reports.toml")?;
    let day = |days: i64| clock::minutes_after(&now(), -days * 24 * 60).chars().take(10).collect::<String>();
    let who = |login: &str| -> Result<Actor> {
        let known = team.get(login).with_context(|| format!("{login} is nobody"))?;
        Ok(Actor { now: now(), ..known.actor.clone() })
    };
    for r in &all.report {
        let author = who(&r.by)?;
        let wanted = Wanted {
            first: day(r.from),
            last: day(r.to),
            title: r.title.clone(),
            empty: true,
            ..Wanted::default()
        };
        let id = report::draft(app.db(), &author, &wanted).await?;
        for s in &r.section {
            write(app, &author, id, s).await?;
        }
        let head = report::report(app.db(), &author, id).await?.head;
        report::set_head(app.db(), &author, id, &Head { intro: r.intro.clone(), ..head }).await?;
        if !r.approved_by.is_empty() {
            report::submit(app.db(), &author, id).await?;
            report::approve(app.db(), &who(&r.approved_by)?, id).await?;
        }
    }
    Ok(())
}

async fn write(app: &App, author: &Actor, id: i64, s: &Section) -> Result<()> {
    let section = if s.names.is_empty() {
        report::add(app.db(), author, id, &s.heading).await?
    } else {
        let query = parse(&format!("id:{} roundup:false", s.names), &desk::story_schema())
            .with_context(|| format!("asking for {}", s.names))?;
        let story = desk::ids(app.db(), author, &query, 1).await?.first().copied();
        let story = story.with_context(|| format!("no story names {}", s.names))?;
        report::pick(app.db(), author, id, story).await?
    };
    let whole = report::report(app.db(), author, id).await?;
    let drafted = whole.sections.into_iter().find(|d| d.id == section).context("the section is there")?.text;
    let or = |told: &str, drafted: String| if told.is_empty() { drafted } else { told.to_owned() };
    let text = Text {
        heading: or(&s.heading, drafted.heading),
        explanation: or(&s.explanation, drafted.explanation),
        done: or(&s.done, drafted.done),
        recommendation: or(&s.recommendation, drafted.recommendation),
        ..drafted
    };
    Ok(report::set_section(app.db(), author, (id, section), &text).await?)
}
