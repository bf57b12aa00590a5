//! Plugins: observers of whole cache commands, near hits included.
//!
//! A plugin's [`before`](Plugin::before) runs when a command starts, its [`after`](Plugin::after) when the command has ended,
//! in the order in which the plugins were added.

mod hit_ratio;
mod plugins;
mod registry;
mod timing;
#[cfg(feature = "tracing")]
mod trace;

use std::{any::Any, time::Duration};

#[cfg(feature = "tracing")]
pub use self::trace::Trace;
pub use self::{
    hit_ratio::{HitRatio, Ratio},
    registry::register,
    timing::{Figures, Timing},
};
pub(crate) use self::{
    plugins::{Observation, Plugins},
    registry::by_name,
};
use crate::{Error, Key, Operation, Source, Ttl};

/// Observes cache commands. Both hooks do nothing unless written.
///
/// A hook runs on the caller's thread, inside the caller's call. So it must not block; start a task for async work. A hook
/// cannot stop a command. Time spent in a hook does not count against the far tier's deadline. A command that timed out may
/// have been carried out: nothing is rolled back.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
/// use scrubjay::{Cache, plugin::{Command, Completion, Plugin}};
///
/// #[derive(Default)]
/// struct Writes(AtomicUsize);
///
/// impl Plugin for Writes {
///     fn name(&self) -> &str {
///         "writes"
///     }
///
///     fn after(&self, command: &Command<'_>, completion: &Completion<'_>) {
///         if command.operation == scrubjay::Operation::Set && matches!(completion, Completion::Done { .. }) {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// # fn main() -> scrubjay::Result<()> {
/// let cache = Cache::<u32>::builder().plugin(Writes::default()).build()?.blocking();
/// cache.set("answer", 42)?;
/// let writes: Arc<Writes> = cache.plugin().expect("it was added above");
/// assert_eq!(writes.0.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
pub trait Plugin: Any + Send + Sync {
    /// The name, as [`Cache::info`](crate::Cache::info) shows it.
    fn name(&self) -> &str;

    /// Called before a command starts.
    fn before(&self, _command: &Command<'_>) {}

    /// Called when the command has ended. For every `before` there is one `after`, whatever happened.
    fn after(&self, _command: &Command<'_>, _outcome: &Completion<'_>) {}

    /// Whether this plugin reads [`Completion`]'s `took`. The clock is read only if some plugin returns `true`.
    fn measures_time(&self) -> bool {
        false
    }
}

/// A cache command, as its caller gave it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Command<'a> {
    /// The verb.
    pub operation: Operation,
    /// The namespace, empty for none.
    pub namespace: &'a str,
    /// The keys, before key builder and layout; none for `clear`, `raw` and `close`.
    pub keys: &'a [Key<'a>],
    /// The ttl of the call; `None` if it gave none, so that the cache's ttl applies.
    pub ttl: Option<Ttl>,
}

/// How a command ended. `took` is the time since `before`; it is measured if a plugin [asks for it](Plugin::measures_time).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Completion<'a> {
    /// It was carried out.
    Done {
        /// What was found, for a command that reads values.
        reads: Option<Reads>,
        /// How long it took.
        took: Option<Duration>,
    },
    /// It failed.
    Failed {
        /// Why.
        error: &'a Error,
        /// How long it took.
        took: Option<Duration>,
    },
    /// Its future was dropped before it ended. It may have been carried out.
    Cancelled {
        /// How long it was under way.
        took: Option<Duration>,
    },
}

impl<'a> Completion<'a> {
    /// How a command ended that was not cancelled.
    pub(crate) fn of<T>(answer: &'a Result<T, Error>, reads: Option<Reads>, took: Option<Duration>) -> Self {
        match answer {
            Ok(_) => Self::Done { reads, took },
            Err(error) => Self::Failed { error, took },
        }
    }
}

impl Completion<'_> {
    /// How long the command took, if some plugin asks.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        match self {
            Self::Done { took, .. } | Self::Failed { took, .. } | Self::Cancelled { took } => *took,
        }
    }
}

/// Where the keys of a reading command were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reads {
    /// Answered by the near tier.
    pub near_hits: u64,
    /// Answered by the far tier.
    pub far_hits: u64,
    /// Not found, or not decodable.
    pub misses: u64,
}

impl Reads {
    /// What reading one key came to.
    pub(crate) fn of(source: Option<Source>) -> Self {
        let mut reads = Self::default();
        reads.add(source);
        reads
    }

    pub(crate) fn add(&mut self, source: Option<Source>) {
        match source {
            Some(Source::Near) => self.near_hits += 1,
            Some(Source::Far) => self.far_hits += 1,
            None => self.misses += 1,
        }
    }
}
