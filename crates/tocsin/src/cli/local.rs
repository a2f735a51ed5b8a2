//! The data of this machine, for commands that act in a workspace.

use std::future::Future;

use tocsin_core::platform::access::Actor;
use tocsin_core::platform::db;
use tocsin_core::platform::people;

use super::Global;
use crate::error::Error;
use crate::server::now;

/// Name of the workspace that a first start makes, where no other is told.
pub(super) const FIRST_WORKSPACE: &str = "Main";

/// Runs something that waits.
///
/// # Errors
/// As `work`, or the system gives no threads.
pub(super) fn wait<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Error::io("starting the runtime", e))?;
    runtime.block_on(work)
}

/// Who works at the data of this machine: they could read and write all of it anyway.
pub(super) fn actor(workspace: i64) -> Actor {
    Actor { name: "local".to_owned(), ..Actor::system(workspace, &now()) }
}

/// Opens the database, brought up to date, and finds the workspace: the one told by its number, else the first.
///
/// # Errors
/// The database cannot be opened, or there is no such workspace.
pub(super) async fn open(
    global: &Global,
    workspace: Option<i64>,
) -> Result<(sea_orm::DatabaseConnection, Actor), Error> {
    let db = database(global).await?;
    find(db, workspace).await
}

/// As [`open`]; where no workspace is asked for and there is none yet, the first is made as the first start of the
/// server makes it. The server still greets its first administrator: that goes by people, not by workspaces.
///
/// # Errors
/// As [`open`].
pub(super) async fn open_or_begin(
    global: &Global,
    workspace: Option<i64>,
) -> Result<(sea_orm::DatabaseConnection, Actor), Error> {
    let db = database(global).await?;
    if workspace.is_none() {
        people::first_workspace(&db, FIRST_WORKSPACE, &now()).await?;
    }
    find(db, workspace).await
}

async fn database(global: &Global) -> Result<sea_orm::DatabaseConnection, Error> {
    let dir = global.data_dir()?;
    std::fs::create_dir_all(&dir).map_err(|e| Error::io(dir.display().to_string(), e))?;
    Ok(db::open(&global.place()?).await?)
}

async fn find(
    db: sea_orm::DatabaseConnection,
    workspace: Option<i64>,
) -> Result<(sea_orm::DatabaseConnection, Actor), Error> {
    let workspaces = people::workspaces(&db).await?;
    let found = match workspace {
        None => workspaces.first().copied(),
        Some(id) => workspaces.into_iter().find(|w| *w == id),
    };
    match found {
        Some(id) => Ok((db, actor(id))),
        None => Err(Error::Usage(match workspace {
            None => "there is no workspace yet; start `tocsin serve` once".to_owned(),
            Some(id) => format!("there is no workspace {id}"),
        })),
    }
}
