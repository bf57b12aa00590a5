//! One load per key: what stands behind `get_or_load`, `get_or_load_many` and `#[cached]`.
//!
//! From the outside in: `loader` is the function that a caller gives, `outcome` what it may answer, `plan` what a call wants;
//! `conduct` says who loads, `loading` is the story of one load, `approach` how it gets the right to, `many` the story of a batch; `flights` keeps the loads of this
//! process together and fences them off from writes, `lease` and `upkeep` do so across processes; `ancestry` finds loads that
//! wait for themselves, `early` says when to load what is still fresh; `spare` is what may be served meanwhile; `outage`, `back_off` and
//! `negatives` remember what not to try.

mod ancestry;
mod approach;
mod back_off;
mod conduct;
mod early;
mod flights;
mod lease;
mod loader;
mod loading;
mod many;
mod negatives;
mod outage;
mod outcome;
mod plan;
mod spare;
mod sync;
mod together;
mod upkeep;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

pub(crate) use self::{
    approach::Pauses,
    back_off::BackOffs,
    conduct::{Flown, fly},
    early::is_due,
    flights::Flights,
    lease::{Claimed, Lease, Terms},
    loader::{BatchBlocking, PlainBlocking, ToldBlocking},
    many::fly_many,
    negatives::Negatives,
    outage::Outage,
    plan::{How, Plan, Reading, Writing},
};
/// For the loaders behind `#[cached]`.
#[cfg(feature = "macros")]
pub(crate) use self::{loader::Sealed, together::all};
pub use self::{
    loader::{Batch, BatchLoader, Loader, Plain, Spawned, Told},
    outcome::{Load, Outcome},
};
use crate::{
    Clock, Memory, QualifiedKey,
    far::{AnyStore, MemoryStore},
};

/// What one cache knows of its loads.
pub(crate) struct Loads<V> {
    pub(crate) flights: Arc<Flights<V>>,
    pub(crate) back_offs: BackOffs,
    pub(crate) negatives: Negatives,
    pub(crate) outage: Arc<Outage>,
    pub(crate) locks: Locks,
    remains: AtomicBool,
}

impl<V> Loads<V> {
    pub(crate) fn new(detached: u32) -> Self {
        Self {
            flights: Arc::new(Flights::new(detached)),
            back_offs: BackOffs::default(),
            negatives: Negatives::default(),
            outage: Arc::default(),
            locks: Locks::default(),
            remains: AtomicBool::new(false),
        }
    }

    /// A load leaves something in the store that will be no live entry: a value past its ttl, or that there is none.
    fn leave_remains(&self) {
        self.remains.store(true, Ordering::Relaxed);
    }

    /// Whether any load has.
    pub(crate) fn have_left_remains(&self) -> bool {
        self.remains.load(Ordering::Relaxed)
    }

    /// Makes void what loads of `key` bring and know, now and when the answer is dropped: a write stands in between.
    #[inline]
    pub(crate) fn fence<'f>(&'f self, key: QualifiedKey<'f>) -> Fence<'f, V> {
        self.void(key);
        Fence { loads: self, key }
    }

    /// Makes void what loads of `key` bring and know. While nobody loads that is three reads of memory.
    #[inline]
    pub(crate) fn void(&self, key: QualifiedKey<'_>) {
        self.flights.void(key);
        self.back_offs.end(key);
        self.negatives.forget(key);
    }

    /// The same for every key of `namespace`; for all keys, if it is empty.
    pub(crate) fn void_namespace(&self, namespace: &str) {
        self.flights.void_namespace(namespace);
        self.back_offs.end_namespace(namespace);
        self.negatives.forget_namespace(namespace);
    }
}

/// Where the locks of a near-only cache are kept.
#[derive(Debug, Default)]
pub(crate) struct Locks(OnceLock<AnyStore>);

impl Locks {
    /// The store of the locks, made when it is first needed.
    pub(crate) fn store(&self, clock: &Clock) -> AnyStore {
        let new = || MemoryStore::new(Memory::builder().unbounded().clock(clock.clone()).build()).into();
        self.0.get_or_init(new).clone()
    }
}

/// A write to a key under way: no load that it overlaps is kept.
#[must_use = "dropped at once it does not cover the write"]
pub(crate) struct Fence<'f, V> {
    loads: &'f Loads<V>,
    key: QualifiedKey<'f>,
}

impl<V> Drop for Fence<'_, V> {
    #[inline]
    fn drop(&mut self) {
        self.loads.void(self.key);
    }
}
