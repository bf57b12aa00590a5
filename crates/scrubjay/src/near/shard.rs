//! One lock's worth of entries: an index from hashes to slots, the slots, and the policy over them.
//!
//! Nothing here locks, reads a clock or drops a value: what leaves is handed to the caller, who drops it after unlocking.

use std::{mem, time::Duration};

use super::{
    cleared::{Cleared, Scope, Version},
    index::Index,
    listener::Cause,
    notes::{Note, Notes},
    policy::Policy,
    slots::{Entry, NONE, Slots, StoredKey},
    weights::Weights,
};
use crate::{Moment, key::QualifiedKey};

/// Slots under which giving memory back is not worth the work.
const SMALL: usize = 64;

#[derive(Debug)]
pub(super) struct Shard<V> {
    index: Index,
    slots: Slots<V>,
    cleared: Cleared,
    policy: Policy,
    version: Version,
    writes: u64,
    pass: Pass,
    weights: Weights,
    notes: Notes,
}

/// One round of sweeping over the slots.
#[derive(Debug)]
struct Pass {
    /// The slot to look at next; zero between passes.
    cursor: usize,
    /// The shard's version when this pass began.
    version: Version,
    /// No entry ends before this moment.
    soonest: Moment,
    /// The same of what this pass has seen and of what was written since it began.
    soonest_ahead: Moment,
}

/// An entry about to be written.
#[derive(Debug)]
pub(super) struct Fresh<V> {
    pub(super) value: V,
    pub(super) weight: u32,
    pub(super) deadline: Moment,
    pub(super) note: Option<Note>,
}

/// How an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It is live; its load took so long, if anybody measured.
    Fresh { cost: Duration },
    /// Its deadline has passed, and it is kept for those who would rather have that than nothing.
    Stale { kept_until: Moment },
    /// It is not there any more, though it is still held.
    Gone,
}

/// An entry that left the shard, for the caller to drop once the lock is free.
#[derive(Debug)]
pub(super) struct Departed<V> {
    pub(super) entry: Entry<V>,
    pub(super) weight: u32,
    pub(super) cause: Cause,
}

/// A value whose place another took.
#[derive(Debug)]
pub(super) struct Replaced<V> {
    pub(super) value: V,
    pub(super) cause: Cause,
}

/// What a step of sweeping took out, and what else must be dropped outside the lock.
#[derive(Debug)]
pub(super) struct Swept<V> {
    pub(super) departed: Vec<Departed<V>>,
    pub(super) ended: bool,
    /// What the shard has outlived: freeing it takes time, too.
    _outlived: Option<Outlived<V>>,
}

type Outlived<V> = (Index, Slots<V>, Policy, Weights, Notes);

impl<V> Default for Shard<V> {
    fn default() -> Self {
        Self {
            index: Index::default(),
            slots: Slots::default(),
            cleared: Cleared::default(),
            policy: Policy::default(),
            weights: Weights::default(),
            notes: Notes::default(),
            version: 0,
            writes: 0,
            pass: Pass { cursor: 0, version: 0, soonest: Moment::NEVER, soonest_ahead: Moment::NEVER },
        }
    }
}

impl<V> Shard<V> {
    /// The entries held: expired and cleared ones that no sweep has taken out yet included.
    pub(super) fn len(&self) -> usize {
        self.slots.held()
    }

    /// How often somebody wrote here on purpose; a fill from another tier does not count.
    pub(super) fn writes(&self) -> u64 {
        self.writes
    }

    /// The version of the last entry put.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// The entry under `key`, whether or not it is still live.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: QualifiedKey<'_>) -> Option<(u32, &Entry<V>)> {
        self.index.find(short(hash), |slot| {
            let entry = self.slots.get(slot)?;
            entry.key.is(key).then_some((slot, entry))
        })
    }

    /// The entry in `slot` was read.
    #[inline]
    pub(super) fn touched(&self, slot: u32) {
        self.policy.touched(slot);
    }

    /// What the entry in `slot` weighs.
    pub(super) fn weight(&self, slot: u32) -> u32 {
        self.weights.of(slot)
    }

    /// Why `entry` is not there any more, though it is still held; `None` for a live one. `now` is only asked if it matters.
    #[inline]
    pub(super) fn why_dead(&self, entry: &Entry<V>, now: impl FnOnce() -> Moment) -> Option<Cause> {
        if entry.deadline != Moment::NEVER && entry.deadline <= now() {
            return Some(Cause::Expired);
        }
        if self.cleared.is_empty() {
            return None;
        }
        self.cleared.covers(entry.key.qualified(), entry.version).then_some(Cause::Cleared)
    }

    /// How the entry in `slot` stands at `now`, stale ones included.
    pub(super) fn freshness(&self, slot: u32, entry: &Entry<V>, now: impl Fn() -> Moment) -> Freshness {
        match self.why_dead(entry, &now) {
            None => Freshness::Fresh { cost: self.notes.read(slot).map_or(Duration::ZERO, |note| note.cost) },
            Some(Cause::Expired) if !self.cleared.covers(entry.key.qualified(), entry.version) => {
                let kept_until = self.notes.kept_until(slot, entry.deadline);
                if kept_until > now() { Freshness::Stale { kept_until } } else { Freshness::Gone }
            }
            Some(_) => Freshness::Gone,
        }
    }

    /// Somebody wrote here on purpose: a fill that began before is refused.
    pub(super) fn written(&mut self) {
        self.writes += 1;
    }

    /// From now on nothing of `scope` is there. A sweep takes it out.
    pub(super) fn clear(&mut self, scope: Scope) {
        self.written();
        if self.slots.held() > 0 {
            // A version of its own, so that a pass under way is not taken for one that has seen this clear.
            self.version = self.version.wrapping_add(1);
            self.cleared.clear(scope, self.version);
        }
    }

    /// Puts an entry under `key` where there is none.
    pub(super) fn insert(&mut self, hash: u64, key: QualifiedKey<'_>, fresh: Fresh<V>) {
        self.deadline_written(fresh.deadline);
        self.version = self.version.wrapping_add(1);
        let hash = short(hash);
        let slot = self.slots.insert(Entry {
            key: StoredKey::new(key),
            value: fresh.value,
            deadline: fresh.deadline,
            version: self.version,
            hash,
        });
        self.index.insert(hash, slot);
        self.weights.set(slot, fresh.weight);
        self.notes.write(slot, fresh.note);
        self.policy.inserted(slot, hash);
    }

    /// Puts an entry in the place of the one in `slot`.
    pub(super) fn replace(&mut self, slot: u32, fresh: Fresh<V>, now: Moment) -> Option<Replaced<V>> {
        let cause = self.why_dead(self.slots.get(slot)?, || now).unwrap_or(Cause::Replaced);
        self.deadline_written(fresh.deadline);
        self.version = self.version.wrapping_add(1);
        let entry = self.slots.get_mut(slot)?;
        entry.deadline = fresh.deadline;
        entry.version = self.version;
        let value = mem::replace(&mut entry.value, fresh.value);
        self.notes.write(slot, fresh.note);
        self.weights.set(slot, fresh.weight);
        Some(Replaced { value, cause })
    }

    /// Moves the deadline of the entry in `slot`.
    pub(super) fn expire(&mut self, slot: u32, deadline: Moment) {
        self.deadline_written(deadline);
        if let Some(entry) = self.slots.get_mut(slot) {
            self.notes.postpone(slot, entry.deadline, deadline);
            entry.deadline = deadline;
        }
    }

    /// Takes the entry out of `slot`.
    pub(super) fn remove(&mut self, slot: u32, cause: Cause) -> Option<Departed<V>> {
        let entry = self.slots.take(slot)?;
        self.policy.removed(slot, entry.hash);
        self.index.remove(entry.hash, slot);
        self.notes.erase(slot);
        Some(Departed { entry, weight: self.weights.of(slot), cause })
    }

    /// Takes out the entry that the policy values least.
    pub(super) fn evict(&mut self) -> Option<Departed<V>> {
        let victim = self.policy.victim()?;
        self.remove(victim, Cause::Evicted)
    }

    /// Takes out every entry whose key `leaves` picks.
    pub(super) fn take_where(&mut self, mut leaves: impl FnMut(QualifiedKey<'_>) -> bool) -> Vec<Departed<V>> {
        self.written();
        let picked = |slot: &u32| self.slots.get(*slot).is_some_and(|entry| leaves(entry.key.qualified()));
        let picked: Vec<u32> = self.slots.numbers().filter(picked).collect();
        picked.into_iter().filter_map(|slot| self.remove(slot, Cause::Cleared)).collect()
    }

    /// Every entry held, live or not.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<V>> {
        self.slots.numbers().filter_map(|slot| self.slots.get(slot))
    }

    /// Whether a sweep at `now` may find something. `now` is only asked if it matters.
    #[inline]
    pub(super) fn may_hold_dead(&self, now: impl FnOnce() -> Moment) -> bool {
        !self.cleared.is_empty() || (self.pass.soonest != Moment::NEVER && self.pass.soonest <= now())
    }

    /// Looks at up to `budget` slots, from where the last step stopped, and takes out what is dead.
    pub(super) fn sweep(&mut self, now: Moment, budget: usize) -> Swept<V> {
        let mut departed = Vec::new();
        if !self.may_hold_dead(|| now) {
            return Swept { departed, ended: true, _outlived: None };
        }
        if self.pass.cursor == 0 {
            self.pass.version = self.version;
            self.pass.soonest_ahead = Moment::NEVER;
        }
        let end = self.slots.len().min(self.pass.cursor + budget);
        for slot in self.pass.cursor..end {
            // Below the number of slots, which fits.
            let slot = u32::try_from(slot).unwrap_or(NONE);
            let Some(entry) = self.slots.get(slot) else { continue };
            let cause = self.why_dead(entry, || now);
            if let Some(cause) = cause.filter(|_| self.freshness(slot, entry, || now) == Freshness::Gone) {
                departed.extend(self.remove(slot, cause));
            } else {
                let end = self.notes.kept_until(slot, entry.deadline);
                self.pass.soonest_ahead = self.pass.soonest_ahead.min(end);
            }
        }
        self.pass.cursor = end;
        let ended = end == self.slots.len();
        if ended {
            self.pass.cursor = 0;
            self.pass.soonest = self.pass.soonest_ahead;
            self.cleared.swept(self.pass.version);
        }
        Swept { departed, ended, _outlived: if ended { self.shrink() } else { None } }
    }

    /// Moves what is left into arrays of its size, if three quarters of the slots are vacant.
    fn shrink(&mut self) -> Option<Outlived<V>> {
        let held = self.slots.held();
        if self.slots.len() < SMALL || held > self.slots.len() / 4 {
            return None;
        }
        let mut slots = mem::replace(&mut self.slots, Slots::with_capacity(held + held / 8));
        let index = mem::replace(&mut self.index, Index::with_capacity(held));
        let (weights, notes) = (mem::take(&mut self.weights), mem::take(&mut self.notes));
        // Who has left is forgotten: a cache that has shrunk evicts nobody soon.
        let policy = mem::take(&mut self.policy);
        for slot in policy.order() {
            let Some(entry) = slots.take(slot) else { continue };
            let hash = entry.hash;
            let new_slot = self.slots.insert(entry);
            self.index.insert(hash, new_slot);
            self.weights.set(new_slot, weights.of(slot));
            self.notes.write(new_slot, notes.read(slot));
            self.policy.adopt(new_slot, &policy, slot);
        }
        Some((index, slots, policy, weights, notes))
    }

    fn deadline_written(&mut self, deadline: Moment) {
        self.pass.soonest = self.pass.soonest.min(deadline);
        self.pass.soonest_ahead = self.pass.soonest_ahead.min(deadline);
    }
}

/// The part of a hash that an entry keeps; the shard was chosen by the other half.
#[inline]
fn short(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
impl<V> Shard<V> {
    /// The slots, held and vacant.
    #[cfg(not(shuttle))]
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Checks that index, slots, policy and counts tell the same story; answers the weight held.
    pub(super) fn validate(&self) -> u64 {
        self.slots.validate();
        let mut listed = self.policy.validate();
        listed.sort_unstable();
        let held: Vec<u32> = self.slots.numbers().filter(|&slot| self.slots.get(slot).is_some()).collect();
        assert_eq!(listed, held, "the policy lists the slots that are held");
        assert!(self.notes.slots().all(|slot| held.contains(&slot)), "only what is held is noted");
        assert_eq!((self.index.validate(), self.slots.held()), (held.len(), held.len()));
        let mut weight = 0;
        for (slot, entry) in held.iter().filter_map(|&slot| self.slots.get(slot).map(|entry| (slot, entry))) {
            let listed = self.index.find(entry.hash, |listed| (listed == slot).then_some(()));
            assert_eq!(listed, Some(()), "slot {slot} is listed");
            let end = self.notes.kept_until(slot, entry.deadline);
            assert!(self.pass.soonest <= end, "no entry ends before the soonest");
            weight += u64::from(self.weights.of(slot));
        }
        weight
    }
}
