//! The two tiers as the engine holds them, and what keeps them coherent within one process.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;

use super::Engine;
use crate::{
    Error, QualifiedKey, Result,
    entry::{Content, Entry, Freshness},
    far::{AnyStore, Capability, Found},
    key::NearKey,
    load::Loads,
    near::{Memory, Ticket},
    serializer::Serializer,
};

/// The near tier, and how long it may keep what the far tier holds.
pub(crate) struct Near<V> {
    pub(crate) memory: Memory<V>,
    pub(crate) ttl: Duration,
}

impl<V> Clone for Near<V> {
    fn clone(&self) -> Self {
        Self { memory: self.memory.clone(), ttl: self.ttl }
    }
}

/// The far tier: a store, and the serializer that stands before it.
pub(crate) struct Far<V> {
    pub(crate) store: AnyStore,
    pub(crate) capability: Capability,
    pub(crate) serializer: Arc<dyn Serializer<V>>,
}

impl<V> Clone for Far<V> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), capability: self.capability, serializer: Arc::clone(&self.serializer) }
    }
}

/// What the bytes under a key mean.
#[derive(Clone, Debug)]
pub(crate) enum Received<V> {
    /// A value, the time it stays fresh, and how long its load took.
    Fresh { value: V, ttl: Option<Duration>, cost: Duration },
    /// A value whose ttl has ended.
    Stale(V),
    /// The knowledge that there is no value.
    Negative,
    /// Nothing yet: somebody is loading it.
    Leased,
    /// Something that the serializer cannot read.
    Undecodable(Error),
}

impl<V> Received<V> {
    pub(crate) fn fresh(self) -> Option<V> {
        match self {
            Self::Fresh { value, .. } => Some(value),
            _ => None,
        }
    }
}

impl<V: Clone + Send + Sync + 'static> Near<V> {
    /// How long the near tier keeps an entry that the far tier keeps for `far`.
    pub(crate) fn lifetime(&self, far: Option<Duration>) -> Duration {
        far.map_or(self.ttl, |far| far.min(self.ttl))
    }
}

impl<V: Clone + Send + Sync + 'static> Engine<V> {
    /// The pair under which the near tier knows `key`.
    #[inline]
    pub(crate) fn near_key<'k>(&self, key: QualifiedKey<'k>) -> NearKey<'k> {
        if self.far.is_some() { self.layout.near(key) } else { NearKey::Borrowed(key) }
    }

    /// The keys on the wire.
    pub(crate) fn wire<'k>(&self, keys: &[QualifiedKey<'k>]) -> Vec<Cow<'k, str>> {
        keys.iter().map(|key| self.layout.wire(*key)).collect()
    }

    /// The right to fill the near tier with what a read of the far one brings back: only a store that tells how long that
    /// still lives gives it, or the near entry might outlive the far one.
    pub(crate) fn fill_ticket(&self, key: QualifiedKey<'_>) -> Option<Ticket> {
        let (Some(near), Some(far)) = (&self.near, &self.far) else { return None };
        far.capability.expire.then(|| near.memory.ticket(self.near_key(key).pair()))
    }

    /// What `far` brought back under `key`. With a ticket the near tier is filled with a fresh value; bytes that cannot be
    /// decoded are counted.
    pub(crate) fn receive(
        &self,
        far: &Far<V>,
        key: QualifiedKey<'_>,
        found: &Found,
        ticket: Option<Ticket>,
    ) -> Received<V> {
        let received = self.open(far, found);
        if let (Received::Fresh { value, ttl, .. }, Some(near), Some(ticket)) = (&received, &self.near, ticket) {
            near.memory.fill(self.near_key(key).pair(), value.clone(), Some(near.lifetime(*ttl)), ticket);
        }
        received
    }

    /// What the bytes that `far` brought back mean.
    pub(crate) fn open(&self, far: &Far<V>, found: &Found) -> Received<V> {
        self.read(far, &self.entry(&found.value), found.ttl)
    }

    /// `bytes` from the store, opened.
    pub(crate) fn entry(&self, bytes: &Bytes) -> Entry {
        if self.bare { Entry::bare(bytes) } else { Entry::open(bytes) }
    }

    /// What an entry means that `far` keeps for another `left`.
    pub(crate) fn read(&self, far: &Far<V>, entry: &Entry, left: Option<Duration>) -> Received<V> {
        let bytes = match &entry.content {
            Content::Negative => return Received::Negative,
            Content::Lease(_) => return Received::Leased,
            Content::Value(bytes) => bytes,
        };
        match far.serializer.decode(bytes) {
            Err(error) => {
                self.undecodable.fetch_add(1, Ordering::Relaxed);
                Received::Undecodable(error)
            }
            Ok(value) => match entry.freshness(left, far.capability.ttl_resolution) {
                Freshness::Fresh { left } => Received::Fresh { value, ttl: left, cost: entry.cost },
                Freshness::Stale => Received::Stale(value),
            },
        }
    }

    /// The bytes that stand for `value` on the wire.
    pub(crate) fn encode(&self, far: &Far<V>, value: &V) -> Result<Bytes> {
        self.encode_with(far, value, Duration::ZERO, Duration::ZERO)
    }

    /// Likewise, for an entry that stops being fresh `grace` before the store lets go of it, and took `cost` to load.
    pub(crate) fn encode_with(&self, far: &Far<V>, value: &V, grace: Duration, cost: Duration) -> Result<Bytes> {
        let mut bytes = Vec::new();
        far.serializer.encode(value, &mut bytes)?;
        let content = Content::Value(bytes.into());
        Ok(if self.bare { content.into_bytes() } else { Entry { grace, cost, ..Entry::new(content) }.seal() })
    }

    /// Begins a change of `keys` in the far tier: their near entries are gone from now on, and gone again at the end. No load
    /// that it overlaps is kept.
    pub(crate) fn begin_change<'k>(&'k self, keys: Vec<QualifiedKey<'k>>) -> FarChange<'k, V> {
        let (near, loads) = (self.near.as_ref(), &*self.loads);
        let keys: Vec<NearKey<'k>> = keys.into_iter().map(|key| self.near_key(key)).collect();
        keys.iter().for_each(|key| loads.void(key.pair()));
        let tickets = near.map_or_else(Vec::new, |near| {
            delete_all(&near.memory, &keys);
            keys.iter().map(|key| near.memory.ticket(key.pair())).collect()
        });
        FarChange { near, loads, keys, tickets, settled: false }
    }
}

/// A change of the far tier under way. However it ends (failed and cancelled too), the near tier holds nothing older.
///
/// The near entries are removed before, so that a change cut short leaves none behind, and the tickets taken then void
/// every fill that began earlier; at the end either the new value is put, if nobody else wrote meanwhile, or the entries
/// are removed again, which voids the fills that began in between. Loads are void before that: what one of them has read
/// from the far tier may be older, and must not come after.
pub(crate) struct FarChange<'k, V: Clone + Send + Sync + 'static> {
    near: Option<&'k Near<V>>,
    loads: &'k Loads<V>,
    keys: Vec<NearKey<'k>>,
    tickets: Vec<Ticket>,
    settled: bool,
}

impl<V: Clone + Send + Sync + 'static> FarChange<'_, V> {
    /// The far tier now holds `value` under the one key of this change. (After a batch the near entries stay away.)
    pub(crate) fn succeed(mut self, value: V, ttl: Option<Duration>) {
        if let (Some(near), [key], [ticket]) = (self.near, &*self.keys, &*self.tickets) {
            self.loads.void(key.pair());
            near.memory.settle(key.pair(), value, near.lifetime(ttl), *ticket);
            self.settled = true;
        }
    }
}

impl<V: Clone + Send + Sync + 'static> Drop for FarChange<'_, V> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        self.keys.iter().for_each(|key| self.loads.void(key.pair()));
        if let Some(near) = self.near {
            delete_all(&near.memory, &self.keys);
        }
    }
}

fn delete_all<V: Clone + Send + Sync + 'static>(memory: &Memory<V>, keys: &[NearKey<'_>]) {
    for key in keys {
        memory.delete(key.pair());
    }
}
