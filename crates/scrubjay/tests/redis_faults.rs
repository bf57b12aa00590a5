//! What must not happen however the network, the server or the caller fails. Each test prints its figure.
#![cfg(all(feature = "redis", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use scrubjay::{Cache, ErrorKind, far::Redis, serializer::Json};
use scrubjay_testkit::{
    proxy::{Fault, FaultProxy, HostileServer, Stroke},
    servers::RedisServer,
    wait,
};
use tokio::{runtime::Runtime, task::JoinSet, time::timeout};

const SEED: u64 = 0x5c2b_1a7e;

fn cache_at(url: &str) -> Cache<String> {
    Cache::from_url(url).unwrap()
}

fn behind(server: &RedisServer) -> (FaultProxy, Cache<String>) {
    let proxy = FaultProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port()))).unwrap();
    let cache = cache_at(&format!("redis://{}", proxy.address()));
    (proxy, cache)
}

/// How many clients the server sees; our question comes by a socket.
fn clients(server: &RedisServer) -> usize {
    server.command(&["CLIENT", "LIST"]).lines().filter(|line| line.contains("addr=127.0.0.1")).count()
}

/// A small generator of numbers that look random: xorshift.
fn random(state: &AtomicU64) -> u64 {
    let mut x = state.load(Ordering::Relaxed);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    state.store(x, Ordering::Relaxed);
    x
}

async fn fill(cache: &Cache<String>, keys: usize) {
    cache.set_many((0..keys).map(|n| (format!("key{n}"), format!("value of key{n}")))).await.unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a figure of a test")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cancellations_leaves_no_foreign_value_and_no_extra_connection() {
    const TASKS: u64 = 64;
    const EACH: u64 = 3_300;
    let server = RedisServer::start().unwrap();
    let cache = Arc::new(cache_at(&server.url()));
    fill(&cache, 100).await;
    let [answered, cut] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (cache, answered, cut) = (Arc::clone(&cache), Arc::clone(&answered), Arc::clone(&cut));
        tasks.spawn(async move {
            let state = AtomicU64::new(SEED + task * 7919);
            for _ in 0..EACH {
                let key = format!("key{}", random(&state) % 100);
                let patience = Duration::from_micros(random(&state) % 400);
                let foreign = format!("value of {key}");
                match random(&state) % 4 {
                    0 => match timeout(patience, cache.set(&*key, foreign)).await {
                        Ok(answer) => answer.map(|()| answered.fetch_add(1, Ordering::Relaxed)).unwrap(),
                        Err(_) => cut.fetch_add(1, Ordering::Relaxed),
                    },
                    1 => {
                        let keys = [&*key, "key7"];
                        match timeout(patience, cache.get_many(keys)).await {
                            Ok(values) => {
                                assert_eq!(values.unwrap(), [Some(foreign), Some("value of key7".into())]);
                                answered.fetch_add(1, Ordering::Relaxed)
                            }
                            Err(_) => cut.fetch_add(1, Ordering::Relaxed),
                        }
                    }
                    _ => match timeout(patience, cache.get(&*key)).await {
                        Ok(value) => {
                            assert_eq!(value.unwrap(), Some(foreign));
                            answered.fetch_add(1, Ordering::Relaxed)
                        }
                        Err(_) => cut.fetch_add(1, Ordering::Relaxed),
                    },
                };
            }
        });
    }
    tasks.join_all().await;
    let (answered, cut) = (answered.load(Ordering::Relaxed), cut.load(Ordering::Relaxed));
    println!(
        "seed {SEED:#x}: {} operations, {cut} cut, {answered} answered, 0 foreign, {} connection",
        answered + cut,
        clients(&server)
    );
    assert!(answered + cut >= 200_000 && cut > 10_000 && answered > 10_000);
    assert_eq!(clients(&server), 1);
}

/// Polls `future` at most `polls` times, waiting for its wake-up in between, and drops it.
async fn polled<T>(polls: usize, mut future: Pin<&mut (dyn Future<Output = T> + Send)>) -> Option<T> {
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn every_future_can_be_dropped_at_each_await_point() {
    let server = RedisServer::start().unwrap();
    let mut dropped = 0;
    for warm in [false, true] {
        for verb in 0..9 {
            for polls in 0..12 {
                let cache = cache_at(&format!("{}?pool=2", server.url()));
                if warm {
                    cache.get("warm").await.unwrap();
                }
                fill(&cache, 3).await;
                let done = {
                    let cache = &cache;
                    let mut future: Pin<Box<dyn Future<Output = ()> + Send>> = match verb {
                        0 => Box::pin(async { drop(cache.get("key0").await.unwrap()) }),
                        1 => Box::pin(async { drop(cache.get_many(["key0", "key1"]).await.unwrap()) }),
                        2 => Box::pin(async { cache.set("x", "x".into()).await.unwrap() }),
                        3 => Box::pin(async {
                            cache
                                .set_many([("x", "x".to_owned()), ("y", "y".into())])
                                .ttl(Duration::from_secs(9))
                                .await
                                .unwrap();
                        }),
                        4 => Box::pin(async { assert!(cache.add("x", "x".into()).await.is_ok()) }),
                        5 => Box::pin(async { assert!(cache.delete("x").await.is_ok()) }),
                        6 => Box::pin(async { drop(cache.get_for_update("key0").await.unwrap()) }),
                        7 => Box::pin(async { assert!(cache.expire("key2", Duration::from_secs(9)).await.is_ok()) }),
                        _ => Box::pin(async { cache.with_namespace_cleared().await }),
                    };
                    polled(polls, future.as_mut()).await.is_some()
                };
                dropped += usize::from(!done);
                for n in 0..2 {
                    assert_eq!(
                        cache.get(format!("key{n}")).await.unwrap(),
                        Some(format!("value of key{n}")),
                        "verb {verb}"
                    );
                }
            }
        }
    }
    println!("{dropped} futures dropped midway, 0 foreign values");
    assert!(dropped > 30);
}

trait ClearElsewhere {
    async fn with_namespace_cleared(&self);
}

impl ClearElsewhere for Cache<String> {
    async fn with_namespace_cleared(&self) {
        self.clear().namespace("elsewhere").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_surplus_reply_gives_no_wrong_answer() {
    let server = RedisServer::start().unwrap();
    let (proxy, cache) = behind(&server);
    let cache = Arc::new(cache);
    fill(&cache, 100).await;
    let surplus = "$14\r\n\"value of mine\"\r\n";
    let mut checked = 0;
    for round in 0..200 {
        // In flight: 20 callers at once while the surplus arrives.
        let mut tasks = JoinSet::new();
        for task in 0..20 {
            let cache = Arc::clone(&cache);
            tasks.spawn(async move {
                for n in 0..20 {
                    let key = format!("key{}", (task * 5 + n) % 100);
                    // A surplus closes the connection: who was on it may be told so, but never told something else.
                    match cache.get(&*key).await {
                        Ok(value) => assert_eq!(value, Some(format!("value of {key}"))),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Connection, "{error}"),
                    }
                }
                20
            });
        }
        proxy.strike(Stroke::Surplus(surplus.into()));
        checked += tasks.join_all().await.into_iter().sum::<usize>();
        // At rest, then at once a question.
        if round % 4 == 0 {
            proxy.strike(Stroke::Surplus(surplus.into()));
            assert_eq!(cache.get("key1").await.unwrap().as_deref(), Some("value of key1"));
        }
    }
    println!("{checked} answers around 250 surplus replies, 0 wrong; {} connections made", proxy.connections());
    assert!(proxy.connections() > 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_surplus_after_every_reply_or_no_reply_is_an_error_and_never_an_answer() {
    let server = RedisServer::start().unwrap();
    let (proxy, cache) = behind(&server);
    fill(&cache, 10).await;
    proxy.inject(Fault::Surplus { bytes: "$4\r\n\"no\"\r\n".into() });
    let error = cache.get("key1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    proxy.heal();
    assert_eq!(cache.get("key1").await.unwrap().as_deref(), Some("value of key1"));
    proxy.inject(Fault::Swallow);
    let error = cache.get("key1").timeout(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    proxy.heal();
    assert_eq!(cache.get("key1").await.unwrap().as_deref(), Some("value of key1"));
}

/// Calls of every verb in a row and at once; the longest overrun of their deadlines.
async fn longest_overrun(cache: &Arc<Cache<String>>, deadline: Duration) -> Duration {
    let mut tasks = JoinSet::new();
    for n in 0..40 {
        let cache = Arc::clone(cache);
        tasks.spawn(async move {
            let began = now();
            let answer = match n % 4 {
                0 => cache.get("key1").timeout(deadline).await.map(drop),
                1 => cache.set("key1", "x".repeat(20_000)).timeout(deadline).await,
                2 => cache.delete("absent").timeout(deadline).await.map(drop),
                _ => cache.get_many(["key1", "key2"]).timeout(deadline).await.map(drop),
            };
            assert!(answer.is_err());
            began.elapsed().saturating_sub(deadline)
        });
    }
    tasks.join_all().await.into_iter().max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_and_a_black_hole_cost_no_more_than_the_deadline() {
    let server = RedisServer::start().unwrap();
    let deadline = Duration::from_millis(300);
    let (proxy, cache) = behind(&server);
    let cache = Arc::new(cache);
    cache.get("key1").await.unwrap();
    for (name, begin, end) in [
        (
            "black hole",
            (|_, proxy| proxy.inject(Fault::BlackHole)) as fn(&RedisServer, &FaultProxy),
            (|_, proxy| proxy.heal()) as fn(&RedisServer, &FaultProxy),
        ),
        ("SIGSTOP", |server, _| server.pause(), |server, _| server.resume()),
    ] {
        begin(&server, &proxy);
        let warm = longest_overrun(&cache, deadline).await;
        let later = longest_overrun(&cache, deadline).await;
        let cold = longest_overrun(&Arc::new(cache_at(&format!("redis://{}", proxy.address()))), deadline).await;
        end(&server, &proxy);
        let began = now();
        cache.get("key1").await.unwrap();
        println!("{name}: overrun {warm:?} warm, {later:?} later, {cold:?} cold; healed in {:?}", began.elapsed());
        assert!(warm.max(later).max(cold) <= Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_but_living_server_keeps_its_connection() {
    let server = RedisServer::start().unwrap();
    let (proxy, cache) = behind(&server);
    cache.set("key", "value".into()).await.unwrap();
    proxy.inject(Fault::Latency { base: Duration::from_millis(120), jitter: Duration::ZERO, seed: SEED });
    let slow = cache.get("key").timeout(Duration::from_millis(60));
    let (slow, patient) = tokio::join!(slow, async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        cache.get("key").await
    });
    println!("slow: {slow:?}");
    assert_eq!(patient.unwrap().as_deref(), Some("value"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_fails_fast_and_heals_at_once() {
    let server = RedisServer::start().unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_reset_is_not_noticed_by_the_next_call() {
    let server = RedisServer::start().unwrap();
    let (proxy, cache) = behind(&server);
    cache.set("count", "0".into()).await.unwrap();
    for round in 0..100 {
        proxy.strike(if round % 2 == 0 { Stroke::Reset } else { Stroke::HalfClose });
        cache.get("count").await.unwrap();
    }
    println!("100 idle resets, 0 errors");
}

#[test]
fn an_idle_reset_is_not_noticed_by_the_next_blocking_call_though_it_counts() {
    let server = RedisServer::start().unwrap();
    let (proxy, _) = behind(&server);
    let cache = Cache::<i64>::from_url(&format!("redis://{}", proxy.address())).unwrap().blocking();
    for round in 1..=50 {
        assert_eq!(cache.increment("count", 1).unwrap(), round);
        proxy.strike(Stroke::Reset);
    }
    println!("50 idle resets before increments, 0 errors, none counted twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cold_callers_make_one_connection_or_the_pool() {
    for pool in [1, 4] {
        let server = RedisServer::start().unwrap();
        let cache = Arc::new(cache_at(&format!("{}?pool={pool}", server.url())));
        let mut tasks = JoinSet::new();
        for _ in 0..1000 {
            let cache = Arc::clone(&cache);
            tasks.spawn(async move { cache.get("key").await.is_err() });
        }
        let errors = tasks.join_all().await.into_iter().filter(|failed| *failed).count();
        let line = server.command(&["INFO", "stats"]);
        println!("1,000 cold callers, pool of {pool}: {errors} errors, {} connections", clients(&server));
        assert_eq!((errors, clients(&server)), (0, pool), "{line}");
    }
}

#[tokio::test]
async fn an_absent_server_fails_at_once_and_is_found_when_it_comes() {
    let server = RedisServer::start().unwrap();
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

#[tokio::test]
async fn hostile_replies_are_errors() {
    let forged: [(&str, String); 6] = [
        ("deep nesting", "*1\r\n".repeat(100_000)),
        ("huge length", "$8000000000\r\n".into()),
        ("negative length", "$-7\r\n".into()),
        ("huge array", "*2000000000\r\n:1\r\n$-7\r\n".into()),
        ("garbage", "HTTP/1.1 400 Bad Request\r\n\r\n".into()),
        ("wrong type", ":5\r\n".into()),
    ];
    for (name, reply) in forged {
        let server = HostileServer::start(reply.clone()).unwrap();
        let began = now();
        let error = cache_at(&format!("redis://{}", server.address())).get("key").await.unwrap_err();
        println!("{name}: {error} after {:?}", began.elapsed());
        assert!(began.elapsed() <= Duration::from_millis(1050));

        let server = RedisServer::start().unwrap();
        let (proxy, cache) = behind(&server);
        cache.set("key", "value".into()).await.unwrap();
        proxy.inject(Fault::Forge { reply: reply.into() });
        let began = now();
        let error = cache.get("key").await.unwrap_err();
        println!("{name}, later: {error} after {:?}", began.elapsed());
        assert!(began.elapsed() <= Duration::from_millis(1050));
        proxy.heal();
        assert_eq!(cache.get("key").await.unwrap().as_deref(), Some("value"));
    }
    let server = HostileServer::endless("x".repeat(1 << 16)).unwrap();
    let began = now();
    let error = cache_at(&format!("redis://{}", server.address())).get("key").await.unwrap_err();
    println!("endless line: {error} after {:?}", began.elapsed());
    let server = HostileServer::endless("+x".repeat(1 << 16)).unwrap();
    cache_at(&format!("redis://{}", server.address())).get("key").await.unwrap_err();
    assert!(began.elapsed() <= Duration::from_secs(1));
}

static SHARED: LazyLock<(RedisServer, Cache<String>)> = LazyLock::new(|| {
    let server = RedisServer::start().unwrap();
    let cache = cache_at(&server.url());
    (server, cache)
});

#[test]
fn a_static_cache_serves_runtimes_one_after_another_and_at_once() {
    let (server, cache) = &*SHARED;
    for round in 0..50 {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            cache.set("key", format!("{round}")).await.unwrap();
            assert_eq!(cache.get("key").await.unwrap(), Some(format!("{round}")));
        });
    }
    let after = clients(server);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for round in 0..200 {
                    runtime.block_on(async {
                        let key = format!("{thread}");
                        cache.set(&*key, format!("{round}")).await.unwrap();
                        assert_eq!(cache.get(&*key).await.unwrap(), Some(format!("{round}")));
                    });
                }
                let blocking = cache.blocking();
                assert_eq!(blocking.get(format!("{thread}")).unwrap().as_deref(), Some("199"));
            });
        }
    });
    println!("50 runtimes in a row and 8 at once: 0 errors, {after} connection(s) left of the 50");
    assert!(after <= 1);
    server.kill(); // A static is never dropped.
}

#[test]
fn blocking_calls_inside_a_runtime_share_one_connection() {
    let server = RedisServer::start().unwrap();
    let cache = cache_at(&server.url()).blocking();
    for workers in [1, 2] {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).enable_all().build().unwrap();
        runtime.block_on(async {
            for n in 0..500 {
                cache.set("key", format!("{n}")).unwrap();
                assert_eq!(cache.get("key").unwrap(), Some(format!("{n}")));
            }
        });
    }
    println!("2,000 blocking calls inside runtimes: {} connection", clients(&server));
    assert_eq!(clients(&server), 1);
}

#[tokio::test]
async fn two_tiers_answer_from_the_near_one_while_the_server_is_gone() {
    let server = RedisServer::start().unwrap();
    let store = Redis::new(&server.url()).unwrap();
    let cache = Cache::<String>::builder()
        .near(scrubjay::Memory::with_capacity(100))
        .far(store)
        .serializer(Json)
        .build()
        .unwrap();
    cache.set("key", "value".into()).await.unwrap();
    server.kill();
    assert_eq!(cache.get("key").await.unwrap().as_deref(), Some("value"));
    assert_eq!(cache.get("other").await.unwrap_err().kind(), ErrorKind::Connection);
}
