//! [`Memory`]: the near tier's public handle.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    Builder,
    cleared::Scope,
    notes::Note,
    shard::{Fresh, Freshness},
    shards::{Condition, Shards, Ticket},
    slots::Entry,
};
use crate::{Clock, Moment, Remaining, key::QualifiedKey};

/// An in-process cache of live values: bounded, with a deadline per entry, shared by its clones.
///
/// A hit clones the value, so wrap what is big in an `Arc`: then all callers share it. Reading takes a shared lock on one
/// shard. `exists`, `add`, `compare_and_set` and `clear` are exact right after a write; only `len` counts what has expired or
/// was cleared and no sweep has freed yet.
///
/// Values are dropped outside the locks; `V::clone` runs under one and must not call the cache.
///
/// ```
/// use std::time::Duration;
/// use scrubjay::Memory;
///
/// let memory = Memory::with_capacity(1_000);
/// memory.set("greeting", "hello".to_owned(), Some(Duration::from_secs(60)));
/// assert_eq!(memory.get("greeting").as_deref(), Some("hello"));
/// ```
pub struct Memory<V>(Arc<Shards<V>>);

/// A live entry as read: the value and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held<V> {
    /// The value.
    pub value: V,
    /// The time left, `None` for an entry without a deadline.
    pub ttl: Option<Duration>,
    /// The entry's version, which every write changes.
    pub version: u64,
}

/// What a load brings beside its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep<'c> {
    pub(crate) ttl: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) cost: Duration,
    /// What the ttl counts from.
    pub(crate) since: Moment,
    pub(crate) void: &'c AtomicBool,
}

/// An entry as a load sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing<V> {
    Fresh { value: V, ttl: Option<Duration>, cost: Duration },
    Stale { value: V, left: Duration },
    Absent,
}

/// Making one.
impl<V: Send + Sync + 'static> Memory<V> {
    /// A cache that holds up to `capacity` entries.
    #[must_use]
    pub fn with_capacity(capacity: u64) -> Self {
        Self::builder().capacity(capacity).build()
    }

    /// A cache that never evicts: it grows until its entries expire or are deleted.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::builder().unbounded().build()
    }

    /// Chooses bound, weights, listener and clock.
    pub fn builder() -> Builder<V> {
        Builder::new()
    }

    pub(super) fn new(shards: Arc<Shards<V>>) -> Self {
        Self(shards)
    }
}

/// What it is.
impl<V> Memory<V> {
    /// The entries held: expired and cleared ones that no sweep has freed yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most that may be held (entries, or weight where there is a weigher), `None` without a bound.
    #[must_use]
    pub fn capacity(&self) -> Option<u64> {
        self.0.capacity
    }

    /// Whether [`capacity`](Self::capacity) is a weight, and not a number of entries.
    pub(crate) fn is_weighed(&self) -> bool {
        self.0.weigher.is_some()
    }

    /// The clock that deadlines are read from.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }
}

/// Reading.
impl<V: Clone + Send + Sync + 'static> Memory<V> {
    /// The value under `key`, cloned.
    #[inline]
    pub fn get<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> Option<V> {
        self.0.read(self.0.hash(key.into()), |entry| entry.value.clone())
    }

    /// The value under `key` with its remaining ttl and version.
    pub fn read<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> Option<Held<V>> {
        self.0.read(self.0.hash(key.into()), |entry| Held {
            value: entry.value.clone(),
            ttl: self.remaining(entry),
            version: u64::from(entry.version),
        })
    }

    /// Whether a live entry stands under `key`. Does not count as a read.
    pub fn exists<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> bool {
        self.0.peek(self.0.hash(key.into()), |_| ()).is_some()
    }

    /// How long the entry under `key` still lives. Does not count as a read.
    pub fn ttl<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> Remaining {
        match self.0.peek(self.0.hash(key.into()), |entry| self.remaining(entry)) {
            None => Remaining::Absent,
            Some(None) => Remaining::Never,
            Some(Some(left)) => Remaining::For(left),
        }
    }

    /// Every live entry: namespace, key and value. Each shard is read as a whole when the iterator comes to it, so entries
    /// written meanwhile may be seen or not; no lock is held in between.
    pub fn iter(&self) -> impl Iterator<Item = (String, String, V)> + '_ {
        let copy = |entry: &Entry<V>| {
            let key = entry.key.qualified();
            (key.namespace.to_owned(), key.key.to_owned(), entry.value.clone())
        };
        let mut shard = 0;
        let mut batch = Vec::new();
        std::iter::from_fn(move || {
            while batch.is_empty() {
                if !self.0.collect(copy, &mut batch, shard) {
                    return None;
                }
                shard += 1;
            }
            batch.pop()
        })
    }
}

/// Writing.
impl<V: Clone + Send + Sync + 'static> Memory<V> {
    /// Puts `value` under `key` for `ttl`, `None` for no deadline.
    pub fn set<'k>(&self, key: impl Into<QualifiedKey<'k>>, value: V, ttl: Option<Duration>) {
        self.put(key.into(), value, self.deadline(ttl), &Condition::Always);
    }

    /// Puts `value` under `key` unless a live entry stands there; says whether it did.
    pub fn add<'k>(&self, key: impl Into<QualifiedKey<'k>>, value: V, ttl: Option<Duration>) -> bool {
        self.claim(key, value, ttl).is_some()
    }

    /// Puts `value` under `key` for `ttl`, `None` for no deadline, if the live entry there still has `version`; says whether it
    /// did.
    pub fn compare_and_set<'k>(
        &self,
        key: impl Into<QualifiedKey<'k>>,
        value: V,
        ttl: Option<Duration>,
        version: u64,
    ) -> bool {
        self.put(key.into(), value, self.deadline(ttl), &Condition::Version(version)).is_some()
    }

    /// As [`add`](Self::add); answers the version of what was put.
    pub(crate) fn claim<'k>(&self, key: impl Into<QualifiedKey<'k>>, value: V, ttl: Option<Duration>) -> Option<u64> {
        self.put(key.into(), value, self.deadline(ttl), &Condition::Absent)
    }

    /// Gives the live entry under `key` a new ttl, `None` for no deadline; says whether there was one.
    pub fn expire<'k>(&self, key: impl Into<QualifiedKey<'k>>, ttl: Option<Duration>) -> bool {
        self.0.expire(self.0.hash(key.into()), self.deadline(ttl))
    }

    /// Removes the entry under `key`; says whether a live one stood there.
    pub fn delete<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> bool {
        self.0.delete(self.0.hash(key.into()), |_| true)
    }

    /// Removes the entry under `key` if the live one there still has `version`; says whether it did.
    pub(crate) fn compare_and_delete<'k>(&self, key: impl Into<QualifiedKey<'k>>, version: u64) -> bool {
        self.0.delete(self.0.hash(key.into()), |entry| u64::from(entry.version) == version)
    }

    /// Removes the entry under `key`, unless `void` says that somebody wrote to it meanwhile.
    pub(crate) fn delete_unless(&self, key: QualifiedKey<'_>, void: &AtomicBool) {
        self.0.delete(self.0.hash(key), |_| !void.load(Ordering::SeqCst));
    }

    /// Removes every entry of `namespace`, and no other, in a time that does not depend on how many there are: they are not
    /// there from now on, and later writes and the janitor give the memory back.
    pub fn clear(&self, namespace: &str) {
        self.0.clear(|| Scope::Namespace(namespace.into()));
    }

    /// Removes every entry, likewise.
    pub fn clear_all(&self) {
        self.0.clear(|| Scope::Everything);
    }

    /// Removes every entry whose key `leaves` picks, looking at each.
    pub(crate) fn clear_where(&self, leaves: impl Fn(QualifiedKey<'_>) -> bool) {
        self.0.clear_where(leaves);
    }

    /// Looks at up to `budget` slots a shard and frees what has expired at `now` or was cleared; answers how many entries it
    /// freed.
    ///
    /// Nobody needs to call it: each write looks at a few slots, and a janitor thread at all of them, once a second, while
    /// there is something that may have died. It is here for programs that may not have another thread, and for tests.
    pub fn sweep(&self, now: Moment, budget: usize) -> usize {
        self.0.sweep(now, budget)
    }

    /// Takes the right to fill `key` from another tier. Take it before reading that tier.
    pub fn ticket<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> Ticket {
        self.0.ticket(self.0.hash(key.into()))
    }

    /// Puts `value` under `key`, unless somebody wrote to its shard since `ticket` was taken: then what was read from the
    /// other tier may be older than that write. Says whether it did.
    ///
    /// The ttl counts from when the ticket was taken: however long the other tier took to answer, the entry outlives none
    /// there.
    pub fn fill<'k>(&self, key: impl Into<QualifiedKey<'k>>, value: V, ttl: Option<Duration>, ticket: Ticket) -> bool {
        let deadline = ttl.map_or(Moment::NEVER, |ttl| ticket.taken.after(ttl));
        self.put(key.into(), value, deadline, &Condition::Ticket(ticket)).is_some()
    }

    /// Ends a change of another tier that began with `ticket`: the entry is what it is now there, if nobody else wrote
    /// meanwhile, and gone if somebody did. Fills that began in between are void either way.
    pub(crate) fn settle(&self, key: QualifiedKey<'_>, value: V, ttl: Duration, ticket: Ticket) {
        if self.put(key, value, ticket.taken.after(ttl), &Condition::Settle(ticket)).is_none() {
            self.delete(key);
        }
    }

    /// Puts what a load brought, unless `void` says that somebody wrote to the key meanwhile; says whether it did. It is kept,
    /// stale, for `grace` after its deadline; `cost` is how long the load took.
    pub(crate) fn keep(&self, key: QualifiedKey<'_>, value: V, keep: &Keep<'_>) -> bool {
        let deadline = keep.ttl.map_or(Moment::NEVER, |ttl| keep.since.after(ttl));
        let noted = deadline != Moment::NEVER && !(keep.grace.is_zero() && keep.cost.is_zero());
        let note = noted.then(|| Note { kept_until: deadline.after(keep.grace), cost: keep.cost });
        self.put_noted(key, value, deadline, note, &Condition::Unless(keep.void)).is_some()
    }

    /// The entry under `key`, stale ones included.
    pub(crate) fn look_up(&self, key: QualifiedKey<'_>) -> Standing<V> {
        let found = self.0.read_even_stale(self.0.hash(key), |entry, freshness| match freshness {
            Freshness::Fresh { cost } => {
                Standing::Fresh { value: entry.value.clone(), ttl: self.remaining(entry), cost }
            }
            Freshness::Stale { kept_until } => {
                let left = self.0.clock.precise().until(kept_until);
                Standing::Stale { value: entry.value.clone(), left }
            }
            Freshness::Gone => Standing::Absent,
        });
        found.unwrap_or(Standing::Absent)
    }

    fn put(&self, key: QualifiedKey<'_>, value: V, deadline: Moment, condition: &Condition<'_>) -> Option<u64> {
        self.put_noted(key, value, deadline, None, condition)
    }

    fn put_noted(
        &self,
        key: QualifiedKey<'_>,
        value: V,
        deadline: Moment,
        note: Option<Note>,
        condition: &Condition<'_>,
    ) -> Option<u64> {
        let weight = self.0.weigher.as_ref().map_or(1, |weigh| weigh(key.key, &value));
        self.0.put(self.0.hash(key), Fresh { value, weight, deadline, note }, condition)
    }

    fn deadline(&self, ttl: Option<Duration>) -> Moment {
        ttl.map_or(Moment::NEVER, |ttl| self.0.clock.precise().after(ttl))
    }

    fn remaining(&self, entry: &Entry<V>) -> Option<Duration> {
        (entry.deadline != Moment::NEVER).then(|| self.0.clock.precise().until(entry.deadline))
    }
}

impl<V> Clone for Memory<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> fmt::Debug for Memory<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("len", &self.len()).field("capacity", &self.0.capacity).finish_non_exhaustive()
    }
}

#[cfg(all(test, shuttle))]
mod interleavings;
#[cfg(all(test, not(shuttle)))]
mod tests;
