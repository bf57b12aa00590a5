//! `Memory<V>`: an optional ttl per entry. It has no single flight of its own; that is `Cache::get_or_load`'s, which takes part
//! in its two faces.

use std::{convert::Infallible, time::Duration};

use scrubjay::{Cache, Memory, blocking};

use super::{Engine, LONG, Race, Value, value};
use crate::at_once::at_once;

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

fn cache(capacity: usize) -> Cache<Value> {
    let near = Memory::with_capacity(capacity as u64);
    Cache::builder().near(near).build().unwrap_or_else(|error| panic!("a near tier alone fits together: {error}"))
}

/// `get_or_load` as a future, polled by its caller: a load that is ready at once needs no runtime.
struct Async(Cache<Value>);

pub(super) fn cache_async(capacity: usize) -> Box<dyn Race> {
    Box::new(Async(cache(capacity)))
}

impl Engine for Async {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        at_once(async { self.0.get(key).await }).ok().flatten()
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        drop(at_once(async { self.0.set(key, value).await }));
    }

    #[inline]
    fn load(&self, key: &str) -> Option<Value> {
        at_once(async { self.0.get_or_load(key, || async { Ok::<_, Infallible>(value()) }).await }).ok()
    }
}

/// `get_or_load` without async.
struct Blocking(blocking::Cache<Value>);

pub(super) fn cache_blocking(capacity: usize) -> Box<dyn Race> {
    Box::new(Blocking(cache(capacity).blocking()))
}

impl Engine for Blocking {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        self.0.get(key).ok().flatten()
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        drop(self.0.set(key, value));
    }

    #[inline]
    fn load(&self, key: &str) -> Option<Value> {
        self.0.get_or_load(key, || Ok::<_, Infallible>(value())).ok()
    }
}
