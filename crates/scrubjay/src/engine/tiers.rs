//! The two tiers as the engine holds them, and what keeps them coherent within one process.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;

use super::Engine;
use crate::{
    QualifiedKey, Result,
    far::{AnyStore, Capability, Found},
    key::NearKey,
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

impl<V: 'static> Far<V> {
    pub(crate) fn encode(&self, value: &V) -> Result<Bytes> {
        let mut bytes = Vec::new();
        self.serializer.encode(value, &mut bytes)?;
        Ok(bytes.into())
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

    /// The value in what `far` brought back under `key`. With a ticket the near tier is filled with it; bytes that cannot be
    /// decoded are counted.
    pub(crate) fn receive(
        &self,
        far: &Far<V>,
        key: QualifiedKey<'_>,
        found: &Found,
        ticket: Option<Ticket>,
    ) -> Result<V> {
        let value = far.serializer.decode(&found.value).inspect_err(|_| {
            self.undecodable.fetch_add(1, Ordering::Relaxed);
        })?;
        if let (Some(near), Some(ticket)) = (&self.near, ticket) {
            near.memory.fill(self.near_key(key).pair(), value.clone(), Some(near.lifetime(found.ttl)), ticket);
        }
        Ok(value)
    }

    /// Begins a change of `keys` in the far tier: their near entries are gone from now on, and gone again at the end.
    pub(crate) fn begin_change<'k>(&'k self, keys: Vec<QualifiedKey<'k>>) -> FarChange<'k, V> {
        let near = self.near.as_ref();
        let keys: Vec<NearKey<'k>> = keys.into_iter().map(|key| self.near_key(key)).collect();
        let tickets = near.map_or_else(Vec::new, |near| {
            delete_all(&near.memory, &keys);
            keys.iter().map(|key| near.memory.ticket(key.pair())).collect()
        });
        FarChange { near, keys, tickets }
    }
}

/// A change of the far tier under way. However it ends (failed and cancelled too), the near tier holds nothing older.
///
/// The near entries are removed before, so that a change cut short leaves none behind, and the tickets taken then void
/// every fill that began earlier; at the end either the new value is put, if nobody else wrote meanwhile, or the entries
/// are removed again, which voids the fills that began in between.
pub(crate) struct FarChange<'k, V: Clone + Send + Sync + 'static> {
    near: Option<&'k Near<V>>,
    keys: Vec<NearKey<'k>>,
    tickets: Vec<Ticket>,
}

impl<V: Clone + Send + Sync + 'static> FarChange<'_, V> {
    /// The far tier now holds `value` under the one key of this change. (After a batch the near entries stay away.)
    pub(crate) fn succeed(mut self, value: V, ttl: Option<Duration>) {
        if let (Some(near), [key], [ticket]) = (self.near, &*self.keys, &*self.tickets) {
            near.memory.settle(key.pair(), value, near.lifetime(ttl), *ticket);
            self.keys.clear();
        }
    }
}

impl<V: Clone + Send + Sync + 'static> Drop for FarChange<'_, V> {
    fn drop(&mut self) {
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
