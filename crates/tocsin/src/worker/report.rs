//! Sending reports.

use tocsin_core::report::Sending;

use super::registry::Kind;
use super::run::{Ending, Run};
use crate::error::Error;
use crate::telling;

/// See the module.
pub struct Report;

impl Kind for Report {
    type Payload = Sending;
    const NAME: &'static str = "Report";

    async fn run(run: Run, told: Sending) -> Result<Ending, Error> {
        let tell = run.clone();
        let progress = move |done, total| tell.progress(done, total, "recipients reached");
        let reached = telling::report::send(&run.app, &run.actor(), &told, progress).await?;
        Ok(Ending::Result(serde_json::json!({"reached": reached})))
    }
}
