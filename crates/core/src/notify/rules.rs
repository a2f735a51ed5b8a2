//! Rules: who is told what, and how. A workspace has some from the beginning, so that nobody has to think of them first.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};
use tocsin_model::query::{Query, parse};
use utoipa::ToSchema;

use super::hours::Digest;
use super::{INBOX, MAIL, damaged, json, rejected};
use crate::detection;
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission, Role};
use crate::platform::change::Change;
use crate::platform::outbox::Topic;
use crate::platform::sql;

/// Rules of a workspace, and of a person.
const MOST: usize = 200;

/// Who is told by a rule of the workspace; whoever may not see a thing is not told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Audience {
    /// Everybody in these roles, for what their role reaches. A line without a security contact is the managers'.
    pub roles: Vec<Role>,
    /// People by id.
    pub people: Vec<i64>,
    /// Whoever looks after the findings.
    pub owners: bool,
}

/// A rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = NotificationRule)]
pub struct Rule {
    /// Id; 0 for a new one.
    pub id: i64,
    /// Whose rule it is; 0 for the workspace.
    pub person: i64,
    /// What it is called.
    pub name: String,
    /// It is one of those that every workspace has; it can be changed and switched off, not removed.
    pub standing: bool,
    /// It is used.
    pub enabled: bool,
    /// What is told of.
    pub topics: Vec<Topic>,
    /// Least severity of findings, from 0 (any) to 5 (critical); those known to be exploited are always told of.
    pub severity: i64,
    /// Product line; 0 for all.
    pub line: i64,
    /// Query that findings must fit, as in the list of findings.
    pub query: String,
    /// Who is told; a person's rule tells that person alone.
    pub to: Audience,
    /// Channels by id; 0 is the inbox, -1 mail.
    pub channels: Vec<i64>,
    /// How often.
    pub digest: Digest,
    /// Hour of a daily or weekly digest, in the time zone of who is told.
    pub hour: i64,
    /// Day of a weekly digest: 1 Monday to 7 Sunday.
    pub weekday: i64,
    /// Minutes within which somebody must acknowledge; 0 where nobody must.
    pub within: i64,
}

impl Rule {
    /// The parsed query; the schema is that of findings.
    pub(super) fn parsed(&self) -> Result<Query> {
        parse(&self.query, &detection::schema()).map_err(|e| rejected("query", e.to_string()))
    }
}

/// The rules that every workspace has: key and rule.
fn standing() -> [(&'static str, Rule); 5] {
    let rule = |name: &str, topics: &[Topic], roles: &[Role], channels: &[i64]| Rule {
        name: name.to_owned(),
        topics: topics.to_vec(),
        enabled: true,
        standing: true,
        to: Audience { roles: roles.to_vec(), ..Audience::default() },
        channels: channels.to_vec(),
        hour: 8,
        weekday: 1,
        ..Rule::default()
    };
    let findings = [Topic::FindingNew, Topic::FindingExploited, Topic::FindingRaised];
    let mut due = rule(
        "Due dates and decisions",
        &[Topic::FindingDue, Topic::DecisionLapsed, Topic::DecisionExpires],
        &[Role::Contact],
        &[INBOX],
    );
    due.to.owners = true;
    [
        (
            "urgent",
            Rule {
                severity: 5,
                ..rule("Exploited and critical", &findings, &[Role::Contact], &[INBOX, MAIL])
            },
        ),
        ("due", due),
        (
            "approval",
            rule("Approval", &[Topic::DecisionWaits, Topic::ReportEmbargo], &[Role::Manager], &[INBOX, MAIL]),
        ),
        (
            "stories",
            rule(
                "Stories that concern us",
                &[Topic::StoryRelevant],
                &[Role::Manager, Role::Analyst],
                &[INBOX],
            ),
        ),
        (
            "running",
            rule(
                "Running Tocsin",
                &[Topic::JobDead, Topic::FeedBroken, Topic::FeedRecovered],
                &[Role::Administrator],
                &[INBOX],
            ),
        ),
    ]
}

/// Writes the standing rules of a workspace where they are missing.
pub(super) async fn ensure(db: &impl ConnectionTrait, workspace: i64, now: &str) -> Result<()> {
    let what = "writing the rules that every workspace has";
    let select = "SELECT COUNT(*) FROM notify_rule WHERE workspace = $1 AND key IS NOT NULL";
    let known: Option<(i64,)> = sql::row(db, what, select, vec![workspace.into()]).await?;
    let all = standing();
    if known.is_some_and(|(n,)| n >= all.len() as i64) {
        return Ok(());
    }
    let insert = "INSERT INTO notify_rule (workspace, key, name, settings, created) VALUES ($1, $2, $3, $4, $5) \
                  ON CONFLICT (workspace, key) DO NOTHING";
    for (key, rule) in all {
        let values =
            vec![workspace.into(), key.into(), rule.name.clone().into(), json(&rule).into(), now.into()];
        sql::run(db, what, insert, values).await?;
    }
    Ok(())
}

type Row = (i64, i64, Option<String>, String, String, i64);

fn read((id, person, key, name, settings, enabled): Row) -> Result<Rule> {
    let rule: Rule = serde_json::from_str(&settings).map_err(damaged)?;
    Ok(Rule { id, person, name, standing: key.is_some(), enabled: enabled != 0, ..rule })
}

const SELECT: &str = "SELECT id, person, key, name, settings, enabled FROM notify_rule WHERE workspace = $1";

/// All rules that are used in a workspace.
pub(super) async fn used(db: &impl ConnectionTrait, workspace: i64) -> Result<Vec<Rule>> {
    let select = format!("{SELECT} AND enabled = 1 ORDER BY person, id");
    let rows: Vec<Row> = sql::rows(db, "reading rules", &select, vec![workspace.into()]).await?;
    // one that cannot be read costs itself alone
    Ok(rows.into_iter().filter_map(|r| read(r).ok()).collect())
}

/// Rules of the workspace (`own` false) or of the actor.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn rules(db: &DatabaseConnection, actor: &Actor, own: bool) -> Result<Vec<Rule>> {
    actor.need(Permission::FindingRead)?;
    if !own {
        ensure(db, actor.workspace, &actor.now).await?;
    }
    let person = if own { actor.person.unwrap_or(-1) } else { 0 };
    let select = format!("{SELECT} AND person = $2 ORDER BY id");
    let values = vec![actor.workspace.into(), person.into()];
    let rows: Vec<Row> = sql::rows(db, "reading rules", &select, values).await?;
    rows.into_iter().map(read).collect()
}

/// A rule of the workspace or of the actor.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn rule(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Rule> {
    actor.need(Permission::FindingRead)?;
    one(db, actor, id).await
}

async fn one(db: &impl ConnectionTrait, actor: &Actor, id: i64) -> Result<Rule> {
    let select = format!("{SELECT} AND id = $2 AND person IN (0, $3)");
    let values = vec![actor.workspace.into(), id.into(), actor.person.unwrap_or(0).into()];
    let row: Option<Row> = sql::row(db, "reading a rule", &select, values).await?;
    row.map_or_else(|| Err(Error::NotFound(format!("rule {id}"))), read)
}

/// Who changes a rule of the workspace may change its settings; a person changes their own.
fn may(actor: &Actor, rule: &Rule) -> Result<()> {
    match rule.person {
        0 => actor.need_everywhere(Permission::SettingsWrite),
        person if actor.person == Some(person) => actor.need(Permission::FindingRead),
        _ => Err(Error::Denied("another person's rule".to_owned())),
    }
}

async fn check(change: &Change<'_>, rule: &Rule) -> Result<()> {
    let actor = change.actor;
    if rule.name.trim().is_empty() || rule.name.chars().count() > 100 {
        return Err(rejected("name", "1 to 100 characters"));
    }
    if rule.topics.is_empty() {
        return Err(rejected("topics", "at least one topic"));
    }
    if rule.channels.is_empty() {
        return Err(rejected("channels", "at least one way of telling"));
    }
    let bounds = [
        ("severity", rule.severity, 0, 5),
        ("hour", rule.hour, 0, 23),
        ("weekday", rule.weekday, 1, 7),
        ("within", rule.within, 0, 30 * 24 * 60),
    ];
    for (field, n, least, most) in bounds {
        if !(least..=most).contains(&n) {
            return Err(rejected(field, format!("a number from {least} to {most}")));
        }
    }
    rule.parsed()?;
    let what = "checking a rule";
    if rule.line != 0 {
        let select = "SELECT id FROM line WHERE workspace = $1 AND id = $2";
        let values = vec![actor.workspace.into(), rule.line.into()];
        let line: Option<(i64,)> = sql::row(&change.tx, what, select, values).await?;
        line.ok_or_else(|| rejected("line", "a product line of this workspace"))?;
    }
    let named: Vec<i64> = rule.channels.iter().copied().filter(|c| *c > 0).collect();
    let wrong = rule.channels.iter().any(|c| *c < MAIL);
    let select = format!(
        "SELECT COUNT(*) FROM notify_channel WHERE workspace = $1 AND id IN {}",
        sql::numbers(&change.tx, 2)
    );
    let values = vec![actor.workspace.into(), sql::list(&named)];
    let known: Option<(i64,)> = sql::row(&change.tx, what, &select, values).await?;
    if wrong || known.is_none_or(|(n,)| n != named.len() as i64) {
        return Err(rejected("channels", "channels of this workspace"));
    }
    if rule.person == 0 {
        if rule.to.roles.is_empty() && rule.to.people.is_empty() && !rule.to.owners && named.is_empty() {
            return Err(rejected(
                "to",
                "somebody who is told: a role, a person, whoever looks after findings",
            ));
        }
        let select = format!(
            "SELECT COUNT(DISTINCT person) FROM membership WHERE workspace = $1 AND person IN {}",
            sql::numbers(&change.tx, 2)
        );
        let values = vec![actor.workspace.into(), sql::list(&rule.to.people)];
        let known: Option<(i64,)> = sql::row(&change.tx, what, &select, values).await?;
        if known.is_none_or(|(n,)| n != rule.to.people.len() as i64) {
            return Err(rejected("people", "people of this workspace"));
        }
    } else if !named.is_empty() {
        return Err(rejected("channels", "a person's own rule tells by inbox and mail"));
    } else if rule.within != 0 {
        return Err(rejected("within", "only a rule of the workspace asks for an acknowledgement"));
    }
    Ok(())
}

/// Writes a rule, a new one where its id is 0; its id.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`].
pub async fn set_rule(db: &DatabaseConnection, actor: &Actor, new: &Rule) -> Result<i64> {
    may(actor, new)?;
    let what = "writing a rule";
    let mut change = Change::begin(db, actor).await?;
    check(&change, new).await?;
    let enabled = i64::from(new.enabled);
    let (id, before) = if new.id == 0 {
        let select = "SELECT COUNT(*) FROM notify_rule WHERE workspace = $1 AND person = $2";
        let values = vec![actor.workspace.into(), new.person.into()];
        let there: Option<(i64,)> = sql::row(&change.tx, what, select, values).await?;
        if there.is_some_and(|(n,)| n >= MOST as i64) {
            return Err(rejected("name", format!("there are {MOST} rules; remove one first")));
        }
        let insert = "INSERT INTO notify_rule (workspace, person, name, settings, enabled, created) \
                      VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
        let values = vec![
            actor.workspace.into(),
            new.person.into(),
            sql::text(new.name.trim()),
            json(new).into(),
            enabled.into(),
            actor.now.clone().into(),
        ];
        let row: Option<(i64,)> = sql::row(&change.tx, what, insert, values).await?;
        (row.map_or(0, |r| r.0), None)
    } else {
        let before = one(&change.tx, actor, new.id).await?;
        may(actor, &before)?;
        if before.person != new.person {
            return Err(rejected("person", "a rule stays whose it is"));
        }
        let update = "UPDATE notify_rule SET name = $2, settings = $3, enabled = $4 WHERE id = $1";
        let values = vec![new.id.into(), sql::text(new.name.trim()), json(new).into(), enabled.into()];
        sql::run(&change.tx, what, update, values).await?;
        (new.id, Some(before))
    };
    change.record("notify.rule", format!("notify-rule/{id}"), &new.name, &before, new);
    change.commit().await?;
    Ok(id)
}

/// Removes a rule.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`]: it is one that every workspace has.
pub async fn drop_rule(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<()> {
    let mut change = Change::begin(db, actor).await?;
    let before = one(&change.tx, actor, id).await?;
    may(actor, &before)?;
    if before.standing {
        return Err(rejected("rule", "every workspace has this rule; switch it off instead"));
    }
    sql::run(&change.tx, "removing a rule", "DELETE FROM notify_rule WHERE id = $1", vec![id.into()]).await?;
    change.record("notify.rule.remove", format!("notify-rule/{id}"), &before.name, &before, &());
    change.commit().await
}
