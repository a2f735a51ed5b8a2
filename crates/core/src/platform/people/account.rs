//! One's own account: profile, password; and the link by which a lost password is replaced.

use sea_orm::DatabaseConnection;
use serde::Serialize;

use super::super::access::{Actor, Permission};
use super::super::change::Change;
use super::super::ticket::{self, Ticket};
use super::super::{secret, sql};
use super::{Door, join, login_of, members, own, rejected, session, visitor};
use crate::error::{Error, Result};

const RESET: &str = "reset";
/// How long a link for a new password holds, in minutes.
const RESET_MINUTES: i64 = 24 * 60;

/// What a person sees of their own account.
#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    /// What they sign in with.
    pub login: String,
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// They have a password; who comes through a provider has none.
    pub has_password: bool,
    /// When the password was set, where that is known.
    pub password_set: Option<String>,
    /// An authenticator is set up.
    pub second_step: bool,
    /// Recovery codes that are not used yet.
    pub recovery_codes: i64,
}

/// The actor's own account.
///
/// # Errors
/// Denied: a key has no account.
pub async fn profile(db: &DatabaseConnection, actor: &Actor) -> Result<Profile> {
    let select = "SELECT login, name, email, CAST(CASE WHEN password IS NULL THEN 0 ELSE 1 END AS BIGINT), password_set, \
                  CAST(CASE WHEN totp IS NULL THEN 0 ELSE 1 END AS BIGINT), (SELECT COUNT(*) FROM recovery_code r \
                  WHERE r.person = p.id AND r.used IS NULL) FROM person p WHERE id = $1";
    type Row = (String, String, String, i64, Option<String>, i64, i64);
    let row: Option<Row> = sql::row(db, "reading an account", select, vec![own(actor)?.into()]).await?;
    let (login, name, email, password, password_set, second, recovery_codes) =
        row.ok_or_else(|| Error::NotFound("the person".to_owned()))?;
    Ok(Profile {
        login,
        name,
        email,
        has_password: password != 0,
        password_set,
        second_step: second != 0,
        recovery_codes,
    })
}

/// Changes the actor's own name and mail address.
///
/// # Errors
/// Denied; [`Error::Rejected`].
pub async fn set_profile(db: &DatabaseConnection, actor: &Actor, name: &str, email: &str) -> Result<()> {
    let person = own(actor)?;
    join::check_profile(name, email)?;
    let mut change = Change::begin(db, actor).await?;
    let select = "SELECT name, email FROM person WHERE id = $1";
    let before: Option<(String, String)> =
        sql::row(&change.tx, "reading an account", select, vec![person.into()]).await?;
    let update = "UPDATE person SET name = $2, email = $3 WHERE id = $1";
    let values = vec![person.into(), sql::text(name.trim()), sql::text(email.trim())];
    sql::run(&change.tx, "changing an account", update, values).await?;
    change.record(
        "person.change",
        format!("person/{person}"),
        &actor.name,
        &before,
        &(name.trim(), email.trim()),
    );
    change.commit().await
}

/// Whether `password` is the person's.
pub(super) async fn is_password(db: &DatabaseConnection, person: i64, password: &str) -> Result<bool> {
    let select = "SELECT password FROM person WHERE id = $1";
    let row: Option<(Option<String>,)> =
        sql::row(db, "reading an account", select, vec![person.into()]).await?;
    Ok(secret::is_right(password, row.and_then(|r| r.0)).await)
}

/// Refuses where the password is not the person's own. Who has none proved who they are at the provider of a workspace,
/// whose word holds there alone: it does for an account that is in no other.
pub(super) async fn need_password(db: &DatabaseConnection, actor: &Actor, password: &str) -> Result<()> {
    let person = own(actor)?;
    if profile(db, actor).await?.has_password {
        let right = is_password(db, person, password).await?;
        return if right { Ok(()) } else { Err(rejected("current", "this is not your password")) };
    }
    let select = "SELECT COUNT(*) FROM membership WHERE person = $1 AND workspace <> $2";
    let values = vec![person.into(), actor.workspace.into()];
    let others: Option<(i64,)> = sql::row(db, "reading a membership", select, values).await?;
    if others.is_some_and(|o| o.0 > 0) {
        let message =
            "your account is in other workspaces too; ask an administrator for a link to set a password";
        return Err(rejected("password", message));
    }
    Ok(())
}

async fn write_password(change: &Change<'_>, person: i64, hash: String) -> Result<()> {
    let update = "UPDATE person SET password = $2, password_set = $3 WHERE id = $1";
    let values = vec![person.into(), hash.into(), change.actor.now.clone().into()];
    sql::run(&change.tx, "changing a password", update, values).await?;
    let delete = "DELETE FROM ticket WHERE person = $1 AND kind IN ('reset', 'code')";
    sql::run(&change.tx, "changing a password", delete, vec![person.into()]).await?;
    Ok(())
}

/// Changes the actor's own password and ends all their other sessions; `keep` is the cookie of this one.
///
/// # Errors
/// Denied; [`Error::Rejected`]: the password of now is not right, or the new one does not do.
pub async fn change_password(
    door: &Door<'_>,
    actor: &Actor,
    current: &str,
    new: &str,
    keep: &str,
) -> Result<()> {
    let person = own(actor)?;
    need_password(door.db, actor, current).await?;
    let known = profile(door.db, actor).await?;
    secret::check_rules(new, &[&known.login, &known.name, &known.email])?;
    if known.has_password && current == new {
        return Err(rejected("password", "this is the password you have"));
    }
    let hash = secret::hash(new, door.random).await?;
    let mut change = Change::begin(door.db, actor).await?;
    write_password(&change, person, hash).await?;
    let ended = session::end_all(&change, person, keep, 0).await?;
    change.record("person.password", format!("person/{person}"), &known.login, &(), &ended);
    change.commit().await
}

/// A one-time link's token by which a person sets a new password. The link is handed over by whoever makes it, so
/// nobody makes one for a person who is in a workspace where they do not manage people.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn reset_link(door: &Door<'_>, actor: &Actor, person: i64) -> Result<String> {
    actor.need_everywhere(Permission::PeopleManage)?;
    members::need_whole(door.db, actor, person).await?;
    let (login, enabled) = login_of(door.db, person).await?;
    if !enabled {
        return Err(Error::Conflict(format!("{login} is disabled; enable them first")));
    }
    let mut change = Change::begin(door.db, actor).await?;
    let ticket = Ticket { person, workspace: actor.workspace, data: Vec::new() };
    let token = ticket::put(door, &change.tx, RESET, &ticket, RESET_MINUTES).await?;
    change.record("person.reset-link", format!("person/{person}"), &login, &(), &());
    change.commit().await?;
    Ok(token)
}

/// Login of the person whom a link of [`reset_link`] is for.
///
/// # Errors
/// [`Error::NotFound`]: it never was, is used or has expired.
pub async fn resettable(door: &Door<'_>, token: &str) -> Result<String> {
    let ticket = ticket::look(door, RESET, token).await?.ok_or_else(no_link)?;
    login_of(door.db, ticket.person).await.map(|p| p.0)
}

fn no_link() -> Error {
    Error::NotFound("the link for a new password".to_owned())
}

/// Uses the link up: sets the password and ends all sessions of the person.
///
/// # Errors
/// [`Error::NotFound`] as [`resettable`]; [`Error::Rejected`]: the password does not do.
pub async fn reset(door: &Door<'_>, token: &str, new: &str) -> Result<()> {
    let ticket = ticket::look(door, RESET, token).await?.ok_or_else(no_link)?;
    let (login, _) = login_of(door.db, ticket.person).await?;
    secret::check_rules(new, &[&login])?;
    let hash = secret::hash(new, door.random).await?;
    let actor = visitor(door, ticket.workspace, ticket.person, &login);
    let mut change = Change::begin(door.db, &actor).await?;
    if !ticket::tear(&change.tx, RESET, token).await? {
        return Err(no_link());
    }
    write_password(&change, ticket.person, hash).await?;
    session::end_all(&change, ticket.person, "", 0).await?;
    change.record("person.password", format!("person/{}", ticket.person), &login, &(), &"by link");
    change.commit().await
}
