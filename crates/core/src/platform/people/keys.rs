//! API keys: how programs act.

use sea_orm::DatabaseConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::access::{Actor, PERMISSIONS, Permission, Role};
use super::super::change::Change;
use super::super::secret::{self, Random};
use super::super::sql;
use super::{From, Known, grant, members, note, rejected};
use crate::error::{Error, Result};

/// An API key as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Key {
    /// Id.
    pub id: i64,
    /// The part that may be seen.
    pub public: String,
    /// What it is for.
    pub name: String,
    /// Role it acts in.
    pub role: String,
    /// Product line it is limited to, 0 for all.
    pub line: i64,
    /// Permissions it is limited to; all of its role where empty.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: String,
    /// Login of who made it; empty where it was the program.
    pub creator: String,
    /// When it ends.
    pub expires: Option<String>,
    /// When it was last used, to the minute.
    pub used: Option<String>,
    /// When it was revoked.
    pub revoked: Option<String>,
}

impl Key {
    /// `active`, `expired` or `revoked` at a moment.
    pub fn state(&self, now: &str) -> &'static str {
        match (&self.revoked, &self.expires) {
            (Some(_), _) => "revoked",
            (None, Some(at)) if at.as_str() <= now => "expired",
            _ => "active",
        }
    }
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

/// Makes an API key; the text is told once. Its form is `tocsin_` + 8 letters that may be seen + `_` + 40 that must
/// not.
///
/// # Errors
/// Denied: nobody gives a key more than they have themselves; [`Error::Rejected`].
pub async fn make_key(
    db: &DatabaseConnection,
    actor: &Actor,
    random: Random,
    new: &NewKey,
) -> Result<String> {
    actor.need_everywhere(Permission::KeyManage)?;
    let NewKey { name, role, line, scopes, expires } = new;
    let (role, line, name) = (*role, *line, name.trim());
    if name.is_empty() || name.len() > 100 {
        return Err(rejected("name", "what the key is for, in 1 to 100 characters"));
    }
    if let Some(beyond) = scopes.iter().find(|s| !role.may(**s)) {
        let message = format!("a key that acts as {} cannot have {}", role.name(), beyond.name());
        return Err(rejected("scopes", &message));
    }
    if expires.as_ref().is_some_and(|at| *at <= actor.now) {
        return Err(rejected("expires", "a moment that is still to come"));
    }
    let wanted = PERMISSIONS.into_iter().filter(|p| role.may(*p));
    for p in wanted.filter(|p| scopes.is_empty() || scopes.contains(p)) {
        match line {
            Some(line) => actor.need_in(p, line)?,
            None => actor.need_everywhere(p)?,
        }
    }
    let (public, private) = (secret::token(random, 8), secret::token(random, 40));
    let mut change = Change::begin(db, actor).await?;
    if let Some(line) = line {
        members::check_line(&change.tx, actor, line).await?;
    }
    let insert = "INSERT INTO api_key (public, hash, name, workspace, role, line, scopes, created, creator, expires) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let names: Vec<String> = scopes.iter().map(|p| p.name()).collect();
    let values = vec![
        public.clone().into(),
        secret::digest(&private).into(),
        sql::text(name),
        actor.workspace.into(),
        role.name().into(),
        line.unwrap_or(0).into(),
        names.join(" ").into(),
        actor.now.clone().into(),
        actor.person.unwrap_or(0).into(),
        expires.clone().into(),
    ];
    sql::run(&change.tx, "making a key", insert, values).await?;
    change.record("key.create", format!("key/{public}"), name, &(), &(role, line, names, expires));
    change.commit().await?;
    Ok(format!("tocsin_{public}_{private}"))
}

/// Keys of the workspace, newest first.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn keys(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Key>> {
    actor.need(Permission::KeyManage)?;
    let select = "SELECT k.id, k.public, k.name, k.role, k.line, k.scopes, k.created, COALESCE(p.login, ''), \
                  k.expires, k.used, k.revoked FROM api_key k LEFT JOIN person p ON p.id = k.creator \
                  WHERE k.workspace = $1 ORDER BY k.id DESC";
    type Row = (
        i64,
        String,
        String,
        String,
        i64,
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<Row> = sql::rows(db, "listing keys", select, vec![actor.workspace.into()]).await?;
    let key = |(id, public, name, role, line, scopes, created, creator, expires, used, revoked): Row| Key {
        id,
        public,
        name,
        role,
        line,
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        created,
        creator,
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
    let values = vec![sql::text(public), secret::digest(private).into(), now.into()];
    type Row = (i64, String, i64, String, i64, String, String, String);
    let Some((id, name, workspace, role, line, scopes, used, workspace_name)) =
        sql::row::<Row>(db, what, select, values).await?
    else {
        return Ok(None);
    };
    // to the minute is enough, and spares a write with every request
    if used.get(..16) != now.get(..16) {
        let update = "UPDATE api_key SET used = $2 WHERE id = $1";
        note(db, update, vec![id.into(), now.into()]).await;
    }
    // a scope whose name is no longer known gives nothing, and does not make the key limitless
    let limited = !scopes.trim().is_empty();
    let scopes: Vec<Permission> = scopes.split_whitespace().filter_map(Permission::parse).collect();
    let actor = Actor {
        workspace,
        name: format!("key:{name}"),
        person: None,
        grants: grant(&role, line).into_iter().collect(),
        scopes: limited.then_some(scopes),
        address: from.address.clone(),
        now: now.to_owned(),
    };
    let (csrf, lacks_second_step) = (String::new(), false);
    Ok(Some(Known { actor, name, csrf, workspace: workspace_name, lacks_second_step }))
}
