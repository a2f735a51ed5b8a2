//! Telling people: what is in the outbox becomes messages by rules, each message once for each person and way, however
//! many findings it is about; who must acknowledge is urged.
//!
//! Nobody calls it but the program, and reports, which go through its mail channels. What is to be told of comes through
//! [`crate::platform::outbox`].

mod channels;
mod derive;
mod dispatch;
mod hours;
mod inbox;
mod list;
mod people;
mod rules;
mod send;
#[cfg(test)]
mod tests;
mod urge;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use channels::{Channel, KINDS, NewChannel, channel, channels, drop_channel, secret_of, set_channel};
pub(crate) use channels::{mail_channel, sending_channel};
pub use derive::{derive, prune};
pub use dispatch::{WINDOW, dispatch, due};
pub use hours::{Digest, Quiet, is_zone, when};
pub use inbox::{
    Delivery, Step, Told, acknowledge, deliveries_of, message, messages_of_finding, see, see_all, steps,
    unseen,
};
pub use list::{deliveries, delivery_schema, inbox, inbox_schema};
pub use people::{Habits, habits, set_habits};
pub use rules::{Audience, Rule, drop_rule, rule, rules, set_rule};
pub use send::{Outgoing, Recipient, Sending, failed, outgoing, release, sent, test};
pub use urge::{Ladder, Rung, drop_ladder, ladders, set_ladder, urge};

use crate::error::Error;
use crate::platform::outbox::Topic;

/// The inbox as a channel.
pub const INBOX: i64 = 0;
/// Mail, by whichever channel of the workspace is of that kind.
pub const MAIL: i64 = -1;

/// What a message tells, grouped by product; what is not about findings is an item of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotificationBody)]
pub struct Body {
    /// Findings of a product for one topic.
    pub groups: Vec<Group>,
    /// Other matters.
    pub items: Vec<Item>,
}

/// Findings of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotificationGroup)]
pub struct Group {
    /// Stored name of the topic.
    pub topic: String,
    /// Product line.
    pub line: i64,
    /// Product.
    pub product: i64,
    /// Its name.
    pub name: String,
    /// Releases with such findings.
    pub releases: i64,
    /// Findings.
    pub findings: i64,
    /// Of them critical.
    pub critical: i64,
    /// Of them high.
    pub high: i64,
    /// Of them known to be exploited.
    pub exploited: i64,
    /// The most urgent vulnerabilities of the product, at most five.
    pub flaws: Vec<String>,
    /// Who looks after them; 0 for nobody.
    #[serde(default)]
    pub owner: i64,
}

/// A matter that is not about findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotificationItem)]
pub struct Item {
    /// Stored name of the topic.
    pub topic: String,
    /// Product line, or 0.
    pub line: i64,
    /// What it is about: `decision/17`.
    pub subject: String,
    /// In a line.
    pub title: String,
    /// More of it.
    pub detail: String,
}

/// A message.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Notification)]
pub struct Message {
    /// Id.
    pub id: i64,
    /// Stored name of its topic; `digest` for several in one, `test` for a test.
    pub topic: String,
    /// What it continues: messages of one thread belong together.
    pub thread: String,
    /// Worst severity in it, from 0 (unknown) to 5 (critical).
    pub severity: i64,
    /// Its detail does not leave the system.
    pub embargo: bool,
    /// In a line.
    pub title: String,
    /// What it tells.
    pub body: Body,
    /// When it was written.
    pub at: String,
    /// When somebody is urged next, where it must be acknowledged and is not yet.
    pub urge: Option<String>,
    /// Steps of urging that were taken.
    pub step: i64,
    /// When it was acknowledged.
    pub acknowledged: Option<String>,
    /// By whom; empty where it was not.
    pub acknowledger: String,
}

impl Message {
    /// What a reader calls its topic.
    pub fn about(&self) -> &'static str {
        match self.topic.as_str() {
            "digest" => "digest",
            "test" => "test",
            topic => Topic::parse(topic).map_or("", Topic::words),
        }
    }
}

fn rejected(field: &str, message: impl Into<String>) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.into() }
}

fn damaged(e: serde_json::Error) -> Error {
    Error::Internal { doing: "reading what people are told".to_owned(), cause: Box::new(e) }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
