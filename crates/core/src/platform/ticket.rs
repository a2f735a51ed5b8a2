//! What is open between two requests: a password was right and the code is waited for, a person is at their provider,
//! a form waits for its person to sign in. Known by the hash of a token, sealed, gone when it is over.

use sea_orm::{ConnectionTrait, Value};

use super::clock;
use super::people::Door;
use super::secret;
use super::sql;
use crate::error::Result;

/// Wrong answers after which a ticket opens no more.
pub(crate) const TRIES: i64 = 5;

/// An open ticket.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    /// Whose it is, 0 where nobody is known yet.
    pub person: i64,
    /// Workspace it is for, 0 where none is.
    pub workspace: i64,
    /// What was kept.
    pub data: Vec<u8>,
}

fn context(kind: &str, hash: &str) -> String {
    format!("ticket/{kind}/{hash}")
}

/// Opens a ticket for some minutes; its token is told once.
///
/// # Errors
/// The database or the vault does not answer.
pub(crate) async fn put(
    door: &Door<'_>,
    db: &impl ConnectionTrait,
    kind: &str,
    ticket: &Ticket,
    minutes: i64,
) -> Result<String> {
    let token = secret::token(door.random, 48);
    let hash = secret::digest(&token);
    let sealed = door.vault.seal(door.random, &context(kind, &hash), &ticket.data)?;
    let insert = "INSERT INTO ticket (hash, kind, person, workspace, data, created, expires) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = vec![
        hash.into(),
        kind.into(),
        ticket.person.into(),
        ticket.workspace.into(),
        Value::from(sealed),
        door.now.into(),
        clock::minutes_after(door.now, minutes).into(),
    ];
    sql::run(db, "opening a ticket", insert, values).await?;
    Ok(token)
}

/// Reads an open ticket and leaves it open.
///
/// # Errors
/// The database or the vault does not answer.
pub(crate) async fn look(door: &Door<'_>, kind: &str, token: &str) -> Result<Option<Ticket>> {
    let hash = secret::digest(token);
    let select = "SELECT person, workspace, data FROM ticket WHERE hash = $1 AND kind = $2 AND expires > $3 \
                  AND tries < $4";
    let values = vec![hash.clone().into(), kind.into(), door.now.into(), TRIES.into()];
    let row: Option<(i64, i64, Vec<u8>)> = sql::row(door.db, "reading a ticket", select, values).await?;
    let Some((person, workspace, sealed)) = row else { return Ok(None) };
    let data = door.vault.open(&context(kind, &hash), &sealed)?.to_vec();
    Ok(Some(Ticket { person, workspace, data }))
}

/// Tears a ticket up; whether it was this call that did it.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn tear(db: &impl ConnectionTrait, kind: &str, token: &str) -> Result<bool> {
    let delete = "DELETE FROM ticket WHERE hash = $1 AND kind = $2";
    let values = vec![secret::digest(token).into(), kind.into()];
    Ok(sql::run(db, "closing a ticket", delete, values).await? == 1)
}

/// Counts a wrong answer; after [`TRIES`] the ticket opens no more.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn wrong(db: &impl ConnectionTrait, kind: &str, token: &str) -> Result<()> {
    let update = "UPDATE ticket SET tries = tries + 1 WHERE hash = $1 AND kind = $2";
    let values = vec![secret::digest(token).into(), kind.into()];
    sql::run(db, "counting a wrong answer", update, values).await.map(|_| ())
}

/// Wrong answers to a person's tickets of a kind that are not over.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn wrong_of(door: &Door<'_>, kind: &str, person: i64) -> Result<i64> {
    let select = "SELECT CAST(COALESCE(SUM(tries), 0) AS BIGINT) FROM ticket WHERE kind = $1 AND person = $2 \
                  AND expires > $3";
    let values = vec![kind.into(), person.into(), door.now.into()];
    let row: Option<(i64,)> = sql::row(door.db, "counting wrong answers", select, values).await?;
    Ok(row.map_or(0, |r| r.0))
}
