//! `scc::HashCache`: LRU within a bucket. It rounds its capacity up to a power of two and drops entries below it.

use std::sync::Arc;

use scc::HashCache;

use super::{Engine, Race, Value};

pub(super) fn hash_cache(capacity: usize) -> Box<dyn Race> {
    Box::new(HashCache::<String, Value>::with_capacity(0, capacity))
}

impl Engine for HashCache<String, Value> {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        self.get_sync(key).map(|entry| Arc::clone(entry.get()))
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        drop(self.entry_sync(key.to_owned()).put_entry(value));
    }
}
