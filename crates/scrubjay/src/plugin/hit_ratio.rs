//! Counts hits and misses.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Command, Completion, Plugin};

/// Counts how many keys that were read were found, and in which tier.
///
/// Each key of `get`, `get_many`, `lookup`, `get_for_update`, `get_or_load` and `get_or_load_many` counts. A value that was
/// loaded, awaited from another caller's load, or served stale, counts as a miss; a remembered "not found" counts as a hit.
///
/// ```
/// use scrubjay::{Cache, plugin::HitRatio};
///
/// # fn main() -> scrubjay::Result<()> {
/// let cache = Cache::<u32>::builder().plugin(HitRatio::default()).build()?.blocking();
/// cache.set("a", 1)?;
/// cache.get_many(["a", "b"])?;
/// let ratio = cache.plugin::<HitRatio>().expect("it was added above").read();
/// assert_eq!((ratio.total, ratio.hits, ratio.ratio()), (2, 1, Some(0.5)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct HitRatio {
    near_hits: AtomicU64,
    far_hits: AtomicU64,
    misses: AtomicU64,
}

/// What a [`HitRatio`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ratio {
    /// Keys read.
    pub total: u64,
    /// Keys found.
    pub hits: u64,
    /// Keys found in the near tier.
    pub near_hits: u64,
    /// Keys found in the far tier.
    pub far_hits: u64,
}

impl Ratio {
    /// Hits by total, `None` before the first read.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more digits than a double has")]
    pub fn ratio(&self) -> Option<f64> {
        (self.total > 0).then(|| self.hits as f64 / self.total as f64)
    }
}

impl HitRatio {
    /// The counts so far.
    #[must_use]
    pub fn read(&self) -> Ratio {
        let [near_hits, far_hits, misses] =
            [&self.near_hits, &self.far_hits, &self.misses].map(|counter| counter.load(Ordering::Relaxed));
        let hits = near_hits + far_hits;
        Ratio { total: hits + misses, hits, near_hits, far_hits }
    }
}

impl Plugin for HitRatio {
    fn name(&self) -> &'static str {
        "hit-ratio"
    }

    fn after(&self, _: &Command<'_>, completion: &Completion<'_>) {
        if let Completion::Done { reads: Some(reads), .. } = completion {
            self.near_hits.fetch_add(reads.near_hits, Ordering::Relaxed);
            self.far_hits.fetch_add(reads.far_hits, Ordering::Relaxed);
            self.misses.fetch_add(reads.misses, Ordering::Relaxed);
        }
    }
}
