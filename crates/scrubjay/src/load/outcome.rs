//! What a loader gets, and what it may return.

use crate::{Key, Ttl};

/// What a loader of [`get_or_load_with`](crate::Cache::get_or_load_with) knows of the load.
#[derive(Clone, Debug)]
pub struct Load<V> {
    key: Key<'static>,
    stale: Option<V>,
}

impl<V> Load<V> {
    pub(crate) fn new(key: &str, stale: Option<V>) -> Self {
        Self { key: key.to_owned().into(), stale }
    }

    /// The key, after the key builder.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.as_str()
    }

    /// The value whose ttl has ended, if it is still kept: to ask the origin only whether it has changed.
    #[must_use]
    pub fn stale(&self) -> Option<&V> {
        self.stale.as_ref()
    }

    /// As [`stale`](Self::stale), without a clone.
    #[must_use]
    pub fn into_stale(self) -> Option<V> {
        self.stale
    }
}

/// The result of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome<V> {
    /// A value, to be stored for the ttl of the call or the cache.
    Store(V),
    /// A value, to be stored for a ttl of its own.
    StoreFor(V, Ttl),
    /// A value for the callers, not to be stored.
    DontStore(V),
    /// There is no value. It is remembered for the policy's `negative-ttl`, if it has one.
    NotFound,
}

/// A value is stored.
impl<V> From<V> for Outcome<V> {
    fn from(value: V) -> Self {
        Self::Store(value)
    }
}
