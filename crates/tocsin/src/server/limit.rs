//! How often somebody may try to sign in, and how many requests a program may send.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tries in one window for a login, and from an address, behind which there may be an office.
const MOST_LOGIN: u32 = 10;
const MOST_ADDRESS: u32 = 200;
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Names remembered. Beyond, those whose window is over are forgotten, and if none is, everybody waits: a crowd that
/// fills this is guessing.
const NAMES: usize = 50_000;

/// Counts tries by name.
#[derive(Default)]
pub struct Limiter(Mutex<HashMap<String, (Instant, u32)>>);

/// Logins are told apart as people write them, and long ones are cut.
fn names(address: &str, login: &str) -> [(String, u32); 2] {
    let login: String = login.trim().to_lowercase().chars().take(80).collect();
    [(format!("a {address}"), MOST_ADDRESS), (format!("l {login}"), MOST_LOGIN)]
}

impl Limiter {
    /// Whether another try from this address for this login is allowed; it is counted.
    pub fn allow(&self, address: &str, login: &str) -> bool {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= NAMES {
            tries.retain(|_, (since, _)| since.elapsed() < WINDOW);
            if tries.len() >= NAMES {
                return false;
            }
        }
        names(address, login).into_iter().fold(true, |all, (name, most)| {
            let entry = tries.entry(name).or_insert_with(|| (Instant::now(), 0));
            if entry.0.elapsed() >= WINDOW {
                *entry = (Instant::now(), 0);
            }
            entry.1 = entry.1.saturating_add(1);
            all && entry.1 <= most
        })
    }

    /// As [`Limiter::allow`] where no login is known: what counts is the address.
    pub fn allow_from(&self, address: &str) -> bool {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= NAMES {
            tries.retain(|_, (since, _)| since.elapsed() < WINDOW);
        }
        let entry = tries.entry(format!("a {address}")).or_insert_with(|| (Instant::now(), 0));
        if entry.0.elapsed() >= WINDOW {
            *entry = (Instant::now(), 0);
        }
        entry.1 = entry.1.saturating_add(1);
        entry.1 <= MOST_ADDRESS
    }

    /// Forgets the tries for a login: it was its owner.
    pub fn forget(&self, address: &str, login: &str) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [(address, _), (login, _)] = names(address, login);
        tries.remove(&login);
        if let Some(entry) = tries.get_mut(&address) {
            entry.1 = entry.1.saturating_sub(1);
        }
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

    #[test]
    fn a_login_is_barred_from_everywhere_and_an_address_for_everybody() {
        let limiter = Limiter::default();
        for n in 0..10 {
            assert!(limiter.allow(&format!("192.0.2.{n}"), " Anna "), "{n}");
        }
        assert!(!limiter.allow("192.0.2.99", "anna"));
        limiter.forget("192.0.2.99", "anna");
        assert!(limiter.allow("192.0.2.99", "ANNA"));
        let limiter = Limiter::default();
        for n in 0..200 {
            assert!(limiter.allow("192.0.2.1", &format!("person{n}")), "{n}");
        }
        assert!(!limiter.allow("192.0.2.1", "another"));
        assert!(limiter.allow("192.0.2.2", "another"));
    }
}
