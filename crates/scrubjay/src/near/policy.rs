//! Who leaves when the cache is full: S3-FIFO.
//!
//! New entries wait in a small queue, a hundredth of the whole; those read there move to the main queue, the others leave and
//! are remembered by their hash, so that an early return goes straight to the main queue. A read only bumps a counter.
//! While the cache fills, newcomers for whom the small queue has no room go straight to the main queue, too: so a loop over
//! more keys than fit finds a part of them each time round, instead of none.
//! Source: Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache eviction", SOSP 2023.
//!
//! The policy knows entries by slot number and link alone: never a key, a value or a lock.

use super::slots::{Link, NONE, Place, Standing};

/// The small queue's share is one part in this many.
///
/// The paper has a tenth. Less keeps more of what is asked for again and again, and loses little where favourites change.
const SMALL_SHARE: u64 = 100;
/// Entries given another chance in one search for a victim; the next one leaves whatever its count. Bounds the lock.
const MOST_CHANCES: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Policy {
    small: Queue,
    main: Queue,
    ghosts: Ghosts,
}

/// Where the links lie, and what is known of those who are linked.
pub(super) trait Links {
    fn link(&mut self, slot: u32) -> &mut Link;
    fn standing(&mut self, slot: u32) -> &mut Standing;
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
    /// A new entry lives in `slot`; the shard holds `entries` of them now.
    pub(super) fn inserted(&mut self, links: &mut impl Links, slot: u32, entries: usize) {
        self.ghosts.make_room_for(entries);
        let returns = self.ghosts.recall(links.link(slot).hash);
        let place = if returns || self.small_is_due() { Place::Main } else { Place::Small };
        self.push(links, place, slot);
    }

    /// The entry in `slot` weighs something else now.
    pub(super) fn reweighed(&mut self, links: &mut impl Links, slot: u32, weight: u32) {
        let link = links.link(slot);
        let before = u64::from(std::mem::replace(&mut link.weight, weight));
        let queue = self.queue(links.standing(slot).place);
        queue.weight = queue.weight - before + u64::from(weight);
    }

    /// The entry in `slot` is about to leave.
    pub(super) fn removed(&mut self, links: &mut impl Links, slot: u32) {
        self.unlink(links, slot);
    }

    /// The slot whose entry should leave, `None` when there is nobody. The caller removes it.
    pub(super) fn victim(&mut self, links: &mut impl Links) -> Option<u32> {
        for chances in 0.. {
            let from_small = self.small.oldest != NONE && (self.small_is_due() || self.main.oldest == NONE);
            let slot = if from_small { self.small.oldest } else { self.main.oldest };
            if slot == NONE {
                return None;
            }
            let frequency = links.standing(slot).frequency.get_mut();
            if *frequency == 0 || chances == MOST_CHANCES {
                if from_small {
                    self.ghosts.remember(links.link(slot).hash);
                }
                return Some(slot);
            }
            *frequency = if from_small { 0 } else { *frequency - 1 };
            self.unlink(links, slot);
            self.push(links, Place::Main, slot);
        }
        None
    }

    /// The entries in the order in which they would leave if none were read: for moving them elsewhere.
    pub(super) fn order(&self, links: &mut impl Links) -> Vec<(Place, u32)> {
        let mut order = Vec::new();
        for (place, queue) in [(Place::Small, &self.small), (Place::Main, &self.main)] {
            let mut slot = queue.oldest;
            while slot != NONE {
                order.push((place, slot));
                slot = links.link(slot).newer;
            }
        }
        order
    }

    /// Forgets every place, to [`adopt`](Self::adopt) the entries in new ones; and who has left, since a cache that has
    /// shrunk evicts nobody soon.
    pub(super) fn empty(&mut self) {
        *self = Self::default();
    }

    /// Takes the entry in `slot` as the newest of `place`.
    pub(super) fn adopt(&mut self, links: &mut impl Links, place: Place, slot: u32) {
        self.push(links, place, slot);
    }

    /// Whether the small queue has its share.
    fn small_is_due(&self) -> bool {
        self.small.weight > 0 && self.small.weight * SMALL_SHARE >= self.small.weight + self.main.weight
    }

    fn queue(&mut self, place: Place) -> &mut Queue {
        if place == Place::Small { &mut self.small } else { &mut self.main }
    }

    #[inline]
    fn push(&mut self, links: &mut impl Links, place: Place, slot: u32) {
        let queue = self.queue(place);
        let second = std::mem::replace(&mut queue.newest, slot);
        if second == NONE {
            queue.oldest = slot;
        } else {
            links.link(second).newer = slot;
        }
        links.standing(slot).place = place;
        let link = links.link(slot);
        link.newer = NONE;
        link.older = second;
        queue.weight += u64::from(link.weight);
    }

    #[inline]
    fn unlink(&mut self, links: &mut impl Links, slot: u32) {
        let Link { newer, older, weight, .. } = *links.link(slot);
        let place = std::mem::take(&mut links.standing(slot).place);
        debug_assert_ne!(place, Place::Nowhere);
        if newer != NONE {
            links.link(newer).older = older;
        }
        if older != NONE {
            links.link(older).newer = newer;
        }
        let queue = self.queue(place);
        queue.weight -= u64::from(weight);
        if queue.newest == slot {
            queue.newest = older;
        }
        if queue.oldest == slot {
            queue.oldest = newer;
        }
    }
}

/// Hashes of entries that left unread, sixteen bits of each: direct-mapped cells, newer ones writing over older ones, three or
/// a little more for four entries held. With more, what returns late drives out what returns soon. One recall in 65,000 is
/// a mistake, which costs a place in the main queue.
#[derive(Debug, Default)]
struct Ghosts {
    tags: Vec<u16>,
}

/// A cell that remembers nobody.
const EMPTY: u16 = 0;

impl Ghosts {
    fn make_room_for(&mut self, entries: usize) {
        let fewest = entries - entries / 4;
        if fewest > self.tags.len() {
            // What was remembered is forgotten: a cache that grows has evicted nothing that matters yet.
            self.tags = vec![EMPTY; fewest + fewest / 8 + 8];
        }
    }

    fn remember(&mut self, hash: u32) {
        let cell = self.cell(hash);
        self.tags[cell] = tag(hash);
    }

    fn recall(&mut self, hash: u32) -> bool {
        let cell = self.cell(hash);
        let known = self.tags[cell] == tag(hash);
        if known {
            self.tags[cell] = EMPTY;
        }
        known
    }

    /// The high bits choose the cell, so that the low ones tell its visitors apart.
    fn cell(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.tags.len() as u64) >> 32) as usize
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are the tag")]
fn tag(hash: u32) -> u16 {
    (hash as u16).max(1)
}

#[cfg(test)]
impl Policy {
    /// The slots of both queues, after checking that every link and weight agrees.
    pub(super) fn validate(&self, links: &mut impl Links) -> Vec<u32> {
        let mut slots = Vec::new();
        for (queue, place) in [(&self.small, Place::Small), (&self.main, Place::Main)] {
            let (mut slot, mut older, mut weight) = (queue.oldest, NONE, 0);
            while slot != NONE {
                let standing = links.standing(slot).place;
                let link = links.link(slot);
                assert_eq!((standing, link.older), (place, older));
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

    type Linked = Vec<(Link, Standing)>;

    impl Links for Linked {
        fn link(&mut self, slot: u32) -> &mut Link {
            &mut self[slot as usize].0
        }

        fn standing(&mut self, slot: u32) -> &mut Standing {
            &mut self[slot as usize].1
        }
    }

    /// A policy over `count` unread entries of weight one.
    fn filled(count: u32) -> (Policy, Linked) {
        let (mut policy, mut links) = (Policy::default(), Linked::new());
        for slot in 0..count {
            links.push((Link::new((slot + 1).wrapping_mul(0x9E37_79B9), 1), Standing::default()));
            policy.inserted(&mut links, slot, count as usize);
        }
        (policy, links)
    }

    fn evict(policy: &mut Policy, links: &mut Linked) -> Option<u32> {
        let victim = policy.victim(links)?;
        policy.removed(links, victim);
        policy.validate(links);
        Some(victim)
    }

    fn evict_all(policy: &mut Policy, links: &mut Linked) -> Vec<u32> {
        std::iter::from_fn(|| evict(policy, links)).collect()
    }

    #[test]
    fn unread_entries_leave_first_in_first_out() {
        let (mut policy, mut links) = filled(4);
        assert_eq!(evict_all(&mut policy, &mut links), [0, 1, 2, 3]);
    }

    #[test]
    fn a_read_entry_outlives_the_unread() {
        let (mut policy, mut links) = filled(4);
        links[0].1.touched();
        assert_eq!(evict_all(&mut policy, &mut links), [1, 2, 3, 0]);
    }

    #[test]
    fn an_early_return_goes_to_the_main_queue() {
        let (mut policy, mut links) = filled(8);
        assert_eq!(evict(&mut policy, &mut links), Some(0));
        policy.inserted(&mut links, 0, 8);
        assert_eq!(evict_all(&mut policy, &mut links).last(), Some(&0));
    }

    #[test]
    fn a_search_ends_even_when_everybody_was_read() {
        let (mut policy, mut links) = filled(1_000);
        links.iter().for_each(|(_, standing)| (0..3).for_each(|_| standing.touched()));
        assert!(evict(&mut policy, &mut links).is_some());
    }
}
