//! [`Memory`]: the near tier's public handle, its sharding, its bound and its clock.

use std::{
    fmt,
    hash::{BuildHasher, Hasher},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use foldhash::fast::RandomState;
use parking_lot::{RwLock, RwLockWriteGuard};

use super::{
    janitor,
    shard::{Departed, Entry, Fresh, Shard},
};
use crate::{Clock, Error, Moment, Parameters, Remaining, Result, key::QualifiedKey};

/// Entries that a cache holds when nobody says how many.
const DEFAULT_CAPACITY: u64 = 10_000;
/// Shards at most; more would cost memory and win nothing on the machines this was measured on.
const MOST_SHARDS: usize = 64;
/// Entries that a bounded shard should be able to hold, so that small caches are not cut into slivers.
const FEWEST_PER_SHARD: u64 = 32;
/// Slots looked at under one lock by the janitor.
const SWEEP_STEP: usize = 512;

/// An in-process cache of live values: bounded, with a deadline per entry, shared by its clones.
///
/// A hit clones the value, so wrap what is big in an `Arc`: then all callers share it. Reading takes a shared lock on one
/// shard. `exists`, `add`, `compare_and_set` and `clear` are exact right after a write; only `len` counts expired entries
/// that no sweep has freed yet.
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

type Weigher<V> = Arc<dyn Fn(&str, &V) -> u32 + Send + Sync>;

struct Shards<V> {
    all: Box<[Padded<V>]>,
    mask: usize,
    hasher: RandomState,
    clock: Clock,
    capacity: Option<u64>,
    weight: AtomicU64,
    weigher: Option<Weigher<V>>,
    watched: AtomicBool,
    this: Weak<Self>,
}

/// One shard a cache line, so that two cores locking two shards do not meet.
#[repr(align(128))]
struct Padded<V>(RwLock<Shard<V>>);

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

/// The right to [`fill`](Memory::fill) an entry, void once somebody writes near it.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    writes: u64,
    taken: Moment,
}

impl<V> Memory<V> {
    /// A cache that holds up to `capacity` entries.
    #[must_use]
    pub fn with_capacity(capacity: u64) -> Self
    where
        V: Send + Sync + 'static,
    {
        Self::builder().capacity(capacity).build()
    }

    /// A cache that never evicts: it grows until its entries expire or are deleted.
    #[must_use]
    pub fn unbounded() -> Self
    where
        V: Send + Sync + 'static,
    {
        Self::builder().unbounded().build()
    }

    /// Chooses bound, weights and clock.
    #[must_use]
    pub fn builder() -> Builder<V> {
        Builder { capacity: Some(DEFAULT_CAPACITY), weigher: None, clock: Clock::System }
    }

    /// The entries held, expired ones that no sweep has freed yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.all.iter().map(|shard| shard.0.read().len()).sum()
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

    /// The clock that deadlines are read from.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }
}

impl<V: Clone + Send + Sync + 'static> Memory<V> {
    /// The value under `key`, cloned.
    #[inline]
    pub fn get<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> Option<V> {
        self.with_live(key.into(), |entry, _| entry.value.clone())
    }

    /// The value under `key` with its remaining ttl and version.
    pub fn read<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> Option<Held<V>> {
        self.with_live(key.into(), |entry, clock| Held {
            value: entry.value.clone(),
            ttl: ttl(entry, clock),
            version: entry.version,
        })
    }

    /// Whether a live entry stands under `key`. Does not count as a read.
    pub fn exists<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> bool {
        self.peek(key.into(), |_, _| ()).is_some()
    }

    /// How long the entry under `key` still lives. Does not count as a read.
    pub fn ttl<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> Remaining {
        match self.peek(key.into(), ttl) {
            None => Remaining::Absent,
            Some(None) => Remaining::Never,
            Some(Some(left)) => Remaining::For(left),
        }
    }

    /// Puts `value` under `key` for `ttl`, `None` for no deadline.
    pub fn set<'k>(&self, key: impl Into<QualifiedKey<'k>>, value: V, ttl: Option<Duration>) {
        let key = key.into();
        let fresh = self.fresh(key, value, ttl);
        let _ = self.write(key, |_| true, fresh);
    }

    /// Puts `value` under `key` unless a live entry stands there; says whether it did.
    pub fn add<'k>(&self, key: impl Into<QualifiedKey<'k>>, value: V, ttl: Option<Duration>) -> bool {
        let key = key.into();
        let fresh = self.fresh(key, value, ttl);
        self.write(key, |live| live.is_none(), fresh)
    }

    /// Puts `value` under `key` if the live entry there still has `version`; says whether it did.
    pub fn compare_and_set<'k>(
        &self,
        key: impl Into<QualifiedKey<'k>>,
        version: u64,
        value: V,
        ttl: Option<Duration>,
    ) -> bool {
        let key = key.into();
        let fresh = self.fresh(key, value, ttl);
        self.write(key, |live| live.is_some_and(|entry| entry.version == version), fresh)
    }

    /// Gives the live entry under `key` a new ttl, `None` for no deadline; says whether there was one.
    pub fn expire<'k>(&self, key: impl Into<QualifiedKey<'k>>, ttl: Option<Duration>) -> bool {
        let key = key.into();
        let hash = self.hash(key);
        let deadline = self.deadline(ttl);
        let mut shard = self.lock(hash);
        shard.written();
        let now = self.0.clock.coarse();
        let Some((slot, entry)) = shard.find(hash, key) else { return false };
        let live = !entry.is_expired(now);
        if live {
            shard.expire(slot, deadline);
        }
        live
    }

    /// Removes the entry under `key`; says whether a live one stood there.
    pub fn delete<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> bool {
        let key = key.into();
        let hash = self.hash(key);
        let (live, departed) = {
            let mut shard = self.lock(hash);
            shard.written();
            let Some((slot, entry)) = shard.find(hash, key) else { return false };
            let live = !self.is_expired(entry);
            (live, shard.remove(slot))
        };
        self.lighten(departed.iter());
        live
    }

    /// Removes every entry of `namespace`, and no other.
    pub fn clear(&self, namespace: &str) {
        self.clear_where(|key| key.namespace == namespace);
    }

    /// Removes every entry.
    pub fn clear_all(&self) {
        self.clear_where(|_| true);
    }

    /// Removes every entry whose key `leaves` picks.
    pub(crate) fn clear_where(&self, leaves: impl Fn(QualifiedKey<'_>) -> bool) {
        for shard in &self.0.all {
            let departed = {
                let mut shard = shard.0.write();
                shard.written();
                shard.take_where(&leaves)
            };
            self.lighten(departed.iter());
        }
    }

    /// Looks at up to `budget` slots a shard and frees those expired at `now`; answers how many entries it freed.
    ///
    /// Nobody needs to call it: a janitor thread does, once a second, while there are entries with a deadline. It is here
    /// for programs that may not have another thread, and for tests.
    pub fn sweep(&self, now: Moment, budget: usize) -> usize {
        self.0.all.iter().map(|shard| self.sweep_shard(shard, now, budget).0).sum()
    }

    /// Takes the right to fill `key` from another tier. Take it before reading that tier.
    pub fn ticket<'k>(&self, key: impl Into<QualifiedKey<'k>>) -> Ticket {
        let taken = self.0.clock.precise();
        Ticket { writes: self.shard(self.hash(key.into())).read().writes(), taken }
    }

    /// Puts `value` under `key`, unless somebody wrote to its shard since `ticket` was taken: then what was read from the
    /// other tier may be older than that write. Says whether it did.
    ///
    /// The ttl counts from when the ticket was taken: however long the other tier took to answer, the entry outlives none
    /// there.
    pub fn fill<'k>(&self, key: impl Into<QualifiedKey<'k>>, value: V, ttl: Option<Duration>, ticket: Ticket) -> bool {
        let key = key.into();
        let hash = self.hash(key);
        let fresh = self.fresh_since(ticket.taken, key, value, ttl);
        self.put(hash, key, fresh, |shard| shard.writes() == ticket.writes)
    }

    /// Ends a change of another tier that began with `ticket`: the entry is what it is now there, if nobody else wrote
    /// meanwhile, and gone if somebody did. Fills that began in between are void either way.
    pub(crate) fn settle(&self, key: QualifiedKey<'_>, value: V, ttl: Duration, ticket: Ticket) {
        let hash = self.hash(key);
        let fresh = self.fresh_since(ticket.taken, key, value, Some(ttl));
        let settled = self.put(hash, key, fresh, |shard| {
            let alone = shard.writes() == ticket.writes;
            shard.written();
            alone
        });
        if !settled {
            self.delete(key);
        }
    }

    fn write(&self, key: QualifiedKey<'_>, may: impl FnOnce(Option<&Entry<V>>) -> bool, fresh: Fresh<V>) -> bool {
        let hash = self.hash(key);
        self.put(hash, key, fresh, |shard| {
            shard.written();
            let live = shard.find(hash, key).map(|(_, entry)| entry).filter(|entry| !self.is_expired(entry));
            may(live)
        })
    }

    /// Puts an entry if `may` still agrees under the lock, then makes room for it.
    fn put(&self, hash: u64, key: QualifiedKey<'_>, fresh: Fresh<V>, may: impl FnOnce(&mut Shard<V>) -> bool) -> bool {
        let timed = fresh.deadline != Moment::NEVER;
        let weight = u64::from(fresh.weight);
        // What leaves is bound outside the block, so that it is dropped after the lock is released.
        let _departed = {
            let mut shard = self.lock(hash);
            if !may(&mut shard) {
                drop(shard);
                return false;
            }
            self.0.weight.fetch_add(weight, Ordering::Relaxed);
            let replaced = shard.put(hash, key, fresh);
            self.lighten(replaced.iter());
            (replaced, self.make_room(&mut shard))
        };
        // Only a small shard in a full cache, or a heavy entry, gets here.
        let mut others = self.0.all.iter();
        while self.is_too_heavy() {
            let Some(shard) = others.next() else { break };
            let _departed = self.make_room(&mut shard.0.write());
        }
        if timed {
            self.watch();
        }
        true
    }

    /// Evicts from `shard` until the whole cache fits its bound or the shard is empty.
    fn make_room(&self, shard: &mut Shard<V>) -> Vec<Departed<V>> {
        let mut departed = Vec::new();
        while self.is_too_heavy() {
            let Some(victim) = shard.evict() else { break };
            self.lighten(std::iter::once(&victim));
            departed.push(victim);
        }
        departed
    }

    fn is_too_heavy(&self) -> bool {
        self.0.capacity.is_some_and(|capacity| self.0.weight.load(Ordering::Relaxed) > capacity)
    }

    /// The janitor must know of this cache once it holds an entry with a deadline. Time that a test drives needs none.
    fn watch(&self) {
        let system = matches!(self.0.clock, Clock::System);
        if system && !self.0.watched.load(Ordering::Relaxed) && !self.0.watched.swap(true, Ordering::Relaxed) {
            janitor::watch(Weak::<Shards<V>>::clone(&self.0.this));
        }
    }

    #[inline]
    fn with_live<T>(&self, key: QualifiedKey<'_>, read: impl FnOnce(&Entry<V>, &Clock) -> T) -> Option<T> {
        let hash = self.hash(key);
        let shard = self.shard(hash).read();
        let (slot, entry) = shard.find(hash, key)?;
        if self.is_expired(entry) {
            return None;
        }
        shard.touched(slot);
        Some(read(entry, &self.0.clock))
    }

    fn peek<T>(&self, key: QualifiedKey<'_>, read: impl FnOnce(&Entry<V>, &Clock) -> T) -> Option<T> {
        let hash = self.hash(key);
        let shard = self.shard(hash).read();
        let (_, entry) = shard.find(hash, key)?;
        (!self.is_expired(entry)).then(|| read(entry, &self.0.clock))
    }

    fn fresh(&self, key: QualifiedKey<'_>, value: V, ttl: Option<Duration>) -> Fresh<V> {
        let deadline = self.deadline(ttl);
        Fresh { weight: self.weigh(key, &value), value, deadline }
    }

    fn fresh_since(&self, start: Moment, key: QualifiedKey<'_>, value: V, ttl: Option<Duration>) -> Fresh<V> {
        let deadline = ttl.map_or(Moment::NEVER, |ttl| start.after(ttl));
        Fresh { weight: self.weigh(key, &value), value, deadline }
    }

    fn weigh(&self, key: QualifiedKey<'_>, value: &V) -> u32 {
        self.0.weigher.as_ref().map_or(1, |weigh| weigh(key.key, value))
    }

    fn deadline(&self, ttl: Option<Duration>) -> Moment {
        ttl.map_or(Moment::NEVER, |ttl| self.0.clock.precise().after(ttl))
    }

    /// The clock is read only for an entry that has a deadline.
    #[inline]
    fn is_expired(&self, entry: &Entry<V>) -> bool {
        entry.deadline != Moment::NEVER && entry.is_expired(self.0.clock.coarse())
    }

    #[inline]
    fn hash(&self, key: QualifiedKey<'_>) -> u64 {
        let mut hasher = self.0.hasher.build_hasher();
        if !key.namespace.is_empty() {
            hasher.write(key.namespace.as_bytes());
        }
        hasher.write(key.key.as_bytes());
        hasher.finish()
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the shard")]
    fn shard(&self, hash: u64) -> &RwLock<Shard<V>> {
        &self.0.all[hash as usize & self.0.mask].0
    }

    fn lock(&self, hash: u64) -> RwLockWriteGuard<'_, Shard<V>> {
        self.shard(hash).write()
    }

    fn lighten<'d>(&self, departed: impl Iterator<Item = &'d Departed<V>>)
    where
        V: 'd,
    {
        self.0.lighten(departed.map(|departed| u64::from(departed.weight)).sum());
    }

    fn sweep_shard(&self, shard: &Padded<V>, now: Moment, budget: usize) -> (usize, bool) {
        self.0.sweep_shard(shard, now, budget)
    }
}

fn ttl<V>(entry: &Entry<V>, clock: &Clock) -> Option<Duration> {
    (entry.deadline != Moment::NEVER).then(|| clock.precise().until(entry.deadline))
}

impl<V> Shards<V> {
    fn lighten(&self, weight: u64) {
        if weight > 0 {
            self.weight.fetch_sub(weight, Ordering::Relaxed);
        }
    }

    /// One step of a sweep: how many entries it freed, and whether it came to the end of the shard.
    fn sweep_shard(&self, shard: &Padded<V>, now: Moment, budget: usize) -> (usize, bool) {
        let swept = shard.0.write().sweep(now, budget);
        self.lighten(swept.departed.iter().map(|departed| u64::from(departed.weight)).sum());
        (swept.departed.len(), swept.ended)
    }
}

impl<V: Send + Sync> janitor::Sweep for Shards<V> {
    fn sweep_all(&self) {
        let now = self.clock.coarse();
        for shard in &self.all {
            while !self.sweep_shard(shard, now, SWEEP_STEP).1 {}
        }
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

/// Chooses a [`Memory`]'s bound, weights and clock.
pub struct Builder<V> {
    capacity: Option<u64>,
    weigher: Option<Weigher<V>>,
    clock: Clock,
}

impl<V> Builder<V> {
    /// Holds up to `capacity` entries, or up to that weight where there is a [`weigher`](Self::weigher). The default is
    /// 10,000.
    #[must_use]
    pub fn capacity(mut self, capacity: u64) -> Self {
        self.capacity = Some(capacity);
        self
    }

    /// Never evicts.
    #[must_use]
    pub fn unbounded(mut self) -> Self {
        self.capacity = None;
        self
    }

    /// Weighs an entry by its key (without namespace) and value, once for every write, outside the locks. An entry heavier
    /// than the whole capacity is not kept.
    #[must_use]
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
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The cache.
    #[must_use]
    pub fn build(self) -> Memory<V>
    where
        V: Send + Sync + 'static,
    {
        let Self { capacity, weigher, clock } = self;
        let fitting = usize::try_from(capacity.unwrap_or(u64::MAX) / FEWEST_PER_SHARD).unwrap_or(usize::MAX);
        let count = fitting.clamp(1, MOST_SHARDS).next_power_of_two().min(MOST_SHARDS);
        Memory(Arc::new_cyclic(|this| Shards {
            all: (0..count).map(|_| Padded(RwLock::default())).collect(),
            mask: count - 1,
            hasher: RandomState::default(),
            clock,
            capacity,
            weight: AtomicU64::new(0),
            weigher,
            watched: AtomicBool::new(false),
            this: Weak::clone(this),
        }))
    }
}

impl<V> fmt::Debug for Builder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("capacity", &self.capacity)
            .field("weighed", &self.weigher.is_some())
            .field("clock", &self.clock)
            .finish()
    }
}

#[cfg(test)]
mod tests;
