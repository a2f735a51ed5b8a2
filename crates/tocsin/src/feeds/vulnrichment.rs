//! CISA's Vulnrichment: CVE records with CISA's own container (SSVC decision points, CVSS, CWE, CPE), as one archive of
//! the repository. The CVE list carries the same container; here it stands earlier.

use super::{Key, Source};

/// See the module.
pub struct Vulnrichment;

impl Source for Vulnrichment {
    fn name(&self) -> &'static str {
        "vulnrichment"
    }
    fn title(&self) -> &'static str {
        "CISA Vulnrichment"
    }
    fn address(&self) -> &'static str {
        "https://codeload.github.com/cisagov/vulnrichment/zip/refs/heads/develop"
    }
    fn file(&self) -> &'static str {
        "vulnrichment.zip"
    }
    fn gives(&self) -> &'static str {
        "cve"
    }
    fn cron(&self) -> &'static str {
        "47 */12 * * *"
    }
    fn most(&self) -> u64 {
        4 << 30
    }
    fn key(&self) -> Option<&'static Key> {
        Some(&super::cvelist::GITHUB)
    }
}
