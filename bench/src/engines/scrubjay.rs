//! `Memory<V>`: an optional ttl per entry. It has no single flight of its own; that is `Cache::get_or_load`'s.

use std::time::Duration;

use scrubjay::Memory;

use super::{Engine, LONG, Race, Value};

struct Near {
    memory: Memory<Value>,
    ttl: Option<Duration>,
}

pub(super) fn without_ttl(capacity: usize) -> Box<dyn Race> {
    Box::new(Near { memory: Memory::with_capacity(capacity as u64), ttl: None })
}

pub(super) fn with_ttl(capacity: usize) -> Box<dyn Race> {
    Box::new(Near { memory: Memory::with_capacity(capacity as u64), ttl: Some(LONG) })
}

impl Engine for Near {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        self.memory.get(key)
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        self.memory.set(key, value, self.ttl);
    }
}
