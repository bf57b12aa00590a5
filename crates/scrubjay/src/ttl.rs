//! How long an entry lives: the [`Ttl`] that callers give, the [`Remaining`] they read back, and durations as text.

use std::time::Duration;

use crate::{Error, ErrorKind, Result};

/// How long an entry lives.
///
/// A [`Duration`] converts into one. Without a ttl on the call or the cache an entry lives until it is evicted.
/// Zero is an error, and does not mean "no expiry". So is anything over a hundred years.
///
/// ```
/// use std::time::Duration;
/// use scrubjay::{Cache, Ttl};
///
/// # fn main() -> scrubjay::Result<()> {
/// let cache = Cache::<String>::builder().ttl(Duration::from_secs(60)).build()?.blocking();
/// cache.with().ttl(Duration::from_secs(5)).set("token", "t".into())?;
/// cache.with().ttl(Ttl::Never).set("motd", "hello".into())?; // overrides the cache's 60 s
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ttl {
    /// Until deleted or evicted.
    Never,
    /// This long, counted from the moment of the call.
    After(Duration),
}

impl From<Duration> for Ttl {
    fn from(duration: Duration) -> Self {
        Self::After(duration)
    }
}

/// Longer than any process, short enough for every store's arithmetic.
pub(crate) const A_HUNDRED_YEARS: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Ttl {
    /// The lifetime, `None` for never.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidTtl`] for zero and for more than a hundred years.
    pub fn lifetime(self) -> Result<Option<Duration>> {
        match self {
            Self::Never => Ok(None),
            Self::After(Duration::ZERO) => Err(Error::new(
                ErrorKind::InvalidTtl,
                "a ttl of zero: delete the entry, or give Ttl::Never for no expiry",
            )),
            Self::After(duration) if duration > A_HUNDRED_YEARS => {
                Err(Error::new(ErrorKind::InvalidTtl, "a ttl over a hundred years: give Ttl::Never for no expiry"))
            }
            Self::After(duration) => Ok(Some(duration)),
        }
    }
}

/// What is left of an entry's ttl, as the `ttl` verb returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remaining {
    /// There is no such entry.
    Absent,
    /// The entry has no deadline.
    Never,
    /// The entry expires after this long.
    For(Duration),
}

/// Reads a duration: a number with `ms`, `s`, `m`, `h` or `d`, or plain seconds (`10s`, `500ms`, `1.5`).
///
/// # Errors
/// [`ErrorKind::Config`], naming the text and the units.
pub(crate) fn parse_duration(text: &str) -> Result<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_per_unit = match &text[digits.len()..] {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(not_a_duration(text)),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number: f64 = plain.then(|| digits.parse().ok()).flatten().ok_or_else(|| not_a_duration(text))?;
    // Rounded to the nanosecond, so that 0.1 s is 100 ms and not 100.000000001.
    Duration::try_from_secs_f64((number * seconds_per_unit * 1e9).round() / 1e9).map_err(|_| not_a_duration(text))
}

fn not_a_duration(text: &str) -> Error {
    Error::config(format!(
        "{text:?} is not a duration: write a number with ms, s, m, h or d (500ms, 10s), or plain seconds"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_absurd_ttls_are_errors() {
        for ttl in [Duration::ZERO, Duration::MAX] {
            assert_eq!(Ttl::After(ttl).lifetime().unwrap_err().kind(), ErrorKind::InvalidTtl);
        }
        assert_eq!(Ttl::Never.lifetime().unwrap(), None);
        assert_eq!(Ttl::After(Duration::from_nanos(1)).lifetime().unwrap(), Some(Duration::from_nanos(1)));
    }

    #[test]
    fn durations_read_with_and_without_units() {
        for (text, millis) in [
            ("10s", 10_000),
            ("500ms", 500),
            ("5", 5_000),
            ("1.5", 1_500),
            ("0.1s", 100),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "s", "-1", "1w", "1e3", "nan", "inf", "1.2.3", "10 s", "é"] {
            let error = parse_duration(text).unwrap_err();
            assert!(error.to_string().contains("not a duration"), "{text}: {error}");
        }
    }
}
