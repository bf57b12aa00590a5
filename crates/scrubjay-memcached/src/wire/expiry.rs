//! A ttl in memcached's own counting.

use std::{fmt, time::Duration};

/// Longer ttls are read by the server as a moment, in seconds since 1970.
const LONGEST_RELATIVE: u64 = 30 * 24 * 60 * 60;

/// The last moment that every server version understands, in seconds since 1970: it is a signed 32-bit number there.
pub const LAST_MOMENT: u64 = i32::MAX.unsigned_abs() as u64;

/// A ttl of zero, or one that ends later than memcached can count (January 2038).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidExpiry;

impl fmt::Display for InvalidExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a ttl longer than zero that ends before 2038-01-19, where memcached's clock ends")
    }
}

impl std::error::Error for InvalidExpiry {}

/// What to tell the server: 0 for never, seconds up to 30 days, else the moment itself. Part of a second counts as one.
///
/// `now` is in seconds since 1970.
///
/// # Errors
/// [`InvalidExpiry`] if the ttl is zero or ends after memcached's clock.
pub fn expiry(ttl: Option<Duration>, now: u64) -> Result<u32, InvalidExpiry> {
    let Some(ttl) = ttl else { return Ok(0) };
    let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
    match seconds {
        0 => Err(InvalidExpiry),
        1..=LONGEST_RELATIVE => u32::try_from(seconds).map_err(|_| InvalidExpiry),
        _ => now
            .checked_add(seconds)
            .filter(|&moment| moment <= LAST_MOMENT)
            .and_then(|moment| u32::try_from(moment).ok())
            .ok_or(InvalidExpiry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    #[test]
    fn never_is_zero_and_zero_is_an_error() {
        assert_eq!(expiry(None, NOW), Ok(0));
        assert_eq!(expiry(Some(Duration::ZERO), NOW), Err(InvalidExpiry));
    }

    #[test]
    fn part_of_a_second_counts_as_one() {
        assert_eq!(expiry(Some(Duration::from_millis(1)), NOW), Ok(1));
        assert_eq!(expiry(Some(Duration::from_millis(1_001)), NOW), Ok(2));
        assert_eq!(expiry(Some(Duration::from_secs(2)), NOW), Ok(2));
    }

    #[test]
    fn more_than_thirty_days_is_a_moment() {
        let days = |days: u64| Some(Duration::from_secs(days * 24 * 60 * 60));
        assert_eq!(expiry(days(30), NOW), Ok(2_592_000));
        assert_eq!(expiry(days(31), NOW), Ok(1_702_678_400));
        assert_eq!(expiry(days(30).map(|ttl| ttl + Duration::from_nanos(1)), NOW), Ok(1_702_592_001));
    }

    #[test]
    fn what_memcached_cannot_count_is_an_error() {
        assert_eq!(expiry(Some(Duration::from_secs(LAST_MOMENT - NOW)), NOW), Ok(i32::MAX.unsigned_abs()));
        assert_eq!(expiry(Some(Duration::from_secs(LAST_MOMENT - NOW + 1)), NOW), Err(InvalidExpiry));
        assert_eq!(expiry(Some(Duration::MAX), NOW), Err(InvalidExpiry));
    }
}
