//! What a store that does not answer costs those who load: one deadline, then next to nothing.
#![cfg(all(feature = "redis", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use scrubjay::{Cache, Error, ErrorKind, OnFailure, Policy, far, serializer::Json};
use scrubjay_testkit::{
    proxy::{Fault, FaultProxy, HostileServer},
    servers::RedisServer,
};

const CALLS: u32 = 1_000;

#[expect(clippy::disallowed_methods, reason = "a figure of a test")]
fn now() -> Instant {
    Instant::now()
}

/// A cache behind a proxy before a server.
fn behind(server: &RedisServer, policy: Policy) -> (FaultProxy, Cache<u32>) {
    let proxy = FaultProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port()))).unwrap();
    let store = far::from_url(&format!("redis://{}", proxy.address())).unwrap();
    (proxy, Cache::builder().far(store).serializer(Json).policy(policy).build().unwrap())
}

async fn loaded(cache: &Cache<u32>, key: u32) -> Duration {
    let (key, began) = (key.to_string(), now());
    assert_eq!(cache.get_or_load(&*key, || async { Ok::<_, Error>(7) }).await.unwrap(), 7);
    began.elapsed()
}

/// Loads while the store does not answer: what the first call takes and each of the others, and how many calls found out.
async fn cost(name: &str, cache: &Cache<u32>) {
    let (before, first) = (cache.failures_ignored(), loaded(cache, 0).await);
    let began = now();
    let mut longest = Duration::ZERO;
    for key in 1..=CALLS {
        longest = longest.max(loaded(cache, key).await);
    }
    let (all, failures) = (began.elapsed(), cache.failures_ignored() - before);
    println!(
        "{name}: first load {first:.0?}, then {:.1?} each, {longest:.1?} at most; {failures} calls of the store failed",
        all / CALLS
    );
    // One to find out, and one after each pause of a second at most.
    assert!(failures >= 1 && u128::from(failures) <= 2 + all.as_millis() / 1_000, "{name}: {failures} failures");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_does_not_answer_costs_one_deadline() {
    let server = RedisServer::start().unwrap();
    for (name, fault) in [("black hole", Fault::BlackHole), ("lost replies", Fault::Swallow)] {
        for warm in [true, false] {
            let (proxy, cache) = behind(&server, Policy::default());
            if warm {
                cache.get("key").await.unwrap();
            }
            proxy.inject(fault.clone());
            cost(&format!("{name}, warm: {warm}"), &cache).await;
            proxy.heal();
            heals(&cache, &format!("{name}{warm}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_in_a_hurry_loads_although_the_store_does_not_answer() {
    let server = RedisServer::start().unwrap();
    let (proxy, cache) =
        behind(&server, Policy { load_timeout: Some(Duration::from_millis(500)), ..Policy::default() });
    cache.get("key").await.unwrap();
    proxy.inject(Fault::BlackHole);
    cost("black hole, half a second for all", &cache).await;
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok::<_, Error>(7)
    };
    assert_eq!(cache.get_or_load("slow", slow).await.unwrap(), 7);
    proxy.heal();
    heals(&cache, "in a hurry").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_gone_costs_next_to_nothing() {
    let server = RedisServer::start().unwrap();
    let store = far::from_url(&server.url()).unwrap();
    let cache = Cache::builder().far(store).serializer(Json).build().unwrap();
    cache.get("key").await.unwrap();
    server.kill();
    cost("killed", &cache).await;
    server.restart();
    heals(&cache, "after").await;
}

/// Loads until a value is kept again.
async fn heals(cache: &Cache<u32>, key: &str) {
    let (began, calls) = (now(), AtomicU32::new(0));
    while !matches!(cache.get(key).await, Ok(Some(1))) {
        let load = async {
            calls.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Error>(1)
        };
        cache.get_or_load(key, || load).await.unwrap();
        tokio::task::yield_now().await;
        assert!(began.elapsed() < Duration::from_secs(20), "it does not heal");
    }
    println!("kept again {:.0?} after it healed", began.elapsed());
}

#[tokio::test]
async fn failures_are_told_where_the_policy_says_so() {
    let server = RedisServer::start().unwrap();
    let (proxy, cache) = behind(&server, Policy::new().on_failure(OnFailure::Fail));
    proxy.inject(Fault::Refuse);
    let error = cache.get_or_load("key", || async { Ok::<_, Error>(7) }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
}

#[tokio::test]
async fn a_configuration_error_does_not_fail_open() {
    let server = HostileServer::start("-ERR unknown command 'HELLO'\r\n").unwrap();
    let url = format!("redis://{}?protocol=3", server.address());
    let cache = Cache::<u32>::builder().far(far::from_url(&url).unwrap()).serializer(Json).build().unwrap();
    for _ in 0..2 {
        let error = cache.get_or_load("key", || async { Ok::<_, Error>(7) }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        let error = cache.get_or_load_many(["a", "b"], |_| async { Ok::<_, Error>([]) }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
    let incoherent = Policy::new().jitter(2.0);
    let error = cache.get_or_load("key", || async { Ok::<_, Error>(7) }).policy(incoherent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}
