//! Removal of what is over: sessions and invitations that expired, jobs that ended long ago.

use serde::Serialize;

use super::access::Permission;
use super::change::Change;
use super::{clock, jobs, people, sql};
use crate::error::Result;

/// Days for which an invitation that is over is still told of.
const INVITATION_DAYS: i64 = 30;

/// How much was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Sessions, and what was open between two requests.
    pub sessions: u64,
    /// Invitations.
    pub invitations: u64,
    /// Jobs.
    pub jobs: u64,
}

/// Removes, in all workspaces, what is over.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn sweep(change: &mut Change<'_>) -> Result<Swept> {
    change.actor.need_everywhere(Permission::JobManage)?;
    let now = change.actor.now.clone();
    let sessions = people::sweep(&change.tx, &now).await?;
    let old = clock::after(&now, -INVITATION_DAYS * 24 * 3600 * 1000)?;
    let invitations = "DELETE FROM invitation WHERE expires < $1 OR used < $1";
    let invitations = sql::run(&change.tx, "removing invitations", invitations, vec![old.into()]).await?;
    let jobs = jobs::sweep(change).await?;
    Ok(Swept { sessions, invitations, jobs })
}
