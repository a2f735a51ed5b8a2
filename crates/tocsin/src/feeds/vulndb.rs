//! Flashpoint's VulnDB (https://vulndb.flashpoint.io), which is paid for: OAuth 2.0 client credentials (RFC 6749, section
//! 4.4), then pages of all vulnerabilities the first time, and of those that changed since.

use std::fs::File;
use std::io::BufReader;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tocsin_core::platform::clock;
use zeroize::Zeroizing;

use super::walk::Document;
use super::{Key, Source, Steps, Stop, Walk};
use crate::outbound::Refused;

/// See the module.
pub struct VulnDb;

/// Records of a page: the most that the API gives.
const PAGE: u64 = 100;
/// Begin of a window before the end of the last, in hours.
const OVERLAP: i64 = 2;
/// What is asked for beside the plain record.
const SHOWN: &str =
    "nested=true&additional_info=true&show_cpe_full=true&show_cvss_v3=true&full_reference_url=true";

impl Source for VulnDb {
    fn name(&self) -> &'static str {
        "vulndb"
    }
    fn title(&self) -> &'static str {
        "VulnDB (Flashpoint)"
    }
    fn address(&self) -> &'static str {
        "https://vulndb.flashpoint.io"
    }
    fn file(&self) -> &'static str {
        "vulndb"
    }
    fn gives(&self) -> &'static str {
        "vulndb"
    }
    fn cron(&self) -> &'static str {
        "21 */2 * * *"
    }
    fn most(&self) -> u64 {
        256 << 20
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
    fn key(&self) -> Option<&'static Key> {
        Some(&Key {
            header: "authorization",
            before: "",
            words: "Consumer key and secret of your VulnDB account with a colon between: KEY:SECRET",
        })
    }
    fn credentials(&self, _: &str) -> Option<Zeroizing<String>> {
        // it is asked for a token with them
        None
    }
}

/// How far it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// Everything that changed until then is taken in; nothing while the first load goes on.
    until: Option<String>,
    /// What will be so when the pages of now are through; empty between two windows.
    to: String,
    /// Pages of these that are taken in.
    page: u64,
}

impl Cursor {
    /// The address of the next page; the API counts pages from 1 and time in hours before now.
    fn address(&self, base: &str, now: &str) -> String {
        let page = format!("{SHOWN}&size={PAGE}&page={}", self.page + 1);
        match &self.until {
            None => format!("{base}/api/v1/vulnerabilities/?{page}"),
            Some(until) => {
                let hours = (clock::seconds(now) - clock::seconds(until)).max(0) / 3600 + 1 + OVERLAP;
                format!("{base}/api/v1/vulnerabilities/find_by_time?hours_ago={hours}&{page}")
            }
        }
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

/// What a page says of itself.
#[derive(Debug, Deserialize)]
struct Head {
    total_entries: u64,
    results: Vec<serde::de::IgnoredAny>,
}

fn head(document: &Document) -> Result<Head, String> {
    let file = File::open(&document.path).map_err(|e| e.to_string())?;
    serde_json::from_reader(BufReader::with_capacity(1 << 17, file)).map_err(|e| e.to_string())
}

/// Has the walk ask with a token that was given for the key.
fn sign_in(walk: &mut Walk<'_>) -> Result<(), Stop> {
    let key = walk
        .key()
        .and_then(|k| k.split_once(':'))
        .map(|(k, s)| (Zeroizing::new(k.trim().to_owned()), Zeroizing::new(s.trim().to_owned())));
    let Some((id, secret)) = key else {
        return Err(Stop::Changed(
            "VulnDB is asked with a key of yours, written KEY:SECRET: tocsin feeds set vulndb --key-file FILE.".to_owned(),
        ));
    };
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
    ];
    let address = format!("{}/oauth/token", walk.address());
    let reply = walk.post(&address, &form)?;
    if reply.status >= 400 {
        let host = address.split('/').nth(2).unwrap_or_default().to_owned();
        return Err(Stop::Refused(match reply.status {
            429 => Refused::Later(host, 429, None),
            status => Refused::Status(host, status),
        }));
    }
    let body = Zeroizing::new(reply.body);
    // what came is not repeated: it may hold the token
    let token: Token = serde_json::from_slice(&body).map_err(|_| {
        Stop::Changed(format!("{address} gave no access token: it may have changed its format."))
    })?;
    let token = Zeroizing::new(token.access_token);
    if token.is_empty() || !token.bytes().all(|b| (0x21..0x7f).contains(&b)) {
        return Err(Stop::Changed(format!("{address} gave a token that is none.")));
    }
    walk.bear(&token);
    Ok(())
}

impl Steps for VulnDb {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let mut cursor: Cursor = walk.cursor();
        // windows are told in hours before now: one that was broken off is another now, and begins anew
        if cursor.to.is_empty() || cursor.until.is_some() {
            (cursor.to, cursor.page) = (walk.now.clone(), 0);
        }
        sign_in(walk)?;
        let mut renewed = false;
        loop {
            let asked = walk.whole(&cursor.address(walk.address(), &walk.now), "page.json");
            let page = match asked {
                // a token lasts a while; a first load lasts longer
                Err(Stop::Refused(Refused::Status(_, 401))) if !renewed => {
                    renewed = true;
                    sign_in(walk)?;
                    continue;
                }
                // how it says that nothing changed
                Err(Stop::Refused(Refused::Status(_, 404))) if cursor.until.is_some() && cursor.page == 0 => {
                    break;
                }
                other => other?,
            };
            renewed = false;
            let head = match head(&page) {
                Ok(head) => head,
                Err(why) => {
                    // what of it is understood is kept; the page is asked for again
                    walk.take(std::slice::from_ref(&page))?;
                    return Err(walk.changed(&why, &page));
                }
            };
            let (before, came) = (cursor.page * PAGE, head.results.len() as u64);
            if came > PAGE || (came == 0 && before < head.total_entries) {
                let why = format!("{came} of {} records came after {before}", head.total_entries);
                return Err(walk.changed(&why, &page));
            }
            if came > 0 {
                walk.take(&[page])?;
            }
            let done = before + came;
            walk.progress(done.min(head.total_entries), head.total_entries, "records");
            if done >= head.total_entries || came < PAGE {
                break;
            }
            cursor.page += 1;
            walk.reach(&cursor)?;
        }
        walk.reach(&Cursor { until: Some(cursor.to), to: String::new(), page: 0 })
    }

    fn gap(&self, _: bool) -> Duration {
        Duration::from_secs(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_of_all_and_then_of_the_hours_since() {
        let mut cursor = Cursor { page: 2, ..Cursor::default() };
        let now = "2026-01-02T00:30:00.000Z";
        assert!(cursor.address("B", now).starts_with("B/api/v1/vulnerabilities/?nested=true"));
        assert!(cursor.address("B", now).ends_with("&size=100&page=3"));
        cursor.until = Some("2026-01-01T22:00:00.000Z".to_owned());
        assert!(cursor.address("B", now).contains("find_by_time?hours_ago=5&"));
    }
}
