//! Locks: one holder at a time, released by nobody but the holder, and told apart by a number that only grows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use scrubjay::{
    Cache, Clock, ErrorKind, KeyBuilder, Memory,
    far::{AnyStore, MemoryStore, Token},
    plugin::{Command, Completion, Plugin},
    serializer::Json,
};
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

#[tokio::test]
async fn a_lock_takes_the_options_of_a_call() {
    for (tiers, cache) in caches(&Clock::manual()) {
        let guard = cache.lock("key", SECOND).namespace("other").await.unwrap();
        let again = || cache.lock("key", SECOND).within(Duration::ZERO).timeout(SECOND);
        assert!(again().namespace("other").await.is_err(), "{tiers}");
        assert!(again().await.is_ok(), "{tiers}: that is another lock");
        assert!(guard.release().await.unwrap(), "{tiers}");

        cache.set("key", 1).namespace("other").await.unwrap();
        let read = cache.optimistic_lock("key").namespace("other").timeout(SECOND).await.unwrap();
        assert_eq!(read.value(), Some(&1), "{tiers}");
        read.cas(2).await.unwrap();
        assert_eq!(cache.get("key").namespace("other").await.unwrap(), Some(2), "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), None, "{tiers}");
    }
}

#[tokio::test]
async fn a_lock_is_named_by_the_key_builder_and_plugins_are_told_of_it() {
    let told = Told::default();
    let builder = Cache::<u32>::builder().key_builder(KeyBuilder::new(str::to_lowercase)).plugin(told.clone());
    let cache = builder.build().unwrap();
    let guard = cache.lock("KEY", SECOND).await.unwrap();
    let error = cache.lock("key", SECOND).within(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "both are one lock");
    assert!(guard.release().await.unwrap());
    cache.set("KEY", 1).await.unwrap();
    cache.optimistic_lock("KEY").await.unwrap().cas(2).await.unwrap();
    assert_eq!(cache.get("key").await.unwrap(), Some(2));
    let told = told.0.lock();
    assert_eq!(told[..2], ["lock KEY done", "lock key failed"], "{told:?}");
}

#[derive(Clone, Default)]
struct Told(Arc<parking_lot::Mutex<Vec<String>>>);

impl Plugin for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn after(&self, command: &Command<'_>, completion: &Completion<'_>) {
        let how = if matches!(completion, Completion::Done { .. }) { "done" } else { "failed" };
        self.0.lock().push(format!("{} {} {how}", command.operation, command.keys[0].as_str()));
    }
}

/// The names that locks have on the wire, which programs of other versions must agree on.
#[tokio::test]
async fn locks_are_kept_beside_all_entries() {
    for (namespace, lock, entry) in [
        ("main", "main~lock:key", "main:key"),
        ("a:b", "a%3Ab~lock:key", "a%3Ab:key"),
        ("main~lock", "main%7Elock~lock:key", "main%7Elock:key"),
    ] {
        let store = AnyStore::new(MemoryStore::default());
        let cache = Cache::<u32>::builder().far(store.clone()).serializer(Json).namespace(namespace).build().unwrap();
        let guard = cache.lock("key", SECOND).await.unwrap();
        cache.set("key", 1).await.unwrap();
        let server = Cache::<u32>::builder().far(store).serializer(Json).build().unwrap();
        let stands = server.get_for_update(lock).await.unwrap();
        assert!(stands.token != Token::Absent, "{namespace}");
        assert_eq!(server.get(entry).await.unwrap(), Some(1), "{namespace}");
        assert!(guard.release().await.unwrap(), "{namespace}");
    }
}

#[test]
fn locks_work_without_async() {
    for (tiers, cache) in caches(&Clock::System) {
        let cache = cache.blocking();
        let guard = cache.lock("key", SECOND * 30).unwrap();
        assert!(cache.with().within(Duration::from_millis(1)).lock("key", SECOND).is_err(), "{tiers}");
        let elsewhere = cache.with().namespace("other").within(Duration::ZERO).lock("key", SECOND).unwrap();
        assert!(elsewhere.release().unwrap(), "{tiers}");
        drop(guard);
        let mut again = cache.with().within(Duration::ZERO).lock("key", SECOND * 30).unwrap();
        again.renew().unwrap();
        assert!(again.release().unwrap(), "{tiers}");
        cache.optimistic_lock("entry").unwrap().cas(1).unwrap();
        assert_eq!(cache.get("entry").unwrap(), Some(1), "{tiers}");
        cache.with().namespace("other").optimistic_lock("entry").unwrap().cas(2).unwrap();
        assert_eq!(cache.with().namespace("other").get("entry").unwrap(), Some(2), "{tiers}");
        assert_eq!(cache.get("entry").unwrap(), Some(1), "{tiers}");
    }
}
