//! Word within one process that jobs changed, so that workers start and pages hear of it at once. Other processes
//! look into the database every few seconds; nothing depends on the bell.

use std::sync::LazyLock;

use tokio::sync::watch;

static BELL: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

/// Says that jobs changed.
pub(crate) fn ring() {
    BELL.send_modify(|n| *n = n.wrapping_add(1));
}

/// Changes whenever this process wrote jobs.
pub fn listen() -> watch::Receiver<u64> {
    BELL.subscribe()
}
