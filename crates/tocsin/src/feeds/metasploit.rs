//! The list of modules of the Metasploit framework: one JSON document.

use super::Source;

/// See the module.
pub struct Metasploit;

impl Source for Metasploit {
    fn name(&self) -> &'static str {
        "metasploit"
    }
    fn title(&self) -> &'static str {
        "Metasploit modules"
    }
    fn address(&self) -> &'static str {
        "https://raw.githubusercontent.com/rapid7/metasploit-framework/master/db/modules_metadata_base.json"
    }
    fn file(&self) -> &'static str {
        "metasploit.json"
    }
    fn gives(&self) -> &'static str {
        "exploit"
    }
    fn cron(&self) -> &'static str {
        "7 */4 * * *"
    }
    fn most(&self) -> u64 {
        256 << 20
    }
}
