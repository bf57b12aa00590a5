//! Where a shard's entries lie: numbered slots, reused, in an array that grows by an eighth and is aligned to cache lines.

use std::{array, mem, ops::Range};

use super::cleared::Version;
use crate::{Moment, QualifiedKey};

/// The slot of nobody.
pub(super) const NONE: u32 = u32::MAX;

/// The slots. An entry keeps its number until it leaves.
#[derive(Debug)]
pub(super) struct Slots<V> {
    entries: Vec<Block<V>>,
    /// Slots that are held or once were.
    used: u32,
    held: u32,
    vacant: u32,
}

/// Slots of a block. Whatever their size is, so many of them fill cache lines, so that a block begins with one and an entry
/// of 64 bytes is one.
const BLOCK: usize = 8;

#[derive(Debug)]
#[repr(align(64))]
struct Block<V>([Slot<V>; BLOCK]);

#[derive(Debug)]
enum Slot<V> {
    Held(Entry<V>),
    Vacant { next: u32 },
}

/// One entry: a cache line with a fat pointer for a value.
#[derive(Debug)]
pub(super) struct Entry<V> {
    pub(super) key: StoredKey,
    pub(super) value: V,
    pub(super) deadline: Moment,
    pub(super) version: Version,
    /// The part of its key's hash that the index knows it by.
    pub(super) hash: u32,
}

impl<V> Default for Slots<V> {
    fn default() -> Self {
        Self { entries: Vec::new(), used: 0, held: 0, vacant: NONE }
    }
}

impl<V> Slots<V> {
    /// No entries yet, with room for `entries`.
    pub(super) fn with_capacity(entries: usize) -> Self {
        Self { entries: Vec::with_capacity(entries.div_ceil(BLOCK)), ..Self::default() }
    }

    /// The slots there are, held and vacant.
    pub(super) fn len(&self) -> usize {
        self.used as usize
    }

    /// The entries held.
    pub(super) fn held(&self) -> usize {
        self.held as usize
    }

    pub(super) fn numbers(&self) -> Range<u32> {
        0..self.used
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&Entry<V>> {
        match &self.entries.get(slot as usize / BLOCK)?.0[slot as usize % BLOCK] {
            Slot::Held(entry) => Some(entry),
            Slot::Vacant { .. } => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry<V>> {
        match self.slot(slot)? {
            Slot::Held(entry) => Some(entry),
            Slot::Vacant { .. } => None,
        }
    }

    #[inline]
    fn slot(&mut self, slot: u32) -> Option<&mut Slot<V>> {
        Some(&mut self.entries.get_mut(slot as usize / BLOCK)?.0[slot as usize % BLOCK])
    }

    /// Puts an entry into a vacant slot, or a new one.
    pub(super) fn insert(&mut self, entry: Entry<V>) -> u32 {
        self.held += 1;
        let number = self.vacant;
        if let Some(slot @ &mut Slot::Vacant { next }) = self.slot(number) {
            *slot = Slot::Held(entry);
            self.vacant = next;
            return number;
        }
        let number = self.used;
        // 2³² entries of one shard fit no machine this runs on.
        self.used += 1;
        let (block, place) = (number as usize / BLOCK, number as usize % BLOCK);
        if block == self.entries.len() {
            lengthen(&mut self.entries, block + 1, || Block(array::from_fn(|_| Slot::Vacant { next: NONE })));
        }
        self.entries[block].0[place] = Slot::Held(entry);
        number
    }

    /// Takes the entry out of `slot`.
    pub(super) fn take(&mut self, slot: u32) -> Option<Entry<V>> {
        let next = self.vacant;
        let place = self.slot(slot).filter(|slot| matches!(slot, Slot::Held(_)))?;
        let Slot::Held(entry) = mem::replace(place, Slot::Vacant { next }) else { return None };
        self.vacant = slot;
        self.held -= 1;
        Some(entry)
    }
}

/// Makes `items` as long as that. Their room grows by an eighth, not to twice the size: half-empty arrays would be the largest part
/// of an entry's overhead.
pub(super) fn lengthen<T>(items: &mut Vec<T>, length: usize, new: impl FnMut() -> T) {
    if length > items.capacity() {
        items.reserve_exact((length - items.len()).max(items.len() / 8));
    }
    items.resize_with(length, new);
}

/// Namespace and key, one after the other: in the entry itself if they are short, as nearly all are. That saves a read its
/// slowest step, a look at memory that only the entry knows of, and a write an allocation.
#[derive(Debug)]
pub(super) enum StoredKey {
    Short { namespace: u8, length: u8, bytes: [u8; SHORT] },
    Long { namespace: u32, bytes: Box<[u8]> },
}

/// Bytes of a short key: what makes 32 of it, with its two lengths and the enum's tag.
const SHORT: usize = 29;

impl StoredKey {
    pub(super) fn new(key: QualifiedKey<'_>) -> Self {
        let (namespace, name) = (key.namespace.as_bytes(), key.key.as_bytes());
        let length = namespace.len() + name.len();
        let mut short = [0; SHORT];
        match (short.get_mut(..length), u8::try_from(namespace.len()), u8::try_from(length)) {
            (Some(bytes), Ok(namespace_length), Ok(length)) => {
                let (first, second) = bytes.split_at_mut(namespace.len());
                if !namespace.is_empty() {
                    first.copy_from_slice(namespace);
                }
                second.copy_from_slice(name);
                Self::Short { namespace: namespace_length, length, bytes: short }
            }
            _ => Self::Long {
                // A namespace of four gigabytes fits no machine this runs on.
                namespace: u32::try_from(namespace.len()).unwrap_or(u32::MAX),
                bytes: [namespace, name].concat().into(),
            },
        }
    }

    #[inline]
    pub(super) fn is(&self, key: QualifiedKey<'_>) -> bool {
        if key.namespace.is_empty() {
            self.namespace() == 0 && self.bytes() == key.key.as_bytes()
        } else {
            self.is_both(key)
        }
    }

    #[inline(never)]
    fn is_both(&self, key: QualifiedKey<'_>) -> bool {
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
        self.bytes().split_at(self.namespace())
    }

    /// The namespace's length.
    #[inline]
    fn namespace(&self) -> usize {
        match self {
            Self::Short { namespace, .. } => usize::from(*namespace),
            Self::Long { namespace, .. } => *namespace as usize,
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes, .. } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long { bytes, .. } => bytes,
        }
    }
}

#[cfg(test)]
impl<V> Slots<V> {
    /// Checks that every slot is either held or in the chain of the vacant ones.
    pub(super) fn validate(&self) {
        let (mut vacant, mut chain) = (self.vacant, 0);
        while vacant != NONE {
            let Slot::Vacant { next } = self.entries[vacant as usize / BLOCK].0[vacant as usize % BLOCK] else {
                panic!("slot {vacant} is held and counts as vacant");
            };
            (vacant, chain) = (next, chain + 1);
        }
        assert_eq!(self.held() + chain, self.len());
        assert_eq!(self.numbers().filter(|&slot| self.get(slot).is_some()).count(), self.held());
        assert_eq!(self.entries.len(), self.len().div_ceil(BLOCK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_only_match_themselves() {
        // As long as fits into an entry with a key of one byte, and longer.
        let [short, long] = [SHORT - 1, SHORT].map(|length| "n".repeat(length));
        let names = ["", "a", "b", "ab", "é", &short, &long];
        let keys: Vec<QualifiedKey<'_>> =
            names.iter().flat_map(|namespace| names.map(|key| QualifiedKey { namespace, key })).collect();
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
        assert_eq!(size_of::<Block<String>>(), BLOCK * size_of::<Slot<String>>(), "blocks waste nothing");
    }

    #[test]
    fn vacant_slots_are_used_again() {
        let entry =
            || Entry { key: StoredKey::new("key".into()), value: (), deadline: Moment::NEVER, version: 0, hash: 0 };
        let mut slots = Slots::default();
        let insert = |slots: &mut Slots<()>| slots.insert(entry());
        assert_eq!((0..20).map(|_| insert(&mut slots)).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
        assert!(slots.take(1).is_some() && slots.take(1).is_none());
        assert!(slots.take(17).is_some() && slots.get(17).is_none());
        assert_eq!((insert(&mut slots), insert(&mut slots), insert(&mut slots)), (17, 1, 20));
        assert_eq!((slots.held(), slots.len()), (21, 21));
    }
}
