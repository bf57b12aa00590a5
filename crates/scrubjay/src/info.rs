//! What a cache is, as data and as a line of text, without secrets.

use std::{fmt, time::Duration};

use crate::{
    Ttl,
    engine::{Engine, Near},
    far::StoreInfo,
};

/// A cache's tiers, names and defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheInfo {
    /// The near tier, where there is one.
    pub near: Option<NearInfo>,
    /// The store of the far tier (its kind, endpoint, port, db and layers), where there is one.
    pub far: Option<StoreInfo>,
    /// The namespace, empty for none.
    pub namespace: String,
    /// The timeout of far calls that give none.
    pub timeout: Duration,
    /// The ttl of entries whose call gives none.
    pub ttl: Ttl,
    /// The serializer of the far tier, where there is one.
    pub serializer: Option<String>,
    /// The plugins, in order.
    pub plugins: Vec<String>,
}

/// A near tier's bounds, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearInfo {
    /// The most it may hold, `None` for no bound.
    pub capacity: Option<u64>,
    /// Whether `capacity` is a weight, as the near tier has a weigher, and not a number of entries.
    pub weighed: bool,
    /// The number of entries it holds, including expired and cleared ones that are not freed yet.
    pub len: usize,
    /// How long it may answer for the far tier, if there is one.
    pub ttl: Duration,
}

impl CacheInfo {
    pub(crate) fn of<V: Clone + Send + Sync + 'static>(engine: &Engine<V>) -> Self {
        Self {
            near: engine.near.as_ref().map(|Near { memory, ttl }| NearInfo {
                capacity: memory.capacity(),
                weighed: memory.is_weighed(),
                len: memory.len(),
                ttl: *ttl,
            }),
            far: engine.far.as_ref().map(|far| far.store.info()),
            namespace: engine.namespace.to_string(),
            timeout: engine.timeout,
            ttl: engine.ttl,
            serializer: engine.far.as_ref().map(|far| far.serializer.name().into_owned()),
            plugins: engine.plugins.names(),
        }
    }
}

/// `near(10000 entries, 5s) + timeout(redis://localhost:6379/1) serializer=json namespace=main ttl=60s timeout=1s`
impl fmt::Display for CacheInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(near) = &self.near {
            match near.capacity {
                Some(capacity) if near.weighed => write!(f, "near({capacity} of weight")?,
                Some(capacity) => write!(f, "near({capacity} entries")?,
                None => write!(f, "near(unbounded")?,
            }
            match self.far {
                Some(_) => write!(f, ", {:?}) + ", near.ttl)?,
                None => write!(f, ")")?,
            }
        }
        if let (Some(far), Some(serializer)) = (&self.far, &self.serializer) {
            write!(f, "{far} serializer={serializer} timeout={:?}", self.timeout)?;
        }
        if !self.namespace.is_empty() {
            write!(f, " namespace={}", self.namespace)?;
        }
        if let Ttl::After(ttl) = self.ttl {
            write!(f, " ttl={ttl:?}")?;
        }
        if !self.plugins.is_empty() {
            write!(f, " plugins={}", self.plugins.join(","))?;
        }
        Ok(())
    }
}
