//! One load per key: whoever else wants it waits, takes over or gets the same error, and what was written meanwhile wins.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "figures are printed")]

mod origin;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use origin::Origin;
use parking_lot::Mutex;
use scrubjay::{
    Cache, Clock, Error, ErrorKind, Lookup, Memory, Outcome, Policy, Wire, far::MemoryStore, serializer::Json,
};
use tokio::{sync::Notify, task::JoinSet};

const SECOND: Duration = Duration::from_secs(1);

/// The same cache over each arrangement of tiers, on one clock.
fn caches(clock: &Clock, policy: Policy) -> [(&'static str, Cache<u32>); 3] {
    let near = || Memory::builder().clock(clock.clone()).build();
    let far = || MemoryStore::new(Memory::builder().clock(clock.clone()).build());
    let builder = || Cache::<u32>::builder().clock(clock.clone()).ttl(SECOND * 60).policy(policy);
    [
        ("near", builder().near(near()).build().unwrap()),
        ("far", builder().far(far()).serializer(Json).build().unwrap()),
        ("two tiers", builder().near(near()).far(far()).serializer(Json).build().unwrap()),
    ]
}

fn plain() -> [(&'static str, Cache<u32>); 3] {
    caches(&Clock::manual(), Policy::default())
}

fn joined(cache: &Cache<u32>, origin: &Origin, tasks: &mut JoinSet<Result<u32, Error>>) {
    let (cache, origin) = (cache.clone(), origin.clone());
    tasks.spawn(async move { cache.get_or_load("key", || origin.load()).await });
}

#[tokio::test]
async fn a_thousand_cold_callers_load_once() {
    for (tiers, cache) in plain() {
        let (origin, mut tasks) = (Origin::default(), JoinSet::new());
        (0..1_000).for_each(|_| joined(&cache, &origin, &mut tasks));
        origin.reached.notified().await;
        origin.answer.notify_one();
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(|answer| *answer.as_ref().unwrap() == 42), "{tiers}");
        assert_eq!(origin.calls(), 1, "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), Some(42), "{tiers}");
        println!("{tiers}: 1000 callers, {} execution, 0 errors", origin.calls());
    }
}

#[tokio::test]
async fn one_waiter_takes_over_when_the_leader_leaves() {
    for (tiers, cache) in plain() {
        let (origin, mut leader, mut waiters) = (Origin::default(), JoinSet::new(), JoinSet::new());
        joined(&cache, &origin, &mut leader);
        origin.reached.notified().await;
        (0..50).for_each(|_| joined(&cache, &origin, &mut waiters));
        tokio::task::yield_now().await;
        leader.shutdown().await;
        origin.reached.notified().await;
        origin.answer.notify_one();
        let answers = waiters.join_all().await;
        assert!(answers.iter().all(Result::is_ok), "{tiers}");
        assert_eq!(origin.calls(), 2, "{tiers}: the leader, and one that took over");
    }
}

#[tokio::test]
async fn everybody_gets_the_error_of_a_load_that_fails() {
    for (tiers, cache) in plain() {
        let (calls, mut tasks) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
        for _ in 0..50 {
            let (cache, calls) = (cache.clone(), Arc::clone(&calls));
            tasks.spawn(async move {
                let load = async {
                    calls.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    Err::<u32, _>(std::io::Error::other("no origin"))
                };
                cache.get_or_load("key", || load).await
            });
        }
        for answer in tasks.join_all().await {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Load, "{tiers}");
            assert_eq!(error.loader_error::<std::io::Error>().unwrap().to_string(), "no origin");
            assert!(error.to_string().contains("get_or_load \"key\""), "{error}");
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), None, "{tiers}: an error is not kept");
    }
}

fn panicking() -> Result<u32, Error> {
    panic!("the loader panics")
}

#[tokio::test]
async fn a_panic_wakes_everybody_and_leaves_the_key_usable() {
    for (tiers, cache) in plain() {
        let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let leader = {
            let (cache, reached, go) = (cache.clone(), Arc::clone(&reached), Arc::clone(&go));
            #[expect(clippy::disallowed_methods, reason = "a test's own task")]
            tokio::spawn(async move {
                let load = async {
                    reached.notify_one();
                    go.notified().await;
                    panicking()
                };
                cache.get_or_load("key", || load).await
            })
        };
        reached.notified().await;
        let mut waiters = JoinSet::new();
        (0..50).for_each(|_| joined(&cache, &Origin::default(), &mut waiters));
        tokio::task::yield_now().await;
        go.notify_one();
        assert!(leader.await.unwrap_err().is_panic(), "{tiers}: the panic is the leader's");
        for answer in waiters.join_all().await {
            let error = answer.unwrap_err();
            assert!(error.to_string().contains("panicked"), "{tiers}: {error}");
        }
        assert_eq!(cache.get_or_load("key", || async { Ok::<_, Error>(7) }).await.unwrap(), 7, "{tiers}");
    }
}

#[tokio::test]
async fn a_load_that_waits_for_itself_is_an_error_at_once() {
    for (tiers, cache) in plain() {
        let inner = cache.clone();
        let load = async move { inner.get_or_load("key", || async { Ok::<_, Error>(1) }).await };
        let error = cache.get_or_load("key", || load).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Recursion, "{tiers}");

        let (b, a) = (cache.clone(), cache.clone());
        let through_b = async move {
            b.get_or_load("b", || async move { a.get_or_load("a", || async { Ok::<_, Error>(1) }).await }).await
        };
        let error = cache.get_or_load("a", || through_b).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Recursion, "{tiers}: through another key");
        assert_eq!(cache.get_or_load("a", || async { Ok::<_, Error>(3) }).await.unwrap(), 3, "{tiers}");
    }
}

#[tokio::test]
async fn a_batch_that_waits_for_itself_is_an_error_at_once() {
    for (tiers, cache) in plain() {
        let inner = cache.clone();
        let load = move |_| {
            let inner = inner.clone();
            async move {
                inner.get_or_load("key", || async { Ok::<_, Error>(1) }).await.map(|value| [("key".to_owned(), value)])
            }
        };
        let error = cache.get_or_load_many(["other", "key"], load).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Recursion, "{tiers}");
    }
}

#[test]
fn a_blocking_batch_that_waits_for_itself_is_an_error_at_once() {
    let cache = Cache::<u32>::memory().blocking();
    let load = |_| cache.get_or_load("key", || Ok::<_, Error>(1)).map(|value| [("key".to_owned(), value)]);
    assert_eq!(cache.get_or_load_many(["other", "key"], load).unwrap_err().kind(), ErrorKind::Recursion);
}

#[test]
fn a_panic_in_a_blocking_batch_is_told_to_all_who_wait() {
    let cache = Cache::<u32>::memory();
    let (enter, entered) = std::sync::mpsc::channel();
    let (join, joined) = std::sync::mpsc::channel();
    let blocking = cache.clone().blocking();
    let leader = std::thread::spawn(move || {
        let load = move |_| -> Result<[(String, u32); 0], Error> {
            enter.send(()).unwrap();
            joined.recv().unwrap();
            panic!("on purpose")
        };
        blocking.get_or_load_many(["key"], load)
    });
    entered.recv().unwrap();
    let mut waiting = std::pin::pin!(async { cache.get_or_load("key", || async { Ok::<_, Error>(1) }).await });
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    join.send(()).unwrap();
    assert!(leader.join().is_err(), "the panic is the leader's");
    let std::task::Poll::Ready(answer) = waiting.poll(&mut context) else { panic!("who waits is told") };
    assert!(answer.unwrap_err().to_string().contains("panicked"));
}

/// A value that can be copied, but not always.
struct Fragile<'f>(&'f AtomicBool);

impl Clone for Fragile<'_> {
    fn clone(&self) -> Self {
        assert!(!self.0.swap(false, Ordering::SeqCst), "on purpose");
        Self(self.0)
    }
}

#[test]
fn a_clone_that_panics_as_a_load_lands_leaves_nobody_waiting() {
    static BREAKS: AtomicBool = AtomicBool::new(false);
    let cache = Cache::<Fragile<'static>>::memory();
    let (open, gate) = tokio::sync::oneshot::channel::<()>();
    let load = |_| async {
        gate.await.unwrap();
        Ok::<_, Error>(Outcome::DontStore(Fragile(&BREAKS)))
    };
    let mut leading = Box::pin(async { cache.get_or_load_with("key", load).await });
    let mut waiting =
        std::pin::pin!(async { cache.get_or_load("key", || async { Ok::<_, Error>(Fragile(&BREAKS)) }).await });
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(leading.as_mut().poll(&mut context).is_pending() && waiting.as_mut().poll(&mut context).is_pending());
    open.send(()).unwrap();
    BREAKS.store(true, Ordering::SeqCst);
    let landing = std::panic::AssertUnwindSafe(|| leading.as_mut().poll(&mut context).is_ready());
    assert!(std::panic::catch_unwind(landing).is_err());
    drop(leading);
    let std::task::Poll::Ready(answer) = waiting.poll(&mut context) else { panic!("who waits loads for itself") };
    assert!(answer.is_ok());
}

#[tokio::test]
async fn a_load_that_waits_for_itself_through_another_cache_is_an_error_too() {
    let store = MemoryStore::default();
    let cache = || Cache::<u32>::builder().far(store.clone()).serializer(Json).build().unwrap();
    let (here, there) = (cache(), cache());
    let load = async move { there.get_or_load("key", || async { Ok::<_, Error>(1) }).await };
    assert_eq!(here.get_or_load("key", || load).await.unwrap_err().kind(), ErrorKind::Recursion);
    assert_eq!(here.get_or_load("key", || async { Ok::<_, Error>(2) }).await.unwrap(), 2);
}

#[tokio::test]
async fn a_call_may_not_ask_for_what_its_cache_cannot_keep() {
    let bare = Cache::<u32>::builder().far(MemoryStore::default()).serializer(Json).wire(Wire::Bare).build().unwrap();
    let grace = Policy::new().grace(SECOND);
    let error = bare.get_or_load("key", || async { Ok::<_, Error>(1) }).policy(grace).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("`grace`"), "{error}");
}

#[tokio::test]
async fn two_loads_that_wait_for_each_other_do_not_hang() {
    let cache: Cache<u32> = Cache::memory();
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let mut tasks = JoinSet::new();
    for (mine, other) in [("a", "b"), ("b", "a")] {
        let (cache, barrier) = (cache.clone(), Arc::clone(&barrier));
        tasks.spawn(async move {
            let inner = cache.clone();
            let load = async move {
                barrier.wait().await;
                inner.get_or_load(other, || async { Ok::<_, Error>(1) }).await
            };
            cache.get_or_load(mine, || load).await
        });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().any(|answer| answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Recursion)));
}

type Write = fn(Cache<u32>) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

#[tokio::test]
async fn what_is_written_during_a_load_wins() {
    let writes: [(&str, Write, Option<u32>); 7] = [
        ("set", |cache| Box::pin(async move { cache.set("key", 7).await }), Some(7)),
        ("set_many", |cache| Box::pin(async move { cache.set_many([("key", 7)]).await }), Some(7)),
        ("delete", |cache| Box::pin(async move { cache.delete("key").await.map(drop) }), None),
        ("delete_many", |cache| Box::pin(async move { cache.delete_many(["key"]).await.map(drop) }), None),
        ("expire", |cache| Box::pin(async move { cache.expire("key", SECOND).await.map(drop) }), None),
        ("clear", |cache| Box::pin(async move { cache.clear().await }), None),
        ("clear_server", |cache| Box::pin(async move { cache.clear_server().await }), None),
    ];
    for (verb, write, left) in writes {
        for (tiers, cache) in plain() {
            let (origin, mut tasks) = (Origin::default(), JoinSet::new());
            joined(&cache, &origin, &mut tasks);
            origin.reached.notified().await;
            write(cache.clone()).await.unwrap();
            origin.answer.notify_one();
            assert_eq!(tasks.join_next().await.unwrap().unwrap().unwrap(), 42, "{verb} on {tiers}: the caller gets it");
            assert_eq!(cache.get("key").await.unwrap(), left, "{verb} on {tiers}: the cache does not keep it");
        }
    }
}

#[tokio::test]
async fn what_is_written_elsewhere_during_a_load_wins() {
    let store = MemoryStore::default();
    let cache = || Cache::<u32>::builder().far(store.clone()).serializer(Json).build().unwrap();
    let (here, elsewhere) = (cache(), cache());
    for delete in [false, true] {
        here.delete("key").await.unwrap();
        let (origin, mut tasks) = (Origin::default(), JoinSet::new());
        joined(&here, &origin, &mut tasks);
        origin.reached.notified().await;
        if delete {
            elsewhere.delete("key").await.unwrap();
        } else {
            elsewhere.set("key", 7).await.unwrap();
        }
        origin.answer.notify_one();
        assert_eq!(tasks.join_next().await.unwrap().unwrap().unwrap(), 42);
        assert_eq!(here.get("key").await.unwrap(), (!delete).then_some(7), "deleted: {delete}");
    }
}

#[tokio::test]
async fn a_lease_is_no_value_to_any_verb() {
    for (tiers, cache) in plain() {
        let (origin, mut tasks) = (Origin::default(), JoinSet::new());
        joined(&cache, &origin, &mut tasks);
        origin.reached.notified().await;
        assert_eq!(cache.get("key").await.unwrap(), None, "{tiers}");
        assert_eq!(cache.get_many(["key"]).await.unwrap(), [None], "{tiers}");
        assert!(matches!(cache.lookup("key").await.unwrap(), Lookup::Miss(_)), "{tiers}");
        assert!(!cache.exists("key").await.unwrap(), "{tiers}");
        assert_eq!(cache.ttl("key").await.unwrap(), scrubjay::Remaining::Absent, "{tiers}");
        assert!(!cache.expire("key", SECOND).await.unwrap(), "{tiers}");
        assert!(cache.get_for_update("key").await.unwrap().value.is_none(), "{tiers}");
        origin.answer.notify_one();
        tasks.join_all().await;

        let mut tasks = JoinSet::new();
        cache.delete("key").await.unwrap();
        joined(&cache, &origin, &mut tasks);
        origin.reached.notified().await;
        assert!(cache.add("key", 9).await.unwrap(), "{tiers}: an add wins over a lease");
        origin.answer.notify_one();
        tasks.join_all().await;
        assert_eq!(cache.get("key").await.unwrap(), Some(9), "{tiers}");
    }
}

#[tokio::test]
async fn a_counter_is_created_over_a_lease() {
    for (tiers, cache) in plain().map(|(tiers, _)| tiers).into_iter().zip([Cache::<i64>::memory(), counters()]) {
        let (reached, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut tasks = JoinSet::new();
        let (loading, told, go) = (cache.clone(), Arc::clone(&reached), Arc::clone(&answer));
        tasks.spawn(async move {
            let load = async {
                told.notify_one();
                go.notified().await;
                Ok::<_, Error>(40)
            };
            loading.get_or_load("key", || load).await
        });
        reached.notified().await;
        assert_eq!(cache.increment("key", 2).await.unwrap(), 2, "{tiers}");
        answer.notify_one();
        assert_eq!(tasks.join_next().await.unwrap().unwrap().unwrap(), 40, "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), Some(2), "{tiers}");
    }
}

fn counters() -> Cache<i64> {
    Cache::builder().far(MemoryStore::default()).serializer(Json).build().unwrap()
}

#[tokio::test]
async fn outcomes_say_what_is_kept() {
    let clock = Clock::manual();
    let policy = Policy::new().negative_ttl(SECOND * 5);
    for (tiers, cache) in caches(&clock, policy) {
        let load = |outcome| cache.get_or_load_with("key", move |_| async move { Ok::<_, Error>(outcome) });
        assert_eq!(load(Outcome::DontStore(1)).await.unwrap(), Some(1));
        assert_eq!(cache.get("key").await.unwrap(), None, "{tiers}");

        assert_eq!(load(Outcome::NotFound).await.unwrap(), None);
        assert!(matches!(cache.lookup("key").await.unwrap(), Lookup::Negative { .. }), "{tiers}");
        assert_eq!(load(Outcome::Store(2)).await.unwrap(), None, "{tiers}: it is known that there is nothing");
        clock.advance(SECOND * 5);
        assert_eq!(load(Outcome::StoreFor(3, (SECOND * 2).into())).await.unwrap(), Some(3), "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), Some(3), "{tiers}");
        clock.advance(SECOND * 2);
        assert_eq!(cache.get("key").await.unwrap(), None, "{tiers}");

        assert_eq!(load(Outcome::NotFound).await.unwrap(), None);
        cache.set("key", 4).await.unwrap();
        assert_eq!(cache.get("key").await.unwrap(), Some(4), "{tiers}: a write ends it");
        cache.delete("key").await.unwrap();
        assert_eq!(load(Outcome::Store(5)).await.unwrap(), Some(5), "{tiers}");
    }
}

#[tokio::test]
async fn a_stale_value_is_served_while_and_when_the_origin_fails() {
    let clock = Clock::manual();
    let policy = Policy::new().grace(SECOND * 30).back_off(SECOND * 10);
    for (tiers, cache) in caches(&clock, policy) {
        let calls = AtomicU32::new(0);
        let failing = || {
            calls.fetch_add(1, Ordering::SeqCst);
            async { Err::<u32, _>(std::io::Error::other("down")) }
        };
        cache.set("key", 0).await.unwrap();
        assert_eq!(cache.get_or_load("loaded", || async { Ok::<_, Error>(1) }).await.unwrap(), 1);
        clock.advance(SECOND * 60);
        assert_eq!(cache.get("loaded").await.unwrap(), None, "{tiers}: its ttl is over");
        assert!(matches!(cache.lookup("loaded").await.unwrap(), Lookup::Stale { value: 1, .. }), "{tiers}");
        assert!(!cache.exists("loaded").await.unwrap(), "{tiers}");
        assert_eq!(cache.get_or_load("loaded", failing).await.unwrap(), 1, "{tiers}: better than nothing");
        assert_eq!(cache.get_or_load("loaded", failing).await.unwrap(), 1, "{tiers}");
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{tiers}: it backs off");
        clock.advance(SECOND * 10);
        assert_eq!(cache.get_or_load("loaded", failing).await.unwrap(), 1, "{tiers}");
        assert_eq!(calls.load(Ordering::SeqCst), 2, "{tiers}: and tries again");
        clock.advance(SECOND * 20);
        cache.get_or_load("loaded", failing).await.unwrap_err();
        assert_eq!(cache.get_or_load("loaded", || async { Ok::<_, Error>(2) }).await.unwrap(), 2, "{tiers}");
    }
}

#[tokio::test]
async fn those_who_need_not_wait_take_the_stale_value_while_the_winner_loads() {
    let clock = Clock::manual();
    let policy = Policy::new().grace(SECOND * 30).soft_timeout(Duration::ZERO);
    for (tiers, cache) in caches(&clock, policy) {
        cache.get_or_load("key", || async { Ok::<_, Error>(1) }).await.unwrap();
        clock.advance(SECOND * 60);
        let (origin, mut tasks) = (Origin::default(), JoinSet::new());
        joined(&cache, &origin, &mut tasks);
        origin.reached.notified().await;
        assert_eq!(cache.get_or_load("key", || async { Ok::<_, Error>(9) }).await.unwrap(), 1, "{tiers}");
        origin.answer.notify_one();
        assert_eq!(tasks.join_next().await.unwrap().unwrap().unwrap(), 42, "{tiers}");

        clock.advance(SECOND * 60);
        let refreshing = origin.clone();
        assert_eq!(
            cache.get_or_load("key", || refreshing.load()).spawned().await.unwrap(),
            42,
            "{tiers}: nobody waits"
        );
        origin.reached.notified().await;
        origin.answer.notify_one();
        while cache.get("key").await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(origin.calls(), 2, "{tiers}");
    }
}

#[tokio::test]
async fn a_spawned_load_outlives_its_callers_but_for_the_last() {
    for (tiers, cache) in plain() {
        let origin = Origin::default();
        let caller = || {
            let (cache, origin) = (cache.clone(), origin.clone());
            async move { cache.get_or_load("key", || origin.load()).spawned().await }
        };
        let (mut first, mut second) = (JoinSet::new(), JoinSet::new());
        first.spawn(caller());
        origin.reached.notified().await;
        second.spawn(caller());
        tokio::task::yield_now().await;
        first.shutdown().await;
        origin.answer.notify_one();
        assert_eq!(second.join_next().await.unwrap().unwrap().unwrap(), 42, "{tiers}");
        assert_eq!(origin.calls(), 1, "{tiers}: nobody had to take over");

        cache.delete("key").await.unwrap();
        first.spawn(caller());
        origin.reached.notified().await;
        first.shutdown().await;
        while Arc::strong_count(&origin.calls) > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(cache.get("key").await.unwrap(), None, "{tiers}: the load went with its last caller");
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_timeout_frees_the_key() {
    let policy = Policy::new().load_timeout(SECOND);
    for (tiers, cache) in caches(&Clock::manual(), policy) {
        let never = || std::future::pending::<Result<u32, Error>>();
        for _ in 0..2 {
            let error = cache.get_or_load("key", never).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{tiers}");
            let error = cache.get_or_load("key", never).spawned().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{tiers}");
        }
        assert_eq!(cache.get_or_load("key", || async { Ok::<_, Error>(1) }).await.unwrap(), 1, "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), Some(1), "{tiers}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_nobody_ends_blocks_its_key_for_one_timeout() {
    let impatient = Policy { load_timeout: Some(SECOND), ..Policy::default() };
    for (tiers, cache) in caches(&Clock::manual(), Policy::default()) {
        let (origin, mut leader) = (Origin::default(), JoinSet::new());
        joined(&cache, &origin, &mut leader);
        origin.reached.notified().await;
        let mut patient = JoinSet::new();
        joined(&cache, &origin, &mut patient);
        tokio::task::yield_now().await;
        let other = || async { Ok::<_, Error>(7) };
        let error = cache.get_or_load("key", other).policy(impatient).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{tiers}");
        assert_eq!(cache.get_or_load("key", other).policy(impatient).await.unwrap(), 7, "{tiers}: the key is free");
        origin.answer.notify_one();
        for mut waiting in [leader, patient] {
            assert_eq!(waiting.join_next().await.unwrap().unwrap().unwrap(), 42, "{tiers}: who had time gets it");
        }
        assert_eq!(cache.get("key").await.unwrap(), Some(7), "{tiers}: what began later stays");
    }
}

#[test]
fn a_blocking_load_that_nobody_ends_blocks_its_key_for_one_timeout() {
    let policy = Policy { load_timeout: Some(Duration::from_millis(100)), ..Policy::default() };
    for (tiers, cache) in caches(&Clock::manual(), policy) {
        let cache = cache.blocking();
        let (entered, go) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            let leader = scope.spawn(|| {
                cache.get_or_load("key", || {
                    entered.wait();
                    go.wait();
                    Ok::<_, Error>(42)
                })
            });
            entered.wait();
            let error = cache.get_or_load("key", || Ok::<_, Error>(7)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{tiers}");
            assert_eq!(cache.get_or_load("key", || Ok::<_, Error>(7)).unwrap(), 7, "{tiers}: the key is free");
            go.wait();
            assert_eq!(leader.join().unwrap().unwrap(), 42, "{tiers}");
        });
        assert_eq!(cache.get("key").unwrap(), Some(7), "{tiers}: what began later stays");
    }
}

#[tokio::test]
async fn a_blocking_call_does_not_wait_for_ever_for_who_needs_its_thread() {
    for (tiers, cache) in plain() {
        let (origin, mut leader) = (Origin::default(), JoinSet::new());
        joined(&cache, &origin, &mut leader);
        origin.reached.notified().await;
        let brief = cache.blocking();
        let with = || brief.with().timeout(Duration::from_millis(50));
        assert_eq!(with().get_or_load("key", || Ok::<_, Error>(7)).unwrap(), 7, "{tiers}");
        let batch = with().get_or_load_many(["key"], |keys| {
            Ok::<_, Error>(keys.into_iter().map(|key| (key, 8)).collect::<HashMap<_, _>>())
        });
        assert_eq!(batch.unwrap(), [Some(8)], "{tiers}");
        origin.answer.notify_one();
        assert_eq!(leader.join_next().await.unwrap().unwrap().unwrap(), 42, "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), Some(42), "{tiers}: who leads keeps");
    }
}

#[tokio::test]
async fn nothing_is_served_past_its_end_however_long_its_load_takes() {
    let clock = Clock::manual();
    let policy = Policy {
        grace: Some(SECOND * 30),
        soft_timeout: Some(Duration::ZERO),
        early_refresh: Some(100.0),
        ..Policy::default()
    };
    for (tiers, cache) in caches(&clock, policy) {
        let slow = || {
            clock.advance(SECOND * 5);
            std::future::ready(Ok::<u32, Error>(1))
        };
        assert_eq!(cache.get_or_load("key", slow).await.unwrap(), 1);
        clock.advance(SECOND * 70);
        let (origin, mut leader, mut late) = (Origin::default(), JoinSet::new(), JoinSet::new());
        joined(&cache, &origin, &mut leader);
        origin.reached.notified().await;
        assert_eq!(cache.get_or_load("key", || async { Ok::<_, Error>(9) }).await.unwrap(), 1, "{tiers}: stale");
        clock.advance(SECOND * 20);
        joined(&cache, &origin, &mut late);
        tokio::task::yield_now().await;
        assert!(late.try_join_next().is_none(), "{tiers}: its grace is over");
        leader.shutdown().await;
        origin.reached.notified().await;
        origin.answer.notify_one();
        assert_eq!(late.join_next().await.unwrap().unwrap().unwrap(), 42, "{tiers}");

        clock.advance(SECOND * 80);
        let fails_late = || async {
            clock.advance(SECOND * 20);
            Err::<u32, _>(std::io::Error::other("down"))
        };
        cache.get_or_load("key", fails_late).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_call_chooses_what_to_read_and_to_keep() {
    for (tiers, cache) in plain() {
        let load = |value| cache.get_or_load("key", move || async move { Ok::<_, Error>(value) });
        assert_eq!(load(1).skip_write().await.unwrap(), 1);
        assert_eq!(cache.get("key").await.unwrap(), None, "{tiers}");
        assert_eq!(load(2).await.unwrap(), 2);
        assert_eq!(load(3).await.unwrap(), 2, "{tiers}");
        assert_eq!(load(4).force_refresh().await.unwrap(), 4, "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), Some(4), "{tiers}");
        assert_eq!(load(5).skip_read().skip_write().await.unwrap(), 5, "{tiers}");
        assert_eq!(cache.get("key").await.unwrap(), Some(4), "{tiers}");
    }
}

#[test]
fn blocking_and_async_callers_meet_in_one_flight() {
    for (tiers, cache) in plain() {
        let (calls, entered, go) = (AtomicU32::new(0), std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            let blocking = cache.blocking();
            let leader = scope.spawn({
                let (calls, entered, go) = (&calls, &entered, &go);
                move || {
                    blocking.get_or_load("key", || {
                        calls.fetch_add(1, Ordering::SeqCst);
                        entered.wait();
                        go.wait();
                        Ok::<_, Error>(1)
                    })
                }
            });
            entered.wait();
            let waiting = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    let waiting = cache.get_or_load("key", || async { Ok::<_, Error>(2) });
                    let release = async {
                        tokio::task::yield_now().await;
                        go.wait();
                    };
                    tokio::join!(waiting, release).0
                })
            });
            assert_eq!(leader.join().unwrap().unwrap(), 1, "{tiers}");
            assert_eq!(waiting.join().unwrap().unwrap(), 1, "{tiers}");
        });
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{tiers}");
    }
}

#[test]
fn a_blocking_load_may_start_a_runtime_and_waiters_time_out() {
    let policy = Policy::new().load_timeout(SECOND * 10);
    for (tiers, cache) in caches(&Clock::manual(), policy) {
        let answer = cache.blocking().get_or_load("key", || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async { Ok::<_, Error>(1) })
        });
        assert_eq!(answer.unwrap(), 1, "{tiers}");
    }
}

#[test]
fn timed_loading_without_a_runtime_is_an_error() {
    let policy = Policy::new().load_timeout(SECOND);
    let cache = Cache::<u32>::builder().policy(policy).build().unwrap();
    let request = cache.get_or_load("key", || async { Ok::<_, Error>(1) });
    let mut request = std::pin::pin!(request);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(answer) = request.as_mut().poll(&mut context) else { panic!("it waits") };
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unsupported);
}

/// A batch loader that notes what it was asked for.
fn lengths(asked: &Mutex<Vec<Vec<String>>>) -> impl Fn(Vec<String>) -> Result<HashMap<String, u32>, Error> {
    move |missing| {
        asked.lock().push(missing.clone());
        let length = |key: &String| u32::try_from(key.len()).unwrap();
        Ok(missing.iter().filter(|key| *key != "nothing").map(|key| (key.clone(), length(key))).collect())
    }
}

#[tokio::test]
async fn a_batch_loads_what_is_missing_once_each() {
    let policy = Policy::new().negative_ttl(SECOND);
    for (tiers, cache) in caches(&Clock::manual(), policy) {
        let asked = Mutex::new(Vec::new());
        let load = |missing| std::future::ready(lengths(&asked)(missing));
        cache.set("three", 3).await.unwrap();
        let keys = ["a", "three", "nothing", "a", "bb"];
        let expected = [Some(1), Some(3), None, Some(1), Some(2)];
        assert_eq!(cache.get_or_load_many(keys, load).await.unwrap(), expected, "{tiers}");
        assert_eq!(cache.get_or_load_many(keys, load).await.unwrap(), expected, "{tiers}");
        assert_eq!(*asked.lock(), [["a", "nothing", "bb"]], "{tiers}");
        assert_eq!(cache.get("bb").await.unwrap(), Some(2), "{tiers}");
        assert_eq!(cache.get_or_load_many([""; 0], load).await.unwrap(), [], "{tiers}");

        let blocking = cache.blocking();
        let answer = blocking.get_or_load_many(["a", "dddd"], lengths(&asked)).unwrap();
        assert_eq!(answer, [Some(1), Some(4)], "{tiers}");
        assert_eq!(asked.lock().last().unwrap(), &["dddd"], "{tiers}");
    }
}

#[tokio::test]
async fn a_call_chooses_how_its_batch_loads() {
    for (tiers, cache) in plain() {
        let answering = |value: u32| {
            move |missing: Vec<String>| {
                let values = missing.into_iter().map(|key| (key, value)).collect::<HashMap<_, _>>();
                std::future::ready(Ok::<_, Error>(values))
            }
        };
        let keys = ["a", "b"];
        cache.set("a", 1).await.unwrap();
        assert_eq!(
            cache.get_or_load_many(keys, answering(2)).skip_write().await.unwrap(),
            [Some(1), Some(2)],
            "{tiers}"
        );
        assert_eq!(cache.get("b").await.unwrap(), None, "{tiers}");
        assert_eq!(cache.get_or_load_many(keys, answering(3)).skip_read().await.unwrap(), [Some(3); 2], "{tiers}");
        assert_eq!(cache.get_or_load_many(keys, answering(4)).force_refresh().await.unwrap(), [Some(4); 2], "{tiers}");
        assert_eq!(cache.get_many(keys).await.unwrap(), [Some(4); 2], "{tiers}");

        // A load under way, which has begun before: one call takes part in it, the other begins anew.
        let (origin, mut tasks) = (Origin::default(), JoinSet::new());
        joined(&cache, &origin, &mut tasks);
        origin.reached.notified().await;
        let anew = cache.get_or_load_many(["key"], answering(5)).force_refresh().await.unwrap();
        assert_eq!(anew, [Some(5)], "{tiers}");
        origin.answer.notify_one();
        tasks.join_all().await;
        assert_eq!(cache.get("key").await.unwrap(), Some(5), "{tiers}: the older load is not kept");

        let blocking = cache.blocking();
        let six =
            |missing: Vec<String>| Ok::<_, Error>(missing.into_iter().map(|key| (key, 6)).collect::<HashMap<_, _>>());
        assert_eq!(blocking.with().force_refresh().get_or_load_many(["key"], six).unwrap(), [Some(6)], "{tiers}");
    }
}

#[tokio::test]
async fn batches_and_single_loads_join_each_other() {
    for (tiers, cache) in plain() {
        let (origin, mut tasks, asked) = (Origin::default(), JoinSet::new(), Arc::new(Mutex::new(Vec::new())));
        joined(&cache, &origin, &mut tasks);
        origin.reached.notified().await;
        let mut batches = JoinSet::new();
        for keys in [["key", "a"], ["a", "key"]] {
            let (cache, asked) = (cache.clone(), Arc::clone(&asked));
            batches.spawn(async move {
                let load = |missing| std::future::ready(lengths(&asked)(missing));
                (keys, cache.get_or_load_many(keys, load).await.unwrap())
            });
        }
        while cache.get("a").await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        origin.answer.notify_one();
        for (keys, values) in batches.join_all().await {
            let expected = keys.map(|key| Some(if key == "key" { 42 } else { 1 }));
            assert_eq!(values, expected, "{tiers}");
        }
        assert_eq!((origin.calls(), asked.lock().len()), (1, 1), "{tiers}");
    }
}

#[tokio::test]
async fn a_batch_takes_over_what_its_leader_left() {
    for (tiers, cache) in plain() {
        let (origin, mut leader) = (Origin::default(), JoinSet::new());
        joined(&cache, &origin, &mut leader);
        origin.reached.notified().await;
        let (waiting, asked) = (cache.clone(), Arc::new(Mutex::new(Vec::new())));
        let mut batch = JoinSet::new();
        let noted = Arc::clone(&asked);
        batch.spawn(async move {
            let load = |missing| std::future::ready(lengths(&noted)(missing));
            waiting.get_or_load_many(["a", "key"], load).await.unwrap()
        });
        while cache.get("a").await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        leader.shutdown().await;
        assert_eq!(batch.join_next().await.unwrap().unwrap(), [Some(1), Some(3)], "{tiers}");
        assert_eq!(*asked.lock(), [["a"], ["key"]], "{tiers}");
    }
}

#[tokio::test]
async fn what_is_written_during_a_batch_wins() {
    for (tiers, cache) in plain() {
        let inner = cache.clone();
        let load = |missing: Vec<String>| {
            let cache = inner.clone();
            async move {
                cache.set("a", 7).await?;
                cache.delete("b").await?;
                Ok::<_, Error>(missing.into_iter().map(|key| (key, 0)).collect::<HashMap<_, _>>())
            }
        };
        assert_eq!(cache.get_or_load_many(["a", "b", "c"], load).await.unwrap(), [Some(0); 3], "{tiers}");
        assert_eq!(cache.get_many(["a", "b", "c"]).await.unwrap(), [Some(7), None, Some(0)], "{tiers}");
    }
}

#[tokio::test]
async fn a_batch_that_fails_serves_what_is_stale_or_tells_the_error() {
    let clock = Clock::manual();
    let policy = Policy::new().grace(SECOND * 30);
    for (tiers, cache) in caches(&clock, policy) {
        cache.get_or_load("a", || async { Ok::<_, Error>(1) }).await.unwrap();
        clock.advance(SECOND * 60);
        let failing = |_| std::future::ready(Err::<HashMap<String, u32>, _>(std::io::Error::other("down")));
        assert_eq!(cache.get_or_load_many(["a"], failing).await.unwrap(), [Some(1)], "{tiers}");
        let error = cache.get_or_load_many(["a", "b"], failing).await.unwrap_err();
        assert!(error.loader_error::<std::io::Error>().is_some(), "{tiers}: {error}");
    }
}

#[tokio::test]
async fn a_value_is_loaded_anew_before_its_time_and_nobody_waits_for_that() {
    let clock = Clock::manual();
    let policy = Policy::new().early_refresh(100.0);
    for (tiers, cache) in caches(&clock, policy) {
        let slow = |value| {
            clock.advance(SECOND * 5);
            std::future::ready(Ok::<u32, Error>(value))
        };
        assert_eq!(cache.get_or_load("key", || slow(1)).await.unwrap(), 1);
        clock.advance(SECOND * 50);
        assert_eq!(cache.get_or_load("key", || slow(9)).await.unwrap(), 1, "{tiers}: not before nine tenths are over");
        clock.advance(SECOND * 6);

        // By chance, which is better than 98 in 100 here.
        let (origin, mut tasks) = (Origin::default(), JoinSet::new());
        while origin.calls() == 0 {
            joined(&cache, &origin, &mut tasks);
            tokio::task::yield_now().await;
        }
        assert_eq!(cache.get_or_load("key", || slow(9)).await.unwrap(), 1, "{tiers}: it is still fresh");
        tasks.shutdown().await;

        let down = || std::future::ready(Err::<u32, _>(std::io::Error::other("down")));
        assert_eq!(cache.get_or_load("key", down).await.unwrap(), 1, "{tiers}: a failure harms nobody");
        clock.advance(SECOND * 10);
        cache.delete("key").await.unwrap();
        assert_eq!(cache.get_or_load("key", || slow(2)).await.unwrap(), 2, "{tiers}");
        clock.advance(SECOND * 54);
        while cache.get_or_load("key", || slow(3)).await.unwrap() == 2 {}
        assert_eq!(cache.get("key").await.unwrap(), Some(3), "{tiers}");
    }
}

#[test]
fn a_runtime_that_is_shut_down_leaves_no_key_held() {
    for (tiers, cache) in plain() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let (origin, mut tasks) = (Origin::default(), JoinSet::new());
            joined(&cache, &origin, &mut tasks);
            origin.reached.notified().await;
            tasks.detach_all();
        });
        drop(runtime);
        let answer = cache.blocking().get_or_load("key", || Ok::<_, Error>(1)).unwrap();
        assert_eq!((answer, cache.blocking().get("key").unwrap()), (1, Some(1)), "{tiers}");
    }
}

#[tokio::test]
async fn a_near_entry_that_ends_before_the_far_one_is_not_refreshed_early() {
    let clock = Clock::manual();
    let policy = Policy::new().early_refresh(100.0);
    for (tiers, cache) in caches(&clock, policy) {
        let calls = AtomicU32::new(0);
        let load = || async {
            calls.fetch_add(1, Ordering::SeqCst);
            clock.advance(SECOND);
            Ok::<_, Error>(1)
        };
        for _ in 0..10 {
            cache.get_or_load("key", load).await.unwrap();
            clock.advance(SECOND * 9 / 2);
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{tiers}: not in the first nine tenths of a minute");
    }
}
