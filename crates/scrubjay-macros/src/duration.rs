//! Durations as text: `10s`, `500ms`, `1.5`; what scrubjay's URLs read, at compile time.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, LitStr, Result};

/// `text` as an expression of a `Duration`.
pub(crate) fn parse(text: &LitStr) -> Result<TokenStream> {
    let nanos = nanoseconds(&text.value()).ok_or_else(|| {
        Error::new(
            text.span(),
            format!(
                "{:?} is not a duration: write a number with ms, s, m, h or d (\"500ms\", \"10s\"), more than zero",
                text.value()
            ),
        )
    })?;
    let (seconds, nanos) = (nanos / 1_000_000_000, u32::try_from(nanos % 1_000_000_000).unwrap_or_default());
    Ok(quote!(::core::time::Duration::new(#seconds, #nanos)))
}

fn nanoseconds(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" | "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number =
        |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u64>().ok()).flatten();
    let (whole, places) = (number(whole)?, 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?);
    let fraction = u128::from(number(fraction)?) * u128::from(unit) / u128::from(places);
    whole.checked_mul(unit)?.checked_add(u64::try_from(fraction).ok()?).filter(|nanos| *nanos > 0)
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn durations_are_read_as_urls_read_them() {
        for (text, millis) in
            [("10s", 10_000), ("500ms", 500), ("5", 5_000), ("1.5", 1_500), ("2m", 120_000), ("1h", 3_600_000)]
        {
            assert_eq!(nanoseconds(text), Some(millis * 1_000_000), "{text}");
        }
        for text in ["", "s", "-1", "1w", "1e3", "1.2.3", "10 s", "é", "0", "0.0s", "99999999999999999999"] {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }
}
