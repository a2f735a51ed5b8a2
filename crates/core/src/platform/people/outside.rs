//! People whom a provider of identities vouches for (OpenID Connect). A workspace trusts its provider for itself: a
//! session that began there stays in that workspace.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};

use super::super::access::{Actor, Permission, Role};
use super::super::change::Change;
use super::super::settings::{self, Oidc};
use super::super::sql;
use super::super::ticket::{self, Ticket};
use super::{Door, Session, own, session, settings_of, visitor};
use crate::error::{Error, Result};

const JOURNEY: &str = "oidc";
/// How long somebody may be at their provider, in minutes.
const JOURNEY_MINUTES: i64 = 15;

/// What the environment of the server says of a provider; it holds for the first workspace.
#[derive(Clone, Default)]
pub struct Environment {
    /// Issuer.
    pub issuer: String,
    /// Our name there.
    pub client: String,
    /// Our secret there, in clear; empty for a public client.
    pub secret: String,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("issuer", &self.issuer)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// A provider as the sign-in page offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Workspace that trusts it.
    pub workspace: i64,
    /// What the button says.
    pub name: String,
}

/// A provider to go to.
#[derive(Clone)]
pub struct Outside {
    /// Workspace that trusts it.
    pub workspace: i64,
    /// How it is set up.
    pub oidc: Oidc,
    /// Our secret there, in clear; empty for a public client.
    pub secret: String,
}

/// What is remembered while somebody is at their provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journey {
    /// Comes back in the identity token (OpenID Connect Core section 3.1.2.1).
    pub nonce: String,
    /// Proves that who brings the code asked for it (RFC 7636).
    pub verifier: String,
    /// Where they go afterwards.
    pub next: String,
    /// Person of an account that is to be tied to the provider's identity, where one is.
    pub link: Option<i64>,
}

/// What a provider says of a person; the program has checked that it is the provider who says it.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// Who it is there; never given to another.
    pub subject: String,
    /// Name for signing in, where told.
    pub login: String,
    /// Name, where told.
    pub name: String,
    /// Mail address, where told.
    pub email: String,
    /// Groups.
    pub groups: Vec<String>,
}

fn merged(stored: Option<Oidc>, environment: Option<&Environment>) -> Option<(Oidc, Option<String>)> {
    let Some(e) = environment else { return stored.map(|s| (s, None)) };
    let mut oidc = stored.unwrap_or_default();
    if oidc.name.is_empty() {
        oidc.name = "Single sign-on".to_owned();
    }
    if oidc.groups.is_empty() {
        oidc.groups = "groups".to_owned();
    }
    oidc.issuer.clone_from(&e.issuer);
    oidc.client.clone_from(&e.client);
    Some((oidc, Some(e.secret.clone())))
}

async fn first(db: &impl ConnectionTrait) -> Result<i64> {
    let select = "SELECT id FROM workspace ORDER BY id LIMIT 1";
    Ok(sql::row::<(i64,)>(db, "reading the workspace", select, vec![]).await?.map_or(0, |r| r.0))
}

/// Providers that can be signed in with.
///
/// # Errors
/// The database does not answer.
pub async fn providers(db: &DatabaseConnection, environment: Option<&Environment>) -> Result<Vec<Provider>> {
    let select = "SELECT id, name, settings FROM workspace ORDER BY id LIMIT 100";
    let rows: Vec<(i64, String, String)> = sql::rows(db, "listing providers", select, vec![]).await?;
    let mut all = Vec::new();
    for (n, (workspace, workspace_name, text)) in rows.into_iter().enumerate() {
        let stored = settings::Settings::parse(&text).oidc;
        if let Some((oidc, _)) = merged(stored, environment.filter(|_| n == 0)) {
            let name = if oidc.name.is_empty() { workspace_name } else { oidc.name };
            all.push(Provider { workspace, name });
        }
    }
    Ok(all)
}

/// The provider of a workspace.
///
/// # Errors
/// [`Error::NotFound`]: it has none; the vault does not answer.
pub async fn provider(door: &Door<'_>, environment: Option<&Environment>, workspace: i64) -> Result<Outside> {
    let environment = if first(door.db).await? == workspace { environment } else { None };
    let stored = settings_of(door.db, workspace).await?.oidc;
    let (oidc, secret) = merged(stored, environment)
        .ok_or_else(|| Error::NotFound("a provider of this workspace".to_owned()))?;
    let secret = match secret {
        Some(secret) => secret,
        None => settings::open_secret(door, workspace, &oidc.secret)?,
    };
    Ok(Outside { workspace, oidc, secret })
}

/// Sends somebody off to their provider; gives the `state` by which they are known when they come back.
///
/// # Errors
/// The database or the vault does not answer.
pub async fn depart(door: &Door<'_>, workspace: i64, journey: &Journey) -> Result<String> {
    let data = serde_json::to_vec(journey).unwrap_or_default();
    ticket::put(door, door.db, JOURNEY, &Ticket { person: 0, workspace, data }, JOURNEY_MINUTES).await
}

/// Takes back somebody who was at their provider, once: workspace and what was remembered.
///
/// # Errors
/// [`Error::NotFound`]: they never left, are back already or were away too long.
pub async fn arrive(door: &Door<'_>, state: &str) -> Result<(i64, Journey)> {
    let gone = || Error::NotFound("sign-in that waits for this provider".to_owned());
    let open = ticket::look(door, JOURNEY, state).await?.ok_or_else(gone)?;
    if !ticket::tear(door.db, JOURNEY, state).await? {
        return Err(gone());
    }
    let journey = serde_json::from_slice(&open.data).map_err(|_| gone())?;
    Ok((open.workspace, journey))
}

/// Roles that the provider's groups give.
fn roles_of(oidc: &Oidc, groups: &[String]) -> Vec<Role> {
    let holds = |group: &String| group == "*" || groups.contains(group);
    let mut roles: Vec<Role> = oidc.roles.iter().filter(|(g, _)| holds(g)).map(|(_, r)| *r).collect();
    roles.sort_by_key(|r| r.name());
    roles.dedup();
    roles
}

/// Whose identity this is.
async fn known(db: &impl ConnectionTrait, outside: &Outside, claims: &Claims) -> Result<Option<i64>> {
    let select = "SELECT person FROM identity WHERE workspace = $1 AND issuer = $2 AND subject = $3";
    let values = vec![outside.workspace.into(), sql::text(&outside.oidc.issuer), sql::text(&claims.subject)];
    Ok(sql::row::<(i64,)>(db, "reading an identity", select, values).await?.map(|r| r.0))
}

/// Ties an identity to a person.
async fn tie(change: &Change<'_>, outside: &Outside, claims: &Claims, person: i64) -> Result<bool> {
    let insert = "INSERT INTO identity (workspace, issuer, subject, person, created) VALUES ($1, $2, $3, $4, $5) \
                  ON CONFLICT (workspace, issuer, subject) DO NOTHING";
    let values = vec![
        outside.workspace.into(),
        sql::text(&outside.oidc.issuer),
        sql::text(&claims.subject),
        person.into(),
        change.actor.now.clone().into(),
    ];
    Ok(sql::run(&change.tx, "noting an identity", insert, values).await? == 1)
}

/// A login that nobody has yet, after what the provider says.
async fn free_login(db: &impl ConnectionTrait, claims: &Claims) -> Result<String> {
    let told = [&claims.login, &claims.email, &claims.subject];
    let plain = |text: &str| -> String {
        let kept = text.to_lowercase();
        kept.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_@".contains(*c)).take(60).collect()
    };
    let base =
        told.into_iter().map(|t| plain(t)).find(|t| !t.is_empty()).unwrap_or_else(|| "person".to_owned());
    for n in 1..1000 {
        let login = if n == 1 { base.clone() } else { format!("{base}-{n}") };
        let select = "SELECT id FROM person WHERE login = $1";
        if sql::row::<(i64,)>(db, "making a person", select, vec![login.clone().into()]).await?.is_none() {
            return Ok(login);
        }
    }
    Err(Error::Conflict(format!("a thousand people are called {base}")))
}

async fn provision(change: &mut Change<'_>, outside: &Outside, claims: &Claims) -> Result<i64> {
    let login = free_login(&change.tx, claims).await?;
    let name = if claims.name.trim().is_empty() { &login } else { &claims.name };
    let insert = "INSERT INTO person (login, name, email, created) VALUES ($1, $2, $3, $4) RETURNING id";
    let cut = |text: &str| sql::text(&text.trim().chars().take(200).collect::<String>());
    let values = vec![login.clone().into(), cut(name), cut(&claims.email), change.actor.now.clone().into()];
    let row: Option<(i64,)> = sql::row(&change.tx, "making a person", insert, values).await?;
    let person = row.map(|r| r.0).ok_or_else(|| Error::NotFound("the person".to_owned()))?;
    tie(change, outside, claims, person).await?;
    change.record(
        "person.join",
        format!("person/{person}"),
        &login,
        &(),
        &("provider", &outside.oidc.issuer),
    );
    Ok(person)
}

/// Gives a person the roles of their groups, and takes those that a group would give and none does. Roles that no group
/// gives are left alone, and so is the last administrator.
async fn follow_groups(change: &mut Change<'_>, oidc: &Oidc, person: i64, wanted: &[Role]) -> Result<()> {
    let what = "following groups";
    let workspace = change.actor.workspace;
    let held: Vec<Role> = super::grants(&change.tx, person, workspace)
        .await?
        .into_iter()
        .filter(|g| g.line.is_none())
        .map(|g| g.role)
        .collect();
    let mut changed = false;
    for role in wanted.iter().filter(|r| !held.contains(r)) {
        let insert = "INSERT INTO membership (workspace, person, role, line) VALUES ($1, $2, $3, 0) \
                      ON CONFLICT (workspace, person, role, line) DO NOTHING";
        sql::run(&change.tx, what, insert, vec![workspace.into(), person.into(), role.name().into()]).await?;
        changed = true;
    }
    let given = |role: &Role| oidc.roles.iter().any(|(_, r)| r == role);
    for role in held.iter().filter(|r| given(r) && !wanted.contains(r)) {
        let delete = "DELETE FROM membership WHERE workspace = $1 AND person = $2 AND role = $3 AND line = 0 \
                      AND ($3 <> 'administrator' OR EXISTS (SELECT 1 FROM membership m JOIN person p \
                      ON p.id = m.person WHERE m.workspace = $1 AND m.role = 'administrator' AND m.line = 0 \
                      AND m.person <> $2 AND p.disabled = 0))";
        let values = vec![workspace.into(), person.into(), role.name().into()];
        changed |= sql::run(&change.tx, what, delete, values).await? > 0;
    }
    if changed {
        let (login, _) = super::login_of(&change.tx, person).await?;
        let names = |roles: &[Role]| roles.iter().map(|r| r.name()).collect::<Vec<_>>();
        change.record("person.roles", format!("person/{person}"), &login, &names(&held), &names(wanted));
    }
    Ok(())
}

/// Begins a session of whom a provider vouches for; makes the person where that is set and they are new.
///
/// # Errors
/// [`Error::Denied`]: nobody here has this identity, or they have no role in the workspace.
pub async fn enter_by_provider(
    door: &Door<'_>,
    outside: &Outside,
    claims: &Claims,
    before: Option<&str>,
) -> Result<Session> {
    let nobody = || {
        Error::Denied(
            "an account in this workspace. Ask an administrator for an invitation; then connect the provider on the \
             page of your account"
                .to_owned(),
        )
    };
    let wanted = roles_of(&outside.oidc, &claims.groups);
    let login = if claims.login.is_empty() { &claims.subject } else { &claims.login };
    let actor = visitor(door, outside.workspace, 0, login);
    let mut change = Change::begin(door.db, &actor).await?;
    let person = match known(&change.tx, outside, claims).await? {
        Some(person) => person,
        None if outside.oidc.provision && !wanted.is_empty() => {
            provision(&mut change, outside, claims).await?
        }
        None => return Err(nobody()),
    };
    follow_groups(&mut change, &outside.oidc, person, &wanted).await?;
    if super::grants(&change.tx, person, outside.workspace).await?.is_empty() {
        change.commit().await?;
        return Err(nobody());
    }
    let used = "UPDATE identity SET used = $4 WHERE workspace = $1 AND issuer = $2 AND subject = $3";
    let values = vec![
        outside.workspace.into(),
        sql::text(&outside.oidc.issuer),
        sql::text(&claims.subject),
        door.now.into(),
    ];
    sql::run(&change.tx, "reading an identity", used, values).await?;
    change.commit().await?;
    let csrf = session::csrf_before(door, person, before).await?;
    session::enter(door, person, "provider", csrf, outside.workspace).await
}

/// Ties the provider's identity to the actor's own account.
///
/// # Errors
/// Denied; [`Error::Conflict`]: the identity is another account's.
pub async fn link_provider(
    db: &DatabaseConnection,
    actor: &Actor,
    outside: &Outside,
    claims: &Claims,
) -> Result<()> {
    let person = own(actor)?;
    if actor.workspace != outside.workspace {
        return Err(Error::NotFound("a provider of this workspace".to_owned()));
    }
    let mut change = Change::begin(db, actor).await?;
    if !tie(&change, outside, claims, person).await? {
        return match known(&change.tx, outside, claims).await? {
            Some(already) if already == person => Ok(()),
            _ => Err(Error::Conflict("this identity is tied to another account already".to_owned())),
        };
    }
    change.record("person.link", format!("person/{person}"), &actor.name, &(), &outside.oidc.issuer);
    change.commit().await
}

/// Takes the provider's identities off a person in the actor's workspace: one's own, or with the right to manage people
/// anybody's. Gives how many went.
///
/// # Errors
/// Denied; [`Error::Rejected`]: they could not sign in any more.
pub async fn unlink_provider(db: &DatabaseConnection, actor: &Actor, person: i64) -> Result<u64> {
    if actor.person != Some(person) {
        actor.need_everywhere(Permission::PeopleManage)?;
    }
    let what = "taking an identity off";
    let mut change = Change::begin(db, actor).await?;
    let select = "SELECT login FROM person WHERE id = $1 AND password IS NOT NULL";
    let row: Option<(String,)> = sql::row(&change.tx, what, select, vec![person.into()]).await?;
    let Some((login,)) = row else {
        return Err(super::rejected("provider", "set a password first; without it nobody could sign in"));
    };
    let delete = "DELETE FROM identity WHERE workspace = $1 AND person = $2";
    let gone = sql::run(&change.tx, what, delete, vec![actor.workspace.into(), person.into()]).await?;
    change.record("person.unlink", format!("person/{person}"), &login, &(), &gone);
    change.commit().await?;
    Ok(gone)
}

/// Whether the actor's account is tied to an identity of the workspace's provider.
///
/// # Errors
/// The database does not answer.
pub async fn is_linked(db: &DatabaseConnection, actor: &Actor) -> Result<bool> {
    let select = "SELECT COUNT(*) FROM identity WHERE workspace = $1 AND person = $2";
    let values = vec![actor.workspace.into(), actor.person.unwrap_or(0).into()];
    Ok(sql::row::<(i64,)>(db, "reading an identity", select, values).await?.is_some_and(|r| r.0 > 0))
}
