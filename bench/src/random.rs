//! Chance that is the same in every run: a generator, and Zipf's law of how often what is asked for.

/// The seed of everything that is measured.
pub const SEED: u64 = 0x5C12_0B1A;

/// `SplitMix64`: a few lines, and good enough for choosing keys.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator whose numbers follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// The next number in `0..1`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float has")]
    pub fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The next number below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(bound) * (self.number() >> 32)) >> 32) as u32
    }
}

/// Chooses rank `r` (from 0) as often as `1 / (r + 1)^exponent` says.
#[derive(Clone, Debug)]
pub struct Zipf {
    /// How often one of the ranks up to here is chosen.
    cumulated: Vec<f64>,
}

impl Zipf {
    /// Over so many ranks.
    #[must_use]
    pub fn new(ranks: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=ranks).map(|rank| f64::from(rank).powf(-exponent));
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        let mut cumulated = sums.collect::<Vec<_>>();
        cumulated.iter_mut().for_each(|share| *share /= sum);
        Self { cumulated }
    }

    /// The next rank.
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 ranks")]
    pub fn rank(&self, random: &mut Random) -> u32 {
        let point = random.unit();
        self.cumulated.partition_point(|&share| share <= point).min(self.cumulated.len() - 1) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_ranks_come_up_as_often_as_zipf_says() {
        let (zipf, mut random) = (Zipf::new(1_000, 1.0), Random::new(SEED));
        let mut counts = [0_u32; 1_000];
        (0..100_000).for_each(|_| counts[zipf.rank(&mut random) as usize] += 1);
        assert!(counts[0] > 12_500 && counts[0] < 14_300, "{}", counts[0]);
        let twice = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((1.9..2.1).contains(&twice), "{twice}");
    }
}
