//! People of the installation: joining, signing in, sessions, accounts, API keys; each ends in an [`Actor`].

mod account;
mod join;
mod kept;
mod keys;
pub(crate) mod list;
mod members;
mod outside;
mod passkey;
mod second;
mod session;
#[cfg(test)]
mod tests;

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, Value};
use tokio::sync::Semaphore;

use super::access::{Actor, Grant, Role};
use super::secret::Random;
use super::settings::Settings;
use super::sql;
use super::vault::Vault;
use crate::error::{Error, Result};

pub use account::{Profile, change_password, profile, reset, reset_link, resettable, set_profile};
pub use join::{
    Acceptance, Invitation, accept, accept_as, invitation, invitations, invite, revoke_invitation,
};
pub use kept::{Kept, keep, kept, kept_is_new, let_go};
pub use keys::{Key, NewKey, key, keys, make_key, revoke_key};
pub use list::{key_list, key_schema, people_list, people_schema, session_list, session_schema};
pub use members::{Person, disable, enable, people, person, set_roles};
pub use outside::{
    Claims, Environment, Journey, Outside, Provider, arrive, depart, enter_by_provider, is_linked,
    link_provider, provider, providers, unlink_provider,
};
pub use passkey::{
    NewPasskey, Passkey, Purpose, Stored, ask_passkey, asked_passkey, enter_with_passkey, may_make_passkey,
    note_passkey, passkey_of, passkeys, remove_passkey,
};
pub use second::{
    Enrolment, confirm_second_step, enrolment, new_recovery_codes, remove_second_step, reset_second_step,
};
pub use session::{
    Begun, Seen, Session, Shown, confirm_code, end_session, end_sessions, note_failure, note_wrong_password,
    session, sessions, sign_in, sign_out, sweep,
};

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct From {
    /// Network address.
    pub address: String,
    /// `User-Agent`, cut to 200 characters.
    pub agent: String,
}

/// What somebody needs who is not known yet: the means of the program, where they come from and when.
#[derive(Clone, Copy)]
pub struct Door<'a> {
    /// The database.
    pub db: &'a DatabaseConnection,
    /// Seals what must not be read in the database.
    pub vault: &'a Vault,
    /// Randomness fit for keys.
    pub random: Random,
    /// Where the request comes from.
    pub from: &'a From,
    /// Now, RFC 3339 in UTC with milliseconds.
    pub now: &'a str,
}

/// Whom a session or key belongs to.
#[derive(Debug, Clone)]
pub struct Known {
    /// Acts in the session's workspace.
    pub actor: Actor,
    /// Name to show.
    pub name: String,
    /// Token every form must bring back; empty for keys.
    pub csrf: String,
    /// Name of the workspace.
    pub workspace: String,
    /// The workspace asks this person for a second step, and this session began without one.
    pub lacks_second_step: bool,
}

/// Whether nobody is known yet.
///
/// # Errors
/// The database does not answer.
pub async fn is_first_start(db: &impl ConnectionTrait) -> Result<bool> {
    let row: Option<(i64,)> = sql::row(db, "counting people", "SELECT COUNT(*) FROM person", vec![]).await?;
    Ok(row.is_none_or(|r| r.0 == 0))
}

/// Ids of all workspaces.
///
/// # Errors
/// The database does not answer.
pub async fn workspaces(db: &impl ConnectionTrait) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> =
        sql::rows(db, "listing workspaces", "SELECT id FROM workspace ORDER BY id", vec![]).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// Makes the first workspace where there is none, and gives its id.
///
/// # Errors
/// The database does not answer.
pub async fn first_workspace(db: &DatabaseConnection, name: &str, now: &str) -> Result<i64> {
    let what = "making the workspace";
    let first = "SELECT id FROM workspace ORDER BY id LIMIT 1";
    if let Some((id,)) = sql::row::<(i64,)>(db, what, first, vec![]).await? {
        return Ok(id);
    }
    let insert = "INSERT INTO workspace (slug, name, settings, created) VALUES ('main', $1, '{}', $2) \
                  ON CONFLICT (slug) DO NOTHING";
    sql::run(db, what, insert, vec![name.into(), now.into()]).await?;
    let id = sql::row::<(i64,)>(db, what, first, vec![]).await?;
    id.map(|r| r.0).ok_or_else(|| Error::NotFound("the workspace".to_owned()))
}

/// Notes of uses that are on their way; they hold at most one connection.
static NOTING: Semaphore = Semaphore::const_new(1);
/// How long a request waits for such a note.
const NOTED: Duration = Duration::from_millis(300);

/// Notes that something was used. This is by the way: where the database cannot be written now, the request goes on
/// without it.
async fn note(db: &DatabaseConnection, statement: &'static str, values: Vec<Value>) {
    let noted = async {
        let Ok(permit) = NOTING.acquire().await else { return };
        let db = db.clone();
        let task = tokio::spawn(async move {
            let _permit = permit;
            let _ = sql::run(&db, "noting a use", statement, values).await;
        });
        let _ = task.await;
    };
    let _ = tokio::time::timeout(NOTED, noted).await;
}

fn rejected(field: &str, message: &str) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.to_owned() }
}

fn grant(role: &str, line: i64) -> Option<Grant> {
    Some(Grant { role: Role::parse(role)?, line: (line != 0).then_some(line) })
}

/// Roles of a person in a workspace.
async fn grants(db: &impl ConnectionTrait, person: i64, workspace: i64) -> Result<Vec<Grant>> {
    let select = "SELECT role, line FROM membership WHERE person = $1 AND workspace = $2 ORDER BY role, line";
    let values = vec![person.into(), workspace.into()];
    let roles: Vec<(String, i64)> = sql::rows(db, "reading roles", select, values).await?;
    Ok(roles.iter().filter_map(|(role, line)| grant(role, *line)).collect())
}

/// Somebody at the door who is known by now, for the trail: they act in their own name with no rights.
fn visitor(door: &Door<'_>, workspace: i64, person: i64, login: &str) -> Actor {
    Actor {
        workspace,
        name: format!("person:{login}"),
        person: (person != 0).then_some(person),
        grants: Vec::new(),
        scopes: None,
        address: door.from.address.clone(),
        now: door.now.to_owned(),
    }
}

/// The person who acts.
fn own(actor: &Actor) -> Result<i64> {
    actor.person.ok_or_else(|| Error::Denied("a person's own account".to_owned()))
}

/// A person's login, and whether they may sign in at all.
async fn login_of(db: &impl ConnectionTrait, person: i64) -> Result<(String, bool)> {
    let select = "SELECT login, disabled FROM person WHERE id = $1";
    let row: Option<(String, i64)> = sql::row(db, "reading a person", select, vec![person.into()]).await?;
    let (login, disabled) = row.ok_or_else(|| Error::NotFound("the person".to_owned()))?;
    Ok((login, disabled == 0))
}

/// The workspace in which a person's session begins, 0 where they are in none.
async fn home(db: &impl ConnectionTrait, person: i64) -> Result<i64> {
    let select = "SELECT workspace FROM membership WHERE person = $1 ORDER BY workspace LIMIT 1";
    let row: Option<(i64,)> = sql::row(db, "reading a membership", select, vec![person.into()]).await?;
    Ok(row.map_or(0, |r| r.0))
}

/// Settings of a workspace, the defaults where there is none.
async fn settings_of(db: &impl ConnectionTrait, workspace: i64) -> Result<Settings> {
    if workspace == 0 { Ok(Settings::default()) } else { super::settings::of(db, workspace).await }
}
