//! One lock's worth of entries: a table from keys to slots, the slots, and the policy over them.
//!
//! Nothing here locks, reads a clock or drops a value: what leaves is handed to the caller, who drops it after unlocking.

use std::{mem, time::Duration};

use hashbrown::HashTable;

use super::{
    cleared::{Cleared, Scope, Version},
    listener::Cause,
    notes::{Note, Notes},
    policy::{Links, Policy},
    slots::{Entry, Link, NONE, Slots, Standing, StoredKey},
};
use crate::{Moment, key::QualifiedKey};

/// Slots under which giving memory back is not worth the work.
const SMALL: usize = 64;

#[derive(Debug)]
pub(super) struct Shard<V> {
    table: HashTable<u32>,
    slots: Slots<V>,
    cleared: Cleared,
    notes: Notes,
    policy: Policy,
    version: Version,
    writes: u64,
    pass: Pass,
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
    /// Arrays that the shard has outlived: freeing them takes time, too.
    _outlived: Option<(HashTable<u32>, Slots<V>)>,
}

impl<V> Default for Shard<V> {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            slots: Slots::default(),
            cleared: Cleared::default(),
            notes: Notes::default(),
            policy: Policy::default(),
            version: 0,
            writes: 0,
            pass: Pass { cursor: 0, version: 0, soonest: Moment::NEVER, soonest_ahead: Moment::NEVER },
        }
    }
}

// Slot numbers come from the policy's own queues, which hold no vacant slot.
impl<V> Links for Slots<V> {
    fn link(&mut self, slot: u32) -> &mut Link {
        self.link_mut(slot).unwrap_or_else(|| unreachable!("the policy lists slots that are held"))
    }

    fn standing(&mut self, slot: u32) -> &mut Standing {
        &mut self.get_mut(slot).unwrap_or_else(|| unreachable!("the policy lists slots that are held")).standing
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
        let candidates = self.table.iter_hash(spread(short(hash)));
        candidates.filter_map(|&slot| Some((slot, self.slots.get(slot)?))).find(|(_, entry)| entry.key.is(key))
    }

    /// What the entry in `slot` weighs.
    pub(super) fn weight(&self, slot: u32) -> u32 {
        self.slots.link(slot).map_or(0, |link| link.weight)
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
        let (hash, note) = (short(hash), fresh.note);
        let entry = Entry {
            key: StoredKey::new(key),
            value: fresh.value,
            deadline: fresh.deadline,
            version: self.version,
            standing: Standing::default(),
        };
        let slot = self.slots.insert(entry, Link::new(hash, fresh.weight));
        self.list(slot, hash);
        self.notes.write(slot, note);
        let held = self.slots.held();
        self.policy.inserted(&mut self.slots, slot, held);
    }

    /// Lets the table find `slot`.
    fn list(&mut self, slot: u32, hash: u32) {
        let slots = &self.slots;
        self.table.insert_unique(spread(hash), slot, |&slot| slots.link(slot).map_or(0, |link| spread(link.hash)));
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
        self.policy.reweighed(&mut self.slots, slot, fresh.weight);
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
        let link = *self.slots.link(slot)?;
        if let Ok(found) = self.table.find_entry(spread(link.hash), |&other| other == slot) {
            found.remove();
        }
        self.policy.removed(&mut self.slots, slot);
        self.notes.erase(slot);
        Some(Departed { entry: self.slots.take(slot)?, weight: link.weight, cause })
    }

    /// Takes out the entry that the policy values least.
    pub(super) fn evict(&mut self) -> Option<Departed<V>> {
        let victim = self.policy.victim(&mut self.slots)?;
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
    fn shrink(&mut self) -> Option<(HashTable<u32>, Slots<V>)> {
        let held = self.slots.held();
        if self.slots.len() < SMALL || held > self.slots.len() / 4 {
            return None;
        }
        let order = self.policy.order(&mut self.slots);
        let mut slots = mem::replace(&mut self.slots, Slots::with_capacity(held + held / 8));
        let table = mem::replace(&mut self.table, HashTable::with_capacity(held));
        let notes = mem::take(&mut self.notes);
        self.policy.empty();
        for (place, slot) in order {
            let (Some(link), Some(entry)) = (slots.link(slot).copied(), slots.take(slot)) else { continue };
            let note = notes.read(slot);
            let slot = self.slots.insert(entry, link);
            self.notes.write(slot, note);
            self.list(slot, link.hash);
            self.policy.adopt(&mut self.slots, place, slot);
        }
        Some((table, slots))
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

/// The table wants entropy in the top bits too, so the short hash stands in both halves.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
impl<V> Shard<V> {
    /// The slots, held and vacant.
    #[cfg(not(shuttle))]
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Checks that table, slots, policy and counts tell the same story; answers the weight held.
    pub(super) fn validate(&mut self) -> u64 {
        self.slots.validate();
        let mut listed = self.policy.validate(&mut self.slots);
        listed.sort_unstable();
        let held: Vec<u32> = self.slots.numbers().filter(|&slot| self.slots.get(slot).is_some()).collect();
        assert_eq!(listed, held, "the policy lists the slots that are held");
        assert!(self.notes.slots().all(|slot| held.contains(&slot)), "only what is held is noted");
        assert_eq!((self.table.len(), self.slots.held()), (held.len(), held.len()));
        let mut weight = 0;
        for (slot, entry) in held.iter().filter_map(|&slot| self.slots.get(slot).map(|entry| (slot, entry))) {
            let link = self.slots.link(slot).unwrap();
            assert_eq!(self.table.find(spread(link.hash), |&other| other == slot), Some(&slot));
            let end = self.notes.kept_until(slot, entry.deadline);
            assert!(self.pass.soonest <= end, "no entry ends before the soonest");
            weight += u64::from(link.weight);
        }
        weight
    }
}
