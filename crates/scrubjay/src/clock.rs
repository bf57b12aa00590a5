//! The only place that reads time.
//!
//! Entries carry deadlines as [`Moment`]s on a [`Clock`]: read coarsely to compare (3 ns), precisely to write. The coarse
//! reading lags the precise one, so an entry never expires early and at most one tick (4 ms on most kernels) late.
//! Deadlines of far calls follow tokio's clock instead, so that tests can pause it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A point on a [`Clock`], in nanoseconds since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// Later than any moment a clock shows: the deadline of an entry that does not expire.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time from `self` until `later`, zero if that is past.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_nanos(later.0.saturating_sub(self.0))
    }

    /// The moment `duration` after this one, or [`NEVER`](Self::NEVER) if that is too far away.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// Where a near tier and a [`MemoryStore`](crate::far::MemoryStore) read the time.
///
/// ```
/// use std::time::Duration;
/// use scrubjay::{Cache, Clock, Memory};
///
/// # fn main() -> scrubjay::Result<()> {
/// let clock = Clock::manual();
/// let near = Memory::builder().clock(clock.clone()).build();
/// let cache = Cache::<u32>::builder().near(near).build()?.blocking();
/// cache.with().ttl(Duration::from_secs(5)).set("answer", 42)?;
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(cache.get("answer")?, None); // no test sleeps to see an entry expire
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub enum Clock {
    /// The system's monotonic clock.
    #[default]
    System,
    /// A clock that only [`advance`](Self::advance) moves. Clones move together.
    Manual(Hands),
}

/// Where the hands of a manual clock stand.
#[derive(Clone, Debug, Default)]
pub struct Hands(Arc<AtomicU64>);

impl Clock {
    /// A new manual clock, for a test.
    #[must_use]
    pub fn manual() -> Self {
        Self::Manual(Hands::default())
    }

    /// Moves a manual clock forward. The system's clock cannot be moved: the call does nothing to it.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(Hands(nanos)) = self {
            let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            nanos.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// The time to compare deadlines with: cheap, up to one tick late.
    #[inline]
    #[must_use]
    pub fn coarse(&self) -> Moment {
        match self {
            Self::System => system::coarse(),
            Self::Manual(Hands(nanos)) => Moment(nanos.load(Ordering::SeqCst)),
        }
    }

    /// The time to write deadlines from.
    #[must_use]
    pub fn precise(&self) -> Moment {
        match self {
            Self::System => system::precise(),
            Self::Manual(_) => self.coarse(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "Clock::System",
            Self::Manual(_) => "Clock::Manual",
        })
    }
}

/// Now, for the deadline of a far call: tokio's clock, which a test may have paused.
#[must_use]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Now, for measuring how long something took: the finest clock there is, never paused.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}

#[cfg(target_os = "linux")]
mod system {
    use rustix::time::{ClockId, clock_gettime};

    use super::Moment;

    /// The two clocks share their zero on Linux; the coarse one is the time of the last tick.
    #[inline]
    pub(super) fn coarse() -> Moment {
        read(ClockId::MonotonicCoarse)
    }

    pub(super) fn precise() -> Moment {
        read(ClockId::Monotonic)
    }

    #[inline]
    #[expect(clippy::cast_sign_loss, reason = "a monotonic clock starts at zero")]
    fn read(clock: ClockId) -> Moment {
        let time = clock_gettime(clock);
        Moment(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{sync::LazyLock, time::Instant};

    use super::Moment;

    static START: LazyLock<Instant> = LazyLock::new(super::stopwatch);

    pub(super) fn coarse() -> Moment {
        Moment(0).after(START.elapsed())
    }

    pub(super) fn precise() -> Moment {
        coarse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_clock_lags_the_precise_one() {
        for _ in 0..10_000 {
            let coarse = Clock::System.coarse();
            assert!(coarse <= Clock::System.precise());
        }
    }

    #[test]
    fn clones_of_a_manual_clock_move_together() {
        let clock = Clock::manual();
        let start = clock.precise();
        clock.clone().advance(Duration::from_secs(3));
        assert_eq!(start.until(clock.coarse()), Duration::from_secs(3));
    }

    #[test]
    fn moments_do_not_wrap() {
        assert_eq!(Clock::System.precise().after(Duration::MAX), Moment::NEVER);
        assert_eq!(Moment::NEVER.until(Moment(0)), Duration::ZERO);
    }
}
