//! Who leaves when the cache is full: the least often asked for, among a few.
//!
//! An entry has a count of how often it was asked for, which a ghost keeps when it leaves, so that it has it back when it returns.
//! Newcomers wait in a window, a hundredth of the whole; the oldest takes the place of a main entry if it counts more, else it
//! leaves itself. That main entry is the least of the eight that a hand has just passed.
//! The hand moves on only when somebody returns who had left, so that a scan, of which nobody returns, ages nobody. It adds what
//! was read since it last came by to the count. A read itself bumps a few bits in an array of bytes: no list, no log, no lock of
//! its own.
//! What was popular once may be so no longer. Therefore the hand compares two shares: of the entries of high counts that went
//! unread for a turn, how many are read now; and of those of low counts that were read, how many are again. While these do
//! better, counts are doubted: what goes unread loses half of its own each turn, and is high no longer.
//!
//! The window is the small queue of S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi, 2023). The constants were chosen by the traces of
//! `bench/`. There, half or twice as much of one changes the mean hit ratio by a tenth of a point; only `HIGH_LEVELS` is delicate.
//!
//! The policy knows entries by slot number and hash alone: never a key, a value or a lock.

use std::{
    array,
    collections::VecDeque,
    mem,
    sync::atomic::{AtomicU8, Ordering},
};

use super::{
    ghosts::{Ghosts, MOST},
    slots::lengthen,
};

/// The window's share of the entries is one part in this many.
const WINDOW_SHARE: usize = 100;
/// Entries that a victim is the least of.
const SAMPLE: usize = 8;
/// Groups of so many slots that are searched if nobody stands in the first. Bounds the lock.
const MOST_SAMPLES: usize = 8;
/// Slots that the hand moves on when somebody returns.
const STRIDE: u8 = 4;
/// Once even the least of a sample counts more than this, all counts are halved.
const MOST_LEAST: u8 = 24;
/// A count is high that is more than so many times that of the least of a sample.
const HIGH_LEVELS: i32 = 2;

#[derive(Debug)]
pub(super) struct Policy {
    /// What readers touch of each slot, apart from what only writers do.
    standings: Vec<Standing>,
    /// How often the entry of each slot was asked for, up to when the hand last came by.
    counts: Vec<u8>,
    held: usize,
    /// The slots of those who wait, the oldest first.
    window: VecDeque<u32>,
    /// The slot that the hand comes by next.
    hand: usize,
    /// Slots that the hand has yet to pass.
    due: u8,
    /// Where the next search ends, if somebody was sought since somebody last came in.
    resume: Option<usize>,
    /// What the least of a sample counts, on average.
    level: Average<32>,
    /// The share of those with a high count, unread for a turn of the hand, that are read in the next.
    favourites: Average<16>,
    /// The share of those with a low count, read in one turn of the hand, that are read in the next.
    fresh: Average<16>,
    ghosts: Ghosts,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            standings: Vec::new(),
            counts: Vec::new(),
            held: 0,
            window: VecDeque::new(),
            hand: 0,
            due: 0,
            resume: None,
            level: Average::of(1, 1),
            favourites: Average::of(1, 2),
            fresh: Average::of(1, 2),
            ghosts: Ghosts::default(),
        }
    }
}

impl Policy {
    /// A new entry lives in `slot`.
    pub(super) fn inserted(&mut self, slot: u32, hash: u32) {
        self.held += 1;
        self.resume = None;
        let before = self.ghosts.recall(hash);
        if before > 0 {
            self.due = STRIDE;
        }
        // While the cache fills, those for whom the window has no room need not wait: so a loop over more keys than fit finds
        // a part of them each time round, instead of none.
        let standing = if self.window_is_full() { Standing::WAS_READ } else { Standing::WAITS };
        if standing == Standing::WAITS {
            self.window.push_back(slot);
        }
        self.stand(slot, standing, (before + 1).min(MOST));
    }

    /// The entry in `slot` was read. Others may be reading it, too.
    #[inline]
    pub(super) fn touched(&self, slot: u32) {
        if let Some(standing) = self.standings.get(slot as usize) {
            standing.touched();
        }
    }

    /// The entry in `slot` is about to leave, whatever the reason.
    pub(super) fn removed(&mut self, slot: u32, hash: u32) {
        self.held -= 1;
        self.ghosts.remember(hash, self.count(slot as usize));
        if self.window.front() == Some(&slot) {
            self.window.pop_front();
        } else if self.standings[slot as usize].is(Standing::WAITS) {
            self.window.retain(|&other| other != slot);
        }
        self.standings[slot as usize] = Standing::new(Standing::VACANT);
    }

    /// The slot whose entry should leave, `None` when there is nobody. The caller removes it.
    pub(super) fn victim(&mut self) -> Option<u32> {
        if self.held == 0 {
            return None;
        }
        self.ghosts.make_room_for(self.held);
        for _ in 0..mem::take(&mut self.due) {
            self.pass();
        }
        let is_first = self.resume.is_none();
        let least = self.least();
        if let Some(slot) = least.filter(|_| is_first) {
            self.learn(self.count(slot));
        }
        let newcomer = self.window.front().map(|&slot| slot as usize);
        let victim = match (least, newcomer) {
            (Some(least), Some(newcomer)) if self.window_is_full() => {
                if self.count(newcomer) > self.count(least) {
                    self.window.pop_front();
                    self.counts[newcomer] = self.count(newcomer);
                    self.standings[newcomer] = Standing::new(Standing::WAS_READ);
                    least
                } else {
                    newcomer
                }
            }
            _ => least.or(newcomer).or_else(|| self.anybody())?,
        };
        u32::try_from(victim).ok()
    }

    /// The slots of the entries: first those who wait, the oldest first, and then the others as the hand would pass them.
    pub(super) fn order(&self) -> Vec<u32> {
        let round = (self.hand..self.standings.len()).chain(0..self.hand);
        let main = round.filter(|&slot| !self.standings[slot].is(Standing::ASIDE));
        self.window.iter().copied().chain(main.filter_map(|slot| u32::try_from(slot).ok())).collect()
    }

    /// Takes the entry that stood in `slot` of `other` as the one in `new_slot`, and the last of those like it.
    pub(super) fn adopt(&mut self, new_slot: u32, other: &Self, slot: u32) {
        self.held += 1;
        let standing = &other.standings[slot as usize];
        if standing.is(Standing::WAITS) {
            self.window.push_back(new_slot);
        }
        self.stand(new_slot, standing.get(), other.counts[slot as usize]);
    }

    /// The hand comes by a slot: what was read counts, and what was not counts less if counts are doubted.
    fn pass(&mut self) {
        let slot = self.hand;
        self.hand = if slot + 1 < self.standings.len() { slot + 1 } else { 0 };
        let standing = &self.standings[slot];
        if standing.is(Standing::ASIDE) {
            return;
        }
        let (is_read, was_read) = (standing.reads() > 0, standing.is(Standing::WAS_READ));
        let is_high = self.level.is_exceeded(self.counts[slot]);
        if is_high != was_read {
            let share = if is_high { &mut self.favourites } else { &mut self.fresh };
            share.follow(u8::from(is_read));
        }
        if is_read {
            self.counts[slot] = self.count(slot);
        } else if self.counts_are_doubted() {
            self.counts[slot] = self.level.at_most_high(self.counts[slot] / 2);
        }
        self.standings[slot] = Standing::new(if is_read { Standing::WAS_READ } else { 0 });
    }

    /// Whether who was read of late does better by half than who was read often.
    fn counts_are_doubted(&self) -> bool {
        self.fresh.0 * 2 > self.favourites.0 * 3
    }

    /// The main entry that counts least among those that the hand has just passed; of several, the last.
    ///
    /// If many are to leave at once, each is the least of another group: else the first groups would lose their favourites.
    fn least(&mut self) -> Option<usize> {
        let slots = self.standings.len();
        let mut end = self.resume.unwrap_or(self.hand);
        for _ in 0..MOST_SAMPLES {
            if end < SAMPLE {
                end = slots;
            }
            let start = end.checked_sub(SAMPLE)?;
            let standings = self.standings[start..end].first_chunk_mut::<SAMPLE>()?;
            let standings = Sample::from_le_bytes(array::from_fn(|place| *standings[place].0.get_mut()));
            let counts = Sample::from_le_bytes(*self.counts[start..end].first_chunk()?);
            // No sum is as high as those who stand aside.
            let ranks = (counts + (standings & each(Standing::READS))) | (standings & each(Standing::ASIDE));
            let lowest = ranks.to_le_bytes().into_iter().fold(u8::MAX, u8::min);
            self.resume = Some(start);
            if lowest < Standing::ASIDE {
                return Some(start + last(ranks, lowest));
            }
            end = start;
        }
        // So many in a row wait or are vacant: the next search begins elsewhere.
        self.hand = (self.hand + SAMPLE) % slots;
        None
    }

    /// Whoever stands next after the hand, which follows: so a shard is emptied in one turn.
    fn anybody(&mut self) -> Option<usize> {
        let slots = self.standings.len();
        let mut round = (self.hand..slots).chain(0..self.hand);
        let found = round.find(|&slot| !self.standings[slot].is_vacant())?;
        self.hand = (found + 1) % slots;
        Some(found)
    }

    /// The least of a sample counts so much.
    fn learn(&mut self, count: u8) {
        self.level.follow(count);
        if count > MOST_LEAST {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.ghosts.halve();
            self.level.0 /= 2;
        }
    }

    /// How often the entry in `slot` was asked for.
    fn count(&self, slot: usize) -> u8 {
        (self.counts[slot] + self.standings[slot].reads()).min(MOST)
    }

    fn window_is_full(&self) -> bool {
        !self.window.is_empty() && self.window.len() * WINDOW_SHARE >= self.held
    }

    /// From now on the entry in `slot` stands like that, and counts so much.
    fn stand(&mut self, slot: u32, standing: u8, count: u8) {
        let slot = slot as usize;
        if slot >= self.counts.len() {
            self.extend(slot + 1);
        }
        self.standings[slot] = Standing::new(standing);
        self.counts[slot] = count;
    }

    /// Makes room for as many slots, and for whole samples of them.
    #[cold]
    fn extend(&mut self, slots: usize) {
        let slots = slots.next_multiple_of(SAMPLE);
        lengthen(&mut self.standings, slots, || Standing::new(Standing::VACANT));
        lengthen(&mut self.counts, slots, || 0);
    }
}

/// A byte of each of [`SAMPLE`] slots.
type Sample = u64;

const fn each(byte: u8) -> Sample {
    Sample::from_le_bytes([byte; SAMPLE])
}

/// The last place of `byte`, which is one of them, found without a loop. Source: Warren, "Hacker's Delight", 6-1.
fn last(bytes: Sample, byte: u8) -> usize {
    let others = bytes ^ each(byte);
    let low_bits = (others & each(0x7F)) + each(0x7F);
    let found = !(low_bits | others | each(0x7F));
    SAMPLE - 1 - found.leading_zeros() as usize / 8
}

/// What a slot's entry has seen since the hand came by.
#[derive(Debug)]
struct Standing(AtomicU8);

impl Standing {
    /// How often it was read.
    const READS: u8 = 0b111;
    /// It was read, or came in, in the turn before.
    const WAS_READ: u8 = 1 << 3;
    /// It is not a main entry.
    const ASIDE: u8 = 1 << 7;
    /// It stands in the window.
    const WAITS: u8 = Self::ASIDE | 1 << 6;
    /// Nobody is there.
    const VACANT: u8 = Self::ASIDE;

    fn new(standing: u8) -> Self {
        Self(AtomicU8::new(standing))
    }

    #[inline]
    fn touched(&self) {
        let standing = self.get();
        // A lost race costs one count; a saturated counter costs no write at all.
        if standing & Self::READS < Self::READS {
            self.0.store(standing + 1, Ordering::Relaxed);
        }
    }

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn is_vacant(&self) -> bool {
        self.get() == Self::VACANT
    }

    fn reads(&self) -> u8 {
        self.get() & Self::READS
    }

    /// Whether all of this is so.
    fn is(&self, this: u8) -> bool {
        self.get() & this == this
    }
}

/// A moving average over about so many samples, in parts of [`ONE`](Self::ONE).
#[derive(Debug)]
struct Average<const SAMPLES: i32>(i32);

impl<const SAMPLES: i32> Average<SAMPLES> {
    const ONE: i32 = 1 << 12;

    fn of(dividend: i32, divisor: i32) -> Self {
        Self(dividend * Self::ONE / divisor)
    }

    fn follow(&mut self, sample: u8) {
        self.0 += (i32::from(sample) * Self::ONE - self.0) / SAMPLES;
    }

    /// Whether `count` is high where this is the average.
    fn is_exceeded(&self, count: u8) -> bool {
        i32::from(count) * Self::ONE > HIGH_LEVELS * self.0
    }

    /// `count`, but not a high one.
    fn at_most_high(&self, count: u8) -> u8 {
        u8::try_from(HIGH_LEVELS * self.0 / Self::ONE).map_or(count, |high| count.min(high))
    }
}

#[cfg(test)]
impl Policy {
    /// The slots of all entries, after checking that counts and places agree.
    pub(super) fn validate(&self) -> Vec<u32> {
        let order = self.order();
        assert_eq!((order.len(), self.standings.len()), (self.held, self.counts.len()));
        assert!(self.window.iter().all(|&slot| self.standings[slot as usize].is(Standing::WAITS)));
        let held = self.standings.iter().filter(|standing| !standing.is_vacant()).count();
        assert_eq!(held, self.held);
        assert!(self.counts.iter().all(|&count| count <= MOST));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(slot: u32) -> u32 {
        (slot + 1).wrapping_mul(0x9E37_79B9)
    }

    /// A policy over `count` unread entries.
    fn filled(count: u32) -> Policy {
        let mut policy = Policy::default();
        (0..count).for_each(|slot| policy.inserted(slot, hash(slot)));
        policy
    }

    fn evict(policy: &mut Policy) -> Option<u32> {
        let victim = evict_quickly(policy)?;
        policy.validate();
        Some(victim)
    }

    /// Without a look at everything.
    fn evict_quickly(policy: &mut Policy) -> Option<u32> {
        let victim = policy.victim()?;
        policy.removed(victim, hash(victim));
        Some(victim)
    }

    fn evict_all(policy: &mut Policy) -> Vec<u32> {
        std::iter::from_fn(|| evict(policy)).collect()
    }

    #[test]
    fn the_last_place_of_a_byte_is_found() {
        for (bytes, byte, place) in
            [([1; 8], 1, 7), ([0, 1, 2, 3, 4, 5, 6, 7], 0, 0), ([9, 0x80, 0, 0x80, 1, 0, 1, 3], 0, 5)]
        {
            assert_eq!(last(Sample::from_le_bytes(bytes), byte), place, "{byte} in {bytes:?}");
        }
    }

    #[test]
    fn everybody_leaves_once() {
        for count in [1, 2, 7, 8, 9, 100, 1_000] {
            let mut left = evict_all(&mut filled(count));
            left.sort_unstable();
            assert!(left.into_iter().eq(0..count));
        }
    }

    #[test]
    fn who_was_read_outlives_the_unread() {
        let mut policy = filled(8);
        policy.touched(0);
        policy.touched(5);
        let mut last = evict_all(&mut policy).split_off(6);
        last.sort_unstable();
        assert_eq!(last, [0, 5]);
    }

    #[test]
    fn a_newcomer_that_counts_more_takes_a_place() {
        let mut policy = filled(100);
        assert_eq!(policy.window, [0]);
        policy.touched(0);
        assert_ne!(evict(&mut policy), Some(0));
        assert!(policy.window.is_empty() && !policy.standings[0].is(Standing::ASIDE));
    }

    #[test]
    fn many_victims_at_once_are_not_the_favourites() {
        let mut policy = filled(10_000);
        let favourites = || (0..10_000).filter(|slot| slot % 8 == 3);
        favourites().for_each(|slot| (0..7).for_each(|_| policy.touched(slot)));
        (0..5_000).for_each(|_| assert!(evict_quickly(&mut policy).is_some()));
        assert!(favourites().all(|slot| !policy.standings[slot as usize].is_vacant()));
        policy.validate();
    }

    /// Were each search to begin at the first slot, this would take minutes.
    #[test]
    fn a_large_shard_is_emptied_in_one_turn() {
        let mut policy = filled(1_000_000);
        assert_eq!((0..).map_while(|_| evict_quickly(&mut policy)).count(), 1_000_000);
    }

    #[test]
    fn counts_are_doubted_while_the_fresh_do_better() {
        let mut policy = filled(80);
        policy.counts.fill(40);
        policy.counts[..40].fill(2);
        for _ in 0..20 {
            (0..40).for_each(|slot| policy.touched(slot));
            (0..80).for_each(|_| policy.pass());
        }
        assert!(policy.counts_are_doubted());
        assert!((40..80).all(|slot| policy.count(slot) <= 2), "{:?}", policy.counts);
    }

    #[test]
    fn who_waits_may_leave_from_among_others() {
        let mut policy = filled(1_000);
        (1_000..1_010).for_each(|slot| policy.inserted(slot, hash(slot)));
        assert!(policy.window.len() > 2);
        let second = policy.window[1];
        policy.removed(second, hash(second));
        assert!(!policy.window.contains(&second));
        policy.validate();
    }

    #[test]
    fn who_returns_has_its_count_back() {
        let mut policy = filled(8);
        assert_eq!(evict(&mut policy), Some(0));
        (0..3).for_each(|_| policy.touched(1));
        policy.removed(1, hash(1));
        policy.inserted(1, hash(1));
        assert_eq!(policy.count(1), 5);
        policy.inserted(0, hash(0));
        assert_eq!(policy.count(0), 2);
    }

    #[test]
    fn a_scan_ages_nobody() {
        let mut policy = filled(1_000);
        (0..1_000).for_each(|slot| policy.touched(slot));
        for stranger in 1_000..50_000 {
            let victim = policy.victim().unwrap();
            policy.removed(victim, hash(stranger - 1));
            policy.inserted(victim, hash(stranger));
        }
        let favourites = (0..1_000).filter(|&slot| policy.count(slot) > 1).count();
        assert!(favourites >= 980, "{favourites} of 1000 are left");
    }

    #[test]
    fn a_search_ends_where_nearly_all_slots_are_vacant() {
        let mut policy = filled(10_000);
        (0..10_000).filter(|slot| *slot != 5_000).for_each(|slot| policy.removed(slot, hash(slot)));
        assert_eq!((evict(&mut policy), evict(&mut policy)), (Some(5_000), None));
    }

    #[test]
    fn counts_are_halved_when_all_are_high() {
        let mut policy = filled(100);
        for _ in 0..20 {
            (0..100).for_each(|slot| (0..7).for_each(|_| policy.touched(slot)));
            (0..100).for_each(|_| policy.pass());
        }
        assert!(evict(&mut policy).is_some());
        assert!(policy.counts.iter().all(|&count| count <= MOST / 2));
    }

    #[test]
    fn who_moves_keeps_place_and_count() {
        let mut policy = filled(300);
        (0..100).for_each(|slot| policy.touched(slot));
        assert_eq!((0..50).map_while(|_| evict(&mut policy)).count(), 50);
        let mut moved = Policy::default();
        let order = policy.order();
        (0..).zip(&order).for_each(|(new_slot, &slot)| moved.adopt(new_slot, &policy, slot));
        assert_eq!(moved.validate().len(), 250);
        for (new_slot, &slot) in order.iter().enumerate() {
            assert_eq!(moved.count(new_slot), policy.count(slot as usize));
            assert_eq!(moved.standings[new_slot].get(), policy.standings[slot as usize].get());
        }
    }
}
