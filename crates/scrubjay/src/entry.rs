//! The wire envelope: what an entry's bytes say of themselves when a value alone is not enough.
//!
//! Bytes on a server are bare by default: exactly what the serializer wrote. Only an entry with something to tell (how long
//! it may be served stale, that there is nothing, that somebody is loading it) is wrapped. `docs/wire-format.md` is the
//! specification; nothing else reads or writes envelopes.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

/// What starts an envelope. `C1` starts no UTF-8, JSON, MessagePack, pickle, zlib, zstd or lz4 frame.
const MAGIC: [u8; 3] = [0xC1, b'S', b'J'];
const VERSION: u8 = 1;

const NEGATIVE: u8 = 1;
const LEASE: u8 = 1 << 1;
const GRACE: u8 = 1 << 2;
const COST: u8 = 1 << 3;

/// Bytes as a store holds them, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) content: Content,
    /// How long before the store lets go of it the entry stops being fresh.
    pub(crate) grace: Duration,
    /// How long its load took, zero if nobody measured.
    pub(crate) cost: Duration,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A value, as the serializer wrote it.
    Value(Bytes),
    /// The knowledge that there is no value.
    Negative,
    /// The right to load it, under this name, until the store lets go of it. There is no value.
    Lease(Bytes),
}

impl Content {
    /// The bytes that it holds.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Value(bytes) | Self::Lease(bytes) => bytes,
            Self::Negative => Bytes::new(),
        }
    }
}

impl Entry {
    /// An entry of `content` with nothing else to tell.
    pub(crate) fn new(content: Content) -> Self {
        Self { content, grace: Duration::ZERO, cost: Duration::ZERO }
    }

    /// What goes to the store. A value with nothing to tell goes bare, unless it would read as an envelope.
    pub(crate) fn seal(self) -> Bytes {
        let (state, payload) = match self.content {
            Content::Value(payload) => (0, payload),
            Content::Negative => (NEGATIVE, Bytes::new()),
            Content::Lease(name) => (LEASE, name),
        };
        let grace = u64::try_from(self.grace.as_millis()).unwrap_or(u64::MAX);
        let cost = u32::try_from(self.cost.as_millis()).unwrap_or(u32::MAX);
        let flags = state | if grace > 0 { GRACE } else { 0 } | if cost > 0 { COST } else { 0 };
        if flags == 0 && !payload.starts_with(&MAGIC) {
            return payload;
        }
        let mut sealed = BytesMut::with_capacity(17 + payload.len());
        sealed.put_slice(&MAGIC);
        sealed.put_u8(VERSION);
        sealed.put_u8(flags);
        if grace > 0 {
            sealed.put_u64_le(grace);
        }
        if cost > 0 {
            sealed.put_u32_le(cost);
        }
        sealed.put_slice(&payload);
        sealed.freeze()
    }

    /// `bytes` as a bare value, whatever they look like.
    pub(crate) fn bare(bytes: &Bytes) -> Self {
        Self::new(Content::Value(bytes.clone()))
    }

    /// What `bytes` from a store mean. What is no envelope of a known version is a bare value.
    pub(crate) fn open(bytes: &Bytes) -> Self {
        Self::open_envelope(bytes).unwrap_or_else(|| Self::bare(bytes))
    }

    /// Whether `bytes` are an entry that is kept for longer than it is fresh.
    pub(crate) fn has_grace(bytes: &Bytes) -> bool {
        Self::open_envelope(bytes).is_some_and(|entry| !entry.grace.is_zero())
    }

    fn open_envelope(bytes: &Bytes) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?.strip_prefix(&[VERSION])?;
        let (&flags, mut rest) = rest.split_first()?;
        if flags & !(NEGATIVE | LEASE | GRACE | COST) != 0 {
            return None;
        }
        let mut number = |flag: u8, width: usize| {
            if flags & flag == 0 {
                return Some(0);
            }
            let (digits, left) = rest.split_at_checked(width)?;
            rest = left;
            Some(digits.iter().rev().fold(0, |number, digit| number << 8 | u64::from(*digit)))
        };
        let grace = Duration::from_millis(number(GRACE, 8)?);
        let cost = Duration::from_millis(number(COST, 4)?);
        let payload = bytes.slice_ref(rest);
        let content = match flags & (NEGATIVE | LEASE) {
            0 => Content::Value(payload),
            NEGATIVE if payload.is_empty() => Content::Negative,
            LEASE => Content::Lease(payload),
            _ => return None,
        };
        Some(Self { content, grace, cost })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(content: Content, grace: u64, cost: u64) -> Entry {
        Entry { content, grace: Duration::from_millis(grace), cost: Duration::from_millis(cost) }
    }

    /// Bytes that are on servers already: they must open for as long as version 1 is read.
    #[test]
    fn golden_vectors_of_version_1() {
        let vectors: [(&[u8], Entry); 6] = [
            (b"{}", Entry::new(Content::Value(Bytes::from_static(b"{}")))),
            (b"\xC1SJ\x01\x00\xC1SJ", Entry::new(Content::Value(Bytes::from_static(b"\xC1SJ")))),
            (b"\xC1SJ\x01\x01", Entry::new(Content::Negative)),
            (b"\xC1SJ\x01\x02name", Entry::new(Content::Lease(Bytes::from_static(b"name")))),
            (b"\xC1SJ\x01\x04\x60\xEA\0\0\0\0\0\0{}", entry(Content::Value(Bytes::from_static(b"{}")), 60_000, 0)),
            (b"\xC1SJ\x01\x0C\x01\0\0\0\0\0\0\0\x02\0\0\0{}", entry(Content::Value(Bytes::from_static(b"{}")), 1, 2)),
        ];
        for (bytes, entry) in vectors {
            assert_eq!(Entry::open(&Bytes::from_static(bytes)), entry);
            assert_eq!(entry.seal(), bytes);
        }
    }

    #[test]
    fn what_fails_validation_is_bare() {
        let cases: [&[u8]; 6] = [
            b"\xC1SJ",
            b"\xC1SJ\x01",
            b"\xC1SJ\x02\x00{}",       // a version to come
            b"\xC1SJ\x01\x10{}",       // a flag to come
            b"\xC1SJ\x01\x04\x60\xEA", // cut short
            b"\xC1SJ\x01\x03",         // negative and leased
        ];
        for bytes in cases {
            let bytes = Bytes::from_static(bytes);
            assert_eq!(Entry::open(&bytes), Entry::new(Content::Value(bytes)));
        }
    }

    proptest! {
        #[test]
        fn every_value_comes_back(
            payload in prop::collection::vec(prop_oneof![Just(0xC1), Just(b'S'), Just(b'J'), Just(1), any::<u8>()], 0..24),
            (grace, cost) in (0..u64::MAX, 0..u64::from(u32::MAX)),
        ) {
            let entry = entry(Content::Value(payload.into()), grace, cost);
            prop_assert_eq!(Entry::open(&entry.clone().seal()), entry);
        }
    }
}
