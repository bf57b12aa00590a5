//! What is known of some entries beyond their value: how long they are kept after they stopped being fresh, and what
//! loading them cost. Most caches know nothing of the kind, and an entry pays nothing for those that do.

use std::{collections::HashMap, time::Duration};

use crate::Moment;

/// What is known of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// Until when it is kept, stale, after its deadline.
    pub(super) kept_until: Moment,
    /// How long its load took.
    pub(super) cost: Duration,
}

/// The notes of one shard, by slot.
#[derive(Debug, Default)]
pub(super) struct Notes(HashMap<u32, Note>);

impl Notes {
    /// Notes what is known of the entry now in `slot`.
    pub(super) fn write(&mut self, slot: u32, note: Option<Note>) {
        match note {
            Some(note) => drop(self.0.insert(slot, note)),
            None => self.erase(slot),
        }
    }

    /// Nothing is known of `slot` any more.
    pub(super) fn erase(&mut self, slot: u32) {
        if !self.0.is_empty() {
            self.0.remove(&slot);
        }
    }

    pub(super) fn read(&self, slot: u32) -> Option<Note> {
        if self.0.is_empty() { None } else { self.0.get(&slot).copied() }
    }

    /// Keeps the entry in `slot` as long after its new deadline as after its old one.
    pub(super) fn postpone(&mut self, slot: u32, old: Moment, new: Moment) {
        if let Some(note) = self.0.get_mut(&slot) {
            note.kept_until = new.after(old.until(note.kept_until));
        }
    }

    /// Until when the entry in `slot`, which is fresh until `deadline`, is kept.
    pub(super) fn kept_until(&self, slot: u32, deadline: Moment) -> Moment {
        self.read(slot).map_or(deadline, |note| note.kept_until.max(deadline))
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }
}
