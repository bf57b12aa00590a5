//! Where a shard's entries lie: numbered slots, reused, in one array that grows by an eighth.

use std::sync::atomic::{AtomicU8, Ordering};

use super::cleared::Version;
use crate::{Moment, QualifiedKey};

/// The slot of nobody.
pub(super) const NONE: u32 = u32::MAX;
/// Reads beyond this many do not count.
const MOST_FREQUENT: u8 = 3;

/// The slots. An entry keeps its number until it leaves.
#[derive(Debug)]
pub(super) struct Slots<V> {
    all: Vec<Slot<V>>,
    vacant: u32,
    held: usize,
}

#[derive(Debug)]
enum Slot<V> {
    Held(Entry<V>),
    Vacant { next: u32 },
}

/// One entry: 64 bytes with a fat pointer for a value.
#[derive(Debug)]
pub(super) struct Entry<V> {
    pub(super) key: StoredKey,
    pub(super) value: V,
    pub(super) deadline: Moment,
    pub(super) version: Version,
    pub(super) link: Link,
}

/// An entry's place among the others, as the policy sees it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) newer: u32,
    pub(super) older: u32,
    pub(super) hash: u32,
    pub(super) weight: u32,
    pub(super) frequency: AtomicU8,
    pub(super) place: Place,
}

/// The queue that an entry stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Nowhere,
    Small,
    Main,
}

impl<V> Default for Slots<V> {
    fn default() -> Self {
        Self { all: Vec::new(), vacant: NONE, held: 0 }
    }
}

impl<V> Slots<V> {
    /// No entries yet, with room for `entries`.
    pub(super) fn with_capacity(entries: usize) -> Self {
        Self { all: Vec::with_capacity(entries), ..Self::default() }
    }

    /// The slots there are, held and vacant.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The entries held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.all.len()).unwrap_or(NONE)
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&Entry<V>> {
        match self.all.get(slot as usize) {
            Some(Slot::Held(entry)) => Some(entry),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry<V>> {
        match self.all.get_mut(slot as usize) {
            Some(Slot::Held(entry)) => Some(entry),
            _ => None,
        }
    }

    /// Puts an entry into a vacant slot, or a new one.
    pub(super) fn insert(&mut self, entry: Entry<V>) -> u32 {
        self.held += 1;
        let slot = self.vacant;
        if let Some(Slot::Vacant { next }) = self.all.get(slot as usize) {
            self.vacant = *next;
            self.all[slot as usize] = Slot::Held(entry);
            return slot;
        }
        if self.all.len() == self.all.capacity() {
            // By an eighth, not to twice the size: half-empty arrays would be the largest part of an entry's overhead.
            self.all.reserve_exact((self.all.len() / 8).max(8));
        }
        self.all.push(Slot::Held(entry));
        // 2³² entries of one shard fit no machine this runs on.
        u32::try_from(self.all.len() - 1).unwrap_or(NONE)
    }

    /// Takes the entry out of `slot`.
    pub(super) fn take(&mut self, slot: u32) -> Option<Entry<V>> {
        let place = self.all.get_mut(slot as usize).filter(|slot| matches!(slot, Slot::Held(_)))?;
        let Slot::Held(entry) = std::mem::replace(place, Slot::Vacant { next: self.vacant }) else { return None };
        self.vacant = slot;
        self.held -= 1;
        Some(entry)
    }
}

impl Link {
    pub(super) fn new(hash: u32, weight: u32) -> Self {
        Self { newer: NONE, older: NONE, hash, weight, frequency: AtomicU8::new(0), place: Place::Nowhere }
    }

    /// The entry was read.
    #[inline]
    pub(super) fn touched(&self) {
        let count = self.frequency.load(Ordering::Relaxed);
        // A lost race costs one count; a saturated counter costs no write at all.
        if count < MOST_FREQUENT {
            self.frequency.store(count + 1, Ordering::Relaxed);
        }
    }
}

/// Namespace and key in one allocation: the namespace's length (a byte, or five for a long one), the namespace, the key.
#[derive(Debug)]
pub(super) struct StoredKey(Box<[u8]>);

/// A length byte that says that four more follow.
const LONG: u8 = u8::MAX;

impl StoredKey {
    pub(super) fn new(key: QualifiedKey<'_>) -> Self {
        let (namespace, name) = (key.namespace.as_bytes(), key.key.as_bytes());
        let mut bytes = Vec::with_capacity(1 + namespace.len() + name.len());
        match u8::try_from(namespace.len()) {
            Ok(length) if length < LONG => bytes.push(length),
            _ => {
                bytes.push(LONG);
                bytes.extend_from_slice(&u32::try_from(namespace.len()).unwrap_or(u32::MAX).to_le_bytes());
            }
        }
        bytes.extend_from_slice(namespace);
        bytes.extend_from_slice(name);
        Self(bytes.into())
    }

    #[inline]
    pub(super) fn is(&self, key: QualifiedKey<'_>) -> bool {
        if key.namespace.is_empty() {
            return matches!(&*self.0, [0, name @ ..] if name == key.key.as_bytes());
        }
        let (namespace, name) = self.parts();
        namespace == key.namespace.as_bytes() && name == key.key.as_bytes()
    }

    /// The key as it was given.
    pub(super) fn qualified(&self) -> QualifiedKey<'_> {
        // Both parts were texts, and nothing has changed a byte of them.
        let (namespace, key) = self.parts();
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        QualifiedKey { namespace: text(namespace), key: text(key) }
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        match &*self.0 {
            [LONG, a, b, c, d, rest @ ..] => rest.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize),
            [length, rest @ ..] => rest.split_at(usize::from(*length)),
            [] => (&[], &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_only_match_themselves() {
        let long = "n".repeat(300);
        let pairs = ["", "a", "ab", &"n".repeat(254), &"n".repeat(255), &long];
        let keys: Vec<QualifiedKey<'_>> = pairs
            .iter()
            .flat_map(|namespace| ["", "a", "b", "é", &long].map(|key| QualifiedKey { namespace, key }))
            .collect();
        for one in &keys {
            let stored = StoredKey::new(*one);
            assert_eq!(stored.qualified(), *one);
            for other in &keys {
                assert_eq!(stored.is(*other), one == other, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn an_entry_is_one_cache_line() {
        assert_eq!(size_of::<Slot<std::sync::Arc<[u8]>>>(), 64);
    }

    #[test]
    fn vacant_slots_are_used_again() {
        let entry = || Entry {
            key: StoredKey::new("key".into()),
            value: (),
            deadline: Moment::NEVER,
            version: 0,
            link: Link::new(0, 1),
        };
        let mut slots = Slots::default();
        assert_eq!((0..3).map(|_| slots.insert(entry())).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(slots.take(1).is_some() && slots.take(1).is_none());
        assert_eq!((slots.insert(entry()), slots.held(), slots.len()), (1, 3, 3));
    }
}
