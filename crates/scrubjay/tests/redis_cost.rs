//! What a call costs beside redis-rs's own, both in one run and in turn. Measured only when asked for:
//! `cargo test --release -p scrubjay --features redis --test redis_cost -- --ignored --nocapture`.
#![cfg(all(feature = "redis", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{AsyncCommands, Commands};
use scrubjay::{Cache, far::Redis, serializer::Text};
use scrubjay_testkit::servers::RedisServer;
use tokio::task::JoinSet;

/// Rounds of each side in turn; the median is told.
const ROUNDS: usize = 9;

fn cache(server: &RedisServer) -> Cache<String> {
    let store = Redis::new(&server.url()).unwrap();
    Cache::builder().far(store).serializer(Text).build().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn now() -> Instant {
    Instant::now()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn told(what: &str, ours: Vec<Duration>, theirs: Vec<Duration>, calls: u32) -> f64 {
    let (ours, theirs) = (median(ours) / calls, median(theirs) / calls);
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("{what}: ours {ours:?}, redis-rs {theirs:?} a call: {ratio:.2}");
    ratio
}

#[test]
#[ignore = "a measurement"]
fn a_blocking_get_costs_at_most_1_6_of_redis_rs() {
    const CALLS: u32 = 5_000;
    let server = RedisServer::start().unwrap();
    let cache = cache(&server).blocking();
    cache.set("key", "x".repeat(100)).unwrap();
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = now();
        for _ in 0..CALLS {
            let value = cache.get("key").unwrap();
            assert_eq!(value.map(|value| value.len()), Some(100));
        }
        ours.push(began.elapsed());
        let began = now();
        for _ in 0..CALLS {
            let value: Option<String> = connection.get("key").unwrap();
            assert_eq!(value.map(|value| value.len()), Some(100));
        }
        theirs.push(began.elapsed());
    }
    assert!(told("blocking GET of 100 B", ours, theirs, CALLS) <= 1.6);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let began = now();
    for _ in 0..CALLS {
        cache.get("key").unwrap();
    }
    println!("blocking GET inside a runtime: {:?} a call", began.elapsed() / CALLS);
}

#[test]
#[ignore = "a measurement"]
fn many_tasks_are_as_fast_as_on_a_multiplexed_connection() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let server = RedisServer::start().unwrap();
        let cache = Arc::new(cache(&server));
        cache.set("key", "x".repeat(100)).await.unwrap();
        let client = redis::Client::open(server.url()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        for tasks in [1_u32, 50, 1_000] {
            let each = 60_000 / tasks.max(4);
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let began = now();
                let mut set = JoinSet::new();
                for _ in 0..tasks {
                    let cache = Arc::clone(&cache);
                    set.spawn(async move {
                        for _ in 0..each {
                            cache.get("key").await.unwrap();
                        }
                    });
                }
                set.join_all().await;
                ours.push(began.elapsed());
                let began = now();
                let mut set = JoinSet::new();
                for _ in 0..tasks {
                    let mut connection = connection.clone();
                    set.spawn(async move {
                        for _ in 0..each {
                            let _: Option<String> = connection.get("key").await.unwrap();
                        }
                    });
                }
                set.join_all().await;
                theirs.push(began.elapsed());
            }
            told(&format!("GET of 100 B, {tasks} tasks"), ours, theirs, tasks * each);
        }
    });
}
