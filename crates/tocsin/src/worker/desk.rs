//! Sorting news into stories.

use tocsin_core::desk::{self, Sort};

use super::registry::Kind;
use super::run::{Ending, Run};
use crate::error::Error;
use crate::server::{App, now};

/// See the module.
pub struct Desk;

/// Sees to it that the schedule is there.
pub(super) async fn ensure(app: &App) -> Result<(), Error> {
    Ok(desk::ensure(app.db(), &now()).await?)
}

impl Kind for Desk {
    type Payload = Sort;
    const NAME: &'static str = "Sorting";

    async fn run(run: Run, _: Sort) -> Result<Ending, Error> {
        let tell = run.clone();
        let progress = move |done, total| tell.progress(done, total, "items placed into stories");
        let done = desk::sort_with(run.app.db(), run.app.desk(), &now, &progress).await?;
        Ok(Ending::Result(serde_json::to_value(done).unwrap_or_default()))
    }
}
