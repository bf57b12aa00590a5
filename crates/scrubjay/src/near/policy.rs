//! Who leaves when the cache is full: S3-FIFO.
//!
//! New entries wait in a small queue, a tenth of the whole; those read there move to the main queue, the others leave and
//! are remembered by their hash, so that an early return goes straight to the main queue. A read only bumps a counter.
//! Source: Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache eviction", SOSP 2023.
//!
//! The policy knows entries by slot number and hash alone: never a key, a value or a lock.

use std::sync::atomic::{AtomicU8, Ordering};

/// The end of a list, and the slot of nobody.
pub(super) const NONE: u32 = u32::MAX;
/// Reads beyond this many do not count.
const MOST_FREQUENT: u8 = 3;
/// The small queue's share is one part in this many.
const SMALL_SHARE: u64 = 10;
/// Entries given another chance in one search for a victim; the next one leaves whatever its count. Bounds the lock.
const MOST_CHANCES: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Policy {
    links: Vec<Link>,
    small: Queue,
    main: Queue,
    ghosts: Ghosts,
}

#[derive(Debug)]
struct Link {
    newer: u32,
    older: u32,
    hash: u32,
    weight: u32,
    frequency: AtomicU8,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Small,
    Main,
}

#[derive(Debug)]
struct Queue {
    newest: u32,
    oldest: u32,
    weight: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self { newest: NONE, oldest: NONE, weight: 0 }
    }
}

impl Policy {
    /// The entry in `slot` was read.
    #[inline]
    pub(super) fn touched(&self, slot: u32) {
        let frequency = &self.links[slot as usize].frequency;
        let count = frequency.load(Ordering::Relaxed);
        // A lost race costs one count; a saturated counter costs no write at all.
        if count < MOST_FREQUENT {
            frequency.store(count + 1, Ordering::Relaxed);
        }
    }

    /// An entry now lives in `slot`.
    pub(super) fn inserted(&mut self, slot: u32, hash: u32, weight: u32) {
        let index = slot as usize;
        if index == self.links.len() {
            self.links.push(Link {
                newer: NONE,
                older: NONE,
                hash,
                weight,
                frequency: AtomicU8::new(0),
                place: Place::Nowhere,
            });
            self.ghosts.make_room_for(self.links.len());
        }
        let link = &mut self.links[index];
        debug_assert_eq!(link.place, Place::Nowhere);
        link.hash = hash;
        link.weight = weight;
        *link.frequency.get_mut() = 0;
        let place = if self.ghosts.recall(hash) { Place::Main } else { Place::Small };
        self.push(place, slot);
    }

    /// The entry in `slot` weighs something else now.
    pub(super) fn reweighed(&mut self, slot: u32, weight: u32) {
        let link = &mut self.links[slot as usize];
        let before = u64::from(std::mem::replace(&mut link.weight, weight));
        let place = link.place;
        let queue = self.queue(place);
        queue.weight = queue.weight - before + u64::from(weight);
    }

    /// The entry in `slot` is gone.
    pub(super) fn removed(&mut self, slot: u32) {
        self.unlink(slot);
    }

    /// The slot whose entry should leave, `None` when there is nobody. The caller removes it.
    pub(super) fn victim(&mut self) -> Option<u32> {
        for chances in 0.. {
            let small_is_due = self.small.weight * SMALL_SHARE >= self.small.weight + self.main.weight;
            let from_small = self.small.oldest != NONE && (small_is_due || self.main.oldest == NONE);
            let slot = if from_small { self.small.oldest } else { self.main.oldest };
            if slot == NONE {
                return None;
            }
            let link = &mut self.links[slot as usize];
            let hash = link.hash;
            let frequency = link.frequency.get_mut();
            if *frequency == 0 || chances == MOST_CHANCES {
                if from_small {
                    self.ghosts.remember(hash);
                }
                return Some(slot);
            }
            *frequency = if from_small { 0 } else { *frequency - 1 };
            self.unlink(slot);
            self.push(Place::Main, slot);
        }
        None
    }

    fn queue(&mut self, place: Place) -> &mut Queue {
        if place == Place::Small { &mut self.small } else { &mut self.main }
    }

    fn push(&mut self, place: Place, slot: u32) {
        let weight = u64::from(self.links[slot as usize].weight);
        let queue = self.queue(place);
        queue.weight += weight;
        let second = std::mem::replace(&mut queue.newest, slot);
        if second == NONE {
            queue.oldest = slot;
        } else {
            self.links[second as usize].newer = slot;
        }
        let link = &mut self.links[slot as usize];
        link.place = place;
        link.newer = NONE;
        link.older = second;
    }

    fn unlink(&mut self, slot: u32) {
        let link = &mut self.links[slot as usize];
        debug_assert_ne!(link.place, Place::Nowhere);
        let (newer, older, weight) = (link.newer, link.older, u64::from(link.weight));
        let place = std::mem::replace(&mut link.place, Place::Nowhere);
        if newer != NONE {
            self.links[newer as usize].older = older;
        }
        if older != NONE {
            self.links[older as usize].newer = newer;
        }
        let queue = self.queue(place);
        queue.weight -= weight;
        if queue.newest == slot {
            queue.newest = older;
        }
        if queue.oldest == slot {
            queue.oldest = newer;
        }
    }
}

/// Hashes of entries that left unread: one direct-mapped word per entry held, newer ones writing over older ones.
#[derive(Debug, Default)]
struct Ghosts {
    hashes: Vec<u32>,
}

/// A cell that remembers nobody; the one hash equal to it is never recalled, which costs nothing but a chance.
const EMPTY: u32 = 0;

impl Ghosts {
    fn make_room_for(&mut self, entries: usize) {
        if entries > self.hashes.len() {
            self.hashes = vec![EMPTY; entries.next_power_of_two().max(16)];
        }
    }

    fn remember(&mut self, hash: u32) {
        let cell = self.cell(hash);
        self.hashes[cell] = hash;
    }

    fn recall(&mut self, hash: u32) -> bool {
        let cell = self.cell(hash);
        let known = hash != EMPTY && self.hashes[cell] == hash;
        if known {
            self.hashes[cell] = EMPTY;
        }
        known
    }

    fn cell(&self, hash: u32) -> usize {
        hash as usize & (self.hashes.len() - 1)
    }
}

#[cfg(test)]
impl Policy {
    /// The slots of both queues, oldest first, after checking that every link and weight agrees.
    pub(super) fn validate(&self) -> Vec<u32> {
        let mut slots = Vec::new();
        for (queue, place) in [(&self.small, Place::Small), (&self.main, Place::Main)] {
            let (mut slot, mut older, mut weight) = (queue.oldest, NONE, 0);
            while slot != NONE {
                let link = &self.links[slot as usize];
                assert_eq!((link.place, link.older), (place, older));
                weight += u64::from(link.weight);
                slots.push(slot);
                older = slot;
                slot = link.newer;
            }
            assert_eq!((queue.newest, queue.weight), (older, weight));
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evict(policy: &mut Policy) -> Option<u32> {
        let victim = policy.victim()?;
        policy.removed(victim);
        policy.validate();
        Some(victim)
    }

    #[test]
    fn unread_entries_leave_first_in_first_out() {
        let mut policy = Policy::default();
        for slot in 0..4 {
            policy.inserted(slot, slot + 1, 1);
        }
        let order: Vec<_> = std::iter::from_fn(|| evict(&mut policy)).collect();
        assert_eq!(order, [0, 1, 2, 3]);
    }

    #[test]
    fn a_read_entry_outlives_the_unread() {
        let mut policy = Policy::default();
        for slot in 0..4 {
            policy.inserted(slot, slot + 1, 1);
        }
        policy.touched(0);
        let order: Vec<_> = std::iter::from_fn(|| evict(&mut policy)).collect();
        assert_eq!(order, [1, 2, 3, 0]);
    }

    #[test]
    fn an_early_return_goes_to_the_main_queue() {
        let mut policy = Policy::default();
        for slot in 0..8 {
            policy.inserted(slot, slot + 1, 1);
        }
        assert_eq!(evict(&mut policy), Some(0));
        policy.inserted(0, 1, 1);
        let order: Vec<_> = std::iter::from_fn(|| evict(&mut policy)).collect();
        assert_eq!(order.last(), Some(&0));
    }

    #[test]
    fn a_search_ends_even_when_everybody_was_read() {
        let mut policy = Policy::default();
        for slot in 0..1_000 {
            policy.inserted(slot, slot + 1, 1);
            (0..3).for_each(|_| policy.touched(slot));
        }
        assert!(evict(&mut policy).is_some());
    }
}
