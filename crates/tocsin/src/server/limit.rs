//! How often somebody may try to sign in, and how many requests a program may send.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tries in one window, for an address and for a login.
const MOST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Names remembered; beyond, those whose window is over are forgotten.
const NAMES: usize = 10_000;

/// Counts tries by name.
#[derive(Default)]
pub struct Limiter(Mutex<HashMap<String, (Instant, u32)>>);

impl Limiter {
    /// Whether another try from this address for this login is allowed; it is counted.
    pub fn allow(&self, address: &str, login: &str) -> bool {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() > NAMES {
            tries.retain(|_, (since, _)| since.elapsed() < WINDOW);
        }
        let login: String = login.trim().to_lowercase().chars().take(80).collect();
        [format!("a {address}"), format!("l {login}")].into_iter().fold(true, |all, name| {
            let entry = tries.entry(name).or_insert_with(|| (Instant::now(), 0));
            if entry.0.elapsed() >= WINDOW {
                *entry = (Instant::now(), 0);
            }
            entry.1 += 1;
            all && entry.1 <= MOST
        })
    }
}

/// Requests of the API in a minute, for each key or, without one, each address.
pub const REQUESTS: u32 = 6_000;
/// Requests with a key that is none, in a minute, for each address.
const FAILURES: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// How a caller stands with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Requests in a minute.
    pub limit: u32,
    /// Requests left now.
    pub left: u32,
    /// Seconds until one more is left, where none is.
    pub wait: Option<u64>,
}

/// Counts requests: each caller has a bucket that fills evenly, so that a burst is served and a flood is not.
pub struct Rate {
    most: AtomicU32,
    buckets: Mutex<HashMap<String, (Instant, f64)>>,
}

impl Default for Rate {
    fn default() -> Rate {
        Rate { most: AtomicU32::new(REQUESTS), buckets: Mutex::default() }
    }
}

impl Rate {
    /// Sets how many requests a minute are served.
    pub fn set(&self, most: u32) {
        self.most.store(most.max(1), Ordering::Relaxed);
    }

    /// Counts a request of a caller.
    pub fn take(&self, caller: &str) -> Left {
        self.draw(&format!("c {caller}"), self.most.load(Ordering::Relaxed), 1.0, Instant::now())
    }

    /// Whether an address has sent too many keys that are none: seconds to wait.
    pub fn barred(&self, address: &str) -> Option<u64> {
        self.draw(&format!("f {address}"), FAILURES, 0.0, Instant::now()).wait
    }

    /// Counts a key that is none.
    pub fn failed(&self, address: &str) {
        self.draw(&format!("f {address}"), FAILURES, 1.0, Instant::now());
    }

    fn draw(&self, name: &str, limit: u32, cost: f64, now: Instant) -> Left {
        let most = f64::from(limit);
        let per_second = most / MINUTE.as_secs_f64();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > NAMES {
            // a bucket that nobody drew from for a minute is full, which is what a new one is
            buckets.retain(|_, (at, _)| now.duration_since(*at) < MINUTE);
        }
        let (at, left) = buckets.entry(name.to_owned()).or_insert((now, most));
        *left = (*left + now.duration_since(*at).as_secs_f64() * per_second).min(most);
        *at = now;
        let wait = (*left < 1.0).then(|| ((1.0 - *left) / per_second).ceil().max(1.0) as u64);
        if wait.is_none() {
            *left -= cost;
        }
        Left { limit, left: *left as u32, wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_served_and_a_flood_is_not() {
        let rate = Rate::default();
        let start = Instant::now();
        let draw = |seconds: u64| rate.draw("c k", 60, 1.0, start + Duration::from_secs(seconds));
        for left in (0..60).rev() {
            assert_eq!(draw(0), Left { limit: 60, left, wait: None });
        }
        assert_eq!(draw(0).wait, Some(1));
        assert_eq!(draw(1).wait, None, "one a second comes back");
        assert_eq!(draw(1).wait, Some(1));
        assert_eq!(rate.draw("c other", 60, 1.0, start).wait, None, "callers do not share");
        assert_eq!(draw(100).left, 59, "and no more than the limit is saved up");
    }

    #[test]
    fn wrong_keys_bar_an_address() {
        let rate = Rate::default();
        assert_eq!(rate.barred("a"), None);
        (0..FAILURES).for_each(|_| rate.failed("a"));
        assert!(rate.barred("a").is_some());
        assert_eq!(rate.barred("b"), None);
    }
}
