//! When a value that is still fresh is loaded anew, so that nobody waits when it is not.

use std::time::Duration;

use crate::random;

/// Whether a value that stays fresh for `left` of `whole`, and took `cost` to load, is loaded anew now.
///
/// `XFetch` (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, 2015): the dearer a load and the
/// nearer the end, the likelier. Never in the first nine tenths of an entry's life, so that hot keys do not live ever shorter.
pub(crate) fn is_due(left: Option<Duration>, whole: Option<Duration>, cost: Duration, eagerness: f64) -> bool {
    let [chance] = random::shared().fractions();
    is_due_by(chance, left, whole, cost, eagerness)
}

fn is_due_by(chance: f64, left: Option<Duration>, whole: Option<Duration>, cost: Duration, eagerness: f64) -> bool {
    let (Some(left), Some(whole)) = (left, whole) else { return false };
    let earliness = cost.as_secs_f64() * eagerness * -(1.0 - chance).ln();
    left <= whole / 10 && left.as_secs_f64() < earliness
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_is_early_only_near_the_end_and_by_chance() {
        let second = Duration::from_secs(1);
        let early = |left, chance| is_due_by(chance, Some(second * left), Some(second * 60), second, 1.0);
        assert!(!early(7, 0.999_999_9), "not in the first nine tenths");
        assert!(early(6, 0.999_9), "-ln(0.0001) is 9.2 s");
        assert!(!early(6, 0.5), "-ln(0.5) is 0.7 s");
        assert!(!is_due_by(0.999, None, None, second, 1.0), "what does not expire is not refreshed");
    }
}
