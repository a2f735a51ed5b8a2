//! From the outbox to messages: every rule takes the events that it is about, all of a few seconds at once, and tells
//! each recipient in one message what they may see of it. Everything is written in one transaction with the mark that
//! the events are taken, so that a crash loses and doubles nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sea_orm::DatabaseConnection;
use tocsin_model::query::Query;

use super::people::Habits;
use super::rules::{self, Rule};
use super::send::{self, Letter};
use super::urge;
use super::{Body, Group, INBOX, Item, MAIL, channels, people, when};
use crate::detection;
use crate::error::Result;
use crate::platform::access::{Actor, Grant, Lines, Permission, Role};
use crate::platform::change::Change;
use crate::platform::outbox::Topic;
use crate::platform::{clock, sql};

/// How long an event waits for others to go into one message with it, in milliseconds.
pub const WINDOW: i64 = 5_000;
/// How long it waits at most while releases are matched again, which brings more of its kind.
const PATIENCE: i64 = 10 * 60_000;
/// Events taken at once.
const EVENTS: i64 = 5_000;

/// Workspaces with events that have waited long enough.
///
/// # Errors
/// The database does not answer.
pub async fn due(db: &DatabaseConnection, now: &str) -> Result<Vec<i64>> {
    let select = "SELECT workspace, MIN(at) FROM outbox WHERE taken IS NULL GROUP BY workspace";
    let waiting: Vec<(i64, String)> = sql::rows(db, "looking into the outbox", select, vec![]).await?;
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let select = "SELECT id FROM job WHERE state = 'running' AND kind = 'rematch' LIMIT 1";
    let busy: Option<(i64,)> = sql::row(db, "looking for jobs", select, vec![]).await?;
    let waits = clock::after(now, -if busy.is_some() { PATIENCE } else { WINDOW })?;
    Ok(waiting.into_iter().filter(|(_, at)| *at <= waits).map(|w| w.0).collect())
}

struct Event {
    id: i64,
    topic: Topic,
    subject: String,
    line: i64,
    title: String,
    detail: String,
    embargo: bool,
}

async fn open(change: &Change<'_>) -> Result<Vec<Event>> {
    let select = format!(
        "SELECT id, topic, subject, line, title, detail, embargo FROM outbox WHERE workspace = $1 \
         AND taken IS NULL ORDER BY id LIMIT {EVENTS}{}",
        sql::skip_locked(&change.tx, "outbox")
    );
    type Row = (i64, String, String, i64, String, String, i64);
    let values = vec![change.actor.workspace.into()];
    let rows: Vec<Row> = sql::rows(&change.tx, "reading the outbox", &select, values).await?;
    let event = |(id, topic, subject, line, title, detail, embargo): Row| {
        let topic = Topic::parse(&topic)?;
        Some(Event { id, topic, subject, line, title, detail, embargo: embargo != 0 })
    };
    Ok(rows.into_iter().filter_map(event).collect())
}

/// Somebody who can be told.
pub(super) struct Person {
    pub(super) id: i64,
    pub(super) email: String,
    pub(super) actor: Actor,
    pub(super) habits: Habits,
}

/// Everybody in the workspace who may sign in.
pub(super) async fn everybody(change: &Change<'_>) -> Result<BTreeMap<i64, Person>> {
    let select = "SELECT p.id, p.login, p.email, m.role, m.line FROM membership m JOIN person p ON p.id = m.person \
                  WHERE m.workspace = $1 AND p.disabled = 0 ORDER BY p.id";
    let workspace = change.actor.workspace;
    let rows: Vec<(i64, String, String, String, i64)> =
        sql::rows(&change.tx, "reading who can be told", select, vec![workspace.into()]).await?;
    let mut habits: HashMap<i64, Habits> = people::all(&change.tx, workspace).await?.into_iter().collect();
    let mut all: BTreeMap<i64, Person> = BTreeMap::new();
    for (id, login, email, role, line) in rows {
        let Some(role) = Role::parse(&role) else { continue };
        let person = all.entry(id).or_insert_with(|| {
            let mut actor = Actor::system(workspace, &change.actor.now);
            actor.name = format!("person:{login}");
            actor.person = Some(id);
            actor.grants.clear();
            Person { id, email, actor, habits: habits.remove(&id).unwrap_or_default() }
        });
        person.actor.grants.push(Grant { role, line: (line != 0).then_some(line) });
    }
    Ok(all)
}

/// What one must be allowed to be told of a topic.
fn permission(topic: Topic) -> Permission {
    match topic {
        Topic::JobDead => Permission::JobRead,
        Topic::FeedBroken | Topic::FeedRecovered => Permission::IntelRead,
        Topic::StoryRelevant => Permission::DeskRead,
        _ => Permission::FindingRead,
    }
}

fn holds(lines: &Lines, line: i64) -> bool {
    match lines {
        Lines::All => true,
        Lines::Some(list) => list.contains(&line),
    }
}

/// Whether an actor may see all that a message is about.
pub(super) fn may_see(actor: &Actor, body: &Body) -> bool {
    let groups = body.groups.iter().map(|g| (&g.topic, g.line));
    let items = body.items.iter().map(|i| (&i.topic, i.line));
    let may = |topic: &str, line| {
        Topic::parse(topic).is_some_and(|topic| holds(&actor.lines(permission(topic)), line))
    };
    groups.chain(items).all(|(topic, line)| may(topic, line))
}

/// What a person is told of by a rule, as a test of (topic, line, owner).
struct Reach {
    /// By their roles, or all that they may see where they are named.
    lines: Lines,
    /// Lines that are theirs for another reason.
    more: BTreeSet<i64>,
    owner: bool,
}

impl Reach {
    fn of(person: &Person, rule: &Rule, contacts: &HashMap<i64, i64>, orphans: &BTreeSet<i64>) -> Reach {
        let seen = person.actor.lines(Permission::FindingRead);
        let named = rule.person == person.id || rule.to.people.contains(&person.id);
        let grants = person.actor.grants.iter().filter(|g| rule.to.roles.contains(&g.role));
        let mut more = BTreeSet::new();
        let lines = if named {
            seen
        } else {
            let (mut all, mut some) = (false, Vec::new());
            for grant in grants {
                match grant.line {
                    None => all = true,
                    Some(line) => some.push(line),
                }
            }
            if all { Lines::All } else { Lines::Some(some) }
        };
        if rule.to.roles.contains(&Role::Contact) {
            more.extend(contacts.iter().filter(|(_, p)| **p == person.id).map(|(line, _)| *line));
            let manages = person.actor.grants.iter().any(|g| g.role == Role::Manager && g.line.is_none());
            if manages {
                more.extend(orphans);
            }
        }
        Reach { lines, more, owner: rule.to.owners }
    }

    fn tells(&self, person: &Person, topic: Topic, line: i64, owner: i64) -> bool {
        // whoever may not see it is not told, however a rule names them
        let may = holds(&person.actor.lines(permission(topic)), line);
        let theirs = holds(&self.lines, line) || self.more.contains(&line);
        may && (theirs || (self.owner && owner == person.id))
    }
}

/// Lines with their security contact, by line; and lines (0 too) that no one in that role looks after.
async fn contacts(
    change: &Change<'_>,
    everybody: &BTreeMap<i64, Person>,
) -> Result<(HashMap<i64, i64>, BTreeSet<i64>)> {
    let select = "SELECT id, COALESCE(contact, 0) FROM line WHERE workspace = $1";
    let values = vec![change.actor.workspace.into()];
    let lines: Vec<(i64, i64)> = sql::rows(&change.tx, "reading product lines", select, values).await?;
    let contact = |line: Option<i64>| {
        let has = |g: &Grant| g.role == Role::Contact && (g.line.is_none() || g.line == line);
        everybody.values().any(|p| p.actor.grants.iter().any(has))
    };
    let known: HashMap<i64, i64> = lines.iter().copied().filter(|l| everybody.contains_key(&l.1)).collect();
    let mut orphans: BTreeSet<i64> =
        lines.iter().map(|l| l.0).filter(|l| !known.contains_key(l) && !contact(Some(*l))).collect();
    if !contact(None) {
        orphans.insert(0);
    }
    Ok((known, orphans))
}

/// Findings of the events that a rule is about, by topic, product and who looks after them; the most urgent first.
async fn groups(change: &Change<'_>, rule: &Rule, events: &[i64]) -> Result<Vec<Group>> {
    let what = "grouping findings";
    // a query that the list of findings no longer knows tells of nothing rather than of everything
    let Ok(query) = rule.parsed() else { return Ok(Vec::new()) };
    let query = Query { filter: query.filter, ..Query::default() };
    let (conditions, mut values) = detection::conditions(&change.tx, change.actor, &query)?;
    values.push(sql::list(events));
    let list = sql::numbers(&change.tx, values.len());
    values.push(rule.severity.into());
    let severity = values.len();
    values.push(rule.line.into());
    let line = values.len();
    let of = format!(
        "FROM outbox_finding x CROSS JOIN outbox e CROSS JOIN finding f CROSS JOIN release r CROSS JOIN product p \
         WHERE x.event IN {list} AND e.id = x.event AND f.id = x.finding AND r.id = f.release AND p.id = r.product \
         AND {conditions} AND (f.severity >= ${severity} OR f.kev = 1) AND (${line} = 0 OR p.line = ${line}) \
         AND f.status NOT IN ('not_affected', 'fixed', 'false_positive')"
    );
    let count =
        |condition: &str| format!("CAST(COUNT(DISTINCT CASE WHEN {condition} THEN f.id END) AS BIGINT)");
    let select = format!(
        "SELECT e.topic, p.line, p.id, p.name, COALESCE(f.owner, 0), CAST(COUNT(DISTINCT f.release) AS BIGINT), \
         CAST(COUNT(DISTINCT f.id) AS BIGINT), {}, {}, {}, MAX(f.rank) {of} \
         GROUP BY e.topic, p.line, p.id, p.name, COALESCE(f.owner, 0) ORDER BY MAX(f.rank) DESC, p.id",
        count("f.severity = 5"),
        count("f.severity = 4"),
        count("f.kev = 1"),
    );
    type Row = (String, i64, i64, String, i64, i64, i64, i64, i64, i64, i64);
    let rows: Vec<Row> = sql::rows(&change.tx, what, &select, values.clone()).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let select = format!(
        "SELECT product, vulnerability FROM (SELECT p.id AS product, f.vulnerability AS vulnerability, \
         MAX(f.rank) AS rank, ROW_NUMBER() OVER (PARTITION BY p.id ORDER BY MAX(f.rank) DESC, f.vulnerability) AS n \
         {of} GROUP BY p.id, f.vulnerability) t WHERE t.n <= 5 ORDER BY product, n"
    );
    let mut flaws: HashMap<i64, Vec<String>> = HashMap::new();
    let top: Vec<(i64, String)> = sql::rows(&change.tx, what, &select, values).await?;
    for (product, flaw) in top {
        flaws.entry(product).or_default().push(flaw);
    }
    let group =
        |(topic, line, product, name, owner, releases, findings, critical, high, exploited, _): Row| {
            let flaws = flaws.get(&product).cloned().unwrap_or_default();
            Group { topic, line, product, name, releases, findings, critical, high, exploited, flaws, owner }
        };
    Ok(rows.into_iter().map(group).collect())
}

impl Body {
    /// Worst severity, known exploitation counting as critical.
    pub(super) fn severity(&self) -> i64 {
        let of = |g: &Group| match g {
            g if g.critical > 0 || g.exploited > 0 => 5,
            g if g.high > 0 => 4,
            _ => 3,
        };
        let groups = self.groups.iter().map(of);
        groups.chain(self.items.iter().map(|_| 3)).max().unwrap_or(0)
    }

    /// A line that says what it is about.
    pub(super) fn title(&self) -> String {
        let mut parts = Vec::new();
        let sum = |f: &dyn Fn(&Group) -> i64| self.groups.iter().map(f).sum::<i64>();
        let products: BTreeSet<i64> = self.groups.iter().map(|g| g.product).collect();
        let findings = sum(&|g| g.findings);
        if findings > 0 {
            let topics: BTreeSet<&str> = self.groups.iter().map(|g| g.topic.as_str()).collect();
            let kind = match topics.iter().copied().collect::<Vec<_>>().as_slice() {
                ["finding-new"] => "new",
                ["finding-exploited"] => "known to be exploited now",
                ["finding-exploit"] => "with a public exploit now",
                ["finding-raised"] => "of raised severity",
                ["finding-due"] => "due or overdue",
                ["decision-lapsed"] => "to be decided again",
                _ => "to look at",
            };
            let place = match (products.len(), self.groups.first()) {
                (1, Some(g)) => g.name.clone(),
                (n, _) => format!("{n} products"),
            };
            let mut marks = Vec::new();
            for (n, word) in [(sum(&|g| g.critical), "critical"), (sum(&|g| g.exploited), "exploited")] {
                if n > 0 {
                    marks.push(format!("{n} {word}"));
                }
            }
            let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
            parts.push(format!("{} {kind} in {place}{marks}", many(findings)));
        }
        match self.items.as_slice() {
            [] => {}
            [one] => parts.push(told(one)),
            many => parts.push(format!("{} and {} more", told(&many[0]), many.len() - 1)),
        }
        parts.join("; ")
    }
}

fn told(item: &Item) -> String {
    let words = match Topic::parse(&item.topic) {
        Some(Topic::DecisionWaits) => "A decision waits for approval",
        Some(Topic::DecisionExpires) => "A decision ends soon",
        Some(Topic::JobDead) => "A job was given up",
        Some(Topic::FeedBroken) => "A source does not work",
        Some(Topic::FeedRecovered) => "A source works again",
        Some(Topic::StoryRelevant) => "A story concerns us",
        Some(Topic::ReportEmbargo) => return "Something under embargo needs attention".to_owned(),
        _ => return item.title.clone(),
    };
    format!("{words}: {}", item.title)
}

/// Makes messages of the workspace's events in the outbox; the number of messages.
///
/// # Errors
/// The database does not answer; nothing is written then.
pub async fn dispatch(db: &DatabaseConnection, actor: &Actor) -> Result<usize> {
    let mut change = Change::begin(db, actor).await?;
    let events = open(&change).await?;
    if events.is_empty() {
        return Ok(0);
    }
    rules::ensure(&change.tx, actor.workspace, &actor.now).await?;
    let everybody = everybody(&change).await?;
    let (contacts, orphans) = contacts(&change, &everybody).await?;
    let channels = channels::used(&change.tx, actor.workspace).await?;
    let mail = channels.iter().find(|c| c.1 == "mail").map(|c| c.0);
    // whom and by which way an event has already reached: (event, person, channel)
    let mut reached: HashSet<(i64, i64, i64)> = HashSet::new();
    let mut letters: Vec<Letter> = Vec::new();
    for rule in rules::used(&change.tx, actor.workspace).await? {
        let about: Vec<&Event> = events.iter().filter(|e| rule.topics.contains(&e.topic)).collect();
        if about.is_empty() {
            continue;
        }
        let ids: Vec<i64> = about.iter().filter(|e| e.topic.is_of_findings()).map(|e| e.id).collect();
        let mut body = Body::default();
        if !ids.is_empty() {
            body.groups = groups(&change, &rule, &ids).await?;
        }
        let fits = |e: &&&Event| !e.topic.is_of_findings() && (rule.line == 0 || e.line == rule.line);
        body.items = about
            .iter()
            .filter(fits)
            .map(|e| Item {
                topic: e.topic.name().to_owned(),
                line: e.line,
                subject: e.subject.clone(),
                title: e.title.clone(),
                detail: e.detail.clone(),
            })
            .collect();
        let embargo = about.iter().any(|e| e.embargo);
        let told: Vec<i64> = about.iter().map(|e| e.id).collect();
        write(
            &Telling { rule: &rule, body, told, embargo, mail, channels: &channels, now: &actor.now },
            (&everybody, &contacts, &orphans),
            (&mut reached, &mut letters),
        );
    }
    let ladders = urge::all(&change.tx, actor.workspace).await?;
    let written = letters.len();
    send::post(&mut change, letters, &ladders).await?;
    let all: Vec<i64> = events.iter().map(|e| e.id).collect();
    let update = format!("UPDATE outbox SET taken = $2 WHERE id IN {}", sql::numbers(&change.tx, 1));
    let values = vec![sql::list(&all), actor.now.clone().into()];
    sql::run(&change.tx, "emptying the outbox", &update, values).await?;
    change.commit().await?;
    Ok(written)
}

struct Telling<'a> {
    rule: &'a Rule,
    body: Body,
    told: Vec<i64>,
    embargo: bool,
    mail: Option<i64>,
    channels: &'a [(i64, String)],
    now: &'a str,
}

type Whom<'a> = (&'a BTreeMap<i64, Person>, &'a HashMap<i64, i64>, &'a BTreeSet<i64>);

/// Adds the letters of a rule: one for all who see the same, and one for the workspace's channels.
fn write(
    t: &Telling<'_>,
    (everybody, contacts, orphans): Whom<'_>,
    (reached, letters): (&mut HashSet<(i64, i64, i64)>, &mut Vec<Letter>),
) {
    let mut same: BTreeMap<String, Letter> = BTreeMap::new();
    let letter = |body: Body| Letter {
        rule: t.rule.id,
        within: t.rule.within,
        embargo: t.embargo,
        events: t.told.clone(),
        body,
        places: Vec::new(),
    };
    for person in everybody.values().filter(|p| t.rule.person == 0 || t.rule.person == p.id) {
        let reach = Reach::of(person, t.rule, contacts, orphans);
        let tells = |topic: &str, line, owner| {
            Topic::parse(topic).is_some_and(|topic| reach.tells(person, topic, line, owner))
                && (t.rule.within > 0 || !person.habits.is_muted(topic, t.now))
        };
        let body = Body {
            groups: t.body.groups.iter().filter(|g| tells(&g.topic, g.line, g.owner)).cloned().collect(),
            items: t.body.items.iter().filter(|i| tells(&i.topic, i.line, 0)).cloned().collect(),
        };
        if body == Body::default() {
            continue;
        }
        let severity = body.severity();
        let key = super::json(&body);
        for way in &t.rule.channels {
            let channel = match *way {
                INBOX => INBOX,
                MAIL => match t.mail {
                    Some(id) if person.habits.mail && person.email.contains('@') => id,
                    _ => continue,
                },
                _ => continue,
            };
            let fresh: Vec<bool> = t.told.iter().map(|e| reached.insert((*e, person.id, channel))).collect();
            if !fresh.contains(&true) {
                continue; // another rule told them all of it
            }
            let due = match channel {
                INBOX => t.now.to_owned(),
                _ => when(t.now, t.rule.digest, t.rule.hour, t.rule.weekday, &person.habits.quiet, severity),
            };
            let address = if channel == INBOX { String::new() } else { person.email.clone() };
            let letter = same.entry(key.clone()).or_insert_with(|| letter(body.clone()));
            letter.places.push((channel, person.id, address, due));
        }
    }
    letters.extend(same.into_values());
    if t.rule.person == 0 && t.body != Body::default() {
        let mut whole = letter(t.body.clone());
        for id in t.rule.channels.iter().filter(|c| **c > 0) {
            // mail goes to people, whom the rule names otherwise
            if !t.channels.iter().any(|c| c.0 == *id && c.1 != "mail") || !reached.insert((t.told[0], 0, *id))
            {
                continue;
            }
            let quiet = super::Quiet::default();
            let due = when(t.now, t.rule.digest, t.rule.hour, t.rule.weekday, &quiet, 0);
            whole.places.push((*id, 0, String::new(), due));
        }
        if !whole.places.is_empty() {
            letters.push(whole);
        }
    }
}

fn many(findings: i64) -> String {
    if findings == 1 { "1 finding".to_owned() } else { format!("{findings} findings") }
}
