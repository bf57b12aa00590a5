//! What a call of `lock` may choose, and what others see of a lock: names, keys on the wire, plugins.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use scrubjay::{
    Cache, Clock, ErrorKind, KeyBuilder, Memory,
    far::{AnyStore, MemoryStore, Token},
    plugin::{Command, Completion, Plugin},
    serializer::Json,
};

const SECOND: Duration = Duration::from_secs(1);

fn caches(clock: &Clock) -> [(&'static str, Cache<u32>); 2] {
    let memory = || Memory::builder().clock(clock.clone()).build();
    let far = MemoryStore::new(Memory::builder().clock(clock.clone()).build());
    [
        ("near", Cache::builder().near(memory()).build().unwrap()),
        ("far", Cache::builder().far(far).serializer(Json).namespace("main").build().unwrap()),
    ]
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
