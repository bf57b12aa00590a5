//! Random numbers for jitter and chaos: cheap, shared without a lock, repeatable from a seed, and good for nothing secret.

use std::{
    array,
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// A splitmix64 sequence, which needs no more state than a count of the numbers drawn.
#[derive(Debug)]
pub(crate) struct Random {
    seed: u64,
    drawn: AtomicU64,
}

impl Random {
    /// The sequence that belongs to `seed`.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }

    /// A sequence that no other process draws too.
    pub(crate) fn unpredictable() -> Self {
        Self::seeded(RandomState::new().hash_one("seed"))
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The next `N` numbers, each at least 0 and below 1. Drawn at once: calls at the same time do not split a group.
    pub(crate) fn fractions<const N: usize>(&self) -> [f64; N] {
        let mut drawn = self.drawn.fetch_add(N as u64, Ordering::Relaxed);
        array::from_fn(|_| {
            drawn = drawn.wrapping_add(1);
            let high_half = (splitmix64(self.seed, drawn) >> 32) as u32;
            f64::from(high_half) / (f64::from(u32::MAX) + 1.0)
        })
    }
}

/// The sequence of whoever needs no other.
pub(crate) fn shared() -> &'static Random {
    static SHARED: LazyLock<Random> = LazyLock::new(Random::unpredictable);
    &SHARED
}

/// The `n`th number of the sequence of `seed`, after Steele, Lea and Flood (2014).
fn splitmix64(seed: u64, n: u64) -> u64 {
    let z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The published first numbers of seed 1234567.
        let numbers: Vec<u64> = (1..=3).map(|n| splitmix64(1_234_567, n)).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_seed_fixes_the_sequence_however_it_is_grouped() {
        let (together, apart) = (Random::seeded(7), Random::seeded(7));
        let three: [f64; 3] = together.fractions();
        let ([first, second], [third]) = (apart.fractions(), apart.fractions());
        assert_eq!(three.map(f64::to_bits), [first, second, third].map(f64::to_bits));
    }

    #[test]
    fn fractions_fill_the_unit_interval_evenly() {
        let random = Random::unpredictable();
        let mut tenths = [0; 10];
        for _ in 0..10_000 {
            let [fraction] = random.fractions();
            let mut bounds = (1..=10_u8).map(|tenth| f64::from(tenth) / 10.0);
            tenths[bounds.position(|bound| fraction < bound).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (800..1_200).contains(count)), "{random:?}: {tenths:?}");
    }
}
