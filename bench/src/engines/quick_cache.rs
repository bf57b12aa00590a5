//! `quick_cache`, the leanest bounded peer: as it comes, and with a deadline beside each value.

use std::{convert::Infallible, time::Duration};

use quick_cache::sync::Cache;
use rustix::time::{ClockId, clock_gettime};

use super::{Engine, LONG, Race, Value, value};

pub(super) fn bare(capacity: usize) -> Box<dyn Race> {
    Box::new(Cache::<String, Value>::new(capacity))
}

impl Engine for Cache<String, Value> {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        Cache::get(self, key)
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        self.insert(key.to_owned(), value);
    }

    #[inline]
    fn load(&self, key: &str) -> Option<Value> {
        self.get_or_insert_with(key, || Ok::<_, Infallible>(value())).ok()
    }
}

/// How a program would add what `quick_cache` lacks. What has expired stays until it is evicted.
struct WithTtl(Cache<String, Timed>);

#[derive(Clone)]
struct Timed {
    value: Value,
    deadline: Duration,
}

pub(super) fn with_ttl(capacity: usize) -> Box<dyn Race> {
    Box::new(WithTtl(Cache::new(capacity)))
}

impl Engine for WithTtl {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        self.0.get(key).filter(|timed| timed.deadline > now()).map(|timed| timed.value)
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), Timed { value, deadline: now() + LONG });
    }
}

/// The time of the last tick: cheaper than the precise one.
#[inline]
fn now() -> Duration {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
