//! Weighing stories: of each the item that weighs most tells how relevant it is, with reasons.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sea_orm::{ConnectionTrait, Value};
use serde::{Deserialize, Serialize};
use tocsin_engine::entities::{Entity, IndicatorKind, Kind, Reason};
use tocsin_engine::relevance::{self, Feature, Feedback, Told, Weights};
use tocsin_model::explain::{Addend, Explained};

use super::{TLPS, json, learn, profile};
use crate::error::Result;
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::outbox::{self, Topic};
use crate::platform::{bulk, clock, sql};

/// Items of a story that are weighed, the youngest.
const ITEMS: usize = 24;
/// Entities kept of an item, and of a story.
const ENTITIES: usize = 400;
const OF_STORY: usize = 300;
/// Days for which a story is news: older ones are told of to nobody.
const NEWS: i64 = 3;

/// What an item names, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Named {
    /// Word of the kind.
    pub kind: String,
    /// The thing itself.
    pub value: String,
    /// Place in the text of title and body, in bytes.
    pub start: usize,
    /// Its end.
    pub end: usize,
    /// Why it was taken for one.
    pub reason: String,
}

/// What an item's text is to the engine: the title is its first line.
pub(super) fn text(title: &str, body: &str) -> String {
    format!("{title}\n{body}")
}

const KINDS: [Kind; 17] = [
    Kind::Vulnerability,
    Kind::Advisory,
    Kind::Product,
    Kind::Component,
    Kind::Vendor,
    Kind::Version,
    Kind::Technique,
    Kind::Exploit,
    Kind::Indicator(IndicatorKind::Ipv4),
    Kind::Indicator(IndicatorKind::Ipv6),
    Kind::Indicator(IndicatorKind::Domain),
    Kind::Indicator(IndicatorKind::Url),
    Kind::Indicator(IndicatorKind::Md5),
    Kind::Indicator(IndicatorKind::Sha1),
    Kind::Indicator(IndicatorKind::Sha256),
    Kind::Indicator(IndicatorKind::Sha512),
    Kind::Tlp,
];

/// Entities as they are kept. What tells most comes first where there are too many.
pub(super) fn keep(entities: &[Entity]) -> String {
    let mut order: Vec<&Entity> = entities.iter().collect();
    order.sort_by_key(|e| (matches!(e.kind, Kind::Indicator(_) | Kind::Version), e.span.start));
    order.truncate(ENTITIES);
    order.sort_by_key(|e| (e.span.start, e.span.end));
    let named: Vec<Named> = order
        .into_iter()
        .map(|e| Named {
            kind: e.kind.as_str().to_owned(),
            value: e.value.clone(),
            start: e.span.start,
            end: e.span.end,
            reason: e.reason.words().to_owned(),
        })
        .collect();
    json(&named)
}

pub(super) fn kept(entities: &str) -> Vec<Named> {
    serde_json::from_str(entities).unwrap_or_default()
}

/// Entities as the engine knows them; what does not fit the text is left out.
pub(super) fn entities(kept: &[Named], text: &str) -> Vec<Entity> {
    let read = |n: &Named| {
        let kind = KINDS.into_iter().find(|k| k.as_str() == n.kind)?;
        text.get(n.start..n.end)?;
        Some(Entity { kind, value: n.value.clone(), span: n.start..n.end, reason: Reason::Shape, of: None })
    };
    kept.iter().filter_map(read).collect()
}

/// What stories are weighed by.
pub(super) struct Scale {
    profile: relevance::Profile,
    pub weights: Weights,
    feedback: Feedback,
}

impl Scale {
    pub(super) async fn read(db: &impl ConnectionTrait, workspace: i64) -> Result<Scale> {
        let told = profile::read(db, workspace).await?;
        Ok(Scale {
            profile: relevance::Profile::new(told.industries, told.interests),
            weights: told.weights,
            feedback: learn::feedback(db, workspace).await?,
        })
    }
}

struct Piece {
    item: i64,
    title: String,
    body: String,
    source: String,
    reliability: String,
    credibility: i64,
    published: String,
    tlp: String,
    named: Vec<Named>,
}

impl Piece {
    fn weigh(&self, scale: &Scale, known: &Known) -> (Explained<f64>, Vec<Feature>) {
        let text = text(&self.title, &self.body);
        let entities = entities(&self.named, &text);
        let told = Told {
            text: &text,
            entities: &entities,
            source: &self.source,
            reliability: self.reliability.chars().next().unwrap_or('F'),
            credibility: u8::try_from(self.credibility).unwrap_or(6),
            exploited: self.named.iter().any(|n| known.exploited.contains(&n.value)),
            exploit: self.named.iter().any(|n| known.exploit.contains(&n.value)),
            age_days: 0.0,
        };
        let weighed = relevance::relevance(&told, &scale.profile, &scale.weights, &scale.feedback);
        (weighed, relevance::features(&told, &scale.profile))
    }
}

async fn pieces(
    db: &impl ConnectionTrait,
    workspace: i64,
    stories: &[i64],
) -> Result<BTreeMap<i64, Vec<Piece>>> {
    let what = "reading the items of stories";
    let select = format!(
        "SELECT s.story, i.id, i.title, i.body, i.source, i.reliability, i.credibility, i.published, i.tlp, s.entities \
         FROM story_item s JOIN item i ON i.id = s.item WHERE s.workspace = $1 AND s.story IN {} \
         ORDER BY s.story, i.published, i.id",
        sql::numbers(db, 2)
    );
    type Row = (i64, i64, String, String, String, String, i64, String, String, String);
    let rows: Vec<Row> = sql::rows(db, what, &select, vec![workspace.into(), sql::list(stories)]).await?;
    let mut found: BTreeMap<i64, Vec<Piece>> = BTreeMap::new();
    for (story, item, title, body, source, reliability, credibility, published, tlp, named) in rows {
        let named = kept(&named);
        let piece = Piece { item, title, body, source, reliability, credibility, published, tlp, named };
        found.entry(story).or_default().push(piece);
    }
    Ok(found)
}

/// Ids that are known to be exploited or to have an exploit.
#[derive(Default)]
struct Known {
    exploited: HashSet<String>,
    exploit: HashSet<String>,
}

impl Known {
    async fn read(db: &impl ConnectionTrait, ids: &BTreeSet<String>) -> Result<Known> {
        let ids: Vec<&String> = ids.iter().collect();
        let mut known = Known::default();
        for ids in ids.chunks(5_000) {
            let what = "looking what is exploited";
            for (table, into) in [("kev", &mut known.exploited), ("exploit", &mut known.exploit)] {
                let list = sql::texts(db, 1);
                let select = format!(
                    "SELECT x.cve FROM {table} x WHERE x.cve IN {list} UNION SELECT a.id FROM alias a \
                     JOIN vulnerability v ON v.id = a.vulnerability JOIN {table} x ON x.cve = v.main WHERE a.id IN {list}"
                );
                let rows: Vec<(String,)> = sql::rows(db, what, &select, vec![sql::list(ids)]).await?;
                into.extend(rows.into_iter().map(|r| r.0));
            }
        }
        Ok(known)
    }
}

fn ids_of(pieces: &BTreeMap<i64, Vec<Piece>>) -> BTreeSet<String> {
    let all = pieces.values().flatten().flat_map(|p| &p.named);
    all.filter(|n| n.kind == "vulnerability").map(|n| n.value.clone()).collect()
}

/// What votes on a story count on.
pub(super) async fn features_of(
    db: &impl ConnectionTrait,
    actor: &Actor,
    story: i64,
) -> Result<Vec<Feature>> {
    let scale = Scale::read(db, actor.workspace).await?;
    let found = pieces(db, actor.workspace, &[story]).await?;
    let known = Known::read(db, &ids_of(&found)).await?;
    let of = found.into_values().flatten().map(|p| p.weigh(&scale, &known));
    let best = of.reduce(|a, b| if b.0.value > a.0.value { b } else { a });
    Ok(best.map(|b| b.1).unwrap_or_default())
}

/// Whole days between two times.
pub(super) fn days(from: &str, now: &str) -> f64 {
    ((clock::seconds(now) - clock::seconds(from)) as f64 / 86_400.0).floor().max(0.0)
}

/// What age leaves of points.
pub(super) fn aged(points: f64, latest: &str, now: &str, weights: &Weights) -> (f64, Option<Addend>) {
    let gone = relevance::age(points, days(latest, now), weights);
    let mut sum = Explained { value: points, addends: Vec::new() };
    if let Some(gone) = gone {
        sum.push(gone);
    }
    (sum.value, sum.addends.pop())
}

/// The reasons in one line, the strongest first.
fn why(addends: &[Addend]) -> String {
    let mut best: Vec<&Addend> = addends
        .iter()
        .filter(|a| a.weight > 0.0 && !matches!(a.code.as_str(), "reliability" | "credibility" | "title"))
        .collect();
    best.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    best.into_iter().take(3).map(|a| a.words.as_str()).collect::<Vec<_>>().join("; ")
}

struct Weighed {
    values: [Value; 14],
    entities: BTreeSet<(String, String)>,
    tell: Option<(String, String, bool)>,
}

fn one(story: i64, pieces: &[Piece], known: &Known, scale: &Scale, now: &str) -> Option<Weighed> {
    let first = pieces.first()?;
    let latest = pieces.iter().map(|p| p.published.as_str()).max().unwrap_or_default().to_owned();
    let mut best: Option<(&Piece, Explained<f64>)> = None;
    for piece in pieces.iter().rev().take(ITEMS).rev() {
        let (sum, _) = piece.weigh(scale, known);
        if best.as_ref().is_none_or(|(_, b)| sum.value > b.value) {
            best = Some((piece, sum));
        }
    }
    let (lead, sum) = best?;
    let (value, _) = aged(sum.value, &latest, now, &scale.weights);
    let mut entities = BTreeSet::new();
    for n in pieces.iter().flat_map(|p| &p.named).filter(|n| !matches!(n.kind.as_str(), "version" | "tlp")) {
        if entities.len() >= OF_STORY {
            break;
        }
        entities.insert((n.kind.clone(), n.value.clone()));
    }
    let of = |kinds: &[&str]| -> Vec<&str> {
        entities.iter().filter(|(k, _)| kinds.contains(&k.as_str())).map(|(_, v)| v.as_str()).collect()
    };
    let ids = of(&["vulnerability", "advisory"]);
    let mut ours = of(&["product"]);
    // a product can hold a component of its own name
    ours.extend(of(&["component"]));
    let mut told = BTreeSet::new();
    ours.retain(|name| told.insert(*name));
    let sources: BTreeSet<&str> = pieces.iter().map(|p| p.source.as_str()).collect();
    let place = |tlp: &str| TLPS.iter().position(|t| *t == tlp).unwrap_or(TLPS.len() - 1);
    let tlp = TLPS[pieces.iter().map(|p| place(&p.tlp)).max().unwrap_or(0)];
    let why = why(&sum.addends);
    let fresh = days(&latest, now) < NEWS as f64;
    let tell = (fresh && value >= scale.weights.relevant)
        .then(|| (lead.title.clone(), why.clone(), place(tlp) >= 3));
    let values = [
        story.into(),
        sql::text(&lead.title),
        lead.item.into(),
        (pieces.len() as i64).into(),
        (sources.len() as i64).into(),
        first.published.clone().into(),
        latest.into(),
        sql::text(&json(&ids)),
        sql::text(&json(&ours)),
        sum.value.into(),
        value.into(),
        sql::text(&json(&sum.addends)),
        sql::text(&why),
        tlp.into(),
    ];
    Some(Weighed { values, entities, tell })
}

/// Weighs stories anew, and tells of those that are relevant for the first time. `named`: what their items name has
/// changed too.
pub(super) async fn weigh(change: &Change<'_>, scale: &Scale, stories: &[i64], named: bool) -> Result<()> {
    let what = "weighing stories";
    let (workspace, now) = (change.actor.workspace, change.actor.now.as_str());
    for stories in stories.chunks(100) {
        let found = pieces(&change.tx, workspace, stories).await?;
        let known = Known::read(&change.tx, &ids_of(&found)).await?;
        let weighed: Vec<(i64, Weighed)> = found
            .iter()
            .filter_map(|(story, pieces)| Some((*story, one(*story, pieces, &known, scale, now)?)))
            .collect();
        if named {
            write_entities(change, stories, &weighed).await?;
        }
        tell(change, &weighed).await?;
        let rows = weighed.into_iter().map(|(_, w)| w.values).collect();
        let head = "UPDATE story SET title = v.column2, lead = v.column3, items = v.column4, sources = v.column5, \
                    opened = v.column6, latest = v.column7, ids = v.column8, ours = v.column9, points = v.column10, \
                    relevance = v.column11, addends = v.column12, why = v.column13, \
                    tlp = CASE WHEN marked = 1 THEN tlp ELSE v.column14 END";
        bulk::update(&change.tx, what, head, "WHERE story.id = v.column1", rows).await?;
    }
    Ok(())
}

async fn write_entities(change: &Change<'_>, stories: &[i64], weighed: &[(i64, Weighed)]) -> Result<()> {
    let what = "noting what stories name";
    let select =
        format!("SELECT story, kind, value FROM story_entity WHERE story IN {}", sql::numbers(&change.tx, 1));
    let rows: Vec<(i64, String, String)> =
        sql::rows(&change.tx, what, &select, vec![sql::list(stories)]).await?;
    let mut had: BTreeMap<i64, BTreeSet<(String, String)>> = BTreeMap::new();
    for (story, kind, value) in rows {
        had.entry(story).or_default().insert((kind, value));
    }
    let none = BTreeSet::new();
    let differs: Vec<&(i64, Weighed)> =
        weighed.iter().filter(|(s, w)| had.get(s).unwrap_or(&none) != &w.entities).collect();
    let ids: Vec<i64> = differs.iter().map(|d| d.0).collect();
    let delete = format!("DELETE FROM story_entity WHERE story IN {}", sql::numbers(&change.tx, 1));
    sql::run(&change.tx, what, &delete, vec![sql::list(&ids)]).await?;
    let rows: Vec<[Value; 4]> = differs
        .into_iter()
        .flat_map(|(story, w)| {
            w.entities.iter().map(|(kind, value)| {
                [change.actor.workspace.into(), sql::text(kind), sql::text(value), (*story).into()]
            })
        })
        .collect();
    let head = "INSERT INTO story_entity (workspace, kind, value, story)";
    bulk::insert(&change.tx, what, head, "ON CONFLICT (story, kind, value) DO NOTHING", rows).await?;
    Ok(())
}

/// Tells of stories that are relevant, each once; of what is for few eyes only that there is something.
async fn tell(change: &Change<'_>, weighed: &[(i64, Weighed)]) -> Result<()> {
    let ids: Vec<i64> = weighed.iter().filter(|(_, w)| w.tell.is_some()).map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let update = format!(
        "UPDATE story SET told = 1 WHERE told = 0 AND merged = 0 AND state <> 'dismissed' AND id IN {} RETURNING id",
        sql::numbers(&change.tx, 1)
    );
    let news: Vec<(i64,)> =
        sql::rows(&change.tx, "telling of stories", &update, vec![sql::list(&ids)]).await?;
    let news: HashSet<i64> = news.into_iter().map(|r| r.0).collect();
    for (id, w) in weighed.iter().filter(|(id, _)| news.contains(id)) {
        if let Some((title, why, close)) = &w.tell {
            let topic = if *close { Topic::ReportEmbargo } else { Topic::StoryRelevant };
            outbox::matter(change, topic, format!("story/{id}"), 0, (title, why)).await?;
        }
    }
    Ok(())
}
