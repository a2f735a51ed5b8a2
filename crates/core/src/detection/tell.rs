//! What people are to be told of findings, put into the outbox with the change itself.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::platform::change::Change;
use crate::platform::outbox::{self, Topic};
use crate::platform::sql;

/// What a new report says that was not so before.
#[derive(Default)]
pub(super) struct News {
    /// Releases with findings that are new.
    pub(super) releases: BTreeSet<i64>,
    raised: Vec<i64>,
    exploits: Vec<i64>,
}

/// The program itself acts when intelligence changed.
fn by(change: &Change<'_>) -> &'static str {
    if change.actor.name == "system" { "intelligence" } else { "upload" }
}

impl News {
    /// Takes up what changed of a finding: its severity, and its number of public exploits, before and after.
    pub(super) fn changed(&mut self, finding: i64, severity: (i64, i64), exploits: (i64, i64)) {
        if severity.1 > severity.0 {
            self.raised.push(finding);
        }
        if exploits.0 == 0 && exploits.1 > 0 {
            self.exploits.push(finding);
        }
    }

    /// Puts it into the outbox. New findings are known by their time, which is that of the change.
    pub(super) async fn tell(self, change: &Change<'_>) -> Result<()> {
        if !self.releases.is_empty() {
            let releases: Vec<i64> = self.releases.into_iter().collect();
            let subject = match releases.as_slice() {
                [one] => format!("release/{one}"),
                _ => "findings".to_owned(),
            };
            let event = outbox::tell(change, Topic::FindingNew, subject, 0, ("", by(change))).await?;
            for chunk in releases.chunks(5_000) {
                // found by their time: of a release there are a thousand others
                let insert = format!(
                    "INSERT INTO outbox_finding (event, finding) SELECT $2, f.id FROM finding f WHERE f.workspace = $4 \
                     AND f.first_seen = $3 AND f.closed IS NULL AND f.release + 0 IN {}",
                    sql::numbers(&change.tx, 1)
                );
                let values = vec![
                    sql::list(chunk),
                    event.into(),
                    change.actor.now.clone().into(),
                    change.actor.workspace.into(),
                ];
                sql::run(&change.tx, "telling of findings", &insert, values).await?;
            }
            outbox::conceal(change, event).await?;
        }
        told(change, Topic::FindingRaised, &self.raised, by(change)).await?;
        exploits(change, &self.exploits).await
    }
}

async fn told(change: &Change<'_>, topic: Topic, findings: &[i64], detail: &str) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let event = outbox::tell(change, topic, "findings".to_owned(), 0, ("", detail)).await?;
    outbox::about(change, event, findings).await
}

/// Findings for whose flaw an exploit became public.
pub(super) async fn exploits(change: &Change<'_>, findings: &[i64]) -> Result<()> {
    told(change, Topic::FindingExploit, findings, "intelligence").await
}

/// What the history of findings says that people are to be told of.
pub(super) async fn history(change: &Change<'_>, events: &[(i64, &'static str, String)]) -> Result<()> {
    let of = |wanted: &dyn Fn(&str, &str) -> bool| -> Vec<i64> {
        events.iter().filter(|(_, what, detail)| wanted(what, detail)).map(|e| e.0).collect()
    };
    let again = of(&|what, _| what == "reopened");
    told(change, Topic::FindingNew, &again, by(change)).await?;
    let exploited = of(&|what, detail| what == "updated" && detail == "known to be exploited");
    told(change, Topic::FindingExploited, &exploited, "intelligence").await?;
    let lapsed = of(&|what, _| what == "lapsed" || what == "expired");
    told(change, Topic::DecisionLapsed, &lapsed, "").await
}
