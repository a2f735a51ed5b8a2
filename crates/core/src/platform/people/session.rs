//! Signing in and the sessions that follow.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};

use super::super::access::{Actor, Permission};
use super::super::change::Change;
use super::super::settings::Settings;
use super::super::ticket::{self, Ticket};
use super::super::{clock, secret, sql};
use super::{Door, From, Known, grants, home, login_of, note, second, settings_of, visitor};
use crate::error::{Error, Result};

/// How long after its end a session is still known to have been this person's, in minutes: as long as forms sent
/// too late are kept.
pub(super) const GRACE: i64 = 7 * 24 * 60;
/// How long somebody has for the code of their second step, in minutes.
const CODE_MINUTES: i64 = 10;
/// How long wrong codes are remembered, in minutes, and how many of them bar a person: six digits stay unguessed.
const WRONG_MINUTES: i64 = 60;
const WRONG_MOST: i64 = 10;
const CODE: &str = "code";

/// A session that was just begun. The token is told once and kept nowhere.
#[derive(Debug, Clone)]
pub struct Session {
    /// Goes into the cookie.
    pub token: String,
    /// Goes into every form.
    pub csrf: String,
    /// Seconds it lasts at most.
    pub seconds: i64,
    /// Whose it is.
    pub person: i64,
}

/// What a right password leads to.
#[derive(Debug, Clone)]
pub enum Begun {
    /// The person is in.
    In(Session),
    /// The person has a second step: this token and their code lead on.
    Code(String),
}

/// What a cookie says.
#[derive(Debug, Clone)]
pub enum Seen {
    /// Nothing that is known here.
    Nobody,
    /// The session is over; a form with its token was made by our page for this person.
    Over {
        /// Whose it was.
        person: i64,
        /// Token of its forms.
        csrf: String,
    },
    /// A session.
    Alive(Box<Known>),
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    /// Token of the forms of the session before, taken over.
    csrf: Option<String>,
    /// When the code comes too late.
    until: String,
}

fn not_right() -> Error {
    Error::Denied("login or password are not right".to_owned())
}

/// Checks login and password. `before` is the cookie that the browser brings: where it was the same person's, the
/// forms that are open in other tabs stay good. Slow on purpose.
///
/// # Errors
/// [`Error::Denied`]: login or password are not right, and nothing is told of which; or too many codes were wrong.
pub async fn sign_in(door: &Door<'_>, login: &str, password: &str, before: Option<&str>) -> Result<Begun> {
    let what = "signing in";
    let select = "SELECT id, password, CAST(CASE WHEN totp IS NULL THEN 0 ELSE 1 END AS BIGINT) FROM person \
                  WHERE login = $1 AND disabled = 0";
    let login = login.trim().to_lowercase();
    let row: Option<(i64, Option<String>, i64)> =
        sql::row(door.db, what, select, vec![sql::text(&login)]).await?;
    let stored = row.as_ref().and_then(|r| r.1.clone());
    if !secret::is_right(password, stored).await {
        return Err(not_right());
    }
    let Some((person, _, second)) = row else { return Err(not_right()) };
    let csrf = csrf_before(door, person, before).await?;
    if second == 0 {
        return enter(door, person, "password", csrf, 0).await.map(Begun::In);
    }
    if ticket::wrong_of(door, CODE, person).await? >= WRONG_MOST {
        return Err(Error::Denied("too many wrong codes; wait an hour".to_owned()));
    }
    let waiting = Waiting { csrf, until: clock::minutes_after(door.now, CODE_MINUTES) };
    let data = serde_json::to_vec(&waiting).unwrap_or_default();
    let ticket = Ticket { person, workspace: 0, data };
    ticket::put(door, door.db, CODE, &ticket, WRONG_MINUTES).await.map(Begun::Code)
}

/// Writes into the trail of a person's workspace that somebody tried their login with a wrong password. Logins that
/// nobody has leave no trace: what strangers type is no history, and could be a password in the wrong field. Called
/// beside the answer and not before it, so that its time tells nothing of which logins there are.
///
/// # Errors
/// The database does not answer.
pub async fn note_wrong_password(door: &Door<'_>, login: &str) -> Result<()> {
    let select = "SELECT id FROM person WHERE login = $1 AND disabled = 0";
    let login = login.trim().to_lowercase();
    let row: Option<(i64,)> =
        sql::row(door.db, "noting a failed sign-in", select, vec![sql::text(&login)]).await?;
    match row {
        Some((person,)) => note_failure(door, person, "password").await,
        None => Ok(()),
    }
}

/// Writes into the trail that a person's sign-in failed, and at which step: `password`, `code`, `passkey`.
///
/// # Errors
/// The database does not answer.
pub async fn note_failure(door: &Door<'_>, person: i64, step: &str) -> Result<()> {
    let (login, _) = login_of(door.db, person).await?;
    let actor =
        Actor { name: "visitor".to_owned(), ..visitor(door, home(door.db, person).await?, 0, &login) };
    let mut change = Change::begin(door.db, &actor).await?;
    change.record("person.sign-in-failed", format!("person/{person}"), &login, &(), &step);
    change.commit().await
}

/// The token of the forms of a session that was this person's, where it is known.
pub(super) async fn csrf_before(
    door: &Door<'_>,
    person: i64,
    before: Option<&str>,
) -> Result<Option<String>> {
    let Some(before) = before else { return Ok(None) };
    let select = "SELECT csrf FROM session WHERE hash = $1 AND person = $2";
    let values = vec![secret::digest(before).into(), person.into()];
    let row: Option<(String,)> = sql::row(door.db, "signing in", select, values).await?;
    Ok(row.map(|r| r.0))
}

/// Takes the code of an authenticator, or one of the recovery codes, and begins the session.
///
/// # Errors
/// [`Error::NotFound`]: too much time or too many tries are over, sign in again; [`Error::Denied`]: the code is not
/// right or was used.
pub async fn confirm_code(door: &Door<'_>, token: &str, code: &str) -> Result<Session> {
    let gone = || Error::NotFound("sign-in that waits for this code".to_owned());
    let waiting = ticket::look(door, CODE, token).await?.ok_or_else(gone)?;
    let kept: Waiting = serde_json::from_slice(&waiting.data).map_err(|_| gone())?;
    if kept.until.as_str() <= door.now {
        return Err(gone());
    }
    if !second::check(door, waiting.person, code).await? {
        ticket::wrong(door.db, CODE, token).await?;
        note_failure(door, waiting.person, "code").await?;
        return Err(Error::Denied("the code is not right, or was used already".to_owned()));
    }
    if !ticket::tear(door.db, CODE, token).await? {
        return Err(gone());
    }
    enter(door, waiting.person, "password and code", kept.csrf, 0).await
}

/// Begins a session of somebody who has proved who they are. `confined` is the only workspace it may be used in, 0
/// where it may be in all of the person's.
pub(super) async fn enter(
    door: &Door<'_>,
    person: i64,
    method: &str,
    csrf: Option<String>,
    confined: i64,
) -> Result<Session> {
    let what = "beginning a session";
    let (login, enabled) = login_of(door.db, person).await?;
    if !enabled {
        return Err(not_right());
    }
    let workspace = if confined == 0 { home(door.db, person).await? } else { confined };
    let settings = settings_of(door.db, workspace).await?;
    let session = Session {
        token: secret::token(door.random, 52),
        csrf: csrf.unwrap_or_else(|| secret::token(door.random, 32)),
        seconds: settings.session_hours * 3600,
        person,
    };
    let actor = visitor(door, workspace, person, &login);
    let mut change = Change::begin(door.db, &actor).await?;
    let insert = "INSERT INTO session (hash, person, csrf, workspace, created, seen, expires, address, agent, method, \
                  confined) VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10)";
    let values = vec![
        secret::digest(&session.token).into(),
        person.into(),
        session.csrf.clone().into(),
        workspace.into(),
        door.now.into(),
        clock::minutes_after(door.now, settings.session_hours * 60).into(),
        door.from.address.clone().into(),
        sql::text(&door.from.agent.chars().take(200).collect::<String>()),
        method.into(),
        confined.into(),
    ];
    sql::run(&change.tx, what, insert, values).await?;
    let seen = "UPDATE person SET seen = $2 WHERE id = $1";
    sql::run(&change.tx, what, seen, vec![person.into(), door.now.into()]).await?;
    change.record("person.sign-in", format!("person/{person}"), &login, &(), &method);
    change.commit().await?;
    Ok(session)
}

/// Whether a session of these times is over by the settings of its workspace.
fn is_over(settings: &Settings, created: &str, seen: &str, expires: &str, now: &str) -> bool {
    expires <= now
        || clock::minutes_after(created, settings.session_hours * 60).as_str() <= now
        || clock::minutes_after(seen, settings.idle_minutes).as_str() <= now
}

/// Whose session a cookie is.
///
/// # Errors
/// The database does not answer.
pub async fn session(db: &DatabaseConnection, token: &str, from: &From, now: &str) -> Result<Seen> {
    let what = "reading a session";
    let select = "SELECT p.id, p.login, p.name, s.csrf, s.workspace, s.confined, COALESCE(w.name, ''), \
                  COALESCE(w.settings, ''), s.created || ' ' || s.seen || ' ' || s.expires, COALESCE(s.ended, ''), \
                  s.method, p.disabled FROM session s JOIN person p ON p.id = s.person \
                  LEFT JOIN workspace w ON w.id = s.workspace WHERE s.hash = $1";
    let hash = secret::digest(token);
    type Row = (i64, String, String, String, i64, i64, String, String, String, String, String, i64);
    let Some(row) = sql::row::<Row>(db, what, select, vec![hash.clone().into()]).await? else {
        return Ok(Seen::Nobody);
    };
    let (
        person,
        login,
        name,
        csrf,
        workspace,
        confined,
        workspace_name,
        settings,
        times,
        ended,
        method,
        disabled,
    ) = row;
    let settings = Settings::parse(&settings);
    let mut times = times.split(' ');
    let (created, seen, expires) =
        (times.next().unwrap_or(""), times.next().unwrap_or(""), times.next().unwrap_or(""));
    if disabled != 0 {
        return Ok(Seen::Nobody);
    }
    if !ended.is_empty() || is_over(&settings, created, seen, expires, now) {
        return Ok(Seen::Over { person, csrf });
    }
    if confined != 0 && confined != workspace {
        return Ok(Seen::Nobody);
    }
    // to the minute is enough, and spares a write with every request
    if seen.get(..16) != now.get(..16) {
        let update = "UPDATE session SET seen = $2, address = $3 WHERE hash = $1 AND seen < $2";
        let values = vec![hash.into(), now.into(), from.address.clone().into()];
        note(db, update, values).await;
    }
    let grants = grants(db, person, workspace).await?;
    let lacks = method == "password" && settings.asks_second_step(&grants);
    let actor = Actor {
        workspace,
        name: format!("person:{login}"),
        person: Some(person),
        grants,
        scopes: None,
        address: from.address.clone(),
        now: now.to_owned(),
    };
    Ok(Seen::Alive(Box::new(Known {
        actor,
        name,
        csrf,
        workspace: workspace_name,
        lacks_second_step: lacks,
    })))
}

/// Ends a session by its own cookie.
///
/// # Errors
/// The database does not answer.
pub async fn sign_out(db: &DatabaseConnection, token: &str) -> Result<()> {
    let delete = "DELETE FROM session WHERE hash = $1";
    sql::run(db, "signing out", delete, vec![secret::digest(token).into()]).await?;
    Ok(())
}

/// A session as lists show it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = OpenSession)]
pub struct Shown {
    /// First letters of its hash: they name it and open nothing.
    pub id: String,
    /// Whose it is.
    pub person: i64,
    /// Login of the person.
    pub login: String,
    /// Name of the person.
    pub name: String,
    /// When it began.
    pub created: String,
    /// When it was last used, to the minute.
    pub seen: String,
    /// When it ends at the latest.
    pub expires: String,
    /// Address it was last used from.
    pub address: String,
    /// `User-Agent` it began with.
    pub agent: String,
    /// How the person proved who they are: `password`, `password and code`, `passkey`, `provider`.
    pub method: String,
    /// It is the one that asks.
    pub own: bool,
}

/// Sessions that are alive: those of one person or, with the right to manage people, of the actor's workspace.
/// `token` is the cookie of the one that asks.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn sessions(
    db: &DatabaseConnection,
    actor: &Actor,
    person: Option<i64>,
    token: &str,
) -> Result<Vec<Shown>> {
    let own = person.is_some() && person == actor.person;
    if !own {
        actor.need_everywhere(Permission::PeopleManage)?;
    }
    let settings = settings_of(db, actor.workspace).await?;
    let select = "SELECT s.hash, s.person, p.login, p.name, s.created, s.seen, s.expires, s.address, s.agent, s.method \
                  FROM session s JOIN person p ON p.id = s.person WHERE ($1 = 0 OR s.person = $1) \
                  AND ($2 = 0 OR s.workspace = $2) AND s.ended IS NULL AND s.expires > $3 AND s.seen > $4 \
                  AND s.created > $5 AND p.disabled = 0 ORDER BY s.seen DESC, s.hash LIMIT 2000";
    let values = vec![
        person.unwrap_or(0).into(),
        (if own { 0 } else { actor.workspace }).into(),
        actor.now.clone().into(),
        clock::minutes_after(&actor.now, -settings.idle_minutes).into(),
        clock::minutes_after(&actor.now, -settings.session_hours * 60).into(),
    ];
    type Row = (String, i64, String, String, String, String, String, String, String, String);
    let rows: Vec<Row> = sql::rows(db, "listing sessions", select, values).await?;
    let asking = secret::digest(token);
    let shown = |(hash, person, login, name, created, seen, expires, address, agent, method): Row| Shown {
        own: hash == asking,
        id: hash.chars().take(16).collect(),
        person,
        login,
        name,
        created,
        seen,
        expires,
        address,
        agent,
        method,
    };
    Ok(rows.into_iter().map(shown).collect())
}

/// Ends one session; `id` as in [`Shown`]. Everybody ends their own, who manages people those of the workspace.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn end_session(db: &DatabaseConnection, actor: &Actor, id: &str) -> Result<()> {
    let what = "ending a session";
    let mut change = Change::begin(db, actor).await?;
    let select = "SELECT s.hash, s.person, s.workspace, p.login FROM session s JOIN person p ON p.id = s.person \
                  WHERE SUBSTR(s.hash, 1, 16) = $1 AND s.ended IS NULL AND s.expires > $2";
    let values = vec![id.into(), actor.now.clone().into()];
    let row: Option<(String, i64, i64, String)> = sql::row(&change.tx, what, select, values).await?;
    let gone = || Error::NotFound("open session".to_owned());
    let (hash, person, workspace, login) = row.ok_or_else(gone)?;
    if actor.person != Some(person) {
        actor.need_everywhere(Permission::PeopleManage)?;
        if workspace != actor.workspace {
            return Err(gone());
        }
    }
    let update = "UPDATE session SET ended = $2 WHERE hash = $1";
    sql::run(&change.tx, what, update, vec![hash.into(), actor.now.clone().into()]).await?;
    change.record("session.end", format!("person/{person}"), &login, &(), &id);
    change.commit().await
}

/// Ends all sessions of a person but the one whose cookie is `keep`: their own everywhere, another's in the actor's
/// workspace. Gives how many.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn end_sessions(db: &DatabaseConnection, actor: &Actor, person: i64, keep: &str) -> Result<u64> {
    let own = actor.person == Some(person);
    if !own {
        actor.need_everywhere(Permission::PeopleManage)?;
    }
    let (login, _) = login_of(db, person).await?;
    let mut change = Change::begin(db, actor).await?;
    let workspace = if own { 0 } else { actor.workspace };
    let ended = end_all(&change, person, keep, workspace).await?;
    change.record("session.end", format!("person/{person}"), &login, &(), &"all");
    change.commit().await?;
    Ok(ended)
}

/// Ends a person's sessions, in one workspace where it is not 0, within a change; see [`end_sessions`].
pub(super) async fn end_all(change: &Change<'_>, person: i64, keep: &str, workspace: i64) -> Result<u64> {
    let update = "UPDATE session SET ended = $2 WHERE person = $1 AND ended IS NULL AND expires > $2 AND hash <> $3 \
                  AND ($4 = 0 OR workspace = $4)";
    let values =
        vec![person.into(), change.actor.now.clone().into(), secret::digest(keep).into(), workspace.into()];
    sql::run(&change.tx, "ending sessions", update, values).await
}

/// Removes sessions and tickets that are over. Gives how many rows went.
///
/// # Errors
/// The database does not answer.
pub async fn sweep(db: &impl ConnectionTrait, now: &str) -> Result<u64> {
    let what = "removing sessions";
    let week_ago = || vec![clock::minutes_after(now, -GRACE).into()];
    let mut gone = sql::run(db, what, "DELETE FROM session WHERE expires < $1", week_ago()).await?;
    gone += sql::run(db, what, "DELETE FROM session WHERE ended < $1", week_ago()).await?;
    gone += sql::run(db, what, "DELETE FROM ticket WHERE expires < $1", vec![now.into()]).await?;
    Ok(gone)
}
