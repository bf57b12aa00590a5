//! The contestants: in-process caches behind one small trait, each as it comes, with its own default hasher and settings.

mod cached;
mod foyer;
mod mini_moka;
mod moka;
mod null;
mod quick_cache;
mod scc;
mod scrubjay;

use std::{fmt, hint::black_box, ops::Range, sync::Arc, time::Duration};

use crate::keys::Track;

/// What all of them hold.
pub type Value = Arc<[u8]>;

/// The size of a [`value`].
pub const VALUE_SIZE: usize = 100;
/// The ttl of those that have one: long enough that nothing expires while it is measured.
const LONG: Duration = Duration::from_hours(1);

/// A value of its own for each entry: a count that all entries shared would be what threads contend for.
#[inline]
#[must_use]
pub fn value() -> Value {
    Arc::from([b'x'; VALUE_SIZE].as_slice())
}

/// What all contestants can do.
pub trait Engine: Send + Sync {
    /// The value under `key`.
    fn get(&self, key: &str) -> Option<Value>;

    /// Puts `value` under `key`.
    fn set(&self, key: &str, value: Value);

    /// The value under `key`; a new one, if there was none.
    #[inline]
    fn get_or_insert(&self, key: &str) -> Value {
        self.get(key).unwrap_or_else(|| {
            let value = value();
            self.set(key, Arc::clone(&value));
            value
        })
    }

    /// Likewise, by the contestant's own way of making a value once for all who wait; `None` if it has none.
    #[inline]
    fn load(&self, _key: &str) -> Option<Value> {
        None
    }

    /// Does at once what it would do later.
    fn settle(&self) {}
}

/// Somebody who can be asked to compete.
#[derive(Clone, Copy)]
pub struct Contestant {
    /// Its name, which ends in `_ttl` if every entry has one.
    pub name: &'static str,
    make: fn(usize) -> Box<dyn Race>,
}

impl Contestant {
    /// Everybody. The first is the floor, not a cache.
    pub const ALL: [Self; 17] = [
        Self { name: "null", make: null::null },
        Self { name: "quick_cache", make: quick_cache::bare },
        Self { name: "quick_cache_ttl", make: quick_cache::with_ttl },
        Self { name: "scrubjay", make: scrubjay::without_ttl },
        Self { name: "scrubjay_ttl", make: scrubjay::with_ttl },
        Self { name: "scrubjay_async", make: scrubjay::cache_async },
        Self { name: "scrubjay_blocking", make: scrubjay::cache_blocking },
        Self { name: "scc", make: scc::hash_cache },
        Self { name: "cached", make: cached::sharded },
        Self { name: "cached_ttl", make: cached::sharded_with_ttl },
        Self { name: "foyer_s3fifo", make: foyer::s3_fifo },
        Self { name: "moka_sync", make: moka::sync },
        Self { name: "moka_sync_ttl", make: moka::sync_with_ttl },
        Self { name: "moka_sync_each_ttl", make: moka::sync_with_ttl_each },
        Self { name: "moka_future", make: moka::future },
        Self { name: "mini_moka", make: mini_moka::sync },
        Self { name: "mini_moka_ttl", make: mini_moka::sync_with_ttl },
    ];

    /// The contestant of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|contestant| contestant.name == name)
    }

    /// Whether its entries expire.
    #[must_use]
    pub fn has_ttl(self) -> bool {
        self.name.ends_with("_ttl")
    }

    /// An empty one, with room for `capacity` entries.
    #[must_use]
    pub fn build(self, capacity: usize) -> Box<dyn Race> {
        (self.make)(capacity)
    }
}

impl fmt::Debug for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What is done to an engine, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// [`Engine::get`].
    Get,
    /// [`Engine::set`] of a new value.
    Set,
    /// [`Engine::get_or_insert`].
    GetOrInsert,
    /// [`Engine::load`].
    Load,
}

/// An engine whose strokes are compiled together with the loop around them, as they would be in a program that uses it.
pub trait Race: Engine {
    /// Does `stroke` to each key in a `part` of the `track`.
    fn race(&self, stroke: Stroke, track: &Track, part: Range<usize>);
}

impl<E: Engine> Race for E {
    fn race(&self, stroke: Stroke, track: &Track, part: Range<usize>) {
        let keys = track.part(part);
        match stroke {
            Stroke::Get => each(keys, |key| self.get(key)),
            Stroke::Set => each(keys, |key| self.set(key, value())),
            Stroke::GetOrInsert => each(keys, |key| self.get_or_insert(key)),
            Stroke::Load => each(keys, |key| self.load(key)),
        }
    }
}

#[inline]
fn each<'k, T>(keys: impl Iterator<Item = &'k str>, stroke: impl Fn(&str) -> T) {
    for key in keys {
        drop(black_box(stroke(black_box(key))));
    }
}
