//! What sources told the maker, and what its team brought: items of `items.toml`, sorted into stories.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use tocsin::server::{App, now};
use tocsin_core::desk::{self, NewItem};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::clock;
use tocsin_core::platform::jobs::INSTALLATION;
use tocsin_core::platform::people::Known;
use tocsin_engine::relevance::Interest;

#[derive(Deserialize)]
struct News {
    industries: Vec<String>,
    interest: Vec<Followed>,
    source: Vec<Source>,
    entered: Vec<Brought>,
}

#[derive(Deserialize)]
struct Followed {
    name: String,
    any: Vec<String>,
    without: Vec<String>,
}

#[derive(Deserialize)]
struct Source {
    name: String,
    reliability: String,
    credibility: i64,
    item: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    hours: i64,
    url: String,
    title: String,
    text: String,
}

#[derive(Deserialize)]
struct Brought {
    hours: i64,
    by: String,
    source: String,
    tlp: String,
    reliability: String,
    credibility: i64,
    title: String,
    text: String,
}

/// Puts the news into the store and sorts it.
pub async fn tell(app: &App, folder: &Path, workspace: i64, team: &HashMap<&str, Known>) -> Result<()> {
    let text = std::fs::read_to_string(folder.join("items.toml")).context("reading items.toml")?;
    let news: News = toml::from_str(&text).context("reading items.toml")?;
    let db = app.db();
    let system = Actor::system(workspace, &now());
    let mut profile = desk::profile(db, &system).await?;
    profile.industries = news.industries;
    let interest = |i: Followed| Interest { name: i.name, any: i.any, without: i.without, weight: 1.0 };
    profile.interests = news.interest.into_iter().map(interest).collect();
    desk::set_profile(db, &system, &profile).await?;
    let before = |hours: i64| clock::minutes_after(&now(), -hours * 60);
    for source in news.source {
        let item = |t: Told| NewItem {
            url: t.url,
            title: t.title,
            text: t.text,
            published: before(t.hours),
            reliability: source.reliability.clone(),
            credibility: source.credibility,
            ..NewItem::default()
        };
        let items = source.item.into_iter().map(item).collect();
        desk::take(db, &Actor::system(INSTALLATION, &now()), &source.name, items).await?;
    }
    for b in news.entered {
        let who = team.get(b.by.as_str()).with_context(|| format!("{} is nobody", b.by))?;
        let item = NewItem {
            title: b.title,
            text: b.text,
            published: before(b.hours),
            tlp: b.tlp,
            reliability: b.reliability,
            credibility: b.credibility,
            ..NewItem::default()
        };
        let actor = Actor { now: now(), ..who.actor.clone() };
        desk::enter(db, &actor, &b.source, item).await?;
    }
    desk::sort(db, &now, &|_, _| {}).await?;
    Ok(())
}
