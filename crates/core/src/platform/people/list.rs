//! People, API keys and sessions asked for by query.

use std::collections::HashMap;

use sea_orm::{DatabaseConnection, QueryResult};
use tocsin_model::query::{Kind, Query, Schema};

use super::super::access::{Actor, Permission};
use super::super::query::{self, Key as Sorted, Noun, Rows, inside, may, order, own};
use super::super::{clock, sql};
use super::keys::Key;
use super::members::Person;
use super::session::Shown;
use super::settings_of;
use crate::error::Result;

const SECOND: &str = "(p.totp IS NOT NULL OR EXISTS (SELECT 1 FROM passkey k WHERE k.person = p.id))";
const ROLE: &str = "p.id IN (SELECT m.person FROM membership m WHERE m.workspace = $1 AND {})";
const LINE: &str =
    "p.id IN (SELECT m.person FROM membership m JOIN line l ON l.id = m.line WHERE m.workspace = $1 AND {})";

/// People of the workspace as a noun of queries.
pub(crate) static PEOPLE: Noun = Noun {
    doing: "listing people",
    permission: Permission::FindingRead,
    entries: &[
        own("name", Kind::Text, "p.name", "name of the person"),
        own("login", Kind::Text, "p.login", "what they sign in with"),
        own("email", Kind::Text, "p.email", "mail address"),
        inside("role", Kind::Text, (ROLE, "m.role"), "a role that they have: analyst"),
        inside("line", Kind::Text, (LINE, "l.name"), "a product line that they are limited to"),
        own("disabled", Kind::Truth, "p.disabled = 1", "may no longer sign in"),
        own("second", Kind::Truth, SECOND, "has an authenticator or a passkey"),
        may("seen", Kind::Time, "p.seen", "when they were last here"),
    ],
    orders: &[
        order("name", &[("p.name", Sorted::Text), ("p.id", Sorted::Int)], false),
        order("login", &[("p.login", Sorted::Text), ("p.id", Sorted::Int)], false),
        order("seen", &[("COALESCE(p.seen, '')", Sorted::Text), ("p.id", Sorted::Int)], true),
    ],
    columns: &["name", "login", "roles", "second", "seen"],
    groups: &[],
    table: "person p",
    id: "p.id",
    from: "person p",
    on: "",
    workspace: "p.id IN (SELECT m.person FROM membership m WHERE m.workspace = $1)",
    lines: "",
    unless: &[],
    words: &["LOWER(p.name || ' ' || p.login || ' ' || p.email) {}"],
};

/// What a query over people may name.
pub fn people_schema() -> Schema {
    PEOPLE.schema()
}

/// People of a query with their roles; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn people_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Person>> {
    let columns = "p.id, p.login, p.name, p.email, p.disabled, p.seen, CAST(CASE WHEN p.totp IS NOT NULL \
                   OR EXISTS (SELECT 1 FROM passkey k WHERE k.person = p.id) THEN 1 ELSE 0 END AS BIGINT)";
    let read = |row: &QueryResult| {
        Ok(Person {
            id: row.try_get_by_index(0)?,
            login: row.try_get_by_index(1)?,
            name: row.try_get_by_index(2)?,
            email: row.try_get_by_index(3)?,
            disabled: row.try_get_by_index::<i64>(4)? != 0,
            seen: row.try_get_by_index(5)?,
            second_step: row.try_get_by_index::<i64>(6)? != 0,
            roles: Vec::new(),
        })
    };
    let mut page = query::page(db, actor, &PEOPLE, query, (columns, read), after, most).await?;
    let ids: Vec<i64> = page.rows.iter().map(|p| p.id).collect();
    let select = format!(
        "SELECT person, role, line FROM membership WHERE workspace = $1 AND person IN {} ORDER BY person, role, line",
        sql::numbers(db, 2)
    );
    let values = vec![actor.workspace.into(), sql::list(&ids)];
    let rows: Vec<(i64, String, i64)> = sql::rows(db, PEOPLE.doing, &select, values).await?;
    let mut roles: HashMap<i64, Vec<(String, i64)>> = HashMap::new();
    for (person, role, line) in rows {
        roles.entry(person).or_default().push((role, line));
    }
    for person in &mut page.rows {
        person.roles = roles.remove(&person.id).unwrap_or_default();
    }
    Ok(page)
}

const MAKER: &str = "k.creator IN (SELECT c.id FROM person c WHERE {})";
const KEY_LINE: &str = "k.line IN (SELECT l.id FROM line l WHERE l.workspace = $1 AND {})";

/// API keys of the workspace as a noun of queries.
pub(crate) static KEYS: Noun = Noun {
    doing: "listing keys",
    permission: Permission::KeyManage,
    entries: &[
        own("name", Kind::Text, "k.name", "what it is for"),
        own("public", Kind::Text, "k.public", "the part of it that may be seen"),
        own("role", Kind::Text, "k.role", "role it acts in"),
        own("scope", Kind::Text, "k.scopes", "a permission that it is limited to"),
        inside("line", Kind::Text, (KEY_LINE, "l.name"), "product line that it is limited to"),
        inside("creator", Kind::Text, (MAKER, "c.login"), "login of who made it"),
        own("created", Kind::Time, "k.created", "when it was made"),
        may("expires", Kind::Time, "k.expires", "when it ends"),
        may("used", Kind::Time, "k.used", "when it was last used"),
        own("revoked", Kind::Truth, "k.revoked IS NOT NULL", "it was revoked"),
    ],
    orders: &[
        order("created", &[("k.id", Sorted::Int)], true),
        order("name", &[("k.name", Sorted::Text), ("k.id", Sorted::Int)], false),
        order("used", &[("COALESCE(k.used, '')", Sorted::Text), ("k.id", Sorted::Int)], true),
        order("expires", &[("COALESCE(k.expires, '9999')", Sorted::Text), ("k.id", Sorted::Int)], false),
    ],
    columns: &["name", "role", "created", "used", "expires"],
    groups: &[],
    table: "api_key k",
    id: "k.id",
    from: "api_key k LEFT JOIN person p ON p.id = k.creator",
    on: "",
    workspace: "k.workspace = $1",
    lines: "",
    unless: &[],
    words: &["LOWER(k.name || ' ' || k.public || ' ' || k.role) {}"],
};

/// What a query over API keys may name.
pub fn key_schema() -> Schema {
    KEYS.schema()
}

/// API keys of a query; as [`people_list`].
///
/// # Errors
/// As [`people_list`].
pub async fn key_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Key>> {
    let columns = "k.id, k.public, k.name, k.role, k.line, k.scopes, k.created, COALESCE(p.login, ''), k.expires, k.used, \
                   k.revoked";
    let read = |row: &QueryResult| {
        let scopes: String = row.try_get_by_index(5)?;
        Ok(Key {
            id: row.try_get_by_index(0)?,
            public: row.try_get_by_index(1)?,
            name: row.try_get_by_index(2)?,
            role: row.try_get_by_index(3)?,
            line: row.try_get_by_index(4)?,
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
            created: row.try_get_by_index(6)?,
            creator: row.try_get_by_index(7)?,
            expires: row.try_get_by_index(8)?,
            used: row.try_get_by_index(9)?,
            revoked: row.try_get_by_index(10)?,
        })
    };
    query::page(db, actor, &KEYS, query, (columns, read), after, most).await
}

const PERSON: &str = "s.person IN (SELECT p.id FROM person p WHERE {})";

/// Sessions of the workspace as a noun of queries.
pub(crate) static SESSIONS: Noun = Noun {
    doing: "listing sessions",
    permission: Permission::PeopleManage,
    entries: &[
        inside("login", Kind::Text, (PERSON, "p.login"), "login of the person"),
        inside("name", Kind::Text, (PERSON, "p.name"), "name of the person"),
        own("address", Kind::Text, "s.address", "address it was last used from"),
        own("agent", Kind::Text, "s.agent", "browser it began with"),
        own("method", Kind::Text, "s.method", "how they signed in: password, passkey, provider"),
        own("created", Kind::Time, "s.created", "when it began"),
        own("seen", Kind::Time, "s.seen", "when it was last used"),
    ],
    orders: &[
        order("seen", &[("s.seen", Sorted::Text), ("s.hash", Sorted::Text)], true),
        order("created", &[("s.created", Sorted::Text), ("s.hash", Sorted::Text)], true),
        order("name", &[("p.name", Sorted::Text), ("s.hash", Sorted::Text)], false),
    ],
    columns: &["name", "address", "method", "created", "seen"],
    groups: &[],
    table: "session s",
    id: "s.hash",
    from: "session s CROSS JOIN person p",
    on: "p.id = s.person",
    workspace: "s.workspace = $1",
    lines: "",
    unless: &[],
    words: &[
        "LOWER(s.address || ' ' || s.agent) {}",
        "s.person IN (SELECT p.id FROM person p WHERE LOWER(p.name || ' ' || p.login) {})",
    ],
};

/// What a query over sessions may name.
pub fn session_schema() -> Schema {
    SESSIONS.schema()
}

/// Sessions of a query that are alive in the workspace, none of them the one that asks; as [`people_list`].
///
/// # Errors
/// As [`people_list`]; only who manages all people of the workspace may.
pub async fn session_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Shown>> {
    actor.need_everywhere(Permission::PeopleManage)?;
    let settings = settings_of(db, actor.workspace).await?;
    let since = |minutes: i64| clock::minutes_after(&actor.now, -minutes);
    let alive = vec![
        ("(s.ended IS NULL AND s.expires > {})", actor.now.clone().into()),
        ("s.seen > {}", since(settings.idle_minutes).into()),
        ("s.created > {}", since(settings.session_hours * 60).into()),
        ("s.person IN (SELECT p.id FROM person p WHERE p.disabled = {})", 0_i64.into()),
    ];
    let columns =
        "s.hash, s.person, p.login, p.name, s.created, s.seen, s.expires, s.address, s.agent, s.method";
    let read = |row: &QueryResult| {
        let hash: String = row.try_get_by_index(0)?;
        Ok(Shown {
            id: hash.chars().take(16).collect(),
            person: row.try_get_by_index(1)?,
            login: row.try_get_by_index(2)?,
            name: row.try_get_by_index(3)?,
            created: row.try_get_by_index(4)?,
            seen: row.try_get_by_index(5)?,
            expires: row.try_get_by_index(6)?,
            address: row.try_get_by_index(7)?,
            agent: row.try_get_by_index(8)?,
            method: row.try_get_by_index(9)?,
            own: false,
        })
    };
    query::page_where(db, actor, &SESSIONS, query, alive, (columns, read), after, most).await
}
