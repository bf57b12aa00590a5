//! The near engine from within: bounds, sweeps, structure. What a user sees of it is in the behaviour suite.

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
};

use proptest::prelude::*;

use super::*;
use crate::near::Cause;

const SECOND: Duration = Duration::from_secs(1);

impl<V> Memory<V> {
    /// Checks every shard's structure and the bound of the whole.
    fn validate(&self) {
        self.0.validate();
    }
}

fn manual() -> (Memory<u64>, Clock) {
    let clock = Clock::manual();
    (Memory::builder().capacity(1_000).clock(clock.clone()).build(), clock)
}

#[test]
fn a_bounded_cache_holds_exactly_its_capacity() {
    for capacity in [1, 2, 31, 100, 1_000] {
        let memory = Memory::with_capacity(capacity);
        for number in 0..capacity * 3 {
            memory.set(&*number.to_string(), number, None);
            assert_eq!(memory.len() as u64, capacity.min(number + 1));
        }
        memory.validate();
    }
}

/// First in, first out would find nothing at all.
#[test]
fn a_loop_over_more_than_fits_finds_a_part_of_itself() {
    let memory = Memory::with_capacity(100);
    let missed = |access: &u64| {
        let key = &*(access % 1_000).to_string();
        let missed = memory.get(key).is_none();
        if missed {
            memory.set(key, *access, None);
        }
        missed
    };
    let hits = 5_000 - (0..5_000).filter(missed).count();
    assert!(hits > 300, "{hits} of 400 at best");
    memory.validate();
}

#[test]
fn an_unbounded_cache_evicts_nothing() {
    let memory = Memory::unbounded();
    (0..20_000).for_each(|number| memory.set(&*number.to_string(), number, None));
    assert_eq!(memory.len(), 20_000);
    memory.validate();
}

#[test]
fn weights_bound_the_whole_and_too_heavy_entries_are_not_kept() {
    let memory = Memory::builder().capacity(100).weigher(|_, text: &String| u32::try_from(text.len()).unwrap()).build();
    for number in 0..50 {
        memory.set(&*number.to_string(), "x".repeat(number), None);
        memory.validate();
    }
    memory.set("giant", "x".repeat(101), None);
    assert!(!memory.exists("giant"));
    memory.validate();
}

#[test]
fn expired_entries_are_unseen_at_once_and_freed_by_a_sweep() {
    let (memory, clock) = manual();
    (0..100).for_each(|number| memory.set(&*number.to_string(), number, (number % 2 == 0).then_some(SECOND)));
    clock.advance(SECOND);
    assert_eq!(memory.get("0"), None);
    assert!(memory.exists("1"));
    assert_eq!(memory.len(), 100);
    let mut freed = 0;
    for _ in 0..20 {
        let step = memory.sweep(clock.coarse(), 10);
        assert!(step <= 10 * memory.0.count());
        freed += step;
    }
    assert_eq!((freed, memory.len()), (50, 50));
    memory.validate();
}

#[test]
fn an_overwritten_deadline_kills_nothing_later() {
    let (memory, clock) = manual();
    memory.set("key", 1, Some(SECOND));
    memory.clear_all();
    memory.set("key", 2, None);
    clock.advance(SECOND * 10);
    memory.sweep(clock.coarse(), 1_000);
    assert_eq!(memory.get("key"), Some(2));
}

#[test]
fn a_fill_loses_against_any_write_since_its_ticket() {
    type Write = fn(&Memory<u64>);
    let writes: [(&str, Write); 5] = [
        ("set", |memory| memory.set("key", 1, None)),
        ("delete", |memory| _ = memory.delete("key")),
        ("expire", |memory| _ = memory.expire("key", None)),
        ("clear", |memory| memory.clear("")),
        ("add", |memory| _ = memory.add("key", 1, None)),
    ];
    for (name, write) in writes {
        let (memory, _) = manual();
        let ticket = memory.ticket("key");
        write(&memory);
        assert!(!memory.fill("key", 7, None, ticket), "{name} must void the fill");
        assert!(memory.fill("key", 8, None, memory.ticket("key")));
    }
    let (memory, _) = manual();
    let (one, other) = (memory.ticket("key"), memory.ticket("key"));
    assert!(memory.fill("key", 1, None, one) && memory.fill("key", 1, None, other), "fills do not void each other");
}

fn key<'k>(namespace: &'k str, key: &'k str) -> QualifiedKey<'k> {
    QualifiedKey { namespace, key }
}

#[test]
fn a_cleared_namespace_is_gone_at_once_and_freed_by_and_by() {
    let (memory, clock) = manual();
    for number in 0..100 {
        for namespace in ["user", "users", "", "*"] {
            memory.set(key(namespace, &number.to_string()), number, None);
        }
    }
    memory.clear("user");
    assert!((0..100).all(|number| !memory.exists(key("user", &number.to_string()))));
    assert!((0..100).all(|number| memory.exists(key("users", &number.to_string()))));
    assert!(memory.add(key("user", "1"), 7, None) && !memory.delete(key("user", "2")));
    assert_eq!(memory.ttl(key("user", "3")), Remaining::Absent);
    assert!(memory.len() > 301, "the memory is given back later");
    while memory.sweep(clock.coarse(), 1_000) > 0 {}
    assert_eq!((memory.len(), memory.get(key("user", "1"))), (301, Some(7)));
    memory.validate();

    memory.clear_all();
    memory.set("new", 1, None);
    assert_eq!(memory.iter().collect::<Vec<_>>(), [(String::new(), "new".to_owned(), 1)]);
    memory.sweep(clock.coarse(), 1_000);
    assert_eq!(memory.len(), 1);
    memory.validate();
}

/// A pass that began before the clear once took it for swept, and the slots it had passed came back to life.
#[test]
fn a_clear_outlives_the_pass_that_it_interrupts() {
    let (memory, clock) = manual();
    let memory = &memory;
    (0..1_000).for_each(|number| memory.set(&*number.to_string(), number, None));
    memory.clear("nobody");
    memory.sweep(clock.coarse(), 10);
    memory.clear("");
    while memory.0.has_dead(clock.coarse()) {
        memory.sweep(clock.coarse(), 10);
    }
    assert_eq!((memory.len(), memory.iter().count()), (0, 0));
}

#[test]
fn writes_alone_free_what_has_died() {
    let (memory, clock) = manual();
    (0..500).for_each(|number| memory.set(&*format!("old-{number}"), number, Some(SECOND)));
    clock.advance(SECOND);
    // In ten rounds, since chance may give a shard few of the new keys for many of the old.
    (0..5_000).for_each(|number| memory.set(&*format!("new-{}", number % 500), number, None));
    assert_eq!(memory.len(), 500, "four slots looked at by every write");
    memory.validate();
}

#[test]
fn what_has_expired_gives_its_memory_back() {
    let clock = Clock::manual();
    let memory = Memory::builder().unbounded().clock(clock.clone()).build();
    (0..100_000u64).for_each(|number| {
        memory.set(&*number.to_string(), number, (number >= 1_000).then_some(SECOND));
    });
    clock.advance(SECOND);
    while memory.sweep(clock.coarse(), 512) > 0 {}
    assert_eq!(memory.len(), 1_000);
    assert!(memory.0.slots() < 4_000, "{} slots for 1,000 entries", memory.0.slots());
    assert!((0..1_000).all(|number: u64| memory.get(&*number.to_string()) == Some(number)));
    memory.validate();
}

#[test]
fn a_listener_hears_what_left_and_why() {
    let clock = Clock::manual();
    let (sender, left) = channel();
    let sender = parking_lot::Mutex::new(sender);
    let memory = Memory::builder()
        .capacity(2)
        .clock(clock.clone())
        .listener(move |key, value: u64, cause| sender.lock().send((key.key.to_owned(), value, cause)).unwrap())
        .build();
    memory.set("a", 1, None);
    memory.set("a", 2, None);
    memory.delete("a");
    memory.set("b", 3, Some(SECOND));
    clock.advance(SECOND);
    memory.set("b", 4, None);
    memory.set("c", 5, None);
    memory.set("d", 6, None);
    memory.clear("");
    memory.sweep(clock.coarse(), 10);
    let mut left: Vec<_> = left.try_iter().map(|(key, value, cause)| (cause, key, value)).collect();
    left[4..].sort_by_key(|(_, _, value)| *value);
    let expected = [
        (Cause::Replaced, "a", 1),
        (Cause::Deleted, "a", 2),
        (Cause::Expired, "b", 3),
        (Cause::Evicted, "b", 4),
        (Cause::Cleared, "c", 5),
        (Cause::Cleared, "d", 6),
    ];
    assert_eq!(left, expected.map(|(cause, key, value)| (cause, key.to_owned(), value)));
}

#[test]
fn a_panicking_listener_harms_nothing() {
    let memory = Memory::builder().capacity(1).listener(|_, _: u8, _| panic!("boom")).build();
    memory.set("a", 1, None);
    let evicting = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| memory.set("b", 2, None)));
    assert!(evicting.is_err());
    assert_eq!((memory.get("a"), memory.get("b")), (None, Some(2)));
    memory.validate();
}

/// Tells when it is dropped, and may call the cache then: which would deadlock under a shard lock.
struct Noisy(Memory<Arc<Noisy>>, Sender<()>);

impl Drop for Noisy {
    fn drop(&mut self) {
        self.0.exists("key");
        let _ = self.1.send(());
    }
}

#[test]
fn values_are_dropped_outside_the_locks() {
    let memory: Memory<Arc<Noisy>> = Memory::with_capacity(1);
    let (sender, dropped) = channel();
    let noisy = || Arc::new(Noisy(memory.clone(), sender.clone()));
    memory.set("key", noisy(), None);
    memory.set("key", noisy(), None); // replaced
    memory.set("other", noisy(), None); // evicted
    memory.delete("other");
    memory.add("key", noisy(), None);
    memory.add("key", noisy(), None); // refused
    memory.clear_all();
    memory.sweep(memory.clock().coarse(), 10);
    assert_eq!(dropped.try_iter().count(), 5);
}

struct Tells(Sender<()>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn the_janitor_frees_an_idle_cache() {
    let (sender, dropped) = channel();
    let memory = Memory::with_capacity(10);
    memory.set("key", Arc::new(Tells(sender)), Some(Duration::from_millis(1)));
    dropped.recv_timeout(SECOND * 60).expect("nobody reads the cache, and the value is freed all the same");
}

#[test]
fn a_panicking_clone_harms_nothing() {
    #[derive(Debug)]
    struct Grenade;
    impl Clone for Grenade {
        fn clone(&self) -> Self {
            panic!("boom")
        }
    }
    let memory = Memory::with_capacity(10);
    memory.set("key", Grenade, None);
    for _ in 0..2 {
        let hit = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| memory.get("key").is_some()));
        assert!(hit.is_err());
    }
    assert!(memory.delete("key"));
    memory.validate();
}

#[test]
fn two_threads_keep_the_bound_and_the_structure() {
    let memory = Memory::with_capacity(200);
    let adds = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..2u64 {
            let (memory, adds) = (&memory, &adds);
            scope.spawn(move || {
                for round in 0..40_000u64 {
                    let key = (round.wrapping_mul(0x9E37_79B9) >> 7) % 400;
                    let key = &*key.to_string();
                    match round % 5 {
                        0 => memory.set(key, round, None),
                        1 => _ = memory.delete(key),
                        2 => _ = memory.get(key),
                        3 => _ = memory.add(&*format!("once-{}", round / 2), thread, None),
                        _ => _ = memory.expire(key, Some(SECOND)),
                    }
                    if memory.add("contended", thread, None) {
                        adds.fetch_add(1, Ordering::Relaxed);
                        assert!(memory.delete("contended") || memory.len() >= 100, "gone only by eviction");
                    }
                }
            });
        }
    });
    assert!(adds.load(Ordering::Relaxed) > 0);
    memory.validate();
}

#[derive(Clone, Debug)]
enum Step {
    Set(u8, u8),
    Get(u8),
    Delete(u8),
    Expire(u8, u8),
    Advance(u8),
    Sweep,
    Clear(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..40u8, 0..4u8).prop_map(|(key, ttl)| Step::Set(key, ttl)),
        4 => (0..40u8).prop_map(Step::Get),
        1 => (0..40u8).prop_map(Step::Delete),
        1 => (0..40u8, 0..4u8).prop_map(|(key, ttl)| Step::Expire(key, ttl)),
        1 => (1..3u8).prop_map(Step::Advance),
        1 => (0..3u8).prop_map(Step::Clear),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    /// What the behaviour model cannot see: structure and bound after every step, and that what is found is true.
    #[test]
    fn structure_and_bound_hold_after_every_step(steps in steps()) {
        let clock = Clock::manual();
        let memory = Memory::builder().capacity(20).clock(clock.clone()).build();
        let mut written = HashMap::new();
        let mut now = 0u64;
        let deadline = |now, ttl: u8| if ttl > 0 { now + u64::from(ttl) } else { u64::MAX };
        let ttl_of = |ttl: u8| (ttl > 0).then(|| SECOND * u32::from(ttl));
        // A key's namespace is one of two, so that clearing one of them or all leaves something to be wrong about.
        let names: Vec<String> = (0..40).map(|key: u8| key.to_string()).collect();
        let key_of = |key: u8| QualifiedKey { namespace: if key.is_multiple_of(2) { "" } else { "odd" }, key: &names[usize::from(key)] };
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Set(key, ttl) => {
                    memory.set(key_of(key), number, ttl_of(ttl));
                    written.insert(key, (number, deadline(now, ttl)));
                }
                Step::Get(key) => if let Some(found) = memory.get(key_of(key)) {
                    let (expected, deadline) = written.get(&key).copied().unwrap_or((usize::MAX, 0));
                    prop_assert_eq!(found, expected);
                    prop_assert!(deadline > now);
                },
                Step::Delete(key) => {
                    memory.delete(key_of(key));
                    written.remove(&key);
                }
                Step::Expire(key, ttl) => if memory.expire(key_of(key), ttl_of(ttl)) {
                    written.get_mut(&key).unwrap().1 = deadline(now, ttl);
                },
                Step::Clear(2) => {
                    memory.clear_all();
                    written.clear();
                }
                Step::Clear(odd) => {
                    memory.clear(if odd == 1 { "odd" } else { "" });
                    written.retain(|key, _| key % 2 != odd);
                }
                Step::Advance(seconds) => {
                    now += u64::from(seconds);
                    clock.advance(SECOND * u32::from(seconds));
                }
                Step::Sweep => _ = memory.sweep(clock.coarse(), 7),
            }
            memory.validate();
        }
    }
}
