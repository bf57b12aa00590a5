//! One load per key on real servers, over several processes: however long the work takes, and whoever fails, leaves or dies.
#![cfg(all(feature = "redis", feature = "memcached", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

mod workers;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use scrubjay::{Cache, Error, ErrorKind, Lookup, Policy};
use scrubjay_testkit::wait;
use tokio::{sync::Notify, task::JoinSet};
use workers::{Face, Job, Server, TIERS, Tiers, Work, Worker, cache_at, tally};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Callers that start at once in several processes; answers how many loaded, and how many got an error.
fn together(server: &Server, job: &Job, processes: usize) -> (i64, usize) {
    let before = tally(&server.url()).blocking().get("executions").unwrap().unwrap_or(0);
    let mut workers: Vec<Worker> = (0..processes).map(|_| Worker::start(job)).collect();
    workers.iter_mut().for_each(|worker| assert_eq!(worker.hear(), "ready"));
    workers.iter_mut().for_each(|worker| worker.tell("go"));
    let errors = workers.iter_mut().map(|worker| worker.hear().parse::<usize>().unwrap()).sum();
    let after = tally(&server.url()).blocking().get("executions").unwrap().unwrap_or(0);
    (after - before, errors)
}

#[test]
fn a_thousand_cold_callers_load_once_in_one_process() {
    for server in Server::each() {
        for (tiers, face) in [(Tiers::Far, Face::Async), (Tiers::Two, Face::Async), (Tiers::Far, Face::Blocking)] {
            let job = Job::new(&server, tiers, face)
                .on(&format!("{tiers:?}{face:?}"))
                .callers(1_000)
                .work(Work::Takes(100 * MILLISECOND));
            let (executions, errors) = together(&server, &job, 1);
            println!("{server}, {tiers:?}, {face:?}: 1,000 callers, {executions} execution(s), {errors} errors");
            assert_eq!((executions, errors), (1, 0), "{server}, {tiers:?}, {face:?}");
        }
    }
}

#[test]
fn a_thousand_cold_callers_load_once_over_four_processes() {
    for server in Server::each() {
        for (tiers, face) in [(Tiers::Far, Face::Async), (Tiers::Two, Face::Async), (Tiers::Two, Face::Blocking)] {
            let job = Job::new(&server, tiers, face)
                .on(&format!("{tiers:?}{face:?}"))
                .callers(250)
                .work(Work::Takes(100 * MILLISECOND));
            let (executions, errors) = together(&server, &job, 4);
            println!("{server}, {tiers:?}, {face:?}: 4 × 250 callers, {executions} execution(s), {errors} errors");
            assert_eq!((executions, errors), (1, 0), "{server}, {tiers:?}, {face:?}");
        }
    }
}

#[test]
fn work_three_times_longer_than_the_lease_is_done_once() {
    let lease = 600 * MILLISECOND;
    for server in Server::each() {
        for (tiers, face) in [(Tiers::Two, Face::Async), (Tiers::Far, Face::Blocking)] {
            let job = Job::new(&server, tiers, face)
                .on(&format!("{tiers:?}{face:?}"))
                .callers(25)
                .lease(lease)
                .work(Work::Takes(lease * 3));
            let (executions, errors) = together(&server, &job, 4);
            println!("{server}, {tiers:?}, {face:?}: work of 3 leases, {executions} execution(s), {errors} errors");
            assert_eq!((executions, errors), (1, 0), "{server}, {tiers:?}, {face:?}");
        }
    }
}

/// A process that has begun to load, and ends its load when it is told to.
fn loading_elsewhere(job: &Job) -> Worker {
    let mut worker = Worker::start(&job.clone().callers(1).work(Work::UntilTold));
    assert_eq!(worker.hear(), "ready");
    worker.tell("go");
    assert_eq!(worker.hear(), "loading");
    worker
}

#[test]
fn a_holder_that_is_killed_is_followed_once() {
    for server in Server::each() {
        for (tiers, face) in [(Tiers::Far, Face::Async), (Tiers::Two, Face::Blocking)] {
            let job = Job::new(&server, tiers, face).callers(50).lease(1_000 * MILLISECOND);
            let mut holder = loading_elsewhere(&job);
            let mut followers: Vec<Worker> = (0..2).map(|_| Worker::start(&job)).collect();
            followers.iter_mut().for_each(|worker| assert_eq!(worker.hear(), "ready"));
            followers.iter_mut().for_each(|worker| worker.tell("go"));
            holder.kill();
            let errors: usize = followers.iter_mut().map(|worker| worker.hear().parse::<usize>().unwrap()).sum();
            let executions = tally(&server.url()).blocking().get("executions").unwrap().unwrap();
            println!("{server}, {tiers:?}, {face:?}: holder killed, {} takeover(s), {errors} errors", executions - 1);
            assert_eq!((executions, errors), (2, 0), "{server}, {tiers:?}, {face:?}");
            tally(&server.url()).blocking().delete("executions").unwrap();
            cache_at(&server.url(), tiers, None).blocking().delete("key").unwrap();
        }
    }
}

#[test]
fn what_a_holder_brings_after_its_lease_is_refused() {
    for server in Server::each() {
        for tiers in TIERS {
            for deleted in [false, true] {
                let job = Job::new(&server, tiers, Face::Async).lease(1_000 * MILLISECOND);
                let here = cache_at(&server.url(), tiers, Some(job.lease)).blocking();
                let mut holder = loading_elsewhere(&job);
                holder.signal("STOP");
                assert_eq!(here.get_or_load("key", || Ok::<_, Error>(7)).unwrap(), 7, "{server}, {tiers:?}");
                if deleted {
                    here.delete("key").unwrap();
                }
                holder.signal("CONT");
                holder.tell("finish");
                assert_eq!(holder.hear(), "0", "{server}, {tiers:?}: its own callers get what it loaded");
                let left = cache_at(&server.url(), Tiers::Far, None).blocking().get("key").unwrap();
                println!("{server}, {tiers:?}, deleted meanwhile: {deleted}: a late fill left {left:?}");
                assert_eq!(left, (!deleted).then_some(7), "{server}, {tiers:?}");
                here.delete("key").unwrap();
            }
        }
    }
}

/// How a leader ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Fails,
    Panics,
    Leaves,
}

/// A load that ends badly once it is told to.
async fn doomed(end: End, executions: Arc<AtomicU32>, reached: Arc<Notify>, go: Arc<Notify>) -> io::Result<u32> {
    executions.fetch_add(1, Ordering::SeqCst);
    reached.notify_one();
    go.notified().await;
    assert!(end != End::Panics, "a loader that panics");
    Err(io::Error::other("no origin"))
}

/// Callers that would load well, who have all begun.
async fn callers(cache: &Cache<u32>, executions: &Arc<AtomicU32>) -> JoinSet<Result<u32, Error>> {
    let mut callers = JoinSet::new();
    for _ in 0..25 {
        let (cache, executions) = (cache.clone(), Arc::clone(executions));
        callers.spawn(async move {
            let load = async {
                executions.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(5 * MILLISECOND).await;
                Ok::<_, Error>(1)
            };
            cache.get_or_load("key", || load).await
        });
    }
    tokio::task::yield_now().await;
    callers
}

#[tokio::test]
async fn a_leader_that_ends_badly_is_followed_once() {
    for server in Server::each() {
        for (tiers, end) in
            TIERS.into_iter().flat_map(|tiers| [End::Fails, End::Panics, End::Leaves].map(|end| (tiers, end)))
        {
            let (here, elsewhere) =
                (cache_at(&server.url(), tiers, Some(HOUR)), cache_at(&server.url(), tiers, Some(HOUR)));
            let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let executions = Arc::new(AtomicU32::new(0));
            let mut leader = JoinSet::new();
            let (leading, load) =
                (here.clone(), doomed(end, Arc::clone(&executions), Arc::clone(&reached), Arc::clone(&go)));
            leader.spawn(async move { leading.get_or_load("key", || load).await });
            reached.notified().await;
            let (with_it, apart) = (callers(&here, &executions).await, callers(&elsewhere, &executions).await);
            match end {
                End::Leaves => leader.shutdown().await,
                End::Fails | End::Panics => go.notify_one(),
            }
            let shared = with_it.join_all().await;
            let apart = tokio::time::timeout(Duration::from_secs(30), apart.join_all()).await;
            let apart = apart.expect("the lease is given up at once, not after its hour");
            let errors = shared.iter().filter(|answer| answer.is_err()).count();
            println!(
                "{server}, {tiers:?}: a leader that {end:?}: {executions:?} executions, {errors} of 25 share an error"
            );
            assert_eq!(executions.load(Ordering::SeqCst), 2, "{server}, {tiers:?}, {end:?}");
            assert_eq!(errors, if end == End::Leaves { 0 } else { 25 }, "{server}, {tiers:?}, {end:?}");
            assert!(
                shared.iter().filter_map(|answer| answer.as_ref().err()).all(|error| error.kind() == ErrorKind::Load)
            );
            assert!(apart.iter().all(Result::is_ok), "{server}, {tiers:?}, {end:?}: {apart:?}");
            here.delete("key").await.unwrap();
        }
    }
}

#[test]
fn a_blocking_leader_that_ends_badly_is_followed_once() {
    for server in Server::each() {
        for (tiers, end) in TIERS.into_iter().flat_map(|tiers| [End::Fails, End::Panics].map(|end| (tiers, end))) {
            let [here, elsewhere] = [(); 2].map(|()| cache_at(&server.url(), tiers, None).blocking());
            let (entered, go) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
            let (executions, waiting) = (AtomicU32::new(0), AtomicU32::new(0));
            thread::scope(|scope| {
                let leader = scope.spawn(|| {
                    here.get_or_load("key", || {
                        executions.fetch_add(1, Ordering::SeqCst);
                        entered.wait();
                        go.wait();
                        assert!(end != End::Panics, "a loader that panics");
                        Err::<u32, _>(io::Error::other("no origin"))
                    })
                });
                entered.wait();
                let apart: Vec<_> = (0..10)
                    .map(|_| {
                        scope.spawn(|| {
                            waiting.fetch_add(1, Ordering::SeqCst);
                            elsewhere.get_or_load("key", || {
                                executions.fetch_add(1, Ordering::SeqCst);
                                Ok::<_, Error>(1)
                            })
                        })
                    })
                    .collect();
                let all = || if waiting.load(Ordering::SeqCst) == 10 { Ok(()) } else { Err("too few".to_owned()) };
                wait::until(Duration::from_secs(5), all).unwrap();
                go.wait();
                assert!(leader.join().map_or(true, |answer| answer.is_err()));
                assert!(apart.into_iter().all(|caller| caller.join().unwrap().is_ok()));
            });
            println!("{server}, {tiers:?}: a blocking leader that {end:?}: {executions:?} executions");
            assert_eq!(executions.load(Ordering::SeqCst), 2, "{server}, {tiers:?}, {end:?}");
            here.delete("key").unwrap();
        }
    }
}

/// Waits until the entry is past its ttl.
async fn stale(cache: &Cache<u32>, key: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !matches!(cache.lookup(key).await.unwrap(), Lookup::Stale { value: 1, .. }) {
        assert!(tokio::time::Instant::now() < deadline, "it does not get stale");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stale_value_is_loaded_anew_once_by_all_who_share_the_server() {
    let policy = Policy { grace: Some(HOUR), ..Policy::default() };
    for server in Server::each() {
        for tiers in TIERS {
            let [here, elsewhere] = [(); 2].map(|()| cache_at(&server.url(), tiers, None));
            let load = |value| move || async move { Ok::<_, Error>(value) };
            here.get_or_load("key", load(1)).policy(policy).ttl(SECOND).await.unwrap();
            stale(&elsewhere, "key").await;
            let (executions, mut callers) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
            for caller in 0..100 {
                let cache = if caller % 2 == 0 { here.clone() } else { elsewhere.clone() };
                let executions = Arc::clone(&executions);
                callers.spawn(async move {
                    let load = async {
                        executions.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(50 * MILLISECOND).await;
                        Ok::<_, Error>(2)
                    };
                    cache.get_or_load("key", || load).policy(policy).ttl(HOUR).await
                });
            }
            let answers = callers.join_all().await;
            println!("{server}, {tiers:?}: 100 callers over 2 caches of a stale value, {executions:?} execution(s)");
            assert!(answers.iter().all(|answer| matches!(answer, Ok(2))), "{server}, {tiers:?}: {answers:?}");
            assert_eq!(executions.load(Ordering::SeqCst), 1, "{server}, {tiers:?}");
            here.delete("key").await.unwrap();
        }
    }
}

/// What [`Worker`]s do.
#[test]
#[ignore = "a process of the tests here"]
fn worker() {
    workers::work();
}
