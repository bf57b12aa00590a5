//! Waiting for something to become true, never for time alone.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Between two attempts.
const PACE: Duration = Duration::from_millis(2);

/// Repeats `attempt` on this thread until it succeeds, or answers its last error when `limit` is over.
///
/// ```
/// use std::{path::Path, time::Duration};
/// use scrubjay_testkit::wait::until;
///
/// let exists = |path: &str| if Path::new(path).exists() { Ok(()) } else { Err(format!("{path} is missing")) };
/// assert!(until(Duration::from_secs(1), || exists(".")).is_ok());
/// assert_eq!(until(Duration::ZERO, || exists("no-such")), Err("after 0ns: no-such is missing".to_owned()));
/// ```
#[expect(clippy::disallowed_methods, reason = "waits for other processes, which no test clock drives")]
pub fn until<T>(limit: Duration, mut attempt: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(success) => return Ok(success),
            Err(error) if start.elapsed() >= limit => return Err(format!("after {limit:?}: {error}")),
            Err(_) => thread::park_timeout(PACE),
        }
    }
}
