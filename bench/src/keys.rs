//! Keys of 24 bytes: one by one, and in the order in which they are asked for.

use std::ops::Range;

const KEY_SIZE: usize = 24;

/// So many different ones.
#[must_use]
pub fn keys(kind: &str, count: u32) -> Vec<String> {
    (0..count).map(|number| key(kind, number)).collect()
}

fn key(kind: &str, number: u32) -> String {
    format!("{kind}:{number:0>width$}", width = KEY_SIZE - 1 - kind.len())
}

/// Keys in the order in which they are asked for, one behind the other.
///
/// Fetching the next one costs next to nothing, as in a program that has just put its key together. Were they strings scattered
/// over memory, looking for them would be half of what is measured.
#[derive(Debug)]
pub struct Track(String);

impl Track {
    /// The keys with these numbers.
    #[must_use]
    pub fn new(kind: &str, numbers: impl IntoIterator<Item = u32>) -> Self {
        Self(numbers.into_iter().map(|number| key(kind, number)).collect())
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len() / KEY_SIZE
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys of a part.
    #[inline]
    pub fn part(&self, part: Range<usize>) -> impl Iterator<Item = &str> {
        part.map(|stroke| &self.0[stroke * KEY_SIZE..(stroke + 1) * KEY_SIZE])
    }
}
