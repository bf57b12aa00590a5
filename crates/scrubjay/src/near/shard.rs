//! One lock's worth of entries: a table from keys to slots, the slots, and the policy over them.
//!
//! Nothing here locks, reads a clock or drops a value: what leaves is handed to the caller, who drops it after unlocking.

use hashbrown::HashTable;

use super::policy::{NONE, Policy};
use crate::{Moment, key::QualifiedKey};

#[derive(Debug)]
pub(super) struct Shard<V> {
    table: HashTable<u32>,
    slots: Vec<Slot<V>>,
    vacant: u32,
    policy: Policy,
    version: u64,
    writes: u64,
    timed: usize,
    cursor: usize,
}

#[derive(Debug)]
enum Slot<V> {
    Held(Entry<V>),
    Vacant { next: u32 },
}

#[derive(Debug)]
pub(super) struct Entry<V> {
    key: StoredKey,
    hash: u32,
    weight: u32,
    pub(super) deadline: Moment,
    pub(super) version: u64,
    pub(super) value: V,
}

/// Namespace and key in one allocation, told apart by the length of the first.
#[derive(Debug)]
struct StoredKey {
    text: Box<str>,
    namespace_length: u32,
}

/// An entry about to be written.
#[derive(Debug)]
pub(super) struct Fresh<V> {
    pub(super) value: V,
    pub(super) weight: u32,
    pub(super) deadline: Moment,
}

/// What left the shard, to be dropped by the caller once the lock is free.
#[derive(Debug)]
pub(super) struct Departed<V> {
    /// Never read: it is carried out of the lock to be dropped.
    _value: V,
    pub(super) weight: u32,
}

impl<V> Default for Shard<V> {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            slots: Vec::new(),
            vacant: NONE,
            policy: Policy::default(),
            version: 0,
            writes: 0,
            timed: 0,
            cursor: 0,
        }
    }
}

impl<V> Shard<V> {
    /// The entries held, expired ones included.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// How often somebody wrote here on purpose; a fill from another tier does not count.
    pub(super) fn writes(&self) -> u64 {
        self.writes
    }

    /// The entry under `key`, expired or not.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: QualifiedKey<'_>) -> Option<(u32, &Entry<V>)> {
        let slot = *self.table.find(spread(short(hash)), |&slot| self.is_at(slot, key))?;
        Some((slot, self.entry(slot)?))
    }

    /// The entry in `slot` was read.
    #[inline]
    pub(super) fn touched(&self, slot: u32) {
        self.policy.touched(slot);
    }

    /// Somebody wrote here on purpose: a fill that began before is refused.
    pub(super) fn written(&mut self) {
        self.writes += 1;
    }

    /// Puts an entry under `key`, in the place of the one there.
    pub(super) fn put(&mut self, hash: u64, key: QualifiedKey<'_>, fresh: Fresh<V>) -> Option<Departed<V>> {
        self.version += 1;
        self.timed += usize::from(fresh.deadline != Moment::NEVER);
        let found = self.find(hash, key).map(|(slot, _)| slot);
        let Some(slot) = found else {
            self.put_new(short(hash), key, fresh);
            return None;
        };
        let version = self.version;
        let entry = self.entry_mut(slot)?;
        let before = Departed { weight: entry.weight, _value: std::mem::replace(&mut entry.value, fresh.value) };
        let was_timed = entry.deadline != Moment::NEVER;
        entry.weight = fresh.weight;
        entry.deadline = fresh.deadline;
        entry.version = version;
        self.timed -= usize::from(was_timed);
        self.policy.reweighed(slot, fresh.weight);
        Some(before)
    }

    fn put_new(&mut self, hash: u32, key: QualifiedKey<'_>, fresh: Fresh<V>) {
        let entry = Entry {
            key: StoredKey::new(key),
            hash,
            weight: fresh.weight,
            deadline: fresh.deadline,
            version: self.version,
            value: fresh.value,
        };
        let slot = self.vacant;
        let slot = if let Some(Slot::Vacant { next }) = self.slots.get(slot as usize) {
            self.vacant = *next;
            self.slots[slot as usize] = Slot::Held(entry);
            slot
        } else {
            self.slots.push(Slot::Held(entry));
            // 2³² entries do not fit in one shard of any machine this runs on; truncation would need 300 GB of slots.
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        };
        let slots = &self.slots;
        self.table.insert_unique(spread(hash), slot, |&slot| match &slots[slot as usize] {
            Slot::Held(entry) => spread(entry.hash),
            Slot::Vacant { .. } => 0,
        });
        self.policy.inserted(slot, hash, fresh.weight);
    }

    /// Moves the deadline of the entry in `slot`.
    pub(super) fn expire(&mut self, slot: u32, deadline: Moment) {
        if let Some(entry) = self.entry_mut(slot) {
            let was_timed = entry.deadline != Moment::NEVER;
            entry.deadline = deadline;
            self.timed = self.timed + usize::from(deadline != Moment::NEVER) - usize::from(was_timed);
        }
    }

    /// Takes the entry out of `slot`.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Departed<V>> {
        let hash = self.entry(slot)?.hash;
        let next = self.vacant;
        let Slot::Held(entry) = std::mem::replace(&mut self.slots[slot as usize], Slot::Vacant { next }) else {
            return None;
        };
        self.vacant = slot;
        self.timed -= usize::from(entry.deadline != Moment::NEVER);
        self.policy.removed(slot);
        if let Ok(found) = self.table.find_entry(spread(hash), |&other| other == slot) {
            found.remove();
        }
        Some(Departed { weight: entry.weight, _value: entry.value })
    }

    /// Takes out the entry that the policy values least.
    pub(super) fn evict(&mut self) -> Option<Departed<V>> {
        let victim = self.policy.victim()?;
        self.remove(victim)
    }

    /// Takes out every entry whose namespace and key `leaves` picks.
    pub(super) fn take_where(&mut self, mut leaves: impl FnMut(QualifiedKey<'_>) -> bool) -> Vec<Departed<V>> {
        let mut departed = Vec::new();
        for slot in self.all_slots() {
            if self.entry(slot).is_some_and(|entry| leaves(entry.key.qualified())) {
                departed.extend(self.remove(slot));
            }
        }
        departed
    }

    /// Looks at up to `budget` slots, from where the last sweep stopped, and takes out the expired.
    pub(super) fn sweep(&mut self, now: Moment, budget: usize) -> Sweep<V> {
        let mut departed = Vec::new();
        for _ in 0..budget {
            if self.timed == 0 || self.cursor >= self.slots.len() {
                self.cursor = 0;
                return Sweep { departed, ended: true };
            }
            if matches!(&self.slots[self.cursor], Slot::Held(entry) if entry.is_expired(now)) {
                // The cursor is below the number of slots, which fits.
                departed.extend(self.remove(u32::try_from(self.cursor).unwrap_or(NONE)));
            }
            self.cursor += 1;
        }
        Sweep { departed, ended: false }
    }

    fn all_slots(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.slots.len()).unwrap_or(NONE)
    }

    #[inline]
    fn is_at(&self, slot: u32, key: QualifiedKey<'_>) -> bool {
        self.entry(slot).is_some_and(|entry| entry.key.is(key))
    }

    #[inline]
    fn entry(&self, slot: u32) -> Option<&Entry<V>> {
        match self.slots.get(slot as usize) {
            Some(Slot::Held(entry)) => Some(entry),
            _ => None,
        }
    }

    fn entry_mut(&mut self, slot: u32) -> Option<&mut Entry<V>> {
        match self.slots.get_mut(slot as usize) {
            Some(Slot::Held(entry)) => Some(entry),
            _ => None,
        }
    }
}

/// What a sweep took out, and whether it came to the end of the shard.
#[derive(Debug)]
pub(super) struct Sweep<V> {
    pub(super) departed: Vec<Departed<V>>,
    pub(super) ended: bool,
}

impl<V> Entry<V> {
    #[inline]
    pub(super) fn is_expired(&self, now: Moment) -> bool {
        self.deadline <= now
    }
}

impl StoredKey {
    fn new(key: QualifiedKey<'_>) -> Self {
        let mut text = String::with_capacity(key.namespace.len() + key.key.len());
        text.push_str(key.namespace);
        text.push_str(key.key);
        // A namespace of 4 GB cannot be built from a key that fits in memory twice.
        Self { text: text.into(), namespace_length: u32::try_from(key.namespace.len()).unwrap_or(u32::MAX) }
    }

    #[inline]
    fn is(&self, key: QualifiedKey<'_>) -> bool {
        self.namespace_length as usize == key.namespace.len()
            && self.text.len() == key.namespace.len() + key.key.len()
            && self.text.as_bytes().starts_with(key.namespace.as_bytes())
            && self.text.as_bytes().ends_with(key.key.as_bytes())
    }

    fn qualified(&self) -> QualifiedKey<'_> {
        let (namespace, key) = self.text.split_at(self.namespace_length as usize);
        QualifiedKey { namespace, key }
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
    /// Checks that table, slots, policy and counts tell the same story; answers the weight held.
    pub(super) fn validate(&self) -> u64 {
        let mut listed = self.policy.validate();
        listed.sort_unstable();
        let held: Vec<u32> = self.all_slots().filter(|&slot| self.entry(slot).is_some()).collect();
        assert_eq!(listed, held, "the policy lists the slots that are held");
        assert_eq!(self.table.len(), held.len());
        let entries = held.iter().filter_map(|&slot| self.entry(slot).map(|entry| (slot, entry)));
        let (mut timed, mut weight) = (0, 0);
        for (slot, entry) in entries {
            let hash = spread(entry.hash);
            assert_eq!(self.table.find(hash, |&other| other == slot), Some(&slot));
            timed += usize::from(entry.deadline != Moment::NEVER);
            weight += u64::from(entry.weight);
        }
        assert_eq!(self.timed, timed);
        weight
    }
}
