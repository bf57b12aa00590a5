//! The near engine from within: bounds, sweeps, structure. What a user sees of it is in the behaviour suite.

use std::{
    collections::HashMap,
    sync::{
        atomic::AtomicUsize,
        mpsc::{Sender, channel},
    },
    thread,
};

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

impl<V> Memory<V> {
    /// Checks every shard's structure and the weight of the whole.
    fn validate(&self) {
        let weight: u64 = self.0.all.iter().map(|shard| shard.0.read().validate()).sum();
        assert_eq!(self.0.weight.load(Ordering::Relaxed), weight);
        assert!(self.0.capacity.is_none_or(|capacity| weight <= capacity), "{weight} is over {:?}", self.0.capacity);
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
        assert!(step <= 10 * memory.0.all.len());
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
    Advance(u8),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..40u8, 0..4u8).prop_map(|(key, ttl)| Step::Set(key, ttl)),
        4 => (0..40u8).prop_map(Step::Get),
        1 => (0..40u8).prop_map(Step::Delete),
        1 => (1..3u8).prop_map(Step::Advance),
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
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Set(key, ttl) => {
                    memory.set(&*key.to_string(), number, (ttl > 0).then(|| SECOND * u32::from(ttl)));
                    written.insert(key, (number, if ttl > 0 { now + u64::from(ttl) } else { u64::MAX }));
                }
                Step::Get(key) => if let Some(found) = memory.get(&*key.to_string()) {
                    let (expected, deadline) = written[&key];
                    prop_assert_eq!(found, expected);
                    prop_assert!(deadline > now);
                },
                Step::Delete(key) => {
                    memory.delete(&*key.to_string());
                    written.remove(&key);
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
