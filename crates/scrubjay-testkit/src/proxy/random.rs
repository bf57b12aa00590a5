//! Jitter that a seed repeats.

/// The `n`th number of the sequence of `seed`, at least 0 and below 1: splitmix64, after Steele, Lea and Flood (2014).
pub(super) fn fraction(seed: u64, n: u64) -> f64 {
    let z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let high_half = ((z ^ (z >> 31)) >> 32) as u32;
    f64::from(high_half) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers_and_no_other_seed_does() {
        let numbers = |seed| (0..100).map(|n| fraction(seed, n).to_bits()).collect::<Vec<_>>();
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }

    #[test]
    fn numbers_spread_over_the_unit_interval() {
        let numbers = (0..1000).map(|n| fraction(7, n)).collect::<Vec<_>>();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = numbers.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
