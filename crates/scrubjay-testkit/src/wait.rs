//! Waiting for something to become true, never for time alone.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Between two attempts.
const PACE: Duration = Duration::from_millis(2);

/// Repeats `attempt` until it succeeds, or answers its last error when `limit` is over.
#[expect(clippy::disallowed_methods, reason = "waits for other processes, which no test clock drives")]
pub(crate) fn until<T>(limit: Duration, mut attempt: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(success) => return Ok(success),
            Err(error) if start.elapsed() >= limit => return Err(format!("after {limit:?}: {error}")),
            Err(_) => thread::park_timeout(PACE),
        }
    }
}
