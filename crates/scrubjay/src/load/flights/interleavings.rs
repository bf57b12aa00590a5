//! What must hold however callers and writers interleave, tried by `shuttle`: `cargo xtask test interleavings`. That nobody
//! waits forever is `shuttle`'s own check.
//!
//! Loads that are tasks are not tried here: tokio's tasks and semaphores are not `shuttle`'s. Nor is the flag `void` a point
//! where threads change; the locks around it are.

use std::{future::poll_fn, time::Duration};

use shuttle::{check_pct, check_random, future::block_on, thread};

use super::*;
use crate::{Clock, Memory, near::Keep};

/// Schedules for each behaviour: as many at random, and as many with a few chosen preemptions.
const SCHEDULES: usize = 5_000;
const PREEMPTIONS: usize = 3;

const KEY: QualifiedKey<'static> = QualifiedKey { namespace: "", key: "key" };

fn check(behaviour: fn()) {
    check_random(behaviour, SCHEDULES);
    check_pct(behaviour, SCHEDULES, PREEMPTIONS);
}

/// Runs each closure on a thread of its own, to the end; then nothing is left of their flights.
fn together(flights: &Flights<u32>, threads: Vec<Box<dyn FnOnce() + Send>>) {
    let handles: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    handles.into_iter().for_each(|handle| handle.join().unwrap());
    assert_eq!(flights.active.load(Ordering::SeqCst), 0, "no flight is counted any more");
    assert!(flights.shards.iter().all(|shard| shard.lock().is_empty()), "nor stands in the table");
}

/// Boards until somebody lands; answers what with. Whoever leads does as `lead` says, and boards again if that is nothing.
fn arrive(flights: &Arc<Flights<u32>>, mut lead: impl FnMut(Lead<u32>) -> Option<u32>) -> u32 {
    loop {
        match flights.board(KEY) {
            Boarding::Lead(leading) => {
                if let Some(value) = lead(leading) {
                    return value;
                }
            }
            Boarding::Wait(wait) => match block_on(wait) {
                Arrival::Landed(landed) => return landed.unwrap().unwrap(),
                Arrival::Abandoned => {}
                Arrival::Spare(_) => unreachable!("nobody offers one"),
            },
        }
    }
}

#[test]
fn one_leads_at_a_time_and_one_takes_over_from_who_leaves() {
    check(|| {
        let (flights, leading) = (Arc::new(Flights::new(0)), Arc::new(AtomicUsize::new(0)));
        let caller = |leaves: bool| -> Box<dyn FnOnce() + Send> {
            let (flights, leading, mut leaves) = (Arc::clone(&flights), Arc::clone(&leading), leaves);
            Box::new(move || {
                let landed = arrive(&flights, |lead| {
                    assert_eq!(leading.fetch_add(1, Ordering::SeqCst), 0, "somebody leads already");
                    thread::yield_now();
                    leading.fetch_sub(1, Ordering::SeqCst);
                    if std::mem::take(&mut leaves) {
                        return None;
                    }
                    lead.land(&Ok(Some(1)));
                    Some(1)
                });
                assert_eq!(landed, 1);
            })
        };
        together(&flights, vec![caller(true), caller(false), caller(false)]);
    });
}

#[test]
fn whoever_leaves_a_wait_keeps_nobody_waiting() {
    check(|| {
        let flights = Arc::new(Flights::new(0));
        let patient = || -> Box<dyn FnOnce() + Send> {
            let flights = Arc::clone(&flights);
            Box::new(move || {
                arrive(&flights, |lead| {
                    thread::yield_now();
                    lead.land(&Ok(Some(1)));
                    Some(1)
                });
            })
        };
        let impatient = {
            let flights = Arc::clone(&flights);
            move || match flights.board(KEY) {
                Boarding::Lead(lead) => drop(lead),
                Boarding::Wait(mut wait) => {
                    let polled = poll_fn(|context| {
                        let _ = Pin::new(&mut wait).poll(context);
                        Poll::Ready(())
                    });
                    block_on(polled);
                    thread::yield_now();
                }
            }
        };
        together(&flights, vec![patient(), patient(), Box::new(impatient)]);
    });
}

#[test]
fn what_a_void_flight_brings_is_not_kept() {
    check(|| {
        let flights = Arc::new(Flights::new(0));
        let memory = Memory::<u32>::builder().capacity(10).clock(Clock::manual()).build();
        let origin = Arc::new(AtomicUsize::new(1));
        let load = || -> Box<dyn FnOnce() + Send> {
            let (flights, memory, origin) = (Arc::clone(&flights), memory.clone(), Arc::clone(&origin));
            Box::new(move || {
                arrive(&flights, |lead| {
                    let since = memory.clock().precise();
                    let version = u32::try_from(origin.load(Ordering::SeqCst)).unwrap();
                    thread::yield_now();
                    let keep =
                        Keep { ttl: None, grace: Duration::ZERO, cost: Duration::ZERO, since, void: lead.void() };
                    memory.keep(KEY, version, &keep);
                    lead.land(&Ok(Some(version)));
                    Some(version)
                });
            })
        };
        let write = {
            let (flights, memory, origin) = (Arc::clone(&flights), memory.clone(), Arc::clone(&origin));
            move || {
                origin.store(2, Ordering::SeqCst);
                flights.void(KEY);
                memory.set(KEY, 2, None);
                flights.void(KEY);
            }
        };
        together(&flights, vec![load(), load(), Box::new(write)]);
        assert_eq!(memory.get(KEY), Some(2));
    });
}

#[test]
fn a_cleared_namespace_keeps_nothing_of_its_flights() {
    check(|| {
        let flights = Arc::new(Flights::new(0));
        let [began, ended] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let load = {
            let (flights, began, ended) = (Arc::clone(&flights), Arc::clone(&began), Arc::clone(&ended));
            move || {
                arrive(&flights, |lead| {
                    let boarded_before = began.load(Ordering::SeqCst) == 0;
                    thread::yield_now();
                    if boarded_before && ended.load(Ordering::SeqCst) == 1 {
                        assert!(lead.is_void(), "it was under way all through the clear");
                    }
                    lead.land(&Ok(Some(1)));
                    Some(1)
                });
            }
        };
        let clear = {
            let flights = Arc::clone(&flights);
            move || {
                began.store(1, Ordering::SeqCst);
                flights.void_namespace("");
                ended.store(1, Ordering::SeqCst);
            }
        };
        let other = {
            let flights = Arc::clone(&flights);
            move || drop(flights.board(QualifiedKey { namespace: "other", key: "key" }))
        };
        together(&flights, vec![Box::new(load), Box::new(clear), Box::new(other)]);
    });
}
