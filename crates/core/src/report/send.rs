//! Sending: whom a report goes to, written down with the job that sends it, with a receipt for each.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{DatabaseConnection, Value};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::addresses::checked;
use super::store::{self, note, open};
use super::types::Whole;
use super::{json, may_leave, reads, rejected};
use crate::error::{Error, Result};
use crate::notify::{self, Channel};
use crate::platform::access::{Actor, Permission, Role};
use crate::platform::change::Change;
use crate::platform::jobs::{self, New, Payload};
use crate::platform::{bulk, sql};

/// Recipients of a report.
const MOST: usize = 1_000;

/// What a job is told that sends a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sending {
    /// The report.
    pub report: i64,
    /// The mail channel that it goes through.
    pub channel: i64,
}

impl Payload for Sending {
    const KIND: &'static str = "report";
    const ATTEMPTS: i64 = 10;
}

/// Whom a report is to go to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = ReportRecipients)]
pub struct Recipients {
    /// Ids of people of the workspace.
    pub people: Vec<i64>,
    /// Roles: everybody who holds one of them in the whole workspace.
    pub roles: Vec<Role>,
    /// Outside addresses; each must be listed for the workspace.
    pub addresses: Vec<String>,
    /// The mail channel; 0: the first that is used.
    pub channel: i64,
}

/// A recipient with what became of the mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportDelivery)]
pub struct Delivery {
    /// Id.
    pub id: i64,
    /// Mail address.
    pub address: String,
    /// Who it is.
    pub name: String,
    /// It is none of the workspace's people.
    pub outside: bool,
    /// `waiting`, `sent`, `dropped`.
    pub state: String,
    /// Why the last attempt failed, or empty.
    pub error: String,
    /// When it was asked for.
    pub at: String,
    /// When the mail server took it.
    pub sent: Option<String>,
    /// The job that sends it.
    pub job: Option<i64>,
}

/// Somebody whom a report still has to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Id of the delivery: the same however often it is tried, so that a mail server can tell.
    pub delivery: i64,
    /// Mail address.
    pub address: String,
    /// Who it is.
    pub name: String,
    /// It is none of the workspace's people.
    pub outside: bool,
}

/// What a job needs to send a report.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The report as it was approved.
    pub whole: Whole,
    /// The mail channel.
    pub channel: Channel,
    /// Who was not reached yet.
    pub to: Vec<Receiver>,
}

/// Sends a report that was approved: each recipient is written down with the job that reaches them. Of a report that was
/// sent already, only those are added who were none of its recipients. The number of recipients that are new.
///
/// # Errors
/// Denied; not found; [`Error::Conflict`]: it is not approved; [`Error::Rejected`]: nobody is left, an address is not
/// listed, the marking lets no address outside have it, or there is no mail channel.
pub async fn send(db: &DatabaseConnection, actor: &Actor, report: i64, to: &Recipients) -> Result<usize> {
    actor.need_everywhere(Permission::ReportApprove)?;
    let what = "sending a report";
    let mut change = Change::begin(db, actor).await?;
    let found = open(&change, report).await?;
    if found.state != "approved" && found.state != "sent" {
        return Err(Error::Conflict("the report is not approved; what is approved is sent".to_owned()));
    }
    if !to.addresses.is_empty() && !may_leave(&found.tlp) {
        let message = format!("TLP:{} goes to no address outside; take them off the list", found.tlp);
        return Err(rejected("addresses", message));
    }
    let channel = notify::mail_channel(&change.tx, actor.workspace, to.channel).await?;
    let mut all: BTreeMap<String, (i64, String, bool)> = BTreeMap::new();
    for (person, name, address) in people(&change, to).await? {
        if let Ok(address) = checked(&address) {
            all.insert(address, (person, name, false));
        }
    }
    let select = "SELECT address, name FROM report_address WHERE workspace = $1";
    let rows: Vec<(String, String)> =
        sql::rows(&change.tx, what, select, vec![actor.workspace.into()]).await?;
    let listed: BTreeMap<String, String> = rows.into_iter().collect();
    for address in &to.addresses {
        let address = checked(address)?;
        let Some(name) = listed.get(&address) else {
            let message = format!("{address} is not listed; an administrator lists outside addresses");
            return Err(rejected("addresses", message));
        };
        all.entry(address).or_insert_with(|| (0, name.clone(), true));
    }
    if all.is_empty() {
        return Err(rejected("people", "somebody with a mail address"));
    }
    if all.len() > MOST {
        return Err(rejected("people", format!("at most {MOST} recipients")));
    }
    let rows: Vec<[Value; 8]> = all
        .iter()
        .map(|(address, (person, name, outside))| {
            [
                actor.workspace.into(),
                report.into(),
                (*person).into(),
                sql::text(address),
                sql::text(name),
                i64::from(*outside).into(),
                "waiting".into(),
                actor.now.clone().into(),
            ]
        })
        .collect();
    let head = "INSERT INTO report_delivery (workspace, report, person, address, name, outside, state, at)";
    let tail = "ON CONFLICT (report, address) DO NOTHING";
    let new = bulk::insert(&change.tx, what, head, tail, rows).await? as usize;
    if new == 0 {
        return Err(rejected("people", "everybody here has it already"));
    }
    let asked = New {
        title: format!("Send {}", found.title),
        subject: format!("report/{report}"),
        lane: Some(format!("report/{report}")),
        ..New::default()
    };
    let job = jobs::enqueue(&mut change, &Sending { report, channel }, asked).await?;
    let update = "UPDATE report_delivery SET job = $2 WHERE report = $1 AND job IS NULL";
    sql::run(&change.tx, what, update, vec![report.into(), job.into()]).await?;
    let update =
        "UPDATE report SET state = 'sent', sent = CASE WHEN sent = '' THEN $2 ELSE sent END WHERE id = $1";
    sql::run(&change.tx, what, update, vec![report.into(), actor.now.clone().into()]).await?;
    note(&change, report, ("send", 0, 0), &format!("to {new} recipients"), &json(to)).await?;
    change.record("report.send", format!("report/{report}"), &found.title, &found.state, to);
    change.commit().await?;
    Ok(new)
}

/// People of the workspace who are named, or hold a named role in all of it: id, name, address.
async fn people(change: &Change<'_>, to: &Recipients) -> Result<Vec<(i64, String, String)>> {
    let what = "reading who gets a report";
    let roles: BTreeSet<String> = to.roles.iter().map(|r| r.name()).collect();
    let roles: Vec<String> = roles.into_iter().collect();
    let select = format!(
        "SELECT DISTINCT p.id, p.name, p.email FROM membership m JOIN person p ON p.id = m.person WHERE m.workspace = $1 \
         AND p.disabled = 0 AND (p.id IN {} OR (m.line = 0 AND m.role IN {})) ORDER BY p.id",
        sql::numbers(&change.tx, 2),
        sql::texts(&change.tx, 3)
    );
    let values = vec![change.actor.workspace.into(), sql::list(&to.people), sql::list(&roles)];
    let found: Vec<(i64, String, String)> = sql::rows(&change.tx, what, &select, values).await?;
    for id in &to.people {
        match found.iter().find(|p| p.0 == *id) {
            None => return Err(rejected("people", format!("person {id} is not in this workspace"))),
            Some(p) if checked(&p.2).is_err() => {
                return Err(rejected("people", format!("{} has no mail address", p.1)));
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

/// Recipients of a report, with what became of each mail.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn deliveries(db: &DatabaseConnection, actor: &Actor, report: i64) -> Result<Vec<Delivery>> {
    reads(actor)?;
    let select = "SELECT id, address, name, outside, state, error, at, sent, job FROM report_delivery \
                  WHERE report = $1 AND workspace = $2 ORDER BY outside, address";
    type Row = (i64, String, String, i64, String, String, String, Option<String>, Option<i64>);
    let values = vec![report.into(), actor.workspace.into()];
    let rows: Vec<Row> = sql::rows(db, "reading who got a report", select, values).await?;
    let read = |(id, address, name, outside, state, error, at, sent, job): Row| Delivery {
        id,
        address,
        name,
        outside: outside != 0,
        state,
        error,
        at,
        sent,
        job,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// What is to be sent of a report. Addresses outside are left out where its marking keeps it in, and where they are no
/// longer listed.
///
/// # Errors
/// [`Error::NotFound`]: report or channel went meanwhile; [`Error::Rejected`]: the channel is switched off.
pub async fn outgoing(db: &DatabaseConnection, actor: &Actor, sending: &Sending) -> Result<Outgoing> {
    let whole = store::whole(db, actor.workspace, sending.report).await?;
    if whole.report.state != "sent" {
        return Err(rejected("report", "the report is not approved and is not sent"));
    }
    let channel = notify::sending_channel(db, actor.workspace, sending.channel).await?;
    let select = "SELECT d.id, d.address, d.name, d.outside FROM report_delivery d WHERE d.report = $1 \
                  AND d.workspace = $2 AND d.state = 'waiting' AND (d.outside = 0 OR EXISTS (SELECT 1 FROM \
                  report_address a WHERE a.workspace = d.workspace AND a.address = d.address)) ORDER BY d.id";
    let values = vec![sending.report.into(), actor.workspace.into()];
    let rows: Vec<(i64, String, String, i64)> =
        sql::rows(db, "reading who gets a report", select, values).await?;
    let leaves = may_leave(&whole.report.tlp);
    let to = rows
        .into_iter()
        .filter(|r| leaves || r.3 == 0)
        .map(|(delivery, address, name, outside)| Receiver { delivery, address, name, outside: outside != 0 })
        .collect();
    Ok(Outgoing { whole, channel, to })
}

/// Writes a receipt: a recipient was reached.
///
/// # Errors
/// The database does not answer.
pub async fn sent(db: &DatabaseConnection, delivery: i64, now: &str) -> Result<()> {
    let update = "UPDATE report_delivery SET state = 'sent', sent = $2, error = '' WHERE id = $1";
    sql::run(db, "writing a receipt", update, vec![delivery.into(), now.into()]).await?;
    Ok(())
}

/// Notes why a recipient was not reached; the job tries again.
///
/// # Errors
/// The database does not answer.
pub async fn failed(db: &DatabaseConnection, delivery: i64, error: &str) -> Result<()> {
    let update = "UPDATE report_delivery SET error = $2 WHERE id = $1";
    let error: String = error.chars().take(500).collect();
    sql::run(db, "noting that a report was not sent", update, vec![delivery.into(), sql::text(&error)])
        .await?;
    Ok(())
}
