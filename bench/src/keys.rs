//! Keys of 24 bytes.

/// So many different ones.
#[must_use]
pub fn keys(kind: &str, count: u32) -> Vec<String> {
    (0..count).map(|number| format!("{kind}:{number:0>width$}", width = 23 - kind.len())).collect()
}
