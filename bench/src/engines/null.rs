//! No cache at all: the hash of the key and a clone of some value, under which no cache can go.

use std::{hash::BuildHasher, sync::Arc};

use foldhash::fast::RandomState;

use super::{Engine, Race, Value, value};

struct Null {
    hasher: RandomState,
    values: Vec<Value>,
}

pub(super) fn null(capacity: usize) -> Box<dyn Race> {
    Box::new(Null { hasher: RandomState::default(), values: (0..capacity).map(|_| value()).collect() })
}

impl Engine for Null {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "any value will do")]
    fn get(&self, key: &str) -> Option<Value> {
        let hash = self.hasher.hash_one(key) as usize;
        Some(Arc::clone(&self.values[hash % self.values.len()]))
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        std::hint::black_box((self.hasher.hash_one(key), key.to_owned(), value));
    }
}
