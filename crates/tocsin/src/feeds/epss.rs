//! FIRST's exploit prediction scores: one packed CSV a day, of all CVEs.

use super::Source;

/// See the module.
pub struct Epss;

impl Source for Epss {
    fn name(&self) -> &'static str {
        "epss"
    }
    fn title(&self) -> &'static str {
        "FIRST Exploit Prediction Scoring System"
    }
    fn address(&self) -> &'static str {
        "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
    }
    fn file(&self) -> &'static str {
        "epss.csv.gz"
    }
    fn gives(&self) -> &'static str {
        "epss"
    }
    fn cron(&self) -> &'static str {
        "41 */6 * * *"
    }
    fn most(&self) -> u64 {
        128 << 20
    }
}
