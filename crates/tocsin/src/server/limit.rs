//! How often somebody may try to sign in.

use std::collections::HashMap;
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
