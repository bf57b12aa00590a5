//! What entries weigh: nothing is stored as long as each weighs one, as all do in a cache that counts entries.

use super::slots::lengthen;

#[derive(Debug, Default)]
pub(super) struct Weights(Vec<u32>);

impl Weights {
    /// What the entry in `slot` weighs.
    #[inline]
    pub(super) fn of(&self, slot: u32) -> u32 {
        self.0.get(slot as usize).copied().unwrap_or(1)
    }

    /// The entry in `slot` weighs so much from now on.
    #[inline]
    pub(super) fn set(&mut self, slot: u32, weight: u32) {
        if self.of(slot) == weight {
            return;
        }
        let slots = slot as usize + 1;
        if slots > self.0.len() {
            lengthen(&mut self.0, slots, || 1);
        }
        self.0[slot as usize] = weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_weighs_one_until_it_is_told_otherwise() {
        let mut weights = Weights::default();
        weights.set(1_000, 1);
        assert!(weights.0.is_empty());
        weights.set(2, 7);
        assert_eq!([0, 1, 2, 3].map(|slot| weights.of(slot)), [1, 1, 7, 1]);
        weights.set(2, 0);
        weights.set(9, 5);
        assert_eq!([2, 8, 9].map(|slot| weights.of(slot)), [0, 1, 5]);
    }
}
