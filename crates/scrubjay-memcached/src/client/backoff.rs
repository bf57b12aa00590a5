//! How long a server that could not be reached is left alone.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

const SHORTEST: Duration = Duration::from_millis(5);

/// Short, because calls wait it out: one that comes when the server is back succeeds, and an error is still quick.
const LONGEST: Duration = Duration::from_millis(25);

/// The pause after `failures` attempts in a row, up to a quarter shorter at random, so that clients do not come in step.
pub(super) fn pause(failures: u32) -> Duration {
    let full = SHORTEST.saturating_mul(1 << failures.min(10)).min(LONGEST);
    full.mul_f64(1.0 - f64::from(random()) / f64::from(u32::MAX) / 4.0)
}

/// A number that nobody foresees.
pub(super) fn random() -> u32 {
    (RandomState::new().hash_one(()) >> 32).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_short() {
        for failures in 0..100 {
            let pause = pause(failures);
            assert!(pause <= LONGEST && pause >= SHORTEST.mul_f64(0.74), "{pause:?}");
        }
        assert!(pause(9) > pause(0));
    }
}
