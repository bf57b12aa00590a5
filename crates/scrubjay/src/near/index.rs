//! From hashes to slots: open addressing with linear probing.
//!
//! A word holds both the hash and the slot. So a lookup reads one cache line before it looks at the entry, where a table of tags
//! reads two, and growing looks at no entry: measured, that is a tenth of a write's time.
//! A hash's home lies as far along the words as the hash among all hashes. So the words need not be a power of two and
//! grow by a quarter, and growing walks both arrays from one end to the other.
//! Removing leaves no tombstones: what follows moves up. Source: Knuth, "The Art of Computer Programming", volume 3, 6.4,
//! algorithm R.

use std::mem;

/// Of ten homes, so many may be taken.
const MOST_TAKEN: usize = 7;
/// Words behind the last home, for those that find it taken. So a search never goes round; who finds these taken too makes
/// the index grow. Hashes are keyed, so nobody can send a crowd there.
const SPARE: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Index {
    words: Box<[Word]>,
    homes: u32,
    taken: u32,
}

/// A hash above its slot's number plus one. Zero is vacant.
type Word = u64;

const VACANT: Word = 0;

impl Index {
    /// Nothing yet, with room for `slots`.
    pub(super) fn with_capacity(slots: usize) -> Self {
        let mut index = Self::default();
        index.resize(slots * 10 / MOST_TAKEN + 1);
        index
    }

    /// What `pick` makes of the first slot under `hash` that it wants.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call costs a fifth of a hit's instructions")]
    pub(super) fn find<T>(&self, hash: u32, mut pick: impl FnMut(u32) -> Option<T>) -> Option<T> {
        for &word in self.words.get(self.home(hash)..)? {
            if hash_of(word) == hash
                && let Some(picked) = pick(slot_of(word))
            {
                return Some(picked);
            }
            if word == VACANT {
                return None;
            }
        }
        None
    }

    /// Lists `slot` under `hash`.
    pub(super) fn insert(&mut self, hash: u32, slot: u32) {
        self.taken += 1;
        while self.taken as usize * 10 > self.homes as usize * MOST_TAKEN || !self.put(word(hash, slot)) {
            self.grow();
        }
    }

    /// Takes `slot` off the list under `hash`, if it is there.
    pub(super) fn remove(&mut self, hash: u32, slot: u32) {
        let home = self.home(hash);
        let Some(steps) = self.words[home..].iter().position(|&other| other == word(hash, slot)) else { return };
        self.taken -= 1;
        let mut gap = home + steps;
        for place in gap + 1..self.words.len() {
            let word = self.words[place];
            if word == VACANT {
                break;
            }
            // It may move up, though not in front of its home.
            if self.home(hash_of(word)) <= gap {
                self.words[gap] = word;
                gap = place;
            }
        }
        self.words[gap] = VACANT;
    }

    fn grow(&mut self) {
        let before = mem::take(&mut self.words);
        let mut homes = self.homes as usize;
        loop {
            homes += homes / 4 + 8;
            self.resize(homes);
            if before.iter().all(|&word| word == VACANT || self.put(word)) {
                return;
            }
        }
    }

    fn resize(&mut self, homes: usize) {
        // 2³² words are more than fit slots of 32 bits.
        self.homes = u32::try_from(homes).unwrap_or(u32::MAX);
        self.words = vec![VACANT; homes + SPARE].into();
    }

    /// Writes `word` where the next search for it looks; says whether there was room.
    fn put(&mut self, word: Word) -> bool {
        let home = self.home(hash_of(word));
        let Some(vacant) = self.words[home..].iter_mut().find(|other| **other == VACANT) else { return false };
        *vacant = word;
        true
    }

    #[inline]
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * u64::from(self.homes)) >> 32) as usize
    }
}

#[inline]
fn word(hash: u32, slot: u32) -> Word {
    (u64::from(hash) << 32) | (u64::from(slot) + 1)
}

#[inline]
fn hash_of(word: Word) -> u32 {
    (word >> 32) as u32
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is the slot")]
fn slot_of(word: Word) -> u32 {
    (word as u32).wrapping_sub(1)
}

#[cfg(test)]
impl Index {
    /// How many slots are listed, after checking that each is found from its home.
    pub(super) fn validate(&self) -> usize {
        for &word in self.words.iter().filter(|word| **word != VACANT) {
            let found = self.find(hash_of(word), |slot| (slot == slot_of(word)).then_some(()));
            assert_eq!(found, Some(()), "slot {} cannot be found", slot_of(word));
        }
        let taken = self.words.iter().filter(|word| **word != VACANT).count();
        assert_eq!(taken, self.taken as usize);
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn listed(index: &Index, hash: u32, slot: u32) -> bool {
        index.find(hash, |found| (found == slot).then_some(())).is_some()
    }

    #[test]
    fn nothing_is_found_where_nothing_is_listed() {
        let mut index = Index::default();
        assert_eq!(index.find(0, Some), None);
        index.remove(0, 0);
        index.insert(7, 1);
        index.remove(7, 2);
        assert_eq!(index.validate(), 1);
    }

    #[test]
    fn what_does_not_fit_behind_the_last_home_makes_it_grow() {
        let mut index = Index::with_capacity(100);
        let words = index.words.len();
        (0..40).for_each(|slot| index.insert(u32::MAX - (slot << 22), slot));
        assert!(index.words.len() > words);
        assert_eq!(index.validate(), 40);
    }

    proptest! {
        /// Few hashes, at both ends of the words too, so that they meet and run over the end.
        #[test]
        fn what_is_listed_is_found(steps in prop::collection::vec((0_u32..40, any::<bool>()), 0..400)) {
            let hash = |slot: u32| [0, 1, u32::MAX, u32::MAX - 1, slot.wrapping_mul(0x9E37_79B9)][slot as usize % 5];
            let (mut index, mut model) = (Index::default(), BTreeSet::new());
            for (slot, comes) in steps {
                if comes && model.insert(slot) {
                    index.insert(hash(slot), slot);
                } else if !comes {
                    model.remove(&slot);
                    index.remove(hash(slot), slot);
                }
                prop_assert_eq!(index.validate(), model.len());
                prop_assert!((0..40).all(|slot| listed(&index, hash(slot), slot) == model.contains(&slot)));
            }
        }
    }
}
