//! What ends by its day: decisions, and uploads that nobody said a word about.

use tocsin_core::detection;
use tocsin_core::inventory;
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::change::Change;
use tocsin_core::platform::people;

use crate::error::Error;
use crate::server::{App, later, now};

/// Hours that an unusual upload waits for a word.
const WAITS: i64 = 24 * 14;

/// Ends the decisions of every workspace whose day has come, and drops uploads that waited for two weeks; the number of
/// decisions.
///
/// # Errors
/// The database does not answer.
pub async fn expire(app: &App) -> Result<usize, Error> {
    let mut ended = 0;
    for workspace in people::workspaces(app.db()).await? {
        let actor = Actor::system(workspace, &now());
        let mut change = Change::begin(app.db(), &actor).await?;
        ended += detection::expire(&mut change).await?;
        change.commit().await?;
    }
    inventory::forget_held(app.db(), &later(-WAITS)).await?;
    Ok(ended)
}
