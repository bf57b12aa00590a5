//! `foyer-memory` with S3-FIFO. It knows no ttl, and its single flight wants an async runtime.

use std::sync::Arc;

use foyer_memory::{Cache, CacheBuilder, S3FifoConfig};

use super::{Engine, Race, Value};

pub(super) fn s3_fifo(capacity: usize) -> Box<dyn Race> {
    let builder = CacheBuilder::new(capacity).with_eviction_config(S3FifoConfig::default());
    Box::new(builder.build::<foyer_memory::CacheProperties>())
}

impl Engine for Cache<String, Value> {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        Cache::get(self, key).map(|entry| Arc::clone(entry.value()))
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        drop(self.insert(key.to_owned(), value));
    }
}
