//! The argument that the examples share: `--cache URL`.

use std::env;

/// The URL after `--cache`, or else `default`.
pub(crate) fn cache_url(default: &str) -> String {
    env::args().skip_while(|argument| argument != "--cache").nth(1).unwrap_or_else(|| default.to_owned())
}
