//! From a story to an early warning: what the form begins with, making it, and what says that its CVE has come.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tocsin_engine::stories::address;

use super::judge::{event, open_story};
use super::{one, reads, writes};
use crate::error::Result;
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::sql;
use crate::warnings::{self, NewWarning};

/// Characters of what a summary begins with.
const BEGINNING: usize = 1_500;
/// A story that names more CVEs than this says of none that it is the one.
const FEW: usize = 3;

/// An early warning as far as a story tells it: its title, addresses, marking, what it names of ours.
///
/// # Errors
/// Denied; not found; the database does not answer.
pub async fn draft(db: &DatabaseConnection, actor: &Actor, story: i64) -> Result<NewWarning> {
    reads(actor)?;
    let s = one::story(db, actor, story).await?;
    let named = |kind: &str| s.named.iter().find(|n| n.0 == kind).and_then(|n| n.1.first()).cloned();
    let lead = s.pieces.iter().find(|p| p.lead).or(s.pieces.first());
    let summary = match s.note.summary.as_str() {
        "" => lead.map(|p| p.text.chars().take(BEGINNING).collect()).unwrap_or_default(),
        said => said.to_owned(),
    };
    let mut links: Vec<String> = s.pieces.iter().map(|p| p.url.clone()).filter(|u| !u.is_empty()).collect();
    links.dedup();
    links.truncate(10);
    let product = named("component").or_else(|| named("product")).unwrap_or_default();
    Ok(NewWarning {
        title: s.story.title.chars().take(200).collect(),
        summary,
        product,
        vendor: String::new(),
        severity: "unknown".to_owned(),
        tlp: s.story.tlp,
        links,
        ..NewWarning::default()
    })
}

/// Makes an early warning of a story; its name. The story's timeline tells of it.
///
/// # Errors
/// Denied; not found; [`crate::Error::Rejected`]: which field is wrong, and why; the database does not answer.
pub async fn promote(db: &DatabaseConnection, actor: &Actor, story: i64, new: &NewWarning) -> Result<String> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let (story, _) = open_story(&change.tx, actor, story).await?;
    let (_, name) = warnings::put(&mut change, new, story).await?;
    event(&change, &[story], "warning", &name).await?;
    change.commit().await?;
    Ok(name)
}

/// The early warnings that were made of a story: name, state, and what each was merged into.
pub(super) async fn made_of(
    db: &impl ConnectionTrait,
    actor: &Actor,
    story: i64,
) -> Result<Vec<(String, String, String)>> {
    let select = "SELECT w.name, w.state, w.main FROM warning w WHERE w.workspace = $1 AND w.story <> 0 AND w.story IN \
                  (SELECT s.id FROM story s WHERE s.id = $2 OR s.merged = $2) ORDER BY w.id";
    let values = vec![actor.workspace.into(), story.into()];
    sql::rows(db, "reading early warnings", select, values).await
}

/// Proposes CVEs that open early warnings may be: those that the warning's story names by now, and those that a story with
/// an item of the same address names. How many are new.
pub(super) async fn recognise(db: &DatabaseConnection, actor: &Actor) -> Result<u64> {
    let what = "looking for the CVEs of early warnings";
    let open = warnings::open_of(db, actor.workspace).await?;
    if open.is_empty() {
        return Ok(0);
    }
    let stories: Vec<i64> = open.iter().map(|w| w.story).filter(|s| *s != 0).collect();
    let urls: BTreeSet<&String> = open.iter().flat_map(|w| &w.what.links).collect();
    let urls: Vec<&String> = urls.into_iter().collect();
    let cve = "e.kind = 'vulnerability' AND e.value LIKE 'CVE-%'";
    let select = format!(
        "SELECT s.id, e.value FROM story s JOIN story_entity e ON e.story = CASE WHEN s.merged = 0 THEN s.id ELSE s.merged END \
         WHERE s.workspace = $1 AND s.id IN {} AND {cve} ORDER BY s.id, e.value",
        sql::numbers(db, 2)
    );
    let values = vec![actor.workspace.into(), sql::list(&stories)];
    let own: Vec<(i64, String)> = sql::rows(db, what, &select, values).await?;
    let select = format!(
        "SELECT DISTINCT i.url, e.value FROM item i JOIN story_item x ON x.item = i.id AND x.workspace = $1 \
         JOIN story_entity e ON e.story = x.story WHERE i.url <> '' AND i.url IN {} AND i.workspace IN (0, $1) AND {cve} \
         ORDER BY i.url, e.value",
        sql::texts(db, 2)
    );
    let values = vec![actor.workspace.into(), sql::list(&urls)];
    let same: Vec<(String, String)> = sql::rows(db, what, &select, values).await?;
    let mut by_story: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    own.into_iter().for_each(|(story, cve)| by_story.entry(story).or_default().push(cve));
    let mut by_address: BTreeMap<String, Vec<String>> = BTreeMap::new();
    same.into_iter().for_each(|(url, cve)| by_address.entry(address(&url)).or_default().push(cve));
    let mut proposals: Vec<(i64, String, String)> = Vec::new();
    for w in &open {
        let named = by_story
            .get(&w.story)
            .into_iter()
            .map(|c| (c, "the story that it was made of names it".to_owned()));
        let linked =
            w.what.links.iter().filter_map(|l| {
                Some((by_address.get(&address(l))?, format!("a story that has {l} names it")))
            });
        for (cves, why) in named.chain(linked).filter(|(cves, _)| cves.len() <= FEW) {
            proposals.extend(cves.iter().map(|cve| (w.id, cve.clone(), why.clone())));
        }
    }
    if proposals.is_empty() {
        return Ok(0);
    }
    let mut change = Change::begin(db, actor).await?;
    let new = warnings::propose(&mut change, &proposals).await?;
    change.commit().await?;
    Ok(new)
}
