//! A share of calls, as options tell it: `0.2` or `20%`.

use std::str::FromStr;

use crate::{Parameters, Result};

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(super) struct Ratio(f64);

impl Ratio {
    pub(super) const ALWAYS: Self = Self(1.0);
    pub(super) const HALF: Self = Self(0.5);

    /// The ratio nearest to `number`; 0 for what is no number.
    pub(super) fn nearest(number: f64) -> Self {
        Self(if number.is_nan() { 0.0 } else { number.clamp(0.0, 1.0) })
    }

    /// Takes the option `name`.
    pub(super) fn take(parameters: &mut Parameters, name: &str) -> Result<Option<Self>> {
        parameters.take(name, "a ratio from 0 to 1, or a percentage with its sign (0.2, 20%)")
    }

    pub(super) fn is_zero(self) -> bool {
        self.0 <= 0.0
    }

    /// Whether something of this probability happens to who drew `fraction`, at least 0 and below 1.
    pub(super) fn happens(self, fraction: f64) -> bool {
        fraction < self.0
    }

    /// Whether `part` of `whole` is this much or more.
    pub(super) fn is_reached_by(self, part: u32, whole: u32) -> bool {
        f64::from(part) >= self.0 * f64::from(whole)
    }
}

impl FromStr for Ratio {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (digits, whole) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
        let number: f64 = digits.parse().map_err(|_| ())?;
        let ratio = number / whole;
        if (0.0..=1.0).contains(&ratio) { Ok(Self(ratio)) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_read_with_and_without_percent() {
        for (text, ratio) in [("0", 0.0), ("0.2", 0.2), ("20%", 0.2), ("1", 1.0), ("100%", 1.0)] {
            assert_eq!(text.parse(), Ok(Ratio(ratio)), "{text}");
        }
        for text in ["", "%", "20", "-0.1", "101%", "nan", "inf", "half"] {
            assert_eq!(text.parse::<Ratio>(), Err(()), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_becomes_the_nearest() {
        for (number, ratio) in [(-1.0, 0.0), (2.0, 1.0), (f64::INFINITY, 1.0), (f64::NAN, 0.0)] {
            assert_eq!(Ratio::nearest(number), Ratio(ratio));
        }
    }
}
