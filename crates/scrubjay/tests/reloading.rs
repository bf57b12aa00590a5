//! Loads of what is there already, through caches that share a store as two processes do: one loads anew, the others are
//! served what there was, and what was written meanwhile wins.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod origin;

use std::{collections::HashMap, time::Duration};

use origin::Origin;
use scrubjay::{
    Cache, Clock, Error, Lookup, Memory, Policy, Result,
    far::{Call, Item, MemoryStore, Store, Want},
    serializer::Json,
};
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);

/// Two caches over one store, under one clock; what they load is fresh for a minute.
struct Pair {
    clock: Clock,
    store: MemoryStore,
    here: Cache<u32>,
    elsewhere: Cache<u32>,
}

impl Pair {
    fn new(policy: Policy) -> Self {
        let clock = Clock::manual();
        let store = MemoryStore::new(Memory::builder().clock(clock.clone()).build());
        let cache = || {
            let builder = Cache::<u32>::builder().far(store.clone()).serializer(Json).clock(clock.clone());
            builder.ttl(SECOND * 60).policy(policy).build().unwrap()
        };
        let (here, elsewhere) = (cache(), cache());
        Self { clock, store, here, elsewhere }
    }

    /// Whose value has been loaded a minute ago.
    async fn stale(policy: Policy) -> Self {
        let pair = Self::new(Policy { grace: Some(SECOND * 30), ..policy });
        assert_eq!(pair.here.get_or_load("key", || async { Ok::<_, Error>(1) }).await.unwrap(), 1);
        pair.clock.advance(SECOND * 60);
        assert!(matches!(pair.here.lookup("key").await.unwrap(), Lookup::Stale { value: 1, .. }));
        pair
    }

    /// The bytes under the key, and how long the store keeps them.
    async fn stored(&self) -> Option<(Vec<u8>, Option<Duration>)> {
        let call = Call::new(scrubjay::Operation::Get, SECOND);
        let found = self.store.get(call, &["key"], Want::EVERYTHING).await.unwrap().pop().unwrap()?;
        Some((found.value.to_vec(), found.ttl))
    }
}

impl Origin {
    /// A load of the key through `cache` that has begun.
    async fn reached_through(&self, cache: &Cache<u32>) -> JoinSet<Result<u32>> {
        let mut load = JoinSet::new();
        let (cache, origin) = (cache.clone(), self.clone());
        load.spawn(async move { cache.get_or_load("key", || origin.load()).await });
        self.reached.notified().await;
        load
    }

    /// What that load comes to.
    async fn answered(&self, mut load: JoinSet<Result<u32>>) -> u32 {
        self.answer.notify_one();
        load.join_next().await.unwrap().unwrap().unwrap()
    }
}

async fn unwanted() -> Result<u32> {
    panic!("somebody else loads it")
}

#[tokio::test(start_paused = true)]
async fn of_all_who_see_a_stale_value_one_loads_and_the_others_wait() {
    let Pair { here, elsewhere, .. } = Pair::stale(Policy::default()).await;
    let origin = Origin::default();
    let load = origin.reached_through(&here).await;
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let elsewhere = elsewhere.clone();
        waiting.spawn(async move { elsewhere.get_or_load("key", unwanted).await });
    }
    let batch = elsewhere.clone();
    waiting.spawn(async move {
        let load = |_| async { unwanted().await.map(|value| HashMap::from([("key".to_owned(), value)])) };
        let values = batch.get_or_load_many(["key"], load).await?;
        Ok(values[0].unwrap())
    });
    tokio::time::sleep(SECOND / 5).await;
    assert_eq!(origin.answered(load).await, 42);
    assert!(waiting.join_all().await.into_iter().all(|answer| answer.unwrap() == 42));
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_impatient_takes_the_stale_value_that_somebody_else_loads_anew() {
    for patience in [Duration::ZERO, SECOND] {
        let policy = Policy { soft_timeout: Some(patience), ..Policy::default() };
        let Pair { here, elsewhere, .. } = Pair::stale(policy).await;
        let origin = Origin::default();
        let load = origin.reached_through(&here).await;
        let asked = tokio::time::Instant::now();
        let patient = Policy { soft_timeout: Some(SECOND * 60), ..policy };
        let follower = elsewhere.clone();
        let mut follows = JoinSet::new();
        assert_eq!(elsewhere.get_or_load("key", unwanted).await.unwrap(), 1);
        assert!(asked.elapsed() >= patience && asked.elapsed() < patience + SECOND / 10, "{:?}", asked.elapsed());
        follows.spawn(async move { follower.get_or_load("key", unwanted).policy(patient).await });
        tokio::task::yield_now().await;
        assert_eq!(elsewhere.get_or_load("key", unwanted).await.unwrap(), 1, "beside one who waits");
        assert_eq!(origin.answered(load).await, 42);
        assert_eq!(follows.join_next().await.unwrap().unwrap().unwrap(), 42, "the patient one is not sent away");
        assert_eq!(origin.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_elsewhere_while_it_is_loaded_anew_wins() {
    for change in ["set", "set and set back", "delete", "expire", "clear"] {
        let Pair { here, elsewhere, store, clock } = Pair::stale(Policy::default()).await;
        if change == "expire" {
            // Only a live entry can be given another ttl.
            elsewhere.get_or_load("key", || async { Ok::<_, Error>(1) }).await.unwrap();
        }
        let origin = Origin::default();
        let force = here.clone();
        let mut load = JoinSet::new();
        let loader = origin.clone();
        load.spawn(async move { force.get_or_load("key", || loader.load()).force_refresh().await });
        origin.reached.notified().await;
        let before = if change == "expire" { Some(1) } else { None };
        assert_eq!(elsewhere.get("key").await.unwrap(), before, "{change}: it reads as it did");
        let call = Call::new(scrubjay::Operation::Get, SECOND);
        let held = store.get(call, &["key"], Want::VALUE).await.unwrap().pop().unwrap().unwrap();
        let left = match change {
            "set" => elsewhere.set("key", 7).await.map(|()| Some(7)).unwrap(),
            "set and set back" => {
                // As bytes, what stood there before the load began.
                let bare = without_the_lease(&held.value);
                elsewhere.set("key", 7).await.unwrap();
                let item = Item { key: "key", value: bare, ttl: Some(SECOND * 90) };
                store.set(call, &[item]).await.unwrap();
                Some(1)
            }
            "delete" => elsewhere.delete("key").await.map(|_| None).unwrap(),
            "expire" => {
                assert!(elsewhere.expire("key", SECOND * 20).await.unwrap());
                Some(1)
            }
            _ => elsewhere.clear().await.map(|()| None).unwrap(),
        };
        assert_eq!(origin.answered(load).await, 42, "{change}");
        assert_eq!(here.get("key").await.unwrap(), left, "{change}");
        clock.advance(SECOND * 20);
        let after = if change == "expire" { None } else { left };
        assert_eq!(here.get("key").await.unwrap(), after, "{change}");
    }
}

/// The entry without the lease that was laid beside it: its flags lose one, its head the name and the time.
fn without_the_lease(held: &[u8]) -> bytes::Bytes {
    assert_eq!(held[4], 0b1_0100, "grace, and somebody who loads it anew");
    let mut bytes = held[..13].to_vec();
    bytes[4] = 0b0_0100;
    bytes.extend_from_slice(&held[13 + 16 + 8..]);
    bytes.into()
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_or_leaves_gives_back_what_there_was() {
    for fails in [true, false] {
        let pair = Pair::stale(Policy::default()).await;
        let before = pair.stored().await;
        if fails {
            let failing = || async { Err::<u32, _>(std::io::Error::other("down")) };
            assert_eq!(pair.here.get_or_load("key", failing).await.unwrap(), 1);
        } else {
            let mut load = Origin::default().reached_through(&pair.here).await;
            assert_ne!(pair.stored().await, before, "somebody holds it");
            load.shutdown().await;
        }
        assert_eq!(pair.stored().await, before, "failed: {fails}: the same value, to the same end");
        let load = || async { Ok::<_, Error>(2) };
        assert_eq!(pair.elsewhere.get_or_load("key", load).await.unwrap(), 2, "failed: {fails}: at once");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_loaded_early_is_loaded_by_one_and_nobody_waits() {
    let pair = Pair::new(Policy { early_refresh: Some(100.0), ..Policy::default() });
    let slow = || {
        pair.clock.advance(SECOND * 5);
        std::future::ready(Ok::<u32, Error>(1))
    };
    assert_eq!(pair.here.get_or_load("key", slow).await.unwrap(), 1);
    pair.clock.advance(SECOND * 59);
    let (origin, mut load) = (Origin::default(), JoinSet::new());
    // By chance, which is better than 98 in 100 here.
    while origin.calls() == 0 {
        let (here, origin) = (pair.here.clone(), origin.clone());
        load.spawn(async move { here.get_or_load("key", || origin.load()).await });
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        assert_eq!(pair.elsewhere.get_or_load("key", unwanted).await.unwrap(), 1, "it is still fresh");
        assert_eq!(pair.elsewhere.get("key").await.unwrap(), Some(1));
    }
    pair.clock.advance(SECOND * 19 / 20);
    tokio::time::sleep(SECOND).await;
    assert_eq!(pair.elsewhere.get("key").await.unwrap(), None, "the lease has outlived its end");
    pair.clock.advance(SECOND);
    origin.answer.notify_one();
    load.join_all().await;
    assert_eq!(pair.elsewhere.get("key").await.unwrap(), Some(42), "what outlasted the old value is kept");
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_insists_takes_the_key_over() {
    for absent in [true, false] {
        let Pair { here, elsewhere, .. } = Pair::stale(Policy::default()).await;
        if absent {
            here.delete("key").await.unwrap();
        }
        let origin = Origin::default();
        let load = origin.reached_through(&here).await;
        let newer = elsewhere.get_or_load("key", || async { Ok::<_, Error>(7) }).force_refresh().await;
        assert_eq!(newer.unwrap(), 7);
        assert_eq!(origin.answered(load).await, 42);
        assert_eq!(here.get("key").await.unwrap(), Some(7), "absent before: {absent}: what began later stays");
    }
}

#[tokio::test]
async fn an_entry_that_others_can_read_stays_so_while_it_is_loaded_anew() {
    let pair = Pair::new(Policy::default());
    pair.here.set("key", 1).await.unwrap();
    let (origin, mut load) = (Origin::default(), JoinSet::new());
    let (here, loader) = (pair.here.clone(), origin.clone());
    load.spawn(async move { here.get_or_load("key", || loader.load()).force_refresh().await });
    origin.reached.notified().await;
    assert_eq!(pair.stored().await.unwrap().0, b"1");
    assert_eq!(origin.answered(load).await, 42);
    assert_eq!(pair.stored().await.unwrap().0, b"42");
}
