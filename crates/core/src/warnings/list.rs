//! Early warnings as a list, and one with everything.

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult};
use serde::Serialize;
use tocsin_engine::index::Vulnerability;
use tocsin_model::query::{Field, Kind, Query, Schema};
use tocsin_model::record::Record;
use utoipa::ToSchema;

use super::actions::{self, COLUMNS, Row, read_row};
use super::types::{SEVERITY_WORDS, STATES, TLPS, Warning};
use crate::error::Result;
use crate::intel::Opened;
use crate::platform::access::{Actor, Permission};
use crate::platform::query::{self, Entry, How, Key, Noun, Rows, order, own};
use crate::platform::sql;

const PROPOSED: &str = "(SELECT COUNT(*) FROM warning_proposal p WHERE p.warning = w.id AND p.state = 'open' AND w.state = 'open')";

/// Early warnings as a noun of queries.
static WARNINGS: Noun = Noun {
    doing: "listing early warnings",
    permission: Permission::DeskRead,
    entries: &[
        Entry {
            field: Field {
                name: "vulnerability",
                kind: Kind::Id,
                optional: false,
                what: "its id, or what it was merged into",
            },
            how: How::Id(
                "(w.name = UPPER(CAST({} AS TEXT)) OR w.main = UPPER(CAST({} AS TEXT)))",
                "(LOWER(w.name || ' ' || w.main) {})",
            ),
            leads: false,
        },
        own("title", Kind::Text, "w.title", "its title"),
        own("product", Kind::Text, "w.product", "what is affected, by name"),
        own("purl", Kind::Text, "w.purl", "what is affected, by package URL"),
        own("severity", Kind::Scale(&SEVERITY_WORDS), "w.severity", "how bad it is judged to be"),
        own(
            "state",
            Kind::Word(&STATES),
            "w.state",
            "where it stands; withdrawn ones are left out unless asked for",
        ),
        own("tlp", Kind::Word(&TLPS), "w.tlp", "its marking, TLP 2.0"),
        own(
            "proposed",
            Kind::Truth,
            "EXISTS (SELECT 1 FROM warning_proposal p WHERE p.warning = w.id AND p.state = 'open' AND w.state = 'open')",
            "it may be a CVE that is known by now",
        ),
        own("author", Kind::Text, "w.author", "who wrote it"),
        own("created", Kind::Time, "w.created", "when it was written"),
        own("changed", Kind::Time, "w.changed", "when it was last changed"),
        own("age", Kind::Age, "w.created", "time since it was written"),
    ],
    orders: &[
        order("created", &[("w.created", Key::Text), ("w.id", Key::Int)], true),
        order("changed", &[("w.changed", Key::Text), ("w.id", Key::Int)], true),
        order("severity", &[("w.severity", Key::Int), ("w.id", Key::Int)], true),
        order("vulnerability", &[("w.name", Key::Text)], true),
    ],
    columns: &["vulnerability", "title", "severity", "state", "created"],
    groups: &[],
    table: "warning w",
    id: "w.id",
    from: "warning w",
    on: "",
    workspace: "w.workspace = $1",
    lines: "",
    unless: &[(&["state"], "w.state <> 'withdrawn'")],
    words: &["LOWER(w.name || ' ' || w.title || ' ' || w.product || ' ' || w.purl || ' ' || w.main) {}"],
};

/// What a query over early warnings may name.
pub fn warning_schema() -> Schema {
    WARNINGS.schema()
}

fn warning(row: Row, author: String, proposals: i64) -> Warning {
    Warning {
        id: row.id,
        name: row.name,
        what: row.what,
        story: row.story,
        state: row.state,
        main: row.main,
        proposals,
        pending: row.stale > 0,
        version: row.version,
        created: row.times.0,
        changed: row.times.1,
        author,
    }
}

fn read(row: &QueryResult) -> std::result::Result<Warning, sea_orm::DbErr> {
    Ok(warning(read_row(row)?, row.try_get_by_index(20)?, row.try_get_by_index(21)?))
}

/// Early warnings of a query, the youngest first; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn warning_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Warning>> {
    actor.need_everywhere(Permission::DeskRead)?;
    let columns = format!("{COLUMNS}, w.author, {PROPOSED}");
    query::page(db, actor, &WARNINGS, query, (&columns, read), after, most).await
}

/// An id that a warning may be merged into.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MergeProposal)]
pub struct Proposal {
    /// Main id.
    pub main: String,
    /// Why it may be the same flaw.
    pub reason: String,
    /// When it was proposed.
    pub at: String,
    /// `open`, `refused`, `merged`.
    pub state: String,
}

/// Something that happened to an early warning.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = WarningEvent)]
pub struct Event {
    /// When.
    pub at: String,
    /// By whom.
    pub actor: String,
    /// `made`, `changed`, `proposed`, `refused`, `withdrawn`, `merged`.
    pub what: String,
    /// More of it.
    pub detail: String,
}

/// An early warning with everything.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EarlyWarningShown)]
pub struct Shown {
    /// The warning.
    #[serde(flatten)]
    pub warning: Warning,
    /// What it may be merged into.
    pub proposed: Vec<Proposal>,
    /// What happened to it, oldest first.
    pub events: Vec<Event>,
}

/// One early warning of the actor's workspace, by its name. Whoever reads the desk sees each; others see those that have
/// findings in their product lines, which tell as much.
///
/// # Errors
/// Denied; [`crate::Error::NotFound`], also for what is not the actor's to see; the database does not answer.
pub async fn shown(db: &DatabaseConnection, actor: &Actor, name: &str) -> Result<Shown> {
    let row = actions::one(db, actor, name, false).await?;
    if !visible(db, actor, &row.name).await? {
        return Err(crate::Error::NotFound(format!("early warning {name}")));
    }
    let what = "reading an early warning";
    let id = row.id;
    let select = "SELECT w.author FROM warning w WHERE w.id = $1";
    let author: Option<(String,)> = sql::row(db, what, select, vec![id.into()]).await?;
    let select = "SELECT main, reason, at, state FROM warning_proposal WHERE warning = $1 ORDER BY at, main";
    let proposed: Vec<(String, String, String, String)> =
        sql::rows(db, what, select, vec![id.into()]).await?;
    let proposed: Vec<Proposal> =
        proposed.into_iter().map(|(main, reason, at, state)| Proposal { main, reason, at, state }).collect();
    let select = "SELECT at, actor, what, detail FROM warning_event WHERE warning = $1 ORDER BY n";
    let events: Vec<(String, String, String, String)> = sql::rows(db, what, select, vec![id.into()]).await?;
    let events =
        events.into_iter().map(|(at, actor, what, detail)| Event { at, actor, what, detail }).collect();
    let open = if row.state == "open" { proposed.iter().filter(|p| p.state == "open").count() } else { 0 };
    let warning = warning(row, author.map(|a| a.0).unwrap_or_default(), open as i64);
    Ok(Shown { warning, proposed, events })
}

/// Whether an actor may see a warning of the workspace: it reads the desk, or has findings of it in its product lines.
///
/// # Errors
/// The database does not answer.
pub async fn visible(db: &DatabaseConnection, actor: &Actor, name: &str) -> Result<bool> {
    if actor.need_everywhere(Permission::DeskRead).is_ok() {
        return Ok(true);
    }
    if actor.need(Permission::FindingRead).is_err() {
        return Ok(false);
    }
    let mut values = vec![actor.workspace.into(), name.to_ascii_uppercase().into()];
    let scope = query::in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT f.id FROM finding f JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product \
         WHERE f.workspace = $1 AND f.vulnerability IN (SELECT CAST($2 AS TEXT) UNION SELECT w.main FROM warning w WHERE \
         w.workspace = $1 AND w.name = $2 AND w.main <> ''){scope} LIMIT 1"
    );
    Ok(sql::row::<(i64,)>(db, "looking for findings", &select, values).await?.is_some())
}

/// Early warnings of the actor's workspace that are a vulnerability, by their name or the id that they were merged into;
/// those that the actor may see, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn of(db: &DatabaseConnection, actor: &Actor, id: &str) -> Result<Vec<Shown>> {
    let select =
        "SELECT w.name FROM warning w WHERE w.workspace = $1 AND (w.name = $2 OR w.main = $3) ORDER BY w.id";
    let values = vec![actor.workspace.into(), sql::text(&id.to_ascii_uppercase()), sql::text(id)];
    let names: Vec<(String,)> = sql::rows(db, "reading early warnings", select, values).await?;
    let mut found = Vec::new();
    for (name,) in names {
        match shown(db, actor, &name).await {
            Ok(shown) => found.push(shown),
            Err(crate::Error::NotFound(_)) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}

/// What is known of a vulnerability that is an early warning, or that one was merged into, with the warning's own word;
/// nothing where the actor's workspace has none of it, or the actor may not see it.
///
/// # Errors
/// The database does not answer.
pub async fn find(
    db: &DatabaseConnection,
    actor: &Actor,
    opened: Option<&Opened>,
    id: &str,
) -> Result<Option<Vulnerability>> {
    if of(db, actor, id).await?.is_empty() {
        return Ok(None);
    }
    let Some(book) = super::book(db, actor.workspace, opened).await? else { return Ok(None) };
    let found = book.opened.index.find(id).or_else(|_| book.opened.index.find(&id.to_ascii_uppercase()));
    found.map_err(|e| crate::Error::Internal {
        doing: "reading early warnings".to_owned(),
        cause: Box::new(e),
    })
}

impl Shown {
    /// The warning as a record of intelligence, beside those of others.
    pub fn record(&self) -> Record {
        let w = &self.warning;
        super::record::of(&w.name, &w.what, &w.state, (&w.created, &w.changed))
    }
}

/// The open warnings of a workspace.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn open_of(db: &impl ConnectionTrait, workspace: i64) -> Result<Vec<Row>> {
    let what = "reading early warnings";
    let select =
        format!("SELECT {COLUMNS} FROM warning w WHERE w.workspace = $1 AND w.state = 'open' ORDER BY w.id");
    sql::read(&sql::raw(db, what, &select, vec![workspace.into()]).await?, what, read_row)
}
