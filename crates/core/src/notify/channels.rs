//! Channels: the ways out of the system that a workspace has. What is secret of them is sealed.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{damaged, json, rejected};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::secret::{Random, from_hexadecimal, hexadecimal};
use crate::platform::sql;
use crate::platform::vault::Vault;

/// A kind of channel: stored name, what a reader calls it, its settings, and which of them are secret. A setting whose
/// name ends in `?` may be missing.
pub type ChannelKind = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// All kinds.
pub const KINDS: [ChannelKind; 6] = [
    ("mail", "Mail (SMTP)", &["host", "port", "security", "from", "user?", "ca?"], &["password?"]),
    ("webhook", "Webhook, signed", &[], &["url", "key"]),
    ("slack", "Slack", &[], &["url"]),
    ("mattermost", "Mattermost", &[], &["url"]),
    ("teams", "Microsoft Teams", &[], &["url"]),
    ("syslog", "Syslog (CEF)", &["host", "port", "transport", "ca?"], &[]),
];

/// Values of settings that are one of a few.
const CHOICES: [(&str, &[&str]); 2] =
    [("security", &["tls", "starttls", "none"]), ("transport", &["udp", "tcp", "tls"])];

/// Channels of a workspace.
const MOST: usize = 50;
/// Longest value of a setting, in bytes.
const LONGEST: usize = 20_000;

/// A channel; what is secret of it is not told.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = NotificationChannel)]
pub struct Channel {
    /// Id.
    pub id: i64,
    /// Stored name of its kind: `mail`, `webhook`, `slack`, `mattermost`, `teams`, `syslog`.
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
    /// Names of what is kept sealed.
    pub secrets: Vec<String>,
    /// It is used.
    pub enabled: bool,
    /// When something last went through it.
    pub worked: Option<String>,
    /// Why the last attempt failed, where that is newer.
    pub error: Option<String>,
    #[serde(skip)]
    pub(super) sealed: String,
}

impl Channel {
    /// What a reader calls its kind.
    pub fn kind_words(&self) -> &'static str {
        KINDS.iter().find(|k| k.0 == self.kind).map_or("", |k| k.1)
    }
}

/// A channel as somebody sets it up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewNotificationChannel)]
pub struct NewChannel {
    /// Kind, see [`Channel::kind`]; it stays as it was made.
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// Its settings.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// What is secret of it; what is missing or empty stays as it is kept.
    #[serde(default, skip_serializing)]
    pub secrets: BTreeMap<String, String>,
    /// It is used.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

type Row = (i64, String, String, String, String, i64, Option<String>, Option<String>);

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    settings: BTreeMap<String, String>,
    secrets: Vec<String>,
}

fn read((id, kind, name, settings, sealed, enabled, worked, error): Row) -> Result<Channel> {
    let kept: Kept = serde_json::from_str(&settings).map_err(damaged)?;
    let (settings, secrets) = (kept.settings, kept.secrets);
    let error = error.filter(|e| !e.is_empty());
    Ok(Channel { id, kind, name, settings, secrets, enabled: enabled != 0, worked, error, sealed })
}

const SELECT: &str = "SELECT c.id, c.kind, c.name, c.settings, c.secret, c.enabled, \
    (SELECT MAX(d.sent) FROM notify_delivery d WHERE d.channel = c.id), \
    (SELECT d.error FROM notify_delivery d WHERE d.channel = c.id AND d.state IN ('sent', 'waiting') \
     ORDER BY d.id DESC LIMIT 1) FROM notify_channel c WHERE c.workspace = $1";

/// Channels of the workspace, by name.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn channels(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Channel>> {
    actor.need(Permission::FindingRead)?;
    let select = format!("{SELECT} ORDER BY c.name, c.id");
    let rows: Vec<Row> = sql::rows(db, "reading channels", &select, vec![actor.workspace.into()]).await?;
    rows.into_iter().map(read).collect()
}

/// A channel.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn channel(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Channel> {
    actor.need(Permission::FindingRead)?;
    one(db, actor.workspace, id).await
}

pub(super) async fn one(db: &impl ConnectionTrait, workspace: i64, id: i64) -> Result<Channel> {
    let select = format!("{SELECT} AND c.id = $2");
    let row: Option<Row> =
        sql::row(db, "reading a channel", &select, vec![workspace.into(), id.into()]).await?;
    row.map_or_else(|| Err(Error::NotFound(format!("channel {id}"))), read)
}

/// The mail channel of a workspace that is asked for; with 0 the first that is used.
///
/// # Errors
/// [`Error::Rejected`]: there is none, or it is of another kind or switched off.
pub(crate) async fn mail_channel(db: &impl ConnectionTrait, workspace: i64, wanted: i64) -> Result<i64> {
    let all = used(db, workspace).await?;
    let found = all.iter().find(|(id, kind)| kind == "mail" && (wanted == 0 || *id == wanted));
    found.map(|c| c.0).ok_or_else(|| {
        rejected(
            "channel",
            "there is no mail channel that is used; set one up in the settings, under Notifications",
        )
    })
}

/// A channel that something is sent through now.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Rejected`]: it is switched off.
pub(crate) async fn sending_channel(db: &impl ConnectionTrait, workspace: i64, id: i64) -> Result<Channel> {
    let channel = one(db, workspace, id).await?;
    if !channel.enabled {
        let message = format!("{} is switched off; switch it on and run the job again", channel.name);
        return Err(rejected("channel", message));
    }
    Ok(channel)
}

/// Id and kind of the channels of a workspace that are used.
pub(super) async fn used(db: &impl ConnectionTrait, workspace: i64) -> Result<Vec<(i64, String)>> {
    let select = "SELECT id, kind FROM notify_channel WHERE workspace = $1 AND enabled = 1 ORDER BY id";
    sql::rows(db, "reading channels", select, vec![workspace.into()]).await
}

fn context(workspace: i64) -> String {
    format!("notify/{workspace}")
}

/// What is secret of a channel, opened. Not to be shown or logged.
///
/// # Errors
/// The vault does not answer, or it was sealed with a key that is not there.
pub fn secret_of(vault: &Vault, workspace: i64, channel: &Channel) -> Result<BTreeMap<String, String>> {
    if channel.sealed.is_empty() {
        return Ok(BTreeMap::new());
    }
    let bytes = from_hexadecimal(&channel.sealed).unwrap_or_default();
    let opened = vault.open(&context(workspace), &bytes)?;
    serde_json::from_slice(&opened).map_err(damaged)
}

fn check(new: &NewChannel, secrets: &BTreeMap<String, String>) -> Result<()> {
    let kind = KINDS.iter().find(|k| k.0 == new.kind);
    let (_, _, settings, secret) =
        kind.ok_or_else(|| rejected("kind", "mail, webhook, slack, mattermost, teams or syslog"))?;
    if new.name.trim().is_empty() || new.name.chars().count() > 100 {
        return Err(rejected("name", "1 to 100 characters"));
    }
    for (wanted, given) in [(settings, &new.settings), (secret, secrets)] {
        for name in wanted.iter().filter(|n| !n.ends_with('?')) {
            if given.get(*name).is_none_or(|v| v.trim().is_empty()) {
                return Err(rejected(name, "is wanted for a channel of this kind"));
            }
        }
        for (name, value) in given {
            if !wanted.iter().any(|w| w.trim_end_matches('?') == name) {
                return Err(rejected(name, "a channel of this kind has no such setting"));
            }
            // a line break would let a value add a header of its own
            let lines = name != "ca" && value.contains(['\r', '\n']);
            if value.len() > LONGEST || lines {
                return Err(rejected(name, "one line, not too long"));
            }
        }
    }
    for (name, value) in &new.settings {
        if let Some((_, words)) = CHOICES.iter().find(|c| c.0 == name)
            && !words.contains(&value.as_str())
        {
            return Err(rejected(name, words.join(", ")));
        }
        if name == "port" && value.parse::<u16>().is_err() {
            return Err(rejected("port", "a number from 1 to 65535"));
        }
        if name == "from" && !value.contains('@') {
            return Err(rejected("from", "a mail address"));
        }
    }
    if let Some(url) = secrets.get("url")
        && !url.starts_with("https://")
        && !url.starts_with("http://")
    {
        return Err(rejected("url", "an address beginning with https://"));
    }
    if let Some(key) = secrets.get("key")
        && key.len() < 16
    {
        return Err(rejected("key", "at least 16 characters, known to the receiver too"));
    }
    Ok(())
}

/// Writes a channel, a new one where `id` is 0; its id. Secrets that are not given stay as they are.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`].
pub async fn set_channel(
    db: &DatabaseConnection,
    actor: &Actor,
    (vault, random): (&Vault, Random),
    id: i64,
    new: &NewChannel,
) -> Result<i64> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let what = "writing a channel";
    let mut change = Change::begin(db, actor).await?;
    let before = match id {
        0 => None,
        id => Some(one(&change.tx, actor.workspace, id).await?),
    };
    let mut secrets = match &before {
        Some(before) if before.kind != new.kind => {
            return Err(rejected("kind", "a channel stays of its kind; make another one"));
        }
        Some(before) => secret_of(vault, actor.workspace, before)?,
        None => BTreeMap::new(),
    };
    for (name, value) in new.secrets.iter().filter(|(_, v)| !v.trim().is_empty()) {
        secrets.insert(name.clone(), value.trim().to_owned());
    }
    let mut settings = new.settings.clone();
    settings.retain(|_, v| !v.trim().is_empty());
    check(&NewChannel { settings: settings.clone(), ..new.clone() }, &secrets)?;
    let taken = "SELECT id FROM notify_channel WHERE workspace = $1 AND name = $2 AND id <> $3";
    let values = vec![actor.workspace.into(), sql::text(new.name.trim()), id.into()];
    if sql::row::<(i64,)>(&change.tx, what, taken, values).await?.is_some() {
        return Err(rejected("name", "another channel has this name"));
    }
    let sealed = if secrets.is_empty() {
        String::new()
    } else {
        hexadecimal(&vault.seal(random, &context(actor.workspace), json(&secrets).as_bytes())?)
    };
    let kept = json(&Kept { settings, secrets: secrets.into_keys().collect() });
    let enabled = i64::from(new.enabled);
    let id = if id == 0 {
        let count = "SELECT COUNT(*) FROM notify_channel WHERE workspace = $1";
        let there: Option<(i64,)> = sql::row(&change.tx, what, count, vec![actor.workspace.into()]).await?;
        if there.is_some_and(|(n,)| n >= MOST as i64) {
            return Err(rejected("name", format!("there are {MOST} channels; remove one first")));
        }
        let insert = "INSERT INTO notify_channel (workspace, kind, name, settings, secret, enabled, created) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
        let values = vec![
            actor.workspace.into(),
            new.kind.clone().into(),
            sql::text(new.name.trim()),
            sql::text(&kept),
            sealed.into(),
            enabled.into(),
            actor.now.clone().into(),
        ];
        sql::row::<(i64,)>(&change.tx, what, insert, values).await?.map_or(0, |r| r.0)
    } else {
        let update =
            "UPDATE notify_channel SET name = $2, settings = $3, secret = $4, enabled = $5 WHERE id = $1";
        let values =
            vec![id.into(), sql::text(new.name.trim()), sql::text(&kept), sealed.into(), enabled.into()];
        sql::run(&change.tx, what, update, values).await?;
        id
    };
    change.record("notify.channel", format!("notify-channel/{id}"), &new.name, &before, new);
    change.commit().await?;
    Ok(id)
}

/// Removes a channel; what went through it stays in the log.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn drop_channel(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<()> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let mut change = Change::begin(db, actor).await?;
    let before = one(&change.tx, actor.workspace, id).await?;
    let what = "removing a channel";
    sql::run(&change.tx, what, "DELETE FROM notify_channel WHERE id = $1", vec![id.into()]).await?;
    let update = "UPDATE notify_delivery SET state = 'dropped', error = 'the channel was removed' \
                  WHERE channel = $1 AND state IN ('held', 'waiting')";
    sql::run(&change.tx, what, update, vec![id.into()]).await?;
    change.record("notify.channel.remove", format!("notify-channel/{id}"), &before.name, &before, &());
    change.commit().await
}
