//! Bringing findings up to early warnings.

use tocsin_core::warnings::Bring;

use super::registry::Kind;
use super::run::{Ending, Run};
use crate::error::Error;
use crate::rematch;

/// See the module.
pub struct Warning;

impl Kind for Warning {
    type Payload = Bring;
    const NAME: &'static str = "Early warnings";

    async fn run(run: Run, _: Bring) -> Result<Ending, Error> {
        let done = rematch::warnings(&run.app).await?;
        let result = serde_json::json!({"releases": done.releases, "new": done.new, "closed": done.closed});
        Ok(Ending::Result(result))
    }
}
