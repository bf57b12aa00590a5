//! What callers notice while a replica takes over from a master that was killed: errors in time, and then none.
#![cfg(all(feature = "redis", feature = "tls", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use scrubjay::{Cache, ErrorKind};
use scrubjay_testkit::{
    servers::{RedisCluster, RedisSentinel, RedisServer},
    wait,
};
use tokio::task::{JoinSet, block_in_place};

const CALLERS: usize = 50;
const DEADLINE: Duration = Duration::from_millis(300);
/// By how much a call may miss its deadline.
const OVERRUN: Duration = Duration::from_millis(50);

#[expect(clippy::disallowed_methods, reason = "a figure of a test")]
fn now() -> Instant {
    Instant::now()
}

/// Kills a master under load, and waits until `fail_over` says that another one is up; tells what callers noticed.
async fn tell(name: &str, url: &str, fail_over: impl FnOnce()) {
    let cache = Cache::<String>::from_url(url).unwrap();
    let [answered, failed] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (cache, over) = (cache.clone(), Arc::clone(&over));
        let (answered, failed) = (Arc::clone(&answered), Arc::clone(&failed));
        callers.spawn(async move {
            let (key, mut worst) = (format!("key{caller}"), Duration::ZERO);
            while !over.load(Ordering::Relaxed) {
                let began = now();
                let answer = match caller % 3 {
                    0 => cache.set(&key, "value".into()).timeout(DEADLINE).await,
                    1 => cache.get(&key).timeout(DEADLINE).await.map(drop),
                    _ => cache.get_many([&key, "key0", "key1"]).timeout(DEADLINE).await.map(drop),
                };
                worst = worst.max(began.elapsed().saturating_sub(DEADLINE));
                match answer {
                    Ok(()) => answered.fetch_add(1, Ordering::Relaxed),
                    Err(error) => {
                        let kinds = [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::Server];
                        assert!(kinds.contains(&error.kind()), "{error:?}");
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        failed.fetch_add(1, Ordering::Relaxed)
                    }
                };
            }
            worst
        });
    }
    let more = |count: &AtomicUsize| {
        let from = count.load(Ordering::Relaxed);
        let enough = || if count.load(Ordering::Relaxed) >= from + 200 { Ok(()) } else { Err("too few".into()) };
        block_in_place(|| wait::until(Duration::from_secs(30), enough)).unwrap();
    };
    more(&answered);
    let began = now();
    block_in_place(fail_over);
    let (replaced, up) = (began.elapsed(), now());
    let mut writing = JoinSet::new();
    for caller in 0..CALLERS {
        let cache = cache.clone();
        writing.spawn(async move {
            let key = format!("key{caller}");
            while cache.set(&key, "after".into()).timeout(DEADLINE).await.is_err() {
                assert!(up.elapsed() < Duration::from_secs(20), "{key} cannot be written any more");
            }
            up.elapsed()
        });
    }
    let healed = writing.join_all().await.into_iter().max().unwrap();
    let errors = failed.load(Ordering::Relaxed);
    more(&answered);
    over.store(true, Ordering::Relaxed);
    let worst = callers.join_all().await.into_iter().max().unwrap();
    println!(
        "{name}: replaced after {replaced:.1?}, all keys writable {healed:.1?} later; {errors} calls failed; longest overrun \
         {worst:.1?} of a deadline of {DEADLINE:?}"
    );
    assert!(worst <= OVERRUN, "{worst:?}");
    assert!(healed <= Duration::from_secs(2), "{healed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_whose_master_is_killed_keeps_every_deadline_and_heals() {
    for (name, node) in [("cluster", RedisServer::builder()), ("cluster over TLS", RedisServer::builder().tls())] {
        let cluster = RedisCluster::start_as(node).unwrap();
        let url = match name {
            "cluster" => cluster.url(),
            _ => format!("{}?ca={}", cluster.url(), cluster.nodes()[0].ca_certificate().display()),
        };
        tell(name, &url, || {
            cluster.kill_master(1);
            cluster.until_healed();
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinels_master_that_is_killed_keeps_every_deadline_and_heals() {
    let sentinel = RedisSentinel::start().unwrap();
    tell("sentinel", &sentinel.url(), || sentinel.failover()).await;
}
