//! A near hit allocates nothing, on either face, and neither does a write into a full near tier. The counting allocator counts this thread's allocations only.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use allocation_counter::measure;
use scrubjay::{Cache, Clock, Error, Memory, far::MemoryStore, serializer::Json};

/// Runs `work` once to warm up, and again counted.
fn allocations(mut work: impl FnMut()) -> u64 {
    work();
    measure(work).count_total
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a near hit waits for nothing"),
    }
}

fn hits_allocate_nothing<V: Clone + PartialEq + Send + Sync + std::fmt::Debug + 'static>(cache: &Cache<V>, value: V) {
    let blocking = cache.blocking();
    blocking.set("plain", value.clone()).unwrap();
    blocking.with().ttl(Duration::from_secs(60)).set("timed", value.clone()).unwrap();
    blocking.with().namespace("other").set("plain", value.clone()).unwrap();
    let expected = Some(value);
    for key in ["plain", "timed"] {
        assert_eq!(allocations(|| assert_eq!(now(cache.get(key)).unwrap(), expected)), 0, "async, {key}");
        assert_eq!(allocations(|| assert_eq!(blocking.get(key).unwrap(), expected)), 0, "blocking, {key}");
    }
    let elsewhere = || assert_eq!(now(cache.get("plain").namespace("other")).unwrap(), expected);
    assert_eq!(allocations(elsewhere), 0, "async, in a namespace");
    let elsewhere = || assert_eq!(blocking.with().namespace("other").get("plain").unwrap(), expected);
    assert_eq!(allocations(elsewhere), 0, "blocking, in a namespace");
}

#[test]
fn a_near_hit_allocates_nothing() {
    hits_allocate_nothing(&Cache::memory(), 42_u64);
    hits_allocate_nothing(&Cache::memory(), Arc::<str>::from("shared"));
    hits_allocate_nothing(&Cache::builder().namespace("main").build().unwrap(), Arc::new(vec![1, 2, 3]));
}

#[test]
fn a_near_hit_before_a_far_tier_allocates_nothing() {
    let clock = Clock::manual();
    let memory = Memory::builder().clock(clock.clone()).build();
    let store = MemoryStore::new(Memory::builder().clock(clock).build());
    let builder = Cache::<u64>::builder().near(memory).far(store).serializer(Json);
    hits_allocate_nothing(&builder.namespace("main").build().unwrap(), 42);
}

#[test]
fn a_near_miss_allocates_nothing() {
    let cache = Cache::<u64>::memory();
    assert_eq!(allocations(|| assert_eq!(now(cache.get("absent")).unwrap(), None)), 0);
    assert_eq!(allocations(|| assert!(!cache.blocking().exists("absent").unwrap())), 0);
}

/// The flight and its key; and, if the caller is async, its future.
#[test]
fn a_load_that_nobody_waits_for_allocates_little() {
    let cache = Cache::<u64>::memory();
    let load = || now(cache.get_or_load("key", || async { Ok::<_, Error>(1) }).skip_write()).unwrap();
    assert_eq!(allocations(|| assert_eq!(load(), 1)), 3);
    let blocking = cache.blocking();
    let load = || blocking.with().skip_write().get_or_load("key", || Ok::<_, Error>(1)).unwrap();
    assert_eq!(allocations(|| assert_eq!(load(), 1)), 2);
}

/// Keys as short as nearly all are lie in their entries, and the newcomer takes the place of whoever leaves.
#[test]
fn a_write_into_a_full_near_tier_allocates_nothing() {
    let memory = Memory::with_capacity(100);
    let keys = (0..1_000).map(|number| format!("user:{number:024}")).collect::<Vec<_>>();
    let write = || keys.iter().for_each(|key| memory.set(key.as_str(), 1, Some(Duration::from_secs(60))));
    assert_eq!(allocations(write), 0);
}

/// Counting works: what does allocate is counted.
#[test]
fn a_far_hit_allocates() {
    let cache = Cache::<u64>::from_url("memory://?serializer=json").unwrap();
    cache.blocking().set("key", 1).unwrap();
    assert!(allocations(|| assert_eq!(cache.blocking().get("key").unwrap(), Some(1))) > 0);
}
