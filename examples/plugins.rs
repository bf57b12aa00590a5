//! Plugins count and time a thousand random reads.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod common;

use std::hash::{BuildHasher, RandomState};

use scrubjay::{
    Cache, Operation, Result,
    plugin::{HitRatio, Timing},
};

fn main() -> Result<()> {
    let cache = Cache::from_url(&common::cache_url("memory://"))?;
    let cache = cache.with_plugin(HitRatio::default()).with_plugin(Timing::default());
    let blocking = cache.blocking();
    blocking.delete_many((0..100).map(|number| number.to_string()))?;
    let random = RandomState::new();
    for round in 0..1_000_u64 {
        let number = random.hash_one(round) % 100;
        let key = number.to_string();
        if blocking.get(&key)?.is_none() {
            blocking.set(&key, number)?;
        }
    }
    let ratio = cache.plugin::<HitRatio>().map(|plugin| plugin.read());
    let timing = cache.plugin::<Timing>().map(|plugin| plugin.read());
    assert!(ratio.as_ref().is_some_and(|read| read.total == 1_000 && read.hits >= 900));
    let gets = timing.as_ref().and_then(|timing| timing.get(&Operation::Get));
    assert!(gets.is_some_and(|gets| gets.count == 1_000 && gets.min <= gets.max));
    println!("{ratio:?}\n{gets:?}");
    Ok(())
}
