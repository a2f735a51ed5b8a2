//! Invitations: one-time links by which somebody becomes a member.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::Serialize;

use super::super::access::{Actor, Permission, Role};
use super::super::change::Change;
use super::super::secret::{self, Random};
use super::super::sql;
use super::{From, rejected};
use crate::error::{Error, Result};

/// An open invitation as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct Invitation {
    /// First letters of its hash: they name it and open nothing.
    pub id: String,
    /// Mail address of whom it is for.
    pub email: String,
    /// Roles it gives.
    pub roles: Vec<String>,
    /// Product line the roles are limited to, 0 for all.
    pub line: i64,
    /// When it was made; empty for one of an earlier schema.
    pub created: String,
    /// Who made it.
    pub creator: String,
    /// When it ends.
    pub expires: String,
}

/// A one-time link's token: whoever opens it becomes a member in these roles. `expires` is when it ends.
///
/// # Errors
/// Denied; [`Error::Rejected`]: the mail address is too long; the database does not answer.
pub async fn invite(
    db: &DatabaseConnection,
    actor: &Actor,
    random: Random,
    email: &str,
    roles: &[Role],
    line: Option<i64>,
    expires: &str,
) -> Result<String> {
    actor.need_everywhere(Permission::PeopleManage)?;
    if email.len() > 200 {
        return Err(rejected("email", "a mail address has at most 200 characters"));
    }
    let token = secret::token(random, 40);
    let mut change = Change::begin(db, actor).await?;
    if let Some(line) = line {
        super::members::check_line(&change.tx, actor, line).await?;
    }
    let insert = "INSERT INTO invitation (hash, workspace, role, line, email, expires, created, creator) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = vec![
        secret::digest(&token).into(),
        actor.workspace.into(),
        names(roles).into(),
        line.unwrap_or(0).into(),
        sql::text(email.trim()),
        expires.into(),
        actor.now.clone().into(),
        actor.name.clone().into(),
    ];
    sql::run(&change.tx, "inviting", insert, values).await?;
    change.record("person.invite", "invitation".to_owned(), email, &(), &(names(roles), line));
    change.commit().await?;
    Ok(token)
}

/// Roles as an invitation stores them.
fn names(roles: &[Role]) -> String {
    roles.iter().map(|r| r.name()).collect::<Vec<_>>().join(" ")
}

/// Invitations of the workspace that are still open, newest first.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn invitations(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Invitation>> {
    actor.need_everywhere(Permission::PeopleManage)?;
    let select = "SELECT SUBSTR(hash, 1, 16), email, role, line, created, creator, expires FROM invitation \
                  WHERE workspace = $1 AND used IS NULL AND revoked IS NULL AND expires > $2 \
                  ORDER BY created DESC, hash LIMIT 1000";
    type Row = (String, String, String, i64, String, String, String);
    let values = vec![actor.workspace.into(), actor.now.clone().into()];
    let rows: Vec<Row> = sql::rows(db, "listing invitations", select, values).await?;
    let invitation = |(id, email, roles, line, created, creator, expires): Row| Invitation {
        id,
        email,
        roles: roles.split(' ').map(str::to_owned).collect(),
        line,
        created,
        creator,
        expires,
    };
    Ok(rows.into_iter().map(invitation).collect())
}

/// Ends an invitation before it is used; `id` as in [`Invitation`].
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn revoke_invitation(db: &DatabaseConnection, actor: &Actor, id: &str) -> Result<()> {
    actor.need_everywhere(Permission::PeopleManage)?;
    let mut change = Change::begin(db, actor).await?;
    let update = "UPDATE invitation SET revoked = $3 WHERE workspace = $1 AND SUBSTR(hash, 1, 16) = $2 \
                  AND used IS NULL AND revoked IS NULL RETURNING email";
    let values = vec![actor.workspace.into(), id.into(), actor.now.clone().into()];
    let Some((email,)) = sql::row::<(String,)>(&change.tx, "ending an invitation", update, values).await?
    else {
        return Err(Error::NotFound("open invitation".to_owned()));
    };
    change.record("person.uninvite", "invitation".to_owned(), &email, &(), &());
    change.commit().await
}

/// What an invitation is for: roles and mail address.
///
/// # Errors
/// [`Error::NotFound`]: it never was, is used, revoked or has expired.
pub async fn invitation(db: &impl ConnectionTrait, token: &str, now: &str) -> Result<(String, String)> {
    let select = "SELECT role, email FROM invitation WHERE hash = $1 AND used IS NULL AND revoked IS NULL \
                  AND expires > $2";
    let values = vec![secret::digest(token).into(), now.into()];
    sql::row(db, "reading an invitation", select, values).await?.ok_or_else(gone)
}

fn gone() -> Error {
    Error::NotFound("the invitation".to_owned())
}

/// What a person gives of themselves when they accept an invitation.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// What they will sign in with.
    pub login: String,
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Password in clear; hashed here.
    pub password: String,
}

/// Checks a login and gives the form in which it is stored.
pub(super) fn login(text: &str) -> Result<String> {
    let login = text.trim().to_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    if login.is_empty() || login.len() > 80 || !login.chars().all(plain) {
        return Err(rejected("login", "a login has 1 to 80 letters, digits, dots, hyphens or @"));
    }
    Ok(login)
}

/// Checks name and mail address.
pub(super) fn check_profile(name: &str, email: &str) -> Result<()> {
    if name.trim().is_empty() || name.len() > 200 {
        return Err(rejected("name", "a name has 1 to 200 characters"));
    }
    if email.len() > 200 {
        return Err(rejected("email", "a mail address has at most 200 characters"));
    }
    Ok(())
}

/// Uses an invitation up; gives its workspace, roles and product line.
async fn take(db: &impl ConnectionTrait, token: &str, now: &str) -> Result<(i64, String, i64)> {
    let update = "UPDATE invitation SET used = $2 WHERE hash = $1 AND used IS NULL AND revoked IS NULL \
                  AND expires > $2 RETURNING workspace, role, line";
    let values = vec![secret::digest(token).into(), now.into()];
    sql::row(db, "accepting an invitation", update, values).await?.ok_or_else(gone)
}

async fn workspace_of(db: &impl ConnectionTrait, token: &str) -> Result<i64> {
    let select = "SELECT workspace FROM invitation WHERE hash = $1";
    let values = vec![secret::digest(token).into()];
    let row: Option<(i64,)> = sql::row(db, "accepting an invitation", select, values).await?;
    row.map(|r| r.0).ok_or_else(gone)
}

/// Makes a person a member in each of the roles.
async fn join(change: &Change<'_>, workspace: i64, person: i64, roles: &str, line: i64) -> Result<()> {
    let insert = "INSERT INTO membership (workspace, person, role, line) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (workspace, person, role, line) DO NOTHING";
    for role in roles.split(' ') {
        let values = vec![workspace.into(), person.into(), role.into(), line.into()];
        sql::run(&change.tx, "accepting an invitation", insert, values).await?;
    }
    Ok(())
}

/// Uses an invitation up and makes the person.
///
/// # Errors
/// [`Error::NotFound`] as [`invitation`]; [`Error::Rejected`]: login, name or password do not do.
pub async fn accept(
    db: &DatabaseConnection,
    random: Random,
    token: &str,
    who: &Acceptance,
    from: &From,
    now: &str,
) -> Result<()> {
    let what = "accepting an invitation";
    let login = login(&who.login)?;
    check_profile(&who.name, &who.email)?;
    secret::check_rules(&who.password, &[&login, &who.name, &who.email])?;
    let password = secret::hash(&who.password, random).await?;
    let mut actor = Actor::system(workspace_of(db, token).await?, now);
    actor.name = format!("person:{login}");
    actor.address.clone_from(&from.address);
    let mut change = Change::begin(db, &actor).await?;
    let (workspace, roles, line) = take(&change.tx, token, now).await?;
    let insert = "INSERT INTO person (login, name, email, password, password_set, created) \
                  VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (login) DO NOTHING RETURNING id";
    let values = vec![
        login.clone().into(),
        sql::text(who.name.trim()),
        sql::text(who.email.trim()),
        password.into(),
        now.into(),
    ];
    let Some((person,)) = sql::row::<(i64,)>(&change.tx, what, insert, values).await? else {
        return Err(rejected("login", "this login is taken"));
    };
    join(&change, workspace, person, &roles, line).await?;
    change.record("person.join", format!("person/{person}"), &login, &(), &(roles, line));
    change.commit().await
}

/// Uses an invitation up for somebody who has an account already; gives the workspace they are now in too.
///
/// # Errors
/// [`Error::NotFound`] as [`invitation`]; Denied: a key has no account.
pub async fn accept_as(db: &DatabaseConnection, actor: &Actor, token: &str) -> Result<i64> {
    let person = super::own(actor)?;
    let mut joining = actor.clone();
    joining.workspace = workspace_of(db, token).await?;
    let mut change = Change::begin(db, &joining).await?;
    let (workspace, roles, line) = take(&change.tx, token, &actor.now).await?;
    join(&change, workspace, person, &roles, line).await?;
    change.record("person.join", format!("person/{person}"), &actor.name, &(), &(roles, line));
    change.commit().await?;
    Ok(workspace)
}
