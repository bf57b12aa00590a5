//! `cached`'s sharded LRU stores: as it comes, and with one ttl for all entries.

use cached::{ShardedLruCache, ShardedLruTtlCache};

use super::{Engine, LONG, Race, Value};

pub(super) fn sharded(capacity: usize) -> Box<dyn Race> {
    Box::new(ShardedLruCache::<String, Value>::new(capacity))
}

pub(super) fn sharded_with_ttl(capacity: usize) -> Box<dyn Race> {
    Box::new(ShardedLruTtlCache::<String, Value>::new(capacity, LONG))
}

impl Engine for ShardedLruCache<String, Value> {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        Self::get(self, key)
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        Self::set(self, key.to_owned(), value);
    }
}

impl Engine for ShardedLruTtlCache<String, Value> {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        Self::get(self, key)
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        Self::set(self, key.to_owned(), value);
    }
}
