//! `mini-moka`, with one ttl for all entries or without. It looks up owned keys only, so a `&str` must be copied first.

use mini_moka::sync::{Cache, ConcurrentCacheExt};

use super::{Engine, LONG, Race, Value};

pub(super) fn sync(capacity: usize) -> Box<dyn Race> {
    Box::new(Cache::<String, Value>::new(capacity as u64))
}

pub(super) fn sync_with_ttl(capacity: usize) -> Box<dyn Race> {
    Box::new(Cache::<String, Value>::builder().max_capacity(capacity as u64).time_to_live(LONG).build())
}

impl Engine for Cache<String, Value> {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        Cache::get(self, &key.to_owned())
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        self.insert(key.to_owned(), value);
    }

    fn settle(&self) {
        self.sync();
    }
}
