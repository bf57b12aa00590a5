//! Sequences of operations on the near engine: what it answers must be what a map would, but for what was evicted.
#![no_main]

use std::{collections::HashMap, time::Duration};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use scrubjay::{Clock, Memory, QualifiedKey, Remaining};

#[derive(Arbitrary, Debug)]
enum Step {
    Set { key: u8, ttl: u8 },
    Add { key: u8, ttl: u8 },
    CompareAndSet { key: u8 },
    Get { key: u8 },
    Expire { key: u8, ttl: u8 },
    Delete { key: u8 },
    Clear { namespace: u8 },
    ClearAll,
    Advance { seconds: u8 },
    Sweep { budget: u8 },
}

#[derive(Arbitrary, Debug)]
struct Input {
    capacity: u8,
    steps: Vec<Step>,
}

const NAMESPACES: [&str; 3] = ["", "user", "users"];

fuzz_target!(|input: Input| {
    let clock = Clock::manual();
    let capacity = u64::from(input.capacity);
    let memory = Memory::builder().capacity(capacity).clock(clock.clone()).build();
    let names: Vec<String> = (0..=u8::MAX).map(|number| format!("key-{number}")).collect();
    let key_of = |key: u8| QualifiedKey { namespace: NAMESPACES[usize::from(key) % 3], key: &names[usize::from(key)] };
    let ttl_of = |ttl: u8| (ttl > 0).then(|| Duration::from_secs(ttl.into()));
    // What was written last under each key, and until when: an upper bound of what may be there.
    let mut written: HashMap<u8, (usize, u64)> = HashMap::new();
    let mut now = 0;
    let until = |now: u64, ttl: u8| if ttl > 0 { now + u64::from(ttl) } else { u64::MAX };
    for (number, step) in input.steps.into_iter().enumerate() {
        match step {
            Step::Set { key, ttl } => {
                memory.set(key_of(key), number, ttl_of(ttl));
                written.insert(key, (number, until(now, ttl)));
            }
            Step::Add { key, ttl } => {
                if memory.add(key_of(key), number, ttl_of(ttl)) {
                    written.insert(key, (number, until(now, ttl)));
                }
            }
            Step::CompareAndSet { key } => {
                if let Some(held) = memory.read(key_of(key)) {
                    assert!(memory.compare_and_set(key_of(key), number, None, held.version));
                    assert!(!memory.compare_and_set(key_of(key), number, None, held.version));
                    written.insert(key, (number, u64::MAX));
                }
            }
            Step::Get { key } => {
                let expected = written.get(&key).filter(|(_, deadline)| *deadline > now);
                if let Some(found) = memory.get(key_of(key)) {
                    assert_eq!(Some(found), expected.map(|(value, _)| *value));
                    assert_ne!(memory.ttl(key_of(key)), Remaining::Absent);
                }
            }
            Step::Expire { key, ttl } => {
                if memory.expire(key_of(key), ttl_of(ttl)) {
                    written.get_mut(&key).expect("it was written").1 = until(now, ttl);
                }
            }
            Step::Delete { key } => {
                memory.delete(key_of(key));
                assert!(!memory.exists(key_of(key)));
                written.remove(&key);
            }
            Step::Clear { namespace } => {
                let namespace = NAMESPACES[usize::from(namespace) % 3];
                memory.clear(namespace);
                written.retain(|key, _| key_of(*key).namespace != namespace);
            }
            Step::ClearAll => {
                memory.clear_all();
                written.clear();
            }
            Step::Advance { seconds } => {
                now += u64::from(seconds);
                clock.advance(Duration::from_secs(seconds.into()));
            }
            Step::Sweep { budget } => {
                memory.sweep(clock.coarse(), budget.into());
            }
        }
        assert!(memory.len() as u64 <= capacity);
        let live = memory.iter().count();
        assert!(live <= written.values().filter(|(_, deadline)| *deadline > now).count());
    }
});
