//! [`Builder`]: a near tier's bound, weights, listener and clock.

use std::{fmt, sync::Arc};

use super::{
    Cause, Memory,
    listener::Listener,
    shards::{Choices, Shards, Weigher},
};
use crate::{Clock, Error, Parameters, QualifiedKey, Result};

/// Entries that a cache holds when nobody says how many.
const DEFAULT_CAPACITY: u64 = 10_000;
/// Shards of a cache that is not small; more would win nothing on the machines this was measured on.
const SHARDS: usize = 64;
/// Shards of a large cache.
const MOST_SHARDS: usize = 256;
/// Entries that a bounded shard should be able to hold, so that small caches are not cut into slivers.
const FEWEST_PER_SHARD: u64 = 64;
/// Entries of a shard in a large cache: what grows or shrinks its arrays holds its lock meanwhile.
const MOST_PER_SHARD: u64 = 4_096;

/// Chooses a [`Memory`]'s bound, weights, listener and clock.
#[must_use = "a builder does nothing until `build`"]
pub struct Builder<V> {
    capacity: Option<u64>,
    weigher: Option<Weigher<V>>,
    listener: Option<Listener<V>>,
    clock: Clock,
}

impl<V: Send + Sync + 'static> Builder<V> {
    pub(super) fn new() -> Self {
        Self { capacity: Some(DEFAULT_CAPACITY), weigher: None, listener: None, clock: Clock::System }
    }

    /// Holds up to `capacity` entries, or up to that weight if there is a [`weigher`](Self::weigher). The default is 10,000.
    pub fn capacity(mut self, capacity: u64) -> Self {
        self.capacity = Some(capacity);
        self
    }

    /// Never evicts.
    pub fn unbounded(mut self) -> Self {
        self.capacity = None;
        self
    }

    /// Sets the weight of an entry by its key (without namespace) and value. `weigher` is called once for every write, outside the
    /// locks. An entry heavier than the whole capacity is not kept.
    pub fn weigher(mut self, weigher: impl Fn(&str, &V) -> u32 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Arc::new(weigher));
        self
    }

    /// Takes the bound from the option `name`: a number of entries, or `unbounded`.
    pub(crate) fn bounded_by(mut self, parameters: &mut Parameters, name: &str) -> Result<Self> {
        match parameters.take_text(name).as_deref() {
            None => {}
            Some("unbounded") => self.capacity = None,
            Some(text) => match text.parse() {
                Ok(capacity) if capacity > 0 => self.capacity = Some(capacity),
                _ => {
                    return Err(Error::config(format!(
                        "option `{name}`: expected a number of entries or `unbounded`, found {text:?}"
                    )));
                }
            },
        }
        Ok(self)
    }

    /// Reads the time from `clock`.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Calls `listener` with each entry that was removed and why: evicted, expired, replaced, deleted or cleared.
    ///
    /// It runs outside the locks, on the thread that removed the entry (the janitor's, for entries that expired in an idle cache),
    /// and may call the cache. For an expired or cleared entry it is called when the entry is freed, which is later than when it
    /// expired or was cleared.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use scrubjay::{Memory, near::Cause};
    ///
    /// let left = Arc::new(Mutex::new(Vec::new()));
    /// let seen = Arc::clone(&left);
    /// let memory = Memory::builder()
    ///     .listener(move |key, value: u32, cause| seen.lock().unwrap().push((key.key.to_owned(), value, cause)))
    ///     .build();
    /// memory.set("answer", 41, None);
    /// memory.set("answer", 42, None);
    /// assert_eq!(*left.lock().unwrap(), [("answer".to_owned(), 41, Cause::Replaced)]);
    /// ```
    pub fn listener(mut self, listener: impl Fn(QualifiedKey<'_>, V, Cause) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Builds the cache.
    #[must_use]
    pub fn build(self) -> Memory<V> {
        let Self { capacity, weigher, listener, clock } = self;
        let of = |entries| usize::try_from(capacity.unwrap_or(u64::MAX) / entries).unwrap_or(usize::MAX);
        let shards = of(MOST_PER_SHARD).clamp(SHARDS, MOST_SHARDS).min(of(FEWEST_PER_SHARD)).max(1);
        Memory::new(Shards::new(Choices { shards, clock, capacity, weigher, listener }))
    }
}

impl<V> fmt::Debug for Builder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("capacity", &self.capacity)
            .field("weighed", &self.weigher.is_some())
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
