//! What is remembered of entries that have left: how often they were asked for.
//!
//! The ghosts are those of ARC (Megiddo, Modha, 2003), what they count is as in `TinyLFU` (Einziger, Friedman, Manes, 2017).

use std::mem;

/// Two cells for each entry held, in sets of four. A cell has ten bits of a hash and six of a count. One recall in 250 is a
/// mistake, which costs a wrong count.
#[derive(Debug, Default)]
pub(super) struct Ghosts(Vec<[u16; WAYS]>);

/// The most that a ghost, and so an entry, counts.
pub(super) const MOST: u8 = 63;

/// Cells for each entry held.
const CELLS: usize = 2;
/// Cells of a set.
const WAYS: usize = 4;
/// Of so many who drive another out, one makes the rest of the set count less.
const AGEING: u32 = 16;
/// The part of a cell that counts; nobody is remembered who does not.
const COUNT: u16 = MOST as u16;

impl Ghosts {
    /// A cache that never evicts remembers nobody. One that grows forgets: it has evicted nothing that matters yet.
    pub(super) fn make_room_for(&mut self, entries: usize) {
        let sets = (entries * CELLS).div_ceil(WAYS);
        if sets > self.0.len() {
            self.0 = vec![[0; WAYS]; sets + sets / 8 + 1];
        }
    }

    /// The entry of `hash` leaves, and counts so much.
    pub(super) fn remember(&mut self, hash: u32, count: u8) {
        let set = self.set(hash);
        let Some(set) = self.0.get_mut(set) else { return };
        // The lowest count gives way; of several, any.
        let ways = (0..WAYS).map(|way| (way + hash as usize / 64) % WAYS);
        let Some(least) = ways.min_by_key(|&way| set[way] & COUNT) else { return };
        // Now and then the others count less from now on, so that nobody stays for good.
        if set[least] & COUNT > 0 && (hash / 256).is_multiple_of(AGEING) {
            set.iter_mut().for_each(|cell| *cell -= u16::from(*cell & COUNT > 1));
        }
        set[least] = tag(hash) | u16::from(count);
    }

    /// What the entry of `hash` counted when it left, which is forgotten; 0 if nobody knows.
    pub(super) fn recall(&mut self, hash: u32) -> u8 {
        let set = self.set(hash);
        let cell = self
            .0
            .get_mut(set)
            .and_then(|set| set.iter_mut().find(|cell| **cell & !COUNT == tag(hash) && **cell & COUNT > 0));
        cell.map_or(0, |cell| (mem::take(cell) & COUNT) as u8)
    }

    /// Makes every count half of what it was.
    pub(super) fn halve(&mut self) {
        self.0.iter_mut().flatten().for_each(|cell| *cell = (*cell & !COUNT) | ((*cell & COUNT) / 2));
    }

    /// The high bits choose the set, so that the low ones tell its visitors apart.
    fn set(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.0.len() as u64) >> 32) as usize
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are the tag")]
fn tag(hash: u32) -> u16 {
    (hash as u16) << COUNT.count_ones()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_set_forgets_the_lowest_count() {
        let mut ghosts = Ghosts::default();
        ghosts.make_room_for(1);
        for (tag, count) in [(0, 5), (1, 9), (2, 3), (3, 7), (256, 1)] {
            ghosts.remember(tag, count);
        }
        assert_eq!([0, 1, 2, 3, 256].map(|tag| ghosts.recall(tag)), [5, 9, 0, 7, 1]);
        assert_eq!(ghosts.recall(1), 0, "who was recalled is forgotten");
    }

    #[test]
    fn nobody_is_remembered_before_there_is_room() {
        let mut ghosts = Ghosts::default();
        ghosts.remember(7, 3);
        ghosts.halve();
        assert_eq!(ghosts.recall(7), 0);
        ghosts.make_room_for(100);
        ghosts.remember(7, 3);
        ghosts.halve();
        assert_eq!(ghosts.recall(7), 1);
    }
}
