//! Reading a large document: the bytes were kept when it came; here they are read, matched and put in place.

use tocsin_core::Error as Fault;
use tocsin_core::inventory::{self, Received};
use tocsin_core::platform::change::Change;

use super::registry::Kind;
use super::run::{Ending, Run};
use crate::error::Error;
use crate::intake;

/// See [`Received`].
pub struct Sbom;

/// Steps of which progress is told.
const STEPS: usize = 3;

impl Kind for Sbom {
    type Payload = Received;
    const NAME: &'static str = "SBOM";

    async fn run(run: Run, told: Received) -> Result<Ending, Error> {
        run.progress(0, STEPS, "fetching the document");
        let bytes = inventory::received(run.app.db(), &told.blob).await?;
        run.progress(1, STEPS, "reading and matching");
        let prepared = intake::prepare(&run.app, told.name, bytes).await?;
        run.progress(2, STEPS, "storing components and findings");
        let actor = run.actor();
        let mut change = Change::begin(run.app.db(), &actor).await?;
        let done = match inventory::apply(&mut change, told.release, &prepared).await {
            // it waits on the release's page for a word
            Err(Fault::Unusual(question)) => {
                drop(change);
                intake::hold(&run.app, &actor, &prepared, &question).await?;
                return Ok(Ending::Result(serde_json::json!({"waits": question})));
            }
            done => done?,
        };
        let closed: usize = done.findings.closed.values().sum();
        let result = serde_json::json!({"release": done.release, "document": done.document,
            "components": done.components, "added": done.difference.added, "removed": done.difference.removed,
            "changed": done.difference.changed.len(), "findings_new": done.findings.new + done.findings.reopened,
            "findings_closed": closed, "unchanged": done.unchanged});
        run.end(&mut change, &result).await?;
        change.commit().await?;
        Ok(Ending::Written)
    }
}
