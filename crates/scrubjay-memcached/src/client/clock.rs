//! The wall clock, which memcached needs for ttls over 30 days.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::wire::LAST_MOMENT;

/// The longest ttl that memcached can count from now on: until 2038-01-19. Up to 30 days it always can.
#[must_use]
pub fn longest_ttl() -> Duration {
    Duration::from_secs(LAST_MOMENT.saturating_sub(unix_time()))
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "memcached counts long ttls in wall time; this is the only reading of it"
)]
pub(super) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
