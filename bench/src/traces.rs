//! Who asks for what: the accesses that hit ratios are measured on, and two caches that exist on paper only.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::random::{Random, SEED, Zipf};

/// Keys that a trace asks for again and again.
pub const UNIVERSE: u32 = 100_000;
/// Accesses of a trace.
pub const LENGTH: u32 = 1_000_000;

/// Keys of the loop: more than fit into either capacity, so that the oldest is always the next to be asked for.
const LOOP: u32 = 20_000;
/// Keys of a loop that is longer still.
const LONG_LOOP: u32 = 50_000;
/// A scan comes after so many other accesses.
const BETWEEN_SCANS: u32 = 7_000;
/// Keys of one scan.
const SCAN: u32 = 3_000;
/// Keys of all scans of a trace, which follow those of the universe.
pub const SCANNED: u32 = LENGTH / (BETWEEN_SCANS + SCAN) * SCAN;
/// The hot set stays for so many accesses, and then moves on by so many keys.
const STAY: u32 = 100_000;
const STEP: u32 = 10_000;
/// Accesses after which a drifting hot set has moved on by one key.
const DRIFT: u32 = 50;

/// A pattern of accesses.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    /// What it is like.
    pub name: &'static str,
    accesses: fn() -> Vec<u32>,
}

impl Trace {
    /// The traces that means are over.
    pub const ALL: [Self; 6] = [
        Self { name: "zipf 0.8", accesses: || zipf(0.8) },
        Self { name: "zipf 0.99", accesses: || zipf(0.99) },
        Self { name: "zipf 1.2", accesses: || zipf(1.2) },
        Self { name: "zipf + one-time scans", accesses: zipf_with_scans },
        Self { name: "loop of 20k", accesses: || (0..LENGTH).map(|access| access % LOOP).collect() },
        Self { name: "moving hot set", accesses: moving_hot_set },
    ];

    /// Traces that no engine's parameters were chosen by, at least not ours: what holds for the others should hold for them.
    pub const CHECKS: [Self; 3] = [
        Self { name: "loop of 50k", accesses: || (0..LENGTH).map(|access| access % LONG_LOOP).collect() },
        Self { name: "drifting hot set", accesses: drifting_hot_set },
        Self { name: "zipf and a loop by turns", accesses: zipf_and_loop },
    ];

    /// The keys in the order they are asked for: the same in every run.
    #[must_use]
    pub fn accesses(self) -> Vec<u32> {
        (self.accesses)()
    }
}

fn zipf(exponent: f64) -> Vec<u32> {
    let (zipf, mut random) = (Zipf::new(UNIVERSE, exponent), Random::new(SEED));
    (0..LENGTH).map(|_| zipf.rank(&mut random)).collect()
}

/// Three in ten accesses belong to scans, whose keys nobody asks for again.
fn zipf_with_scans() -> Vec<u32> {
    let (zipf, mut random) = (Zipf::new(UNIVERSE, 0.99), Random::new(SEED));
    let mut fresh = UNIVERSE..;
    let mut next = |access: u32| {
        let scan = access % (BETWEEN_SCANS + SCAN) >= BETWEEN_SCANS;
        if scan { fresh.next().unwrap_or(UNIVERSE) } else { zipf.rank(&mut random) }
    };
    (0..LENGTH).map(&mut next).collect()
}

/// Zipf, but ten times in a trace those that were rare become the favourites.
fn moving_hot_set() -> Vec<u32> {
    let (zipf, mut random) = (Zipf::new(UNIVERSE, 0.99), Random::new(SEED));
    (0..LENGTH).map(|access| (zipf.rank(&mut random) + access / STAY * STEP) % UNIVERSE).collect()
}

/// Zipf, but the favourites change little by little all the time.
fn drifting_hot_set() -> Vec<u32> {
    let (zipf, mut random) = (Zipf::new(UNIVERSE, 0.9), Random::new(SEED));
    (0..LENGTH).map(|access| (zipf.rank(&mut random) + access / DRIFT) % UNIVERSE).collect()
}

/// Every other access belongs to a loop over keys of its own.
fn zipf_and_loop() -> Vec<u32> {
    let (zipf, mut random) = (Zipf::new(UNIVERSE - LOOP, 0.99), Random::new(SEED));
    let mut next = |access: u32| {
        if access.is_multiple_of(2) { zipf.rank(&mut random) } else { UNIVERSE - LOOP + access / 2 % LOOP }
    };
    (0..LENGTH).map(&mut next).collect()
}

/// The most hits a cache of `capacity` could have that knows the future: it keeps what is needed soonest (Belady).
#[must_use]
pub fn optimal_hits(accesses: &[u32], capacity: usize) -> u32 {
    let next_uses = next_uses(accesses);
    // What is held, by its next use, which is a different moment for each key.
    let mut held = BTreeSet::new();
    let mut hits = 0;
    for (access, &next_use) in next_uses.iter().enumerate() {
        hits += u32::from(held.remove(&access));
        held.insert(next_use);
        if held.len() > capacity {
            held.pop_last();
        }
    }
    hits
}

/// When the key of each access is asked for again; a moment of its own after the end, if it is not.
fn next_uses(accesses: &[u32]) -> Vec<usize> {
    let mut upcoming = HashMap::new();
    let mut next_uses = Vec::with_capacity(accesses.len());
    for (access, key) in accesses.iter().enumerate().rev() {
        next_uses.push(upcoming.insert(key, access).unwrap_or(accesses.len() + access));
    }
    next_uses.reverse();
    next_uses
}

/// The hits of a cache of `capacity` in which exactly the least recently used key leaves.
#[must_use]
pub fn lru_hits(accesses: &[u32], capacity: usize) -> u32 {
    let mut last_uses = HashMap::new();
    let mut held = BTreeMap::new();
    let mut hits = 0;
    for (access, &key) in (0_u32..).zip(accesses) {
        let last_use = last_uses.insert(key, access);
        hits += u32::from(last_use.is_some_and(|last_use| held.remove(&last_use).is_some()));
        held.insert(access, key);
        if held.len() > capacity {
            held.pop_first();
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn belady_keeps_what_is_needed_soonest() {
        assert_eq!(optimal_hits(&[1, 2, 3, 1, 2, 3, 1, 2, 3], 1), 2);
        assert_eq!(optimal_hits(&[1, 2, 3, 1, 2, 3, 1, 2, 3], 2), 4);
        assert_eq!(optimal_hits(&[1, 2, 3, 1, 2, 3, 1, 2, 3], 3), 6);
    }

    #[test]
    fn lru_forgets_what_was_not_asked_for_longest() {
        assert_eq!(lru_hits(&[1, 2, 1, 3, 1, 2], 2), 2);
        assert_eq!(lru_hits(&[1, 2, 3, 1, 2, 3], 2), 0);
    }

    #[test]
    fn traces_are_the_same_in_every_run() {
        for trace in Trace::ALL.into_iter().chain(Trace::CHECKS) {
            let accesses = trace.accesses();
            assert_eq!(accesses.len(), LENGTH as usize, "{}", trace.name);
            assert_eq!(accesses, trace.accesses(), "{}", trace.name);
        }
    }
}
