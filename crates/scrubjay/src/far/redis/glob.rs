//! Patterns for `SCAN`.

/// The pattern of every key that begins with `prefix`, in which each character stands for itself.
pub(super) fn beginning_with(prefix: &str) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix.bytes() {
        if b"*?[]^-\\".contains(&byte) {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    pattern.push(b'*');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_stands_for_itself() {
        assert_eq!(beginning_with(r"a*?[x-y]\:é"), r"a\*\?\[x\-y\]\\:é*".as_bytes());
    }
}
