//! Servers that die, come back, or were never there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use scrubjay::{Cache, ErrorKind, Memory, far, serializer::Json};
use scrubjay_testkit::{proxy::Stroke, wait};
use tokio::task::JoinSet;

use super::{Target, at, behind, cache_at, now, sees};

pub(crate) async fn a_killed_server_fails_fast_and_heals_at_once<T: Target>() {
    let server = T::start();
    let cache = Arc::new(cache_at(&server.url()));
    cache.set("key", "value".into()).await.unwrap();
    let mut worst = Duration::ZERO;
    for _ in 0..3 {
        let [ok, failed] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let longest = Arc::new(AtomicU64::new(0));
        let mut load = JoinSet::new();
        for _ in 0..50 {
            let (cache, ok, failed, longest) =
                (Arc::clone(&cache), Arc::clone(&ok), Arc::clone(&failed), Arc::clone(&longest));
            load.spawn(async move {
                loop {
                    let began = now();
                    match cache.get("key").await {
                        Ok(_) => ok.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
                            tokio::time::sleep(Duration::from_millis(5)).await;
                            failed.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                    longest.fetch_max(u64::try_from(began.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
                }
            });
        }
        let enough = |counter: &AtomicUsize, more: usize| {
            let from = counter.load(Ordering::Relaxed);
            wait::until(Duration::from_secs(10), || {
                if counter.load(Ordering::Relaxed) >= from + more { Ok(()) } else { Err("too few".into()) }
            })
            .unwrap();
        };
        tokio::task::block_in_place(|| {
            enough(&ok, 100);
            server.kill();
            enough(&failed, 500);
            server.restart();
        });
        let began = now();
        while cache.get("key").await.is_err() {}
        worst = worst.max(began.elapsed());
        tokio::task::block_in_place(|| enough(&ok, 100));
        load.abort_all();
        println!(
            "longest call {} ms, {} failed while down, healed in {:?}",
            longest.load(Ordering::Relaxed) / 1000,
            failed.load(Ordering::Relaxed),
            began.elapsed()
        );
    }
    assert!(worst <= Duration::from_millis(150), "{worst:?}");
}

pub(crate) async fn an_idle_reset_is_not_noticed_by_the_next_call<T: Target>() {
    let server = T::start();
    let (proxy, cache) = behind(&server);
    cache.set("count", "0".into()).await.unwrap();
    for round in 0..100 {
        proxy.strike(if round % 2 == 0 { Stroke::Reset } else { Stroke::HalfClose });
        cache.get("count").await.unwrap();
    }
    println!("100 idle resets, 0 errors");
}

pub(crate) fn an_idle_reset_is_not_noticed_by_the_next_blocking_call_though_it_counts<T: Target>() {
    let server = T::start();
    let (proxy, _) = behind(&server);
    let cache = Cache::<i64>::from_url(&at::<T>(proxy.address())).unwrap().blocking();
    for round in 1..=50 {
        assert_eq!(cache.increment("count", 1).unwrap(), round);
        proxy.strike(Stroke::Reset);
    }
    println!("50 idle resets before increments, 0 errors, none counted twice");
}

pub(crate) async fn a_thousand_cold_callers_make_one_connection_or_the_pool<T: Target>() {
    for pool in [1, 4] {
        let server = T::start();
        let cache = Arc::new(cache_at(&format!("{}?pool={pool}", server.url())));
        let mut tasks = JoinSet::new();
        for _ in 0..1000 {
            let cache = Arc::clone(&cache);
            tasks.spawn(async move { cache.get("key").await.is_err() });
        }
        let errors = tasks.join_all().await.into_iter().filter(|failed| *failed).count();
        println!("1,000 cold callers, pool of {pool}: {errors} errors, {} connections", sees(&server, pool..=pool));
        assert_eq!(errors, 0);
    }
}

pub(crate) async fn an_absent_server_fails_at_once_and_is_found_when_it_comes<T: Target>() {
    let server = T::start();
    server.kill();
    let began = now();
    let cache = cache_at(&server.url());
    let error = cache.get("key").await.unwrap_err();
    println!("absent: {error} after {:?}", began.elapsed());
    assert!(
        error.kind() == ErrorKind::Connection && error.is_retryable() && began.elapsed() < Duration::from_millis(100)
    );
    server.restart();
    let began = now();
    cache.get("key").await.unwrap();
    println!("found in {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_millis(150));
}

pub(crate) async fn two_tiers_answer_from_the_near_one_while_the_server_is_gone<T: Target>() {
    let server = T::start();
    let store = far::from_url(&server.url()).unwrap();
    let near = Memory::with_capacity(100);
    let cache = Cache::<String>::builder().near(near).far(store).serializer(Json).build().unwrap();
    cache.set("key", "value".into()).await.unwrap();
    server.kill();
    assert_eq!(cache.get("key").await.unwrap().as_deref(), Some("value"));
    assert_eq!(cache.get("other").await.unwrap_err().kind(), ErrorKind::Connection);
}
