//! Messages on their way: written with their deliveries, sent by jobs, with a receipt for each recipient.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{DatabaseConnection, Value};
use serde::{Deserialize, Serialize};

use super::urge::{self, Ladder};
use super::{Body, Channel, INBOX, Message, channels, inbox, json};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::jobs::{self, New, Payload};
use crate::platform::{bulk, clock, sql};

/// What a job is told that sends a message through a channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sending {
    /// The message.
    pub message: i64,
    /// The channel.
    pub channel: i64,
}

impl Payload for Sending {
    const KIND: &'static str = "notify";
    const ATTEMPTS: i64 = 10;
}

/// A message to be written. `places`: channel, person, address, when.
pub(super) struct Letter {
    pub(super) rule: i64,
    pub(super) within: i64,
    pub(super) embargo: bool,
    pub(super) events: Vec<i64>,
    pub(super) body: Body,
    pub(super) places: Vec<(i64, i64, String, String)>,
}

/// What a message continues.
fn thread(body: &Body) -> String {
    let products: BTreeSet<i64> = body.groups.iter().map(|g| g.product).collect();
    match (products.len(), products.first(), body.items.first()) {
        (1, Some(product), None) => format!("product/{product}"),
        (0, _, Some(item)) if body.items.len() == 1 => item.subject.clone(),
        _ => "findings".to_owned(),
    }
}

fn topic(body: &Body) -> String {
    let all: BTreeSet<&str> = body
        .groups
        .iter()
        .map(|g| g.topic.as_str())
        .chain(body.items.iter().map(|i| i.topic.as_str()))
        .collect();
    // what is most urgent names the whole
    let first = ["finding-exploited", "finding-new", "finding-exploit", "finding-raised"];
    let first = first.into_iter().find(|t| all.contains(t)).or_else(|| all.first().copied());
    first.unwrap_or("digest").to_owned()
}

pub(super) struct Draft<'a> {
    pub(super) rule: i64,
    pub(super) topic: &'a str,
    pub(super) thread: String,
    pub(super) severity: i64,
    pub(super) embargo: bool,
    pub(super) title: String,
    pub(super) body: &'a Body,
    pub(super) urge: Option<String>,
    pub(super) ladder: String,
}

pub(super) async fn insert(change: &Change<'_>, d: &Draft<'_>) -> Result<i64> {
    let insert = "INSERT INTO notify_message (workspace, rule, topic, thread, severity, embargo, title, body, at, urge, \
                  ladder) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id";
    let values = vec![
        change.actor.workspace.into(),
        d.rule.into(),
        d.topic.into(),
        sql::text(&d.thread),
        d.severity.into(),
        i64::from(d.embargo).into(),
        sql::text(&d.title),
        sql::text(&json(d.body)),
        change.actor.now.clone().into(),
        sql::maybe(d.urge.as_deref()),
        d.ladder.clone().into(),
    ];
    let row: Option<(i64,)> = sql::row(&change.tx, "writing a message", insert, values).await?;
    Ok(row.map_or(0, |r| r.0))
}

/// A delivery to be written: message, channel, person, address, step, when.
pub(super) type Place = (i64, i64, i64, String, i64, String);

/// Writes deliveries, each once, and the jobs of those that go now.
pub(super) async fn deliver(change: &mut Change<'_>, places: Vec<Place>) -> Result<()> {
    let now = change.actor.now.clone();
    let mut going: BTreeSet<(i64, i64)> = BTreeSet::new();
    let rows: Vec<[Value; 9]> = places
        .into_iter()
        .map(|(message, channel, person, address, step, due)| {
            let state = match channel {
                INBOX => "sent",
                _ if due > now => "held",
                _ => {
                    going.insert((message, channel));
                    "waiting"
                }
            };
            [
                change.actor.workspace.into(),
                message.into(),
                channel.into(),
                person.into(),
                sql::text(&address),
                step.into(),
                state.into(),
                due.into(),
                sql::maybe((channel == INBOX).then_some(&now)),
            ]
        })
        .collect();
    let head =
        "INSERT INTO notify_delivery (workspace, message, channel, person, address, step, state, due, sent)";
    let tail = "ON CONFLICT (message, channel, person, step) DO NOTHING";
    bulk::insert(&change.tx, "writing deliveries", head, tail, rows).await?;
    start(change, &going).await
}

/// Writes a job for each message and channel with deliveries that wait.
async fn start(change: &mut Change<'_>, going: &BTreeSet<(i64, i64)>) -> Result<()> {
    let mut rows: Vec<[Value; 3]> = Vec::new();
    for (message, channel) in going.iter().copied() {
        let new = New {
            title: format!("Send notification {message}"),
            subject: format!("notification/{message}"),
            ..New::default()
        };
        let job = jobs::enqueue(change, &Sending { message, channel }, new).await?;
        rows.push([message.into(), channel.into(), job.into()]);
    }
    let head = "UPDATE notify_delivery SET job = v.column3";
    let tail = "WHERE notify_delivery.message = v.column1 AND notify_delivery.channel = v.column2 \
                AND notify_delivery.state = 'waiting'";
    bulk::update(&change.tx, "noting which job sends", head, tail, rows).await?;
    Ok(())
}

/// Writes messages with their deliveries.
pub(super) async fn post(change: &mut Change<'_>, letters: Vec<Letter>, ladders: &[Ladder]) -> Result<()> {
    let now = change.actor.now.clone();
    let (mut places, mut events): (Vec<Place>, Vec<[Value; 2]>) = (Vec::new(), Vec::new());
    for letter in letters {
        let urge = (letter.within > 0).then(|| clock::minutes_after(&now, letter.within));
        let ladder = if letter.within > 0 { json(&urge::of(ladders, &letter.body)) } else { "[]".to_owned() };
        let topic = topic(&letter.body);
        let draft = Draft {
            rule: letter.rule,
            topic: &topic,
            thread: thread(&letter.body),
            severity: letter.body.severity(),
            embargo: letter.embargo,
            title: letter.body.title(),
            body: &letter.body,
            urge,
            ladder,
        };
        let message = insert(change, &draft).await?;
        events.extend(letter.events.iter().map(|e| [(*e).into(), message.into()]));
        places.extend(letter.places.into_iter().map(|(c, p, a, due)| (message, c, p, a, 0, due)));
    }
    let head = "INSERT INTO notify_message_event (event, message)";
    bulk::insert(&change.tx, "writing messages", head, "", events).await?;
    deliver(change, places).await
}

/// Deliveries whose hour has come: alone they go as they are, several for the same person and channel go as one. The
/// number of messages that go.
///
/// # Errors
/// The database does not answer.
pub async fn release(db: &DatabaseConnection, actor: &Actor) -> Result<usize> {
    let what = "sending what was held back";
    let mut change = Change::begin(db, actor).await?;
    let select = format!(
        "SELECT d.id, d.message, d.channel, d.person, d.address, m.body, m.severity, m.embargo FROM notify_delivery d \
         JOIN notify_message m ON m.id = d.message WHERE d.state = 'held' AND d.due <= $1 AND d.workspace = $2 \
         ORDER BY d.id LIMIT 5000{}",
        sql::skip_locked(&change.tx, "d")
    );
    type Row = (i64, i64, i64, i64, String, String, i64, i64);
    let values = vec![actor.now.clone().into(), actor.workspace.into()];
    let rows: Vec<Row> = sql::rows(&change.tx, what, &select, values).await?;
    let mut alike: BTreeMap<(i64, i64, i64), Vec<Row>> = BTreeMap::new();
    for row in rows {
        // what is under embargo goes by itself, so that its neighbours may tell
        let alone = if row.7 != 0 { row.0 } else { 0 };
        alike.entry((row.2, row.3, alone)).or_default().push(row);
    }
    let (mut single, mut merged, mut places) = (Vec::new(), Vec::new(), Vec::new());
    let mut going = BTreeSet::new();
    for ((channel, person, _), rows) in alike {
        if let [one] = rows.as_slice() {
            single.push(one.0);
            going.insert((one.1, channel));
            continue;
        }
        let mut body = Body::default();
        for row in &rows {
            let part: Body = serde_json::from_str(&row.5).unwrap_or_default();
            body.groups.extend(part.groups);
            body.items.extend(part.items);
        }
        merged.extend(rows.iter().map(|r| r.0));
        let draft = Draft {
            rule: 0,
            topic: "digest",
            thread: "digest".to_owned(),
            severity: rows.iter().map(|r| r.6).max().unwrap_or(0),
            embargo: false,
            title: format!("{} notifications", rows.len()),
            body: &body,
            urge: None,
            ladder: "[]".to_owned(),
        };
        let message = insert(&change, &draft).await?;
        let address = rows.first().map_or(String::new(), |r| r.4.clone());
        places.push((message, channel, person, address, 0, actor.now.clone()));
    }
    let count = single.len() + places.len();
    for (state, ids) in [("waiting", single), ("merged", merged)] {
        let update =
            format!("UPDATE notify_delivery SET state = $2 WHERE id IN {}", sql::numbers(&change.tx, 1));
        sql::run(&change.tx, what, &update, vec![sql::list(&ids), state.into()]).await?;
    }
    start(&mut change, &going).await?;
    deliver(&mut change, places).await?;
    change.commit().await?;
    Ok(count)
}

/// Somebody whom a message still has to reach through a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Id of the delivery: the same however often it is tried, so that a receiver can tell.
    pub delivery: i64,
    /// Mail address; empty where the channel itself is where it goes.
    pub address: String,
    /// 0 the message itself; above it a reminder or an escalation.
    pub step: i64,
}

/// What a job needs to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The message; of one under embargo nothing but that there is something.
    pub message: Message,
    /// The channel.
    pub channel: Channel,
    /// Who was not reached yet.
    pub to: Vec<Recipient>,
}

/// What is to be sent of a message through a channel.
///
/// # Errors
/// [`Error::NotFound`]: message or channel went meanwhile; the database does not answer.
pub async fn outgoing(db: &DatabaseConnection, actor: &Actor, sending: &Sending) -> Result<Outgoing> {
    let mut message = inbox::bare(db, actor.workspace, sending.message).await?;
    if message.embargo {
        // here, and not where it is put into words, so that no channel can forget it
        message.body = Body::default();
        message.title = "Something under embargo needs attention".to_owned();
        message.thread = "embargo".to_owned();
    }
    let channel = channels::one(db, actor.workspace, sending.channel).await?;
    if !channel.enabled {
        return Err(Error::Rejected {
            field: "channel".to_owned(),
            message: format!("{} is switched off; switch it on and run the job again", channel.name),
        });
    }
    let select = "SELECT id, address, step FROM notify_delivery WHERE message = $1 AND channel = $2 \
                  AND state = 'waiting' ORDER BY id";
    let values = vec![sending.message.into(), sending.channel.into()];
    let rows: Vec<(i64, String, i64)> = sql::rows(db, "reading who is told", select, values).await?;
    let to = rows.into_iter().map(|(delivery, address, step)| Recipient { delivery, address, step });
    Ok(Outgoing { message, channel, to: to.collect() })
}

/// Writes receipts: a recipient was reached.
///
/// # Errors
/// The database does not answer.
pub async fn sent(db: &DatabaseConnection, delivery: i64, now: &str) -> Result<()> {
    let update = "UPDATE notify_delivery SET state = 'sent', sent = $2, error = '' WHERE id = $1";
    sql::run(db, "writing a receipt", update, vec![delivery.into(), now.into()]).await?;
    Ok(())
}

/// Notes why recipients were not reached; the job tries again.
///
/// # Errors
/// The database does not answer.
pub async fn failed(db: &DatabaseConnection, deliveries: &[i64], error: &str) -> Result<()> {
    let update = format!("UPDATE notify_delivery SET error = $2 WHERE id IN {}", sql::numbers(db, 1));
    let values = vec![sql::list(deliveries), sql::text(&error.chars().take(500).collect::<String>())];
    sql::run(db, "noting that a message was not sent", &update, values).await?;
    Ok(())
}

/// Writes a test message for a channel, to an address where it is mail; its id and that of the job that sends it.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`].
pub async fn test(db: &DatabaseConnection, actor: &Actor, channel: i64, address: &str) -> Result<(i64, i64)> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let mut change = Change::begin(db, actor).await?;
    let to = channels::one(&change.tx, actor.workspace, channel).await?;
    if to.kind == "mail" && !address.contains('@') {
        return Err(super::rejected("address", "the mail address that the test goes to"));
    }
    let body = Body::default();
    let draft = Draft {
        rule: 0,
        topic: "test",
        thread: "test".to_owned(),
        severity: 0,
        embargo: false,
        title: format!("Test of {}", to.name),
        body: &body,
        urge: None,
        ladder: "[]".to_owned(),
    };
    let message = insert(&change, &draft).await?;
    let place = (message, channel, 0, address.trim().to_owned(), 0, actor.now.clone());
    deliver(&mut change, vec![place]).await?;
    let select = "SELECT job FROM notify_delivery WHERE message = $1";
    let job: Option<(Option<i64>,)> =
        sql::row(&change.tx, "writing a test", select, vec![message.into()]).await?;
    change.record("notify.test", format!("notify-channel/{channel}"), &to.name, &(), &());
    change.commit().await?;
    Ok((message, job.and_then(|j| j.0).unwrap_or(0)))
}
