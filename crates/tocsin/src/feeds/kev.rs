//! CISA's catalogue of known exploited vulnerabilities: one JSON document, changed on working days.

use super::Source;

/// See the module.
pub struct Kev;

impl Source for Kev {
    fn name(&self) -> &'static str {
        "kev"
    }
    fn title(&self) -> &'static str {
        "CISA Known Exploited Vulnerabilities"
    }
    fn address(&self) -> &'static str {
        "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
    }
    fn file(&self) -> &'static str {
        "kev.json"
    }
    fn gives(&self) -> &'static str {
        "kev"
    }
    fn cron(&self) -> &'static str {
        "23 * * * *"
    }
    fn most(&self) -> u64 {
        64 << 20
    }
}
