//! Locks between processes, on real servers: whoever holds one, however it ends. What holds inside one process is in the behaviour
//! suite, on every store.
#![cfg(all(feature = "redis", feature = "memcached", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use scrubjay::{Cache, ErrorKind, far, serializer::Json};
use scrubjay_testkit::{
    servers::{MemcachedServer, RedisServer},
    worker::{self, Worker},
};
use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);
/// Longer than any of these takes.
const LONG: Duration = Duration::from_secs(60);
const PROCESSES: usize = 4;
const TURNS: usize = 25;

/// What another process does.
#[derive(Serialize, Deserialize)]
enum Job {
    /// Takes the lock that often, and writes its number at the end of a list each time: reads it, and writes it back.
    TakeTurns(String),
    /// Holds the lock for so long, and releases it when it is told to.
    Hold(String, Duration),
}

fn start(job: &Job) -> Worker {
    Worker::start("worker", &serde_json::to_string(job).unwrap())
}

#[test]
#[ignore = "a process of the tests here"]
fn worker() {
    let Some(job) = worker::job() else { return };
    match serde_json::from_str(&job).unwrap() {
        Job::TakeTurns(url) => {
            let cache = cache(&url).blocking();
            worker::say("ready");
            worker::listen();
            for _ in 0..TURNS {
                let guard = cache.with().within(LONG).lock("key", LONG).unwrap();
                let mut turns = cache.get("turns").unwrap().unwrap_or_default();
                turns.push(guard.fencing_token());
                cache.set("turns", turns).unwrap();
                assert!(guard.release().unwrap());
            }
            worker::say("done");
        }
        Job::Hold(url, hold) => {
            let guard = cache(&url).blocking().with().within(Duration::ZERO).lock("key", hold).unwrap();
            worker::say(&guard.fencing_token().to_string());
            worker::listen();
            worker::say(&guard.release().unwrap().to_string());
        }
    }
}

fn cache(url: &str) -> Cache<Vec<i64>> {
    Cache::builder().far(far::from_url(url).unwrap()).serializer(Json).namespace("locks").build().unwrap()
}

/// Runs `test` on a server of each kind, with the steps in which the server counts time.
fn on_each(test: impl Fn(&str, &str, Duration)) {
    let (redis, memcached) = (RedisServer::start().unwrap(), MemcachedServer::start().unwrap());
    for (kind, url) in [("Redis", redis.url()), ("memcached", memcached.url())] {
        test(kind, &url, far::from_url(&url).unwrap().capability().ttl_resolution);
    }
}

/// A process that holds the lock, and its number.
fn held_elsewhere(url: &str, hold: Duration) -> (Worker, i64) {
    let mut holder = start(&Job::Hold(url.to_owned(), hold));
    let number = holder.hear().parse().unwrap();
    (holder, number)
}

#[expect(clippy::disallowed_methods, reason = "a figure of a test")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn four_processes_take_turns_and_lose_no_write() {
    on_each(|kind, url, _| {
        let began = now();
        let mut workers: Vec<Worker> = (0..PROCESSES).map(|_| start(&Job::TakeTurns(url.to_owned()))).collect();
        workers.iter_mut().for_each(|worker| assert_eq!(worker.hear(), "ready"));
        workers.iter_mut().for_each(|worker| worker.tell("go"));
        workers.iter_mut().for_each(|worker| assert_eq!(worker.hear(), "done"));
        let turns = cache(url).blocking().get("turns").unwrap().unwrap();
        let lost = PROCESSES * TURNS - turns.len();
        println!("{kind}: {PROCESSES} processes, {TURNS} turns each: {lost} writes lost, in {:?}", began.elapsed());
        assert_eq!(lost, 0, "{kind}");
        assert!(turns.is_sorted() && turns.iter().collect::<BTreeSet<_>>().len() == turns.len(), "{kind}: {turns:?}");
    });
}

#[test]
fn a_wait_for_another_process_ends_with_its_patience_or_with_the_release() {
    on_each(|kind, url, _| {
        let cache = cache(url).blocking();
        let (mut holder, number) = held_elsewhere(url, LONG);
        let patience = Duration::from_millis(300);
        let began = now();
        let error = cache.with().within(patience).lock("key", LONG).unwrap_err();
        let waited = began.elapsed();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{kind}: {error}");
        assert!(patience <= waited && waited <= patience + Duration::from_millis(50), "{kind}: {waited:?}");
        holder.tell("release");
        let guard = cache.with().within(LONG).lock("key", LONG).unwrap();
        println!("{kind}: patience of {patience:?} took {waited:?}; holder {number}, then {}", guard.fencing_token());
        assert!(guard.fencing_token() > number, "{kind}");
        assert_eq!(holder.hear(), "true", "{kind}: it was held to the end");
        assert!(guard.release().unwrap(), "{kind}");
    });
}

#[test]
fn the_lock_of_a_process_that_was_killed_is_free_after_its_hold() {
    on_each(|kind, url, step| {
        let (cache, hold) = (cache(url).blocking(), 2 * SECOND);
        let before = now();
        let (mut holder, number) = held_elsewhere(url, hold);
        let after = now();
        holder.kill();
        let guard = cache.with().within(LONG).lock("key", LONG).unwrap();
        println!(
            "{kind}: killed, held for {hold:?}: free after {:?}, {number} then {}",
            after.elapsed(),
            guard.fencing_token()
        );
        assert!(before.elapsed() >= hold, "{kind}: no lock ends early");
        assert!(after.elapsed() <= hold + 2 * step + SECOND, "{kind}: {:?}", after.elapsed());
        assert!(guard.fencing_token() > number, "{kind}");
        assert!(guard.release().unwrap(), "{kind}");
    });
}

#[test]
fn a_process_that_was_halted_for_longer_than_its_hold_frees_nothing() {
    on_each(|kind, url, _| {
        let cache = cache(url).blocking();
        let (mut holder, number) = held_elsewhere(url, SECOND);
        holder.pause();
        let guard = cache.with().within(LONG).lock("key", LONG).unwrap();
        holder.resume();
        holder.tell("release");
        assert_eq!(holder.hear(), "false", "{kind}: it has lost the lock");
        assert_eq!(
            cache.with().within(Duration::ZERO).lock("key", LONG).unwrap_err().kind(),
            ErrorKind::Timeout,
            "{kind}"
        );
        println!("{kind}: the late holder {number} freed nothing of {}", guard.fencing_token());
        assert!(guard.release().unwrap(), "{kind}");
    });
}

/// An optimist of another process is told as one of this process is: what it read is what it compares.
#[test]
fn optimists_in_several_caches_lose_no_write() {
    on_each(|kind, url, _| {
        let conflicts = std::thread::scope(|scope| {
            let optimist = |_| {
                scope.spawn(|| {
                    let (cache, mut conflicts) = (cache(url).blocking(), 0);
                    for turn in 0..TURNS {
                        loop {
                            let entry = cache.optimistic_lock("optimists").unwrap();
                            let mut turns = entry.value().cloned().unwrap_or_default();
                            turns.push(i64::try_from(turn).unwrap());
                            match entry.cas(turns) {
                                Ok(()) => break,
                                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{kind}: {error}"),
                            }
                            conflicts += 1;
                        }
                    }
                    conflicts
                })
            };
            let optimists: Vec<_> = (0..PROCESSES).map(optimist).collect();
            optimists.into_iter().map(|optimist| optimist.join().unwrap()).sum::<usize>()
        });
        let written = cache(url).blocking().get("optimists").unwrap().unwrap().len();
        println!("{kind}: {written} of {} writes, after {conflicts} conflicts", PROCESSES * TURNS);
        assert_eq!(written, PROCESSES * TURNS, "{kind}");
    });
}
