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
/// An envelope with every field.
const LONGEST_HEAD: usize = MAGIC.len() + 2 + 8 + 4 + NAME + 8;

const NEGATIVE: u8 = 1;
const LEASE: u8 = 1 << 1;
const GRACE: u8 = 1 << 2;
const COST: u8 = 1 << 3;
const RELOAD: u8 = 1 << 4;

/// How long a lease's name is, in bytes.
pub(crate) const NAME: usize = 16;

/// Bytes as a store holds them, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) content: Content,
    /// How long before the store lets go of it the entry stops being fresh.
    pub(crate) grace: Duration,
    /// How long its load took, zero if nobody measured.
    pub(crate) cost: Duration,
    /// Who loads it anew, while it may still be served.
    pub(crate) reload: Option<Reload>,
}

/// The right to load anew what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reload {
    /// The lease's name, [`NAME`] bytes.
    pub(crate) name: Bytes,
    /// How long before the store lets go of the entry the right ends.
    pub(crate) until: Duration,
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

/// Whether an entry's ttl has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    Fresh {
        /// Until it does; nothing if it never does.
        left: Option<Duration>,
    },
    Stale,
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
        Self { content, grace: Duration::ZERO, cost: Duration::ZERO, reload: None }
    }

    /// Whether it has more to tell than its value.
    pub(crate) fn is_wrapped(&self) -> bool {
        !matches!(self.content, Content::Value(_))
            || !self.grace.is_zero()
            || !self.cost.is_zero()
            || self.reload.is_some()
    }

    /// The name of whoever loads it, while the store keeps it for another `left`.
    pub(crate) fn holder(&self, left: Option<Duration>) -> Option<&Bytes> {
        match (&self.content, &self.reload) {
            (Content::Lease(name), _) => Some(name),
            (_, Some(reload)) if left.is_some_and(|left| left > reload.until) => Some(&reload.name),
            _ => None,
        }
    }

    /// Whether it is fresh, if a store that counts in `resolution` keeps it for another `left`. What was rounded down is
    /// added again, so that no entry ends early.
    pub(crate) fn freshness(&self, left: Option<Duration>, resolution: Duration) -> Freshness {
        match left {
            Some(left) if !self.grace.is_zero() => match left.saturating_add(resolution).checked_sub(self.grace) {
                None | Some(Duration::ZERO) => Freshness::Stale,
                left => Freshness::Fresh { left },
            },
            left => Freshness::Fresh { left },
        }
    }

    /// What goes to the store. A value with nothing to tell goes bare, unless it would read as an envelope.
    pub(crate) fn seal(self) -> Bytes {
        let (state, payload) = match self.content {
            Content::Value(payload) => (0, payload),
            Content::Negative => (NEGATIVE, Bytes::new()),
            Content::Lease(name) => (LEASE, name),
        };
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let grace = milliseconds(self.grace);
        let cost = u32::try_from(self.cost.as_millis()).unwrap_or(u32::MAX);
        let flag = |flag, tells| if tells { flag } else { 0 };
        let flags = state | flag(GRACE, grace > 0) | flag(COST, cost > 0) | flag(RELOAD, self.reload.is_some());
        if flags == 0 && !payload.starts_with(&MAGIC) {
            return payload;
        }
        let mut sealed = BytesMut::with_capacity(LONGEST_HEAD + payload.len());
        sealed.put_slice(&MAGIC);
        sealed.put_u8(VERSION);
        sealed.put_u8(flags);
        if grace > 0 {
            sealed.put_u64_le(grace);
        }
        if cost > 0 {
            sealed.put_u32_le(cost);
        }
        if let Some(Reload { name, until }) = self.reload {
            sealed.put_slice(&name);
            sealed.put_u64_le(milliseconds(until));
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

    fn open_envelope(bytes: &Bytes) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?.strip_prefix(&[VERSION])?;
        let (&flags, mut rest) = rest.split_first()?;
        if flags & !(NEGATIVE | LEASE | GRACE | COST | RELOAD) != 0 {
            return None;
        }
        let mut field = |width: usize| {
            let (field, left) = rest.split_at_checked(width)?;
            rest = left;
            Some(field)
        };
        let mut milliseconds = |flag: u8, width: usize| {
            let field = if flags & flag == 0 { &[] } else { field(width)? };
            Some(Duration::from_millis(number(field)))
        };
        let (grace, cost) = (milliseconds(GRACE, 8)?, milliseconds(COST, 4)?);
        let reload = if flags & RELOAD == 0 {
            None
        } else {
            let name = bytes.slice_ref(field(NAME)?);
            Some(Reload { name, until: Duration::from_millis(number(field(8)?)) })
        };
        let payload = bytes.slice_ref(rest);
        let content = match flags & (NEGATIVE | LEASE) {
            0 => Content::Value(payload),
            NEGATIVE if payload.is_empty() => Content::Negative,
            LEASE if reload.is_none() => Content::Lease(payload),
            _ => return None,
        };
        Some(Self { content, grace, cost, reload })
    }
}

/// A field as a number, little-endian.
fn number(field: &[u8]) -> u64 {
    field.iter().rev().fold(0, |number, digit| number << 8 | u64::from(*digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(content: Content, grace: u64, cost: u64) -> Entry {
        Entry { content, grace: Duration::from_millis(grace), cost: Duration::from_millis(cost), reload: None }
    }

    fn reload(name: &[u8; NAME], until: u64) -> Reload {
        Reload { name: Bytes::copy_from_slice(name), until: Duration::from_millis(until) }
    }

    /// Bytes that are on servers already: they must open for as long as version 1 is read.
    #[test]
    fn golden_vectors_of_version_1() {
        let vectors: [(&[u8], Entry); 8] = [
            (b"{}", Entry::new(Content::Value(Bytes::from_static(b"{}")))),
            (b"\xC1SJ\x01\x00\xC1SJ", Entry::new(Content::Value(Bytes::from_static(b"\xC1SJ")))),
            (b"\xC1SJ\x01\x01", Entry::new(Content::Negative)),
            (b"\xC1SJ\x01\x02name", Entry::new(Content::Lease(Bytes::from_static(b"name")))),
            (b"\xC1SJ\x01\x04\x60\xEA\0\0\0\0\0\0{}", entry(Content::Value(Bytes::from_static(b"{}")), 60_000, 0)),
            (b"\xC1SJ\x01\x0C\x01\0\0\0\0\0\0\0\x02\0\0\0{}", entry(Content::Value(Bytes::from_static(b"{}")), 1, 2)),
            (
                b"\xC1SJ\x01\x18\x02\0\0\0sixteen bytes ..\x03\0\0\0\0\0\0\0{}",
                Entry {
                    reload: Some(reload(b"sixteen bytes ..", 3)),
                    ..entry(Content::Value(Bytes::from_static(b"{}")), 0, 2)
                },
            ),
            (
                b"\xC1SJ\x01\x11sixteen bytes ..\0\0\0\0\0\0\0\0",
                Entry { reload: Some(reload(b"sixteen bytes ..", 0)), ..Entry::new(Content::Negative) },
            ),
        ];
        for (bytes, entry) in vectors {
            assert_eq!(Entry::open(&Bytes::from_static(bytes)), entry);
            assert_eq!(entry.seal(), bytes);
        }
    }

    #[test]
    fn what_fails_validation_is_bare() {
        let cases: [&[u8]; 8] = [
            b"\xC1SJ",
            b"\xC1SJ\x01",
            b"\xC1SJ\x02\x00{}",                                   // a version to come
            b"\xC1SJ\x01\x20{}",                                   // a flag to come
            b"\xC1SJ\x01\x04\x60\xEA",                             // cut short
            b"\xC1SJ\x01\x03",                                     // negative and leased
            b"\xC1SJ\x01\x10{}",                                   // whose reload is cut short
            b"\xC1SJ\x01\x12sixteen bytes ..\0\0\0\0\0\0\0\0name", // leased twice
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
            held in prop::option::of((any::<[u8; NAME]>(), any::<u64>())),
        ) {
            let reload = held.map(|(name, until)| reload(&name, until));
            let entry = Entry { reload, ..entry(Content::Value(payload.into()), grace, cost) };
            prop_assert_eq!(Entry::open(&entry.clone().seal()), entry);
        }
    }
}
