//! The shards as one cache: which shard a key belongs to, the bound over all of them, and what happens to what leaves.

use std::{
    hash::{BuildHasher, Hasher},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use foldhash::quality::RandomState;

use super::{
    cleared::Scope,
    janitor,
    listener::{Cause, Listener},
    shard::{Departed, Fresh, Freshness, Shard},
    slots::Entry,
    sync::{AtomicU64, RwLock},
};
use crate::{Clock, Moment, key::QualifiedKey};

/// Slots looked at under one lock by the janitor.
const JANITOR_STEP: usize = 512;
/// Slots looked at by a write, so that a busy cache needs no janitor.
const WRITE_STEP: usize = 4;

pub(super) type Weigher<V> = Arc<dyn Fn(&str, &V) -> u32 + Send + Sync>;

pub(super) struct Shards<V> {
    all: Box<[Padded<V>]>,
    mask: usize,
    /// The thorough variant: with the fast one, one seed in fifty leaves most keys to a few shards.
    hasher: RandomState,
    pub(super) clock: Clock,
    pub(super) capacity: Option<u64>,
    weight: AtomicU64,
    pub(super) weigher: Option<Weigher<V>>,
    pub(super) listener: Option<Listener<V>>,
    watched: AtomicBool,
    this: Weak<Self>,
}

/// One shard a pair of cache lines, so that two cores locking two shards do not meet.
#[repr(align(128))]
#[derive(Default)]
struct Padded<V>(RwLock<Shard<V>>);

/// The right to [`fill`](super::Memory::fill) an entry; void once its shard is written to.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    writes: u64,
    /// When it was taken: a fill's ttl counts from then.
    pub(super) taken: Moment,
}

/// A key on its way: its hash is taken once.
#[derive(Clone, Copy)]
pub(super) struct Hashed<'k> {
    key: QualifiedKey<'k>,
    hash: u64,
}

/// What a write must find to go on.
pub(super) enum Condition<'c> {
    /// Nothing in particular.
    Always,
    /// No live entry.
    Absent,
    /// A live entry of that version.
    Version(u64),
    /// No write to the shard since the ticket was taken. Such a write is a fill, and voids no other.
    Ticket(Ticket),
    /// Likewise, but it voids the fills that began before.
    Settle(Ticket),
    /// Not voided: whoever voids it does so before writing.
    Unless(&'c AtomicBool),
}

/// What goes out when a cache is built.
pub(super) struct Choices<V> {
    pub(super) shards: usize,
    pub(super) clock: Clock,
    pub(super) capacity: Option<u64>,
    pub(super) weigher: Option<Weigher<V>>,
    pub(super) listener: Option<Listener<V>>,
}

impl<V: Send + Sync + 'static> Shards<V> {
    pub(super) fn new(choices: Choices<V>) -> Arc<Self> {
        let Choices { shards, clock, capacity, weigher, listener } = choices;
        let count = shards.next_power_of_two();
        Arc::new_cyclic(|this| Self {
            all: (0..count).map(|_| Padded(RwLock::default())).collect(),
            mask: count - 1,
            hasher: RandomState::default(),
            clock,
            capacity,
            weight: AtomicU64::new(0),
            weigher,
            listener,
            watched: AtomicBool::new(false),
            this: Weak::clone(this),
        })
    }

    /// The janitor must know of this cache once it holds something that dies. Time that a test drives needs none.
    fn watch(&self) {
        let system = matches!(self.clock, Clock::System);
        if system && !self.watched.load(Ordering::Relaxed) && !self.watched.swap(true, Ordering::Relaxed) {
            janitor::watch(Weak::<Self>::clone(&self.this));
        }
    }

    /// Puts an entry if what stands under `key` meets `condition`; answers its version if it did.
    pub(super) fn put(&self, key: Hashed<'_>, fresh: Fresh<V>, condition: &Condition<'_>) -> Option<u64> {
        let (timed, weight) = (fresh.deadline != Moment::NEVER, u64::from(fresh.weight));
        let too_heavy = self.capacity.is_some_and(|capacity| weight > capacity);
        // What leaves is bound before the lock is taken, so that it is dropped after that is released.
        let (mut replaced, mut departed, mut swept) = (None, DrivenOut::none(), None);
        let version = {
            let mut shard = self.shard(key).write();
            let now = || self.clock.coarse();
            let found = shard.find(key.hash, key.key).map(|(slot, entry)| {
                let live = shard.why_dead(entry, now).is_none();
                (slot, shard.weight(slot), live.then_some(entry.version))
            });
            let live = found.and_then(|(_, _, live)| live);
            let met = match condition {
                Condition::Always => true,
                Condition::Absent => live.is_none(),
                Condition::Version(version) => live.is_some_and(|live| u64::from(live) == *version),
                Condition::Ticket(ticket) | Condition::Settle(ticket) => shard.writes() == ticket.writes,
                Condition::Unless(void) => !void.load(Ordering::SeqCst),
            };
            if !matches!(condition, Condition::Ticket(_)) {
                shard.written();
            }
            if !met {
                return None;
            }
            match found {
                _ if too_heavy => {
                    departed.first = found.and_then(|(slot, ..)| shard.remove(slot, Cause::Replaced));
                    self.lighten(departed.first.as_ref());
                }
                Some((slot, before, _)) => {
                    replaced = shard.replace(slot, fresh, now());
                    self.reweigh(&mut shard, u64::from(before), weight, &mut departed);
                }
                None => {
                    self.reweigh(&mut shard, 0, weight, &mut departed);
                    shard.insert(key.hash, key.key, fresh);
                }
            }
            if shard.may_hold_dead(now) {
                swept = Some(shard.sweep(now(), WRITE_STEP));
            }
            shard.version()
        };
        if let (Some(replaced), Some(listener)) = (replaced, &self.listener) {
            listener(key.key, replaced.value, replaced.cause);
        }
        self.depart(departed);
        if let Some(swept) = swept {
            self.release(swept.departed);
        }
        self.make_room_elsewhere();
        if timed {
            self.watch();
        }
        Some(u64::from(version))
    }

    /// Gives the live entry under `key` another deadline; says whether there was one.
    pub(super) fn expire(&self, key: Hashed<'_>, deadline: Moment) -> bool {
        let live = {
            let mut shard = self.shard(key).write();
            shard.written();
            let Some((slot, entry)) = shard.find(key.hash, key.key) else { return false };
            let live = shard.why_dead(entry, || self.clock.coarse()).is_none();
            if live {
                shard.expire(slot, deadline);
            }
            live
        };
        if live && deadline != Moment::NEVER {
            self.watch();
        }
        live
    }

    /// Removes the entry under `key`, if `goes` says so; says whether a live one stood there.
    pub(super) fn delete(&self, key: Hashed<'_>, goes: impl FnOnce(&Entry<V>) -> bool) -> bool {
        let (dead, departed) = {
            let mut shard = self.shard(key).write();
            shard.written();
            let Some((slot, entry)) = shard.find(key.hash, key.key) else { return false };
            if !goes(entry) {
                return false;
            }
            let dead = shard.why_dead(entry, || self.clock.coarse());
            (dead, shard.remove(slot, dead.unwrap_or(Cause::Deleted)))
        };
        self.release(departed);
        dead.is_none()
    }

    /// From now on nothing of `scope` is there; sweeps give the memory back.
    pub(super) fn clear(&self, scope: impl Fn() -> Scope) {
        self.all.iter().for_each(|shard| shard.0.write().clear(scope()));
        self.watch();
    }

    /// Removes every entry whose key `leaves` picks, looking at each.
    pub(super) fn clear_where(&self, leaves: impl Fn(QualifiedKey<'_>) -> bool) {
        for shard in &self.all {
            let departed = shard.0.write().take_where(&leaves);
            self.release(departed);
        }
    }

    /// What `pick` takes of every live entry, one shard at a time.
    pub(super) fn collect<T>(&self, mut pick: impl FnMut(&Entry<V>) -> T, into: &mut Vec<T>, shard: usize) -> bool {
        let Some(shard) = self.all.get(shard) else { return false };
        let shard = shard.0.read();
        let live = shard.entries().filter(|entry| shard.why_dead(entry, || self.clock.coarse()).is_none());
        into.extend(live.map(&mut pick));
        true
    }

    /// A step of sweeping in each shard; answers how many entries it freed.
    pub(super) fn sweep(&self, now: Moment, budget: usize) -> usize {
        self.all.iter().map(|shard| self.sweep_shard(shard, now, budget).freed).sum()
    }

    fn sweep_shard(&self, shard: &Padded<V>, now: Moment, budget: usize) -> Step {
        // Bound as a whole: what a pattern leaves out would be dropped before the guard is, and freeing the arrays that a shard
        // has outlived can take long.
        let swept = shard.0.write().sweep(now, budget);
        let freed = swept.departed.len();
        self.release(swept.departed);
        Step { freed, ended: swept.ended }
    }

    /// Accounts for a weight that changes from `before` to `after` in `shard`, which makes room for it.
    ///
    /// In a full cache what comes in and what goes out are equal, and the shared counter is only read: writers on other
    /// cores keep their copy of it.
    fn reweigh(&self, shard: &mut Shard<V>, before: u64, after: u64, departed: &mut DrivenOut<V>) {
        let Some(capacity) = self.capacity else { return };
        let mut freed = before;
        let held = self.weight.load(Ordering::Relaxed);
        while held + after > capacity + freed {
            let Some(victim) = shard.evict() else { break };
            freed += u64::from(victim.weight);
            departed.push(victim);
        }
        if after < freed {
            self.weight.fetch_sub(freed - after, Ordering::Relaxed);
        } else if after > freed {
            let mut held = self.weight.fetch_add(after - freed, Ordering::Relaxed) + after - freed;
            // Another shard grew at the same moment.
            while held > capacity {
                let Some(victim) = shard.evict() else { break };
                held = self.weight.fetch_sub(u64::from(victim.weight), Ordering::Relaxed) - u64::from(victim.weight);
                departed.push(victim);
            }
        }
    }

    /// The shard just written ran empty and the whole is still too heavy: the others give way, one lock at a time.
    fn make_room_elsewhere(&self) {
        let Some(capacity) = self.capacity else { return };
        let mut others = self.all.iter();
        while self.weight.load(Ordering::Relaxed) > capacity {
            let Some(shard) = others.next() else { return };
            let mut departed = Vec::new();
            {
                let mut shard = shard.0.write();
                while self.weight.load(Ordering::Relaxed) > capacity {
                    let Some(victim) = shard.evict() else { break };
                    self.lighten(Some(&victim));
                    departed.push(victim);
                }
            }
            self.depart(departed);
        }
    }

    fn lighten<'d>(&self, departed: impl IntoIterator<Item = &'d Departed<V>>)
    where
        V: 'd,
    {
        let weight: u64 = departed.into_iter().map(|departed| u64::from(departed.weight)).sum();
        if self.capacity.is_some() && weight > 0 {
            self.weight.fetch_sub(weight, Ordering::Relaxed);
        }
    }

    /// Lets go of what left, whose weight nobody has accounted for yet. No lock is held.
    fn release<D>(&self, departed: D)
    where
        V: 'static,
        D: IntoIterator<Item = Departed<V>>,
        for<'d> &'d D: IntoIterator<Item = &'d Departed<V>>,
    {
        self.lighten(&departed);
        self.depart(departed);
    }

    /// Tells the listener, if there is one, and drops the rest. No lock is held.
    fn depart(&self, departed: impl IntoIterator<Item = Departed<V>>) {
        let Some(listener) = &self.listener else { return };
        for Departed { entry, cause, .. } in departed {
            listener(entry.key.qualified(), entry.value, cause);
        }
    }
}

impl<V> Shards<V> {
    pub(super) fn len(&self) -> usize {
        self.all.iter().map(|shard| shard.0.read().len()).sum()
    }

    pub(super) fn ticket(&self, key: Hashed<'_>) -> Ticket {
        let taken = self.clock.precise();
        Ticket { writes: self.shard(key).read().writes(), taken }
    }

    /// What `read` takes of the live entry under `key`, which counts as read.
    #[inline]
    pub(super) fn read<T>(&self, key: Hashed<'_>, read: impl FnOnce(&Entry<V>) -> T) -> Option<T> {
        let shard = self.shard(key).read();
        let (slot, entry) = shard.find(key.hash, key.key)?;
        if shard.why_dead(entry, || self.clock.coarse()).is_some() {
            return None;
        }
        shard.touched(slot);
        Some(read(entry))
    }

    /// What `read` takes of the entry under `key` and how it stands, stale ones included; counts as read.
    pub(super) fn read_even_stale<T>(
        &self,
        key: Hashed<'_>,
        read: impl FnOnce(&Entry<V>, Freshness) -> T,
    ) -> Option<T> {
        let shard = self.shard(key).read();
        let (slot, entry) = shard.find(key.hash, key.key)?;
        let freshness = shard.freshness(slot, entry, || self.clock.coarse());
        shard.touched(slot);
        Some(read(entry, freshness))
    }

    /// What `read` takes of the live entry under `key`, without counting.
    pub(super) fn peek<T>(&self, key: Hashed<'_>, read: impl FnOnce(&Entry<V>) -> T) -> Option<T> {
        let shard = self.shard(key).read();
        let (_, entry) = shard.find(key.hash, key.key)?;
        shard.why_dead(entry, || self.clock.coarse()).is_none().then(|| read(entry))
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call would pass the key and its hash through memory, on every read")]
    pub(super) fn hash<'k>(&self, key: QualifiedKey<'k>) -> Hashed<'k> {
        if !key.namespace.is_empty() {
            return self.hash_both(key);
        }
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key.key.as_bytes());
        Hashed { key, hash: hasher.finish() }
    }

    #[inline(never)]
    fn hash_both<'k>(&self, key: QualifiedKey<'k>) -> Hashed<'k> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key.namespace.as_bytes());
        hasher.write(key.key.as_bytes());
        Hashed { key, hash: hasher.finish() }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the shard")]
    fn shard(&self, key: Hashed<'_>) -> &RwLock<Shard<V>> {
        &self.all[key.hash as usize & self.mask].0
    }
}

/// What a write drives out of a full cache: nearly always one entry, which takes no allocation.
struct DrivenOut<V> {
    first: Option<Departed<V>>,
    more: Vec<Departed<V>>,
}

impl<V> DrivenOut<V> {
    fn none() -> Self {
        Self { first: None, more: Vec::new() }
    }

    fn push(&mut self, departed: Departed<V>) {
        match self.first {
            None => self.first = Some(departed),
            Some(_) => self.more.push(departed),
        }
    }
}

impl<V> IntoIterator for DrivenOut<V> {
    type Item = Departed<V>;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Self::Item>, std::vec::IntoIter<Self::Item>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.more)
    }
}

/// What a step of sweeping came to.
struct Step {
    freed: usize,
    ended: bool,
}

impl<V: Send + Sync + 'static> janitor::Sweep for Shards<V> {
    fn sweep_all(&self) {
        let now = self.clock.coarse();
        for shard in &self.all {
            while !self.sweep_shard(shard, now, JANITOR_STEP).ended {}
        }
    }
}

#[cfg(all(test, not(shuttle)))]
impl<V> Shards<V> {
    /// How many shards there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Whether a sweep may find something.
    pub(super) fn has_dead(&self, now: Moment) -> bool {
        self.all.iter().any(|shard| shard.0.read().may_hold_dead(|| now))
    }

    /// The slots of all shards, held and vacant.
    pub(super) fn slots(&self) -> usize {
        self.all.iter().map(|shard| shard.0.read().slots()).sum()
    }
}

#[cfg(test)]
impl<V> Shards<V> {
    /// Checks every shard's structure, and the bound of the whole.
    pub(super) fn validate(&self) {
        let weight: u64 = self.all.iter().map(|shard| shard.0.read().validate()).sum();
        if let Some(capacity) = self.capacity {
            assert_eq!(self.weight.load(Ordering::Relaxed), weight);
            assert!(weight <= capacity, "{weight} is over {capacity}");
        }
    }
}
