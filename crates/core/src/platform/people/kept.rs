//! A form that came after its session was over: kept for its person until they have signed in again.

use serde::{Deserialize, Serialize};

use super::super::ticket::{self, Ticket};
use super::super::{secret, sql};
use super::Door;
use crate::error::Result;

const KEPT: &str = "kept";
/// Forms kept of one person; the oldest go.
const MOST: i64 = 5;
/// How long a form is kept, in minutes.
const KEPT_MINUTES: i64 = 24 * 60;

/// What was typed. It is stored sealed, and gone after a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where the form was sent to.
    pub action: String,
    /// The page on which it was filled in, where the browser told it.
    pub page: String,
    /// Names and values, in the order of the form; neither passwords nor the session's token.
    pub fields: Vec<(String, String)>,
    /// Names of the fields that held a file, with the file's name: the file is to be chosen again.
    pub files: Vec<(String, String)>,
    /// It was sent as `multipart/form-data`.
    pub multipart: bool,
}

/// Keeps a form of a person; its token is told once.
///
/// # Errors
/// The database or the vault does not answer.
pub async fn keep(door: &Door<'_>, person: i64, form: &Kept) -> Result<String> {
    let data = serde_json::to_vec(form).unwrap_or_default();
    let token =
        ticket::put(door, door.db, KEPT, &Ticket { person, workspace: 0, data }, KEPT_MINUTES).await?;
    let delete = "DELETE FROM ticket WHERE kind = $1 AND person = $2 AND hash NOT IN (SELECT hash FROM ticket \
                  WHERE kind = $1 AND person = $2 ORDER BY created DESC, hash LIMIT $3)";
    sql::run(door.db, "keeping a form", delete, vec![KEPT.into(), person.into(), MOST.into()]).await?;
    Ok(token)
}

/// Whether a form is kept of this person that they were not shown yet.
///
/// # Errors
/// The database does not answer.
pub async fn kept_is_new(door: &Door<'_>, person: i64, token: &str) -> Result<bool> {
    let select = "SELECT person FROM ticket WHERE hash = $1 AND kind = $2 AND person = $3 AND tries = 0 \
                  AND expires > $4";
    let values = vec![secret::digest(token).into(), KEPT.into(), person.into(), door.now.into()];
    Ok(sql::row::<(i64,)>(door.db, "reading a kept form", select, values).await?.is_some())
}

/// The form kept of this person; it stays until it is over or let go.
///
/// # Errors
/// The database or the vault does not answer.
pub async fn kept(door: &Door<'_>, person: i64, token: &str) -> Result<Option<Kept>> {
    let open = ticket::look(door, KEPT, token).await?.filter(|t| t.person == person);
    let Some(open) = open else { return Ok(None) };
    let update = "UPDATE ticket SET tries = 1 WHERE hash = $1 AND kind = $2";
    sql::run(door.db, "reading a kept form", update, vec![secret::digest(token).into(), KEPT.into()]).await?;
    Ok(serde_json::from_slice(&open.data).ok())
}

/// Forgets a form.
///
/// # Errors
/// The database does not answer.
pub async fn let_go(door: &Door<'_>, token: &str) -> Result<()> {
    ticket::tear(door.db, KEPT, token).await.map(|_| ())
}
