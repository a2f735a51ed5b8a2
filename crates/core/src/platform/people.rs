//! People of the installation: signing in, sessions, invitations, API keys; each ends in an [`Actor`].

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::Serialize;

use super::access::{Actor, Grant, Permission, Role};
use super::change::Change;
use super::secret::{self, Random};
use super::sql;
use crate::error::{Error, Result};

/// How long a session lasts without being used, and at most, in hours.
pub const SESSION_IDLE_HOURS: i64 = 12;
/// See [`SESSION_IDLE_HOURS`].
pub const SESSION_HOURS: i64 = 24 * 7;

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct From {
    /// Network address.
    pub address: String,
    /// `User-Agent`, cut to 200 characters.
    pub agent: String,
}

/// A session that was just begun. The token is told once and kept nowhere.
#[derive(Debug, Clone)]
pub struct Session {
    /// Goes into the cookie.
    pub token: String,
    /// Goes into every form.
    pub csrf: String,
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
}

/// A person as lists show them.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    /// Id.
    pub id: i64,
    /// What they sign in with.
    pub login: String,
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// May no longer sign in.
    pub disabled: bool,
    /// Last seen.
    pub seen: Option<String>,
    /// Roles in the workspace: name, and product line where limited to one.
    pub roles: Vec<(String, i64)>,
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

/// A one-time link's token: whoever opens it becomes a member in these roles. `expires` is when it ends.
///
/// # Errors
/// Denied; the database does not answer.
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
    let token = secret::token(random, 40);
    let mut change = Change::begin(db, actor).await?;
    let insert = "INSERT INTO invitation (hash, workspace, role, line, email, expires) \
                  VALUES ($1, $2, $3, $4, $5, $6)";
    let values = vec![
        secret::digest(&token).into(),
        actor.workspace.into(),
        names(roles).into(),
        line.unwrap_or(0).into(),
        email.into(),
        expires.into(),
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

/// What an invitation is for: roles and mail address.
///
/// # Errors
/// [`Error::NotFound`]: it never was, is used or has expired.
pub async fn invitation(db: &impl ConnectionTrait, token: &str, now: &str) -> Result<(String, String)> {
    let select = "SELECT role, email FROM invitation WHERE hash = $1 AND used IS NULL AND expires > $2";
    let values = vec![secret::digest(token).into(), now.into()];
    sql::row(db, "reading an invitation", select, values)
        .await?
        .ok_or_else(|| Error::NotFound("the invitation".to_owned()))
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

fn rejected(field: &str, message: &str) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.to_owned() }
}

/// Uses an invitation up and makes the person.
///
/// # Errors
/// [`Error::NotFound`] as [`invitation`]; [`Error::Rejected`]: login or password do not do.
pub async fn accept(
    db: &DatabaseConnection,
    random: Random,
    token: &str,
    who: &Acceptance,
    from: &From,
    now: &str,
) -> Result<()> {
    let what = "accepting an invitation";
    let login = who.login.trim().to_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    if login.is_empty() || login.len() > 80 || !login.chars().all(plain) {
        return Err(rejected("login", "a login has 1 to 80 letters, digits, dots, hyphens or @"));
    }
    if who.name.trim().is_empty() || who.name.len() > 200 {
        return Err(rejected("name", "a name has 1 to 200 characters"));
    }
    let password = secret::hash_password(&who.password, random)?;
    let hash = secret::digest(token);
    let select = "SELECT workspace, role, line FROM invitation WHERE hash = $1";
    let (workspace, role, line): (i64, String, i64) = sql::row(db, what, select, vec![hash.clone().into()])
        .await?
        .ok_or_else(|| Error::NotFound("the invitation".to_owned()))?;
    let mut actor = Actor::system(workspace, now);
    actor.name = format!("person:{login}");
    actor.address.clone_from(&from.address);
    let mut change = Change::begin(db, &actor).await?;
    let take = "UPDATE invitation SET used = $2 WHERE hash = $1 AND used IS NULL AND expires > $2";
    if sql::run(&change.tx, what, take, vec![hash.into(), now.into()]).await? != 1 {
        return Err(Error::NotFound("the invitation".to_owned()));
    }
    let insert = "INSERT INTO person (login, name, email, password, created) VALUES ($1, $2, $3, $4, $5) \
                  ON CONFLICT (login) DO NOTHING RETURNING id";
    let values = vec![
        login.clone().into(),
        who.name.trim().into(),
        who.email.trim().into(),
        password.into(),
        now.into(),
    ];
    let Some((person,)) = sql::row::<(i64,)>(&change.tx, what, insert, values).await? else {
        return Err(rejected("login", "this login is taken"));
    };
    let member = "INSERT INTO membership (workspace, person, role, line) VALUES ($1, $2, $3, $4)";
    for role in role.split(' ') {
        let values = vec![workspace.into(), person.into(), role.into(), line.into()];
        sql::run(&change.tx, what, member, values).await?;
    }
    change.record("person.join", format!("person/{person}"), &login, &(), &(role, line));
    change.commit().await
}

/// Begins a session, or says nothing of why not. Slow on purpose: call it where blocking is allowed.
///
/// # Errors
/// [`Error::Denied`]: name, password or one-time code are not right.
pub async fn sign_in(
    db: &DatabaseConnection,
    random: Random,
    login: &str,
    password: &str,
    from: &From,
    now: &str,
    expires: &str,
) -> Result<Session> {
    let what = "signing in";
    let select = "SELECT id, password FROM person WHERE login = $1 AND disabled = 0";
    let row: Option<(i64, Option<String>)> =
        sql::row(db, what, select, vec![login.trim().to_lowercase().into()]).await?;
    let stored = row.as_ref().and_then(|r| r.1.as_deref());
    if !secret::check_password(password, stored) {
        return Err(Error::Denied("name or password are not right".to_owned()));
    }
    let Some((person, _)) = row else {
        return Err(Error::Denied("name or password are not right".to_owned()));
    };
    let home = "SELECT workspace FROM membership WHERE person = $1 ORDER BY workspace LIMIT 1";
    let workspace = sql::row::<(i64,)>(db, what, home, vec![person.into()]).await?.map_or(0, |r| r.0);
    let session = Session { token: secret::token(random, 52), csrf: secret::token(random, 32) };
    let mut actor = Actor::system(workspace, now);
    actor.name = format!("person:{}", login.trim().to_lowercase());
    actor.address.clone_from(&from.address);
    let mut change = Change::begin(db, &actor).await?;
    let insert = "INSERT INTO session (hash, person, csrf, workspace, created, seen, expires, address, agent) \
                  VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8)";
    let values = vec![
        secret::digest(&session.token).into(),
        person.into(),
        session.csrf.clone().into(),
        workspace.into(),
        now.into(),
        expires.into(),
        from.address.clone().into(),
        from.agent.chars().take(200).collect::<String>().into(),
    ];
    sql::run(&change.tx, what, insert, values).await?;
    sql::run(&change.tx, what, "DELETE FROM session WHERE expires < $1", vec![now.into()]).await?;
    let seen = "UPDATE person SET seen = $2 WHERE id = $1";
    sql::run(&change.tx, what, seen, vec![person.into(), now.into()]).await?;
    change.record("person.sign-in", format!("person/{person}"), login, &(), &());
    change.commit().await?;
    Ok(session)
}

/// Whose session this is, or nothing where it has ended.
///
/// # Errors
/// The database does not answer.
pub async fn session(db: &DatabaseConnection, token: &str, from: &From, now: &str) -> Result<Option<Known>> {
    let what = "reading a session";
    let select = "SELECT p.id, p.login, p.name, s.csrf, s.workspace, COALESCE(w.name, '') FROM session s \
                  JOIN person p ON p.id = s.person LEFT JOIN workspace w ON w.id = s.workspace \
                  WHERE s.hash = $1 AND s.expires > $2 AND p.disabled = 0";
    let values = vec![secret::digest(token).into(), now.into()];
    let row: Option<(i64, String, String, String, i64, String)> = sql::row(db, what, select, values).await?;
    let Some((person, login, name, csrf, workspace, workspace_name)) = row else { return Ok(None) };
    let select = "SELECT role, line FROM membership WHERE person = $1 AND workspace = $2";
    let roles: Vec<(String, i64)> =
        sql::rows(db, what, select, vec![person.into(), workspace.into()]).await?;
    let actor = Actor {
        workspace,
        name: format!("person:{login}"),
        person: Some(person),
        grants: roles.iter().filter_map(|(role, line)| grant(role, *line)).collect(),
        scopes: None,
        address: from.address.clone(),
        now: now.to_owned(),
    };
    Ok(Some(Known { actor, name, csrf, workspace: workspace_name }))
}

fn grant(role: &str, line: i64) -> Option<Grant> {
    Some(Grant { role: Role::parse(role)?, line: (line != 0).then_some(line) })
}

/// Ends a session.
///
/// # Errors
/// The database does not answer.
pub async fn sign_out(db: &DatabaseConnection, token: &str) -> Result<()> {
    let delete = "DELETE FROM session WHERE hash = $1";
    sql::run(db, "signing out", delete, vec![secret::digest(token).into()]).await?;
    Ok(())
}

/// People of the workspace with their roles.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn people(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Person>> {
    actor.need(Permission::FindingRead)?;
    let select = "SELECT p.id, p.login, p.name, p.email, p.disabled, p.seen, m.role, m.line FROM membership m \
                  JOIN person p ON p.id = m.person WHERE m.workspace = $1 ORDER BY p.name, p.id, m.role";
    type Row = (i64, String, String, String, i64, Option<String>, String, i64);
    let rows: Vec<Row> = sql::rows(db, "listing people", select, vec![actor.workspace.into()]).await?;
    let mut people: Vec<Person> = Vec::new();
    for (id, login, name, email, disabled, seen, role, line) in rows {
        match people.last_mut().filter(|p| p.id == id) {
            Some(person) => person.roles.push((role, line)),
            None => people.push(Person {
                id,
                login,
                name,
                email,
                disabled: disabled != 0,
                seen,
                roles: vec![(role, line)],
            }),
        }
    }
    Ok(people)
}

/// An API key as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct Key {
    /// Id.
    pub id: i64,
    /// The part that may be seen.
    pub public: String,
    /// What it is for.
    pub name: String,
    /// Role it acts in.
    pub role: String,
    /// When it ends.
    pub expires: Option<String>,
    /// When it was last used.
    pub used: Option<String>,
    /// When it was revoked.
    pub revoked: Option<String>,
}

/// What a new API key may do.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What it is for.
    pub name: String,
    /// Role it acts in.
    pub role: Role,
    /// Product line it is limited to.
    pub line: Option<i64>,
    /// What it is limited to; everything its role may where empty.
    pub scopes: Vec<Permission>,
    /// When it ends.
    pub expires: Option<String>,
}

/// Makes an API key; the text is told once. Its form is `tocsin_` + 8 letters that may be seen + `_` + 40 that must not.
///
/// # Errors
/// Denied: nobody gives a key more than they have themselves.
pub async fn make_key(
    db: &DatabaseConnection,
    actor: &Actor,
    random: Random,
    new: &NewKey,
) -> Result<String> {
    actor.need_everywhere(Permission::KeyManage)?;
    let NewKey { name, role, line, scopes, expires } = new;
    let (role, line) = (*role, *line);
    let wanted: Vec<Permission> = super::access::PERMISSIONS.into_iter().filter(|p| role.may(*p)).collect();
    for p in wanted.iter().filter(|p| scopes.is_empty() || scopes.contains(p)) {
        actor.need_everywhere(*p)?;
    }
    let (public, private) = (secret::token(random, 8), secret::token(random, 40));
    let mut change = Change::begin(db, actor).await?;
    let insert = "INSERT INTO api_key (public, hash, name, workspace, role, line, scopes, created, creator, expires) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let names: Vec<String> = scopes.iter().map(|p| p.name()).collect();
    let values = vec![
        public.clone().into(),
        secret::digest(&private).into(),
        name.clone().into(),
        actor.workspace.into(),
        role.name().into(),
        line.unwrap_or(0).into(),
        names.join(" ").into(),
        actor.now.clone().into(),
        actor.person.unwrap_or(0).into(),
        expires.clone().into(),
    ];
    sql::run(&change.tx, "making a key", insert, values).await?;
    change.record("key.create", format!("key/{public}"), name, &(), &(role, line, names));
    change.commit().await?;
    Ok(format!("tocsin_{public}_{private}"))
}

/// Keys of the workspace, newest first.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn keys(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Key>> {
    actor.need(Permission::KeyManage)?;
    let select = "SELECT id, public, name, role, expires, used, revoked FROM api_key WHERE workspace = $1 \
                  ORDER BY id DESC";
    type Row = (i64, String, String, String, Option<String>, Option<String>, Option<String>);
    let rows: Vec<Row> = sql::rows(db, "listing keys", select, vec![actor.workspace.into()]).await?;
    let key = |(id, public, name, role, expires, used, revoked)| Key {
        id,
        public,
        name,
        role,
        expires,
        used,
        revoked,
    };
    Ok(rows.into_iter().map(key).collect())
}

/// Ends a key.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn revoke_key(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<()> {
    actor.need_everywhere(Permission::KeyManage)?;
    let mut change = Change::begin(db, actor).await?;
    let update = "UPDATE api_key SET revoked = $3 WHERE id = $1 AND workspace = $2 AND revoked IS NULL \
                  RETURNING public, name";
    let values = vec![id.into(), actor.workspace.into(), actor.now.clone().into()];
    let Some((public, name)) =
        sql::row::<(String, String)>(&change.tx, "revoking a key", update, values).await?
    else {
        return Err(Error::NotFound("the key".to_owned()));
    };
    change.record("key.revoke", format!("key/{public}"), &name, &(), &());
    change.commit().await
}

/// Whom an API key is; the comparison is of hashes, so its time tells nothing of the key.
///
/// # Errors
/// The database does not answer.
pub async fn key(db: &DatabaseConnection, text: &str, from: &From, now: &str) -> Result<Option<Known>> {
    let what = "reading a key";
    let mut parts = text.rsplitn(3, '_');
    let (Some(private), Some(public)) = (parts.next(), parts.next()) else { return Ok(None) };
    let select = "SELECT k.id, k.name, k.workspace, k.role, k.line, k.scopes, COALESCE(k.used, ''), w.name \
                  FROM api_key k JOIN workspace w ON w.id = k.workspace \
                  WHERE k.public = $1 AND k.hash = $2 AND k.revoked IS NULL AND (k.expires IS NULL OR k.expires > $3)";
    let values = vec![public.into(), secret::digest(private).into(), now.into()];
    type Row = (i64, String, i64, String, i64, String, String, String);
    let Some((id, name, workspace, role, line, scopes, used, workspace_name)) =
        sql::row::<Row>(db, what, select, values).await?
    else {
        return Ok(None);
    };
    // to the minute is enough, and spares a write with every request
    if used.get(..16) != now.get(..16) {
        let update = "UPDATE api_key SET used = $2 WHERE id = $1";
        sql::run(db, what, update, vec![id.into(), now.into()]).await?;
    }
    let scopes: Vec<Permission> = scopes.split_whitespace().filter_map(Permission::parse).collect();
    let actor = Actor {
        workspace,
        name: format!("key:{name}"),
        person: None,
        grants: grant(&role, line).into_iter().collect(),
        scopes: (!scopes.is_empty()).then_some(scopes),
        address: from.address.clone(),
        now: now.to_owned(),
    };
    Ok(Some(Known { actor, name, csrf: String::new(), workspace: workspace_name }))
}
