//! The one function from a caller's key to what the server sees.
//!
//! - A key that memcached can hold goes as it is.
//! - One with controls or spaces, of up to 186 bytes, goes in base64, which the server decodes (flag `b`): reversible.
//! - A longer one, an empty one, and every odd one in the classic dialect, becomes `<readable start>~#<hash>`, with 192 bits
//!   of SHA-256: nobody finds two keys with one hash. A caller's own key that looks like that is hashed as well, so that no
//!   ordinary key ever meets a hashed one.

use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::BytesMut;
use sha2::{Digest as _, Sha256};

use super::Dialect;

/// The longest key on the wire, in bytes.
pub const LONGEST_KEY: usize = 250;

/// The longest key whose base64 fits [`LONGEST_KEY`].
const LONGEST_ENCODED: usize = LONGEST_KEY / 4 * 3;

/// What separates the readable start of a hashed key from its hash.
const MARK: &[u8] = b"~#";

/// How much of SHA-256 is kept, in bytes; a multiple of three leaves no padding.
const HASH: usize = 24;

/// The hash as text.
const HASH_TEXT: usize = HASH / 3 * 4;

/// How much of a hashed key stays readable.
const READABLE: usize = LONGEST_KEY - MARK.len() - HASH_TEXT;

/// A key as it goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// As it is.
    Plain(&'a [u8]),
    /// In base64; the server stores the bytes themselves.
    Encoded(&'a [u8]),
    /// A readable start and a hash.
    Hashed(&'a [u8]),
}

/// Maps a caller's key to the wire. Every verb uses this, and two different keys never share a slot.
#[must_use]
pub fn key(raw: &[u8], dialect: Dialect) -> Key<'_> {
    if is_legal(raw) && !looks_hashed(raw) {
        return Key::Plain(raw);
    }
    let reversible = dialect == Dialect::Meta && !is_legal(raw) && (1..=LONGEST_ENCODED).contains(&raw.len());
    if reversible && raw.iter().any(|&byte| is_odd(byte)) { Key::Encoded(raw) } else { Key::Hashed(raw) }
}

impl<'a> Key<'a> {
    /// The caller's own.
    pub(crate) fn raw(&self) -> &'a [u8] {
        let (Self::Plain(raw) | Self::Encoded(raw) | Self::Hashed(raw)) = *self;
        raw
    }

    /// Appends what the server sees; never more than [`LONGEST_KEY`] bytes, never a space or control.
    pub fn write(self, out: &mut BytesMut) {
        match self {
            Self::Plain(raw) => out.extend_from_slice(raw),
            Self::Encoded(raw) => write_base64(raw, &STANDARD, out),
            Self::Hashed(raw) => {
                let readable = raw.iter().take(READABLE).map(|&byte| if byte.is_ascii_graphic() { byte } else { b'_' });
                out.extend(readable);
                out.extend_from_slice(MARK);
                write_base64(&Sha256::digest(raw)[..HASH], &URL_SAFE_NO_PAD, out);
            }
        }
    }
}

/// Bytes that a memcached key cannot hold: controls and the space. Others, UTF-8 too, are legal.
fn is_odd(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

fn is_legal(raw: &[u8]) -> bool {
    // Without a way out at the first odd one, several bytes are looked at at once.
    (1..=LONGEST_KEY).contains(&raw.len()) && !raw.iter().fold(false, |odd, &byte| odd | is_odd(byte))
}

fn looks_hashed(raw: &[u8]) -> bool {
    let Some(start) = raw.len().checked_sub(MARK.len() + HASH_TEXT) else { return false };
    let (mark, hash) = raw[start..].split_at(MARK.len());
    mark == MARK && hash.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn write_base64(bytes: &[u8], alphabet: &impl base64::Engine, out: &mut BytesMut) {
    let mut text = [0; LONGEST_KEY];
    // It always fits: nothing longer than `LONGEST_ENCODED` comes here.
    let length = alphabet.encode_slice(bytes, &mut text).unwrap_or(0);
    out.extend_from_slice(&text[..length]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wire(raw: &[u8], dialect: Dialect) -> Vec<u8> {
        let mut out = BytesMut::new();
        key(raw, dialect).write(&mut out);
        out.to_vec()
    }

    #[test]
    fn ordinary_keys_go_as_they_are() {
        for raw in ["a", "user:42", "naïve", &"x".repeat(250)] {
            assert_eq!(key(raw.as_bytes(), Dialect::Meta), Key::Plain(raw.as_bytes()));
        }
    }

    #[test]
    fn odd_keys_are_encoded_where_that_fits_and_hashed_where_not() {
        assert_eq!(wire(b"a b\r\nc", Dialect::Meta), b"YSBiDQpj");
        assert!(matches!(key(b"a b", Dialect::Classic), Key::Hashed(_)));
        assert!(matches!(key(&[b' '; 186], Dialect::Meta), Key::Encoded(_)));
        assert!(matches!(key(&[b' '; 187], Dialect::Meta), Key::Hashed(_)));
        assert!(matches!(key(&[b'x'; 251], Dialect::Meta), Key::Hashed(_)));
        // Written down, because programs of other versions share the entries.
        assert_eq!(wire(b"", Dialect::Meta), b"~#47DEQpj8HBSa-_TImW-5JCeuQeRkm5NM");
        assert_eq!(wire(b"", Dialect::Meta), wire(b"", Dialect::Classic));
    }

    #[test]
    fn a_key_that_looks_hashed_is_hashed() {
        let long = [b'x'; 300];
        let hashed = wire(&long, Dialect::Meta);
        assert_eq!(hashed.len(), LONGEST_KEY);
        assert!(matches!(key(&hashed, Dialect::Meta), Key::Hashed(_)));
        assert_ne!(wire(&hashed, Dialect::Meta), hashed);
    }

    proptest! {
        #[test]
        fn what_is_written_is_legal(raw in proptest::collection::vec(any::<u8>(), 0..400)) {
            for dialect in [Dialect::Meta, Dialect::Classic] {
                prop_assert!(is_legal(&wire(&raw, dialect)));
            }
        }

        #[test]
        fn two_keys_never_share_a_slot(
            one in "[ -~\r\n_]{0,8}", other in "[ -~\r\n_]{0,8}",
        ) {
            let slot = |raw: &str| {
                let mapped = key(raw.as_bytes(), Dialect::Meta);
                // The server decodes base64: the slot is named by the decoded bytes.
                if let Key::Encoded(raw) = mapped { raw.to_vec() } else { wire(raw.as_bytes(), Dialect::Meta) }
            };
            prop_assert_eq!(one == other, slot(&one) == slot(&other));
            let classic = |raw: &str| wire(raw.as_bytes(), Dialect::Classic);
            prop_assert_eq!(one == other, classic(&one) == classic(&other));
        }
    }
}
