//! What must hold however two or three threads interleave, tried by `shuttle`: `cargo xtask test interleavings`.
//!
//! A failure prints its schedule; `shuttle::replay` runs that one again.

use shuttle::{check_pct, check_random, thread};

use super::*;

/// Schedules for each behaviour: as many at random, and as many with a few chosen preemptions.
const SCHEDULES: usize = 5_000;
const PREEMPTIONS: usize = 3;

fn check(behaviour: fn()) {
    check_random(behaviour, SCHEDULES);
    check_pct(behaviour, SCHEDULES, PREEMPTIONS);
}

fn memory(capacity: u64) -> Memory<u64> {
    Memory::builder().capacity(capacity).clock(Clock::manual()).build()
}

/// Runs each closure on a thread of its own, to the end.
fn together(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let handles: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    handles.into_iter().for_each(|handle| handle.join().unwrap());
}

#[test]
fn one_add_of_several_wins() {
    check(|| {
        let memory = memory(10);
        let winners = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let add = |value| -> Box<dyn FnOnce() + Send> {
            let (memory, winners) = (memory.clone(), Arc::clone(&winners));
            Box::new(move || {
                if memory.add("key", value, None) {
                    winners.lock().push(value);
                }
            })
        };
        together(vec![add(1), add(2), add(3)]);
        assert_eq!(*winners.lock(), [memory.get("key").unwrap()]);
        memory.0.validate();
    });
}

#[test]
fn no_compare_and_set_is_lost() {
    check(|| {
        let memory = memory(10);
        memory.set("key", 0, None);
        let count = || -> Box<dyn FnOnce() + Send> {
            let memory = memory.clone();
            Box::new(move || {
                for _ in 0..2 {
                    while let Some(held) = memory.read("key") {
                        if memory.compare_and_set("key", held.value + 1, None, held.version) {
                            break;
                        }
                    }
                }
            })
        };
        together(vec![count(), count()]);
        assert_eq!(memory.get("key"), Some(4));
    });
}

#[test]
fn a_fill_never_brings_back_what_was_deleted_or_cleared() {
    check(|| {
        let memory = memory(10);
        let other_tier = Arc::new(parking_lot::Mutex::new(Some(1)));
        let fill = {
            let (memory, other_tier) = (memory.clone(), Arc::clone(&other_tier));
            move || {
                let ticket = memory.ticket("key");
                let value = *other_tier.lock();
                thread::yield_now();
                if let Some(value) = value {
                    memory.fill("key", value, None, ticket);
                }
            }
        };
        let delete = {
            let (memory, other_tier) = (memory.clone(), Arc::clone(&other_tier));
            move || {
                *other_tier.lock() = None;
                memory.delete("key");
            }
        };
        let clear = {
            let memory = memory.clone();
            move || memory.clear("")
        };
        together(vec![Box::new(fill), Box::new(delete), Box::new(clear)]);
        assert_eq!(memory.get("key"), None);
        memory.0.validate();
    });
}

#[test]
fn a_clear_empties_its_namespace_and_no_other() {
    check(|| {
        let memory = memory(10);
        let key = |namespace| QualifiedKey { namespace, key: "key" };
        memory.set(key("a"), 1, None);
        memory.set(key("b"), 1, None);
        let cleared = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let clear = {
            let (memory, cleared) = (memory.clone(), Arc::clone(&cleared));
            move || {
                memory.clear("a");
                assert!(!memory.exists(key("a")), "nobody writes to it");
                cleared.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        };
        let sweep = {
            let memory = memory.clone();
            move || {
                for _ in 0..2 {
                    memory.sweep(memory.clock().coarse(), 1);
                }
            }
        };
        let write = {
            let memory = memory.clone();
            move || memory.set(key("b"), 2, None)
        };
        together(vec![Box::new(clear), Box::new(sweep), Box::new(write)]);
        assert_eq!((memory.get(key("a")), memory.get(key("b"))), (None, Some(2)));
        memory.0.validate();
    });
}

#[test]
fn the_bound_holds_while_several_write() {
    check(|| {
        let memory = Memory::<u64>::builder().capacity(64).clock(Clock::manual()).build();
        (0..63).for_each(|number: u64| memory.set(&*format!("old-{number}"), number, None));
        let write = |name: &'static str| -> Box<dyn FnOnce() + Send> {
            let memory = memory.clone();
            Box::new(move || {
                for number in 0..3 {
                    memory.set(&*format!("{name}-{number}"), number, None);
                    memory.delete(&*format!("{name}-{}", number / 2));
                }
            })
        };
        together(vec![write("a"), write("b"), write("c")]);
        assert!(memory.len() <= 64);
        memory.0.validate();
    });
}

#[test]
fn expiring_and_sweeping_take_nothing_that_lives() {
    check(|| {
        let clock = Clock::manual();
        let memory = Memory::builder().capacity(10).clock(clock.clone()).build();
        memory.set("dies", 1, Some(Duration::from_secs(1)));
        memory.set("saved", 2, Some(Duration::from_secs(1)));
        let saved = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let save = {
            let (memory, saved) = (memory.clone(), Arc::clone(&saved));
            move || saved.store(memory.expire("saved", None), std::sync::atomic::Ordering::SeqCst)
        };
        let sweep = {
            let (memory, clock) = (memory.clone(), clock.clone());
            move || {
                clock.advance(Duration::from_secs(1));
                memory.sweep(clock.coarse(), 10);
            }
        };
        together(vec![Box::new(save), Box::new(sweep)]);
        let saved = saved.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!((memory.get("dies"), memory.get("saved").is_some()), (None, saved));
        memory.0.validate();
    });
}
