//! Fetching a source's document: hosts are called one after another and not too fast, what may pass is tried again.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Mark, fresh};
use crate::outbound::{Ask, Fetched, Outbound, Refused};
use crate::server::random;

/// Tries of one document.
const TRIES: u32 = 3;
/// Pause before the second try; it doubles, and up to half is added by chance.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause that is waited for here; a host that wants more is left alone until its next time.
const LONGEST: Duration = Duration::from_secs(30);
/// Least time between two requests to one host, whichever sources they are for, unless a source has its own.
pub(super) const GAP: Duration = Duration::from_millis(500);

/// When each host may be called next.
static HOSTS: Mutex<Option<HashMap<String, Instant>>> = Mutex::new(None);

/// Waits for this process's turn at a host.
fn turn(address: &str, gap: Duration) {
    let host = address.split('/').nth(2).unwrap_or_default().to_ascii_lowercase();
    let now = Instant::now();
    let at = {
        let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
        let hosts = hosts.get_or_insert_default();
        hosts.retain(|_, next| *next > now);
        let at = hosts.get(&host).copied().unwrap_or(now);
        hosts.insert(host, at + gap);
        at
    };
    std::thread::sleep(at.saturating_duration_since(now));
}

/// The pause after so many tries, where another may help: `chance` is from 0 to 1.
fn pause(e: &Refused, tries: u32, chance: f64) -> Option<Duration> {
    let own = PAUSE * 2_u32.saturating_pow(tries.saturating_sub(1));
    let own = own.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 2.0);
    let wanted = match e {
        Refused::Later(_, _, wait) => own.max(Duration::from_secs(wait.unwrap_or(0))),
        Refused::Silent(..) | Refused::Cut(..) => own,
        Refused::Status(_, status) if *status >= 500 => own,
        _ => return None,
    };
    (tries < TRIES && wanted <= LONGEST).then_some(wanted)
}

/// What is to be fetched, and how.
#[derive(Clone)]
pub(super) struct Wish<'a> {
    pub outbound: &'a Outbound,
    pub address: &'a str,
    /// The edition that we have.
    pub mark: Option<&'a Mark>,
    /// Longest document taken, in bytes.
    pub most: u64,
    /// Longest time for it.
    pub patience: Duration,
    /// Least time until the next request to the host.
    pub gap: Duration,
    /// Credentials: a header and its value.
    pub header: Option<(&'static str, &'a str)>,
}

/// Fetches a document into a file, where it is another edition than the one that we have.
///
/// # Errors
/// As [`Outbound::fetch`]; no file is left then.
pub(super) fn fetch(wish: &Wish<'_>, to: &Path) -> Result<Fetched, Refused> {
    let ask = Ask {
        address: wish.address,
        etag: wish.mark.and_then(|m| m.etag.as_deref()),
        modified: wish.mark.and_then(|m| m.modified.as_deref()),
        header: wish.header,
        most: wish.most,
        patience: wish.patience,
    };
    let mut tries = 0;
    loop {
        tries += 1;
        turn(wish.address, wish.gap);
        let mut file = fresh(to).map_err(Refused::Write)?;
        let came = wish.outbound.fetch(&ask, &mut file).and_then(|came| {
            file.sync_all().map_err(Refused::Write)?;
            Ok(came)
        });
        if !matches!(came, Ok(Fetched::Whole { .. })) {
            let _ = std::fs::remove_file(to);
        }
        let Err(e) = came else { return came };
        let mut byte = [0_u8; 1];
        random(&mut byte);
        match pause(&e, tries, f64::from(byte[0]) / 255.0) {
            Some(pause) => std::thread::sleep(pause),
            None => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_longer_each_time() {
        let host = || "h".to_owned();
        let millis = |e: &Refused, tries, chance| pause(e, tries, chance).map(|p| p.as_millis());
        let silent = Refused::Silent(host(), String::new());
        assert_eq!(millis(&silent, 1, 0.0), Some(1000));
        assert_eq!(millis(&silent, 2, 1.0), Some(3000));
        assert_eq!(millis(&silent, 3, 0.0), None, "three tries are enough");
        assert_eq!(millis(&Refused::Later(host(), 429, Some(5)), 1, 0.5), Some(5000));
        assert_eq!(millis(&Refused::Later(host(), 429, Some(31)), 1, 0.0), None, "too long to wait here");
        assert_eq!(millis(&Refused::Later(host(), 503, None), 1, 0.0), Some(1000));
        assert_eq!(millis(&Refused::Status(host(), 502), 1, 0.0), Some(1000));
        for e in [Refused::Status(host(), 404), Refused::Long(host(), 1), Refused::Address(host(), "no")] {
            assert_eq!(millis(&e, 1, 0.0), None, "{e}");
        }
    }
}
