//! Counters on real servers that many change at once, in one process and in several: each is told another number, in time.
#![cfg(all(feature = "redis", feature = "memcached", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    collections::BTreeSet,
    pin::pin,
    task::{Context, Waker},
    time::Instant,
};

use scrubjay::{Cache, Result};
use scrubjay_testkit::{
    servers::{MemcachedServer, RedisServer},
    worker::{self, Worker},
};
use tokio::task::JoinSet;

const CALLERS: usize = 1_000;
const PROCESSES: usize = 4;

/// Runs `test` on a server of each kind.
fn on_each(test: impl Fn(&str, &str)) {
    let (redis, memcached) = (RedisServer::start().unwrap(), MemcachedServer::start().unwrap());
    test("Redis", &redis.url());
    test("memcached", &memcached.url());
}

fn cache(url: &str) -> Cache<i64> {
    Cache::from_url(url).unwrap()
}

/// What callers at once are told, each with the default deadline. Errors are counted.
fn count(cache: &Cache<i64>, key: &'static str, changes: impl IntoIterator<Item = i64>) -> (Vec<i64>, usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let told: Vec<Result<i64>> = runtime.block_on(async {
        let mut counting = JoinSet::new();
        for by in changes {
            let cache = cache.clone();
            counting.spawn(async move { cache.increment(key, by).await });
        }
        counting.join_all().await
    });
    let errors: Vec<_> = told.iter().filter_map(|told| told.as_ref().err()).collect();
    if let Some(first) = errors.first() {
        println!("{} errors, the first: {first}", errors.len());
    }
    let errors = errors.len();
    (told.into_iter().flatten().collect(), errors)
}

#[expect(clippy::disallowed_methods, reason = "a figure of a test")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn a_thousand_who_count_down_at_once_are_each_told_another_number() {
    on_each(|kind, url| {
        let began = now();
        let (told, errors) = count(&cache(url), "down", [-1; CALLERS]);
        println!("{kind}: {CALLERS} decrements at once: {errors} errors, in {:?}", began.elapsed());
        assert_eq!(errors, 0, "{kind}");
        let expected: BTreeSet<i64> = (-1_000..0).collect();
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected, "{kind}");
        assert_eq!(cache(url).blocking().get("down").unwrap(), Some(-1_000), "{kind}");
    });
}

#[test]
fn a_thousand_over_four_processes_are_each_told_another_number() {
    on_each(|kind, url| {
        let mut workers: Vec<Worker> = (0..PROCESSES).map(|_| Worker::start("worker", url)).collect();
        workers.iter_mut().for_each(|worker| assert_eq!(worker.hear(), "ready"));
        let began = now();
        workers.iter_mut().for_each(|worker| worker.tell("go"));
        let (mut told, mut errors): (Vec<i64>, usize) = Default::default();
        for worker in &mut workers {
            let (numbers, failed): (Vec<i64>, usize) = serde_json::from_str(&worker.hear()).unwrap();
            told.extend(numbers);
            errors += failed;
        }
        println!("{kind}: {PROCESSES} × {} decrements: {errors} errors, in {:?}", CALLERS / PROCESSES, began.elapsed());
        assert_eq!(errors, 0, "{kind}");
        let expected: BTreeSet<i64> = (-1_000..0).collect();
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected, "{kind}");
    });
}

#[test]
#[ignore = "a process of the tests here"]
fn worker() {
    let Some(url) = worker::job() else { return };
    worker::say("ready");
    worker::listen();
    let told = count(&cache(&url), "shared", [-1; CALLERS / PROCESSES]);
    worker::say(&serde_json::to_string(&told).unwrap());
}

#[test]
fn those_who_count_up_and_those_who_count_down_do_not_starve_each_other() {
    on_each(|kind, url| {
        let began = now();
        let (told, errors) = count(&cache(url), "both", (0..CALLERS).map(|n| if n % 2 == 0 { 1 } else { -2 }));
        println!("{kind}: {CALLERS} up and down at once: {errors} errors, in {:?}", began.elapsed());
        assert_eq!((errors, told.len()), (0, CALLERS), "{kind}");
        assert_eq!(cache(url).blocking().get("both").unwrap(), Some(-500), "{kind}");
    });
}

#[test]
fn blocking_threads_count_down_together_too() {
    on_each(|kind, url| {
        let cache = cache(url).blocking();
        let told: BTreeSet<i64> = std::thread::scope(|scope| {
            let counting: Vec<_> = (0..50)
                .map(|_| scope.spawn(|| (0..4).map(|_| cache.increment("threads", -1).unwrap()).collect::<Vec<_>>()))
                .collect();
            counting.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(told, (-200..0).collect(), "{kind}");
    });
}

#[test]
fn who_leaves_takes_nothing_from_the_others() {
    on_each(|kind, url| {
        let cache = cache(url);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let told: BTreeSet<i64> = runtime.block_on(async {
            let mut counting = JoinSet::new();
            for n in 0..CALLERS {
                let cache = cache.clone();
                counting.spawn(async move {
                    if n % 2 == 0 {
                        // Begun, and dropped at its first wait.
                        let mut left = pin!(cache.increment("left", -1));
                        let _ = left.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                        return None;
                    }
                    Some(cache.increment("left", -1).await.unwrap())
                });
            }
            counting.join_all().await.into_iter().flatten().collect()
        });
        let left = cache.blocking().get("left").unwrap().unwrap();
        println!("{kind}: half of {CALLERS} left: the others were told {} numbers; it stands at {left}", told.len());
        assert_eq!(told.len(), CALLERS / 2, "{kind}");
        assert!((-1_000..=-500).contains(&left) && told.iter().all(|number| (left..0).contains(number)), "{kind}");
    });
}
