//! Runtimes: none where nothing waits, and any number of them over one static cache.

use std::sync::LazyLock;

use scrubjay::{
    Cache, ErrorKind,
    far::{
        MemoryStore,
        layer::{Layer, Timeout},
    },
    serializer::Json,
};
use tokio::runtime::{Builder, Handle};

#[test]
fn a_near_only_cache_blocks_without_a_runtime() {
    every_verb(&Cache::memory());
}

#[test]
fn bytes_in_this_process_need_no_runtime_either() {
    every_verb(&Cache::from_url("memory://?serializer=json").unwrap());
}

/// A timeout waits on a timer, so this one is driven by a runtime of the calling thread's own.
#[test]
fn a_cache_that_waits_brings_its_own_runtime() {
    let store = Timeout::new().wrap(MemoryStore::default().into());
    every_verb(&Cache::builder().far(store).serializer(Json).build().unwrap());
}

fn every_verb(cache: &Cache<i64>) {
    assert!(Handle::try_current().is_err(), "no runtime is around");
    let cache = cache.blocking();
    cache.set("a", 1).unwrap();
    cache.set_many([("b", 2), ("c", 3)]).unwrap();
    assert!(!cache.add("a", 4).unwrap());
    assert_eq!(cache.increment("a", 4).unwrap(), 5);
    assert_eq!(cache.get("a").unwrap(), Some(5));
    assert_eq!(cache.get_many(["c", "d"]).unwrap(), [Some(3), None]);
    let current = cache.get_for_update("b").unwrap();
    assert!(cache.compare_and_set("b", 6, current.token).unwrap());
    assert!(cache.exists("b").unwrap() && cache.delete("b").unwrap());
    assert_eq!(cache.delete_many(["a", "b"]).unwrap(), 1);
    cache.clear().unwrap();
    assert_eq!(cache.get("c").unwrap(), None);
    cache.close().unwrap();
}

/// Awaited where no timer is, a store that needs one is an error and not a panic.
#[test]
fn awaiting_a_timer_outside_a_runtime_is_an_error() {
    let store = Timeout::new().wrap(MemoryStore::default().into());
    let cache = Cache::<i64>::builder().far(store).serializer(Json).build().unwrap();
    let mut get = std::pin::pin!(cache.get("key"));
    let polled = get.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    let std::task::Poll::Ready(Err(error)) = polled else { panic!("it would wait for a timer") };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

static NEAR: LazyLock<Cache<u32>> = LazyLock::new(Cache::memory);
static FAR: LazyLock<Cache<u32>> =
    LazyLock::new(|| Cache::from_url("memory://?serializer=json&near=100&layers=retry+breaker+limit+timeout").unwrap());

#[test]
fn a_static_cache_serves_one_runtime_after_another() {
    for (cache, kind) in [(&*NEAR, "near"), (&*FAR, "far")] {
        for round in 0..5 {
            let runtime = match round % 2 {
                0 => Builder::new_current_thread().enable_all().build(),
                _ => Builder::new_multi_thread().worker_threads(2).enable_all().build(),
            };
            runtime.unwrap().block_on(async {
                if round > 0 {
                    assert_eq!(cache.get(kind).await.unwrap(), Some(round - 1), "what the last runtime wrote");
                    assert!(cache.exists(kind).await.unwrap());
                }
                cache.set(kind, round).await.unwrap();
                let task = tokio::task::JoinSet::from_iter([async move { cache.get(kind).await }]);
                assert_eq!(task.join_all().await[0].as_ref().unwrap(), &Some(round));
                assert_eq!(cache.blocking().get(kind).unwrap(), Some(round), "blocking inside a runtime");
            });
            assert_eq!(cache.blocking().get(kind).unwrap(), Some(round), "blocking between runtimes");
        }
    }
}

#[test]
fn a_static_cache_serves_two_runtimes_at_once() {
    std::thread::scope(|scope| {
        for thread in 0..2 {
            scope.spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    for round in 0..200 {
                        let key = format!("{thread}-{round}");
                        FAR.set(&key, round).await.unwrap();
                        assert_eq!(FAR.get(&key).await.unwrap(), Some(round));
                        assert!(FAR.delete(&key).await.unwrap());
                    }
                });
            });
        }
    });
}
