//! Locks: one holder at a time, released by nobody but the holder, and told apart by a number that only grows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use scrubjay::{Cache, Clock, ErrorKind, Memory, far::MemoryStore, serializer::Json};
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);

fn caches(clock: &Clock) -> [(&'static str, Cache<u32>); 2] {
    let memory = || Memory::builder().clock(clock.clone()).build();
    let far = MemoryStore::new(Memory::builder().clock(clock.clone()).build());
    [
        ("near", Cache::builder().near(memory()).build().unwrap()),
        ("far", Cache::builder().far(far).serializer(Json).namespace("main").build().unwrap()),
    ]
}

#[tokio::test(start_paused = true)]
async fn one_holder_at_a_time_with_growing_tokens() {
    for (tiers, cache) in caches(&Clock::manual()) {
        let (inside, order) = (Arc::new(AtomicU32::new(0)), Arc::new(parking_lot::Mutex::new(Vec::new())));
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let (cache, inside, order) = (cache.clone(), Arc::clone(&inside), Arc::clone(&order));
            tasks.spawn(async move {
                let guard = cache.lock("key", SECOND * 30).await.unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else is inside");
                tokio::task::yield_now().await;
                order.lock().push(guard.fencing_token());
                inside.fetch_sub(1, Ordering::SeqCst);
                assert!(guard.release().await.unwrap());
            });
        }
        tasks.join_all().await;
        let order = order.lock();
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{tiers}: {order:?}");
        assert_eq!(order.len(), 20, "{tiers}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_time_is_over_has_lost_it() {
    let clock = Clock::manual();
    for (tiers, cache) in caches(&clock) {
        let mut first = cache.lock("key", SECOND).await.unwrap();
        first.renew().await.unwrap();
        let error = cache.lock("key", SECOND).within(Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{tiers}");
        assert!(error.to_string().starts_with("lock \"key\""), "{error}");
        clock.advance(SECOND);
        let second = cache.lock("key", SECOND).within(Duration::ZERO).await.unwrap();
        assert!(second.fencing_token() > first.fencing_token(), "{tiers}");
        assert_eq!(first.renew().await.unwrap_err().kind(), ErrorKind::Conflict, "{tiers}");
        assert!(!first.release().await.unwrap(), "{tiers}: it is another's by now");
        assert!(second.release().await.unwrap(), "{tiers}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_guard_frees_the_lock_and_a_clear_does_not() {
    for (tiers, cache) in caches(&Clock::manual()) {
        let guard = cache.lock("key", SECOND * 30).await.unwrap();
        cache.clear().await.unwrap();
        assert!(cache.lock("key", SECOND).within(Duration::ZERO).await.is_err(), "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), None, "{tiers}: no entry is touched");
        drop(guard);
        assert!(cache.lock("key", SECOND).within(SECOND).await.is_ok(), "{tiers}");
    }
}

#[tokio::test]
async fn of_two_optimists_one_is_told() {
    for (tiers, cache) in caches(&Clock::manual()) {
        cache.set("key", 1).await.unwrap();
        let (mine, yours) = (cache.optimistic_lock("key").await.unwrap(), cache.optimistic_lock("key").await.unwrap());
        assert_eq!(mine.value(), Some(&1), "{tiers}");
        yours.ttl(SECOND).cas(2).await.unwrap();
        assert_eq!(mine.cas(3).await.unwrap_err().kind(), ErrorKind::Conflict, "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), Some(2), "{tiers}");
    }
}

#[test]
fn locks_work_without_async() {
    for (tiers, cache) in caches(&Clock::System) {
        let cache = cache.blocking();
        let guard = cache.lock("key", SECOND * 30, SECOND).unwrap();
        assert!(cache.lock("key", SECOND, Duration::from_millis(1)).is_err(), "{tiers}");
        drop(guard);
        let mut again = cache.lock("key", SECOND * 30, Duration::ZERO).unwrap();
        again.renew().unwrap();
        assert!(again.release().unwrap(), "{tiers}");
        cache.optimistic_lock("entry").unwrap().cas(1).unwrap();
        assert_eq!(cache.get("entry").unwrap(), Some(1), "{tiers}");
    }
}
