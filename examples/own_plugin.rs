//! A plugin of one's own, registered by name, beside the built-in ones: which keys are asked for most?

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use scrubjay::{
    Cache, Operation, Result,
    plugin::{self, Command, Completion, HitRatio, Plugin, Timing},
};

/// Counts how often each key is read.
#[derive(Default)]
struct TopKeys(Mutex<BTreeMap<String, u64>>);

impl Plugin for TopKeys {
    fn name(&self) -> &'static str {
        "top-keys"
    }

    fn after(&self, command: &Command<'_>, _: &Completion<'_>) {
        if command.operation == Operation::Get {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for key in command.keys {
                *counts.entry(key.as_str().to_owned()).or_default() += 1;
            }
        }
    }
}

impl TopKeys {
    /// The `count` keys that were read most, and how often.
    fn top(&self, count: usize) -> Vec<(String, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = counts.iter().map(|(key, count)| (key.clone(), *count)).collect::<Vec<_>>();
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        counts.truncate(count);
        counts
    }
}

fn main() -> Result<()> {
    plugin::register("top-keys", |_| Ok(TopKeys::default()))?;
    let cache = Cache::<usize>::from_url("memory://?plugins=hit-ratio,timing,top-keys")?.blocking();

    for number in 0..50 {
        cache.set(number.to_string(), number)?;
    }
    let mut random = Random(1);
    for _ in 0..1_000 {
        // Small numbers more often than large ones; those from 50 on are not there.
        let number = random.below(10) * random.below(10);
        cache.get(number.to_string())?;
    }

    let ratio = cache.plugin::<HitRatio>().map(|plugin| plugin.read()).unwrap_or_default();
    println!("hits: {} of {}", ratio.hits, ratio.total);
    assert_eq!(ratio.total, 1_000);
    assert!((500..1_000).contains(&ratio.hits));

    for (operation, figures) in cache.plugin::<Timing>().into_iter().flat_map(|plugin| plugin.read()) {
        println!("{operation}: {} calls, p50 {:?}, p99 {:?}", figures.count, figures.p50, figures.p99);
        assert!(!figures.min.is_zero());
    }

    let top = cache.plugin::<TopKeys>().map(|plugin| plugin.top(3)).unwrap_or_default();
    println!("read most: {top:?}");
    assert_eq!(top[0].0, "0");
    Ok(())
}

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
