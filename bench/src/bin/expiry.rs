//! A million entries with a ttl each, all of which expire: how long a lock is held meanwhile, and whether the memory comes
//! back.
//!
//! A step's processor time (the mean of the shards', where there are several) is an upper bound of the lock's: dropping
//! what left is part of it, but happens outside.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use std::{alloc::System, time::Duration};

use scrubjay::{Clock, Memory, near};
use scrubjay_bench::{
    engines::{Value, value},
    gauge::spent,
    keys::keys,
    table,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ENTRIES: u32 = 1_000_000;
/// Shards of a large cache.
const SHARDS: u32 = 64;
/// Slots that the janitor looks at under one lock.
const JANITOR_STEP: u32 = 512;
const COLUMNS: [&str; 6] = ["what expires", "entries", "expired", "longest step µs", "MB before", "MB after"];

fn main() {
    println!("Expiring by the janitor's steps of {JANITOR_STEP} slots.\n\n{}", table::header(&COLUMNS));
    let print = |what, builder, entries, shards, share| {
        println!("{}", table::row(&expire(what, builder, entries, shards, share)));
    };
    print("all", Memory::builder().unbounded(), ENTRIES, SHARDS, 1.0);
    print("four in five", Memory::builder().unbounded(), ENTRIES, SHARDS, 0.8);
    // Entries without weight, so that a bound too small for more than one shard keeps them all.
    let alone = || Memory::builder().capacity(1).weigher(|_, _| 0);
    print("all of one shard", alone(), ENTRIES / SHARDS, 1, 1.0);
    // The arrays are made smaller once three quarters of them are vacant.
    print("four in five of one shard", alone(), ENTRIES / SHARDS, 1, 0.8);
}

/// Fills a cache, moves its clock until that `share` has expired, and sweeps.
fn expire(what: &str, builder: near::Builder<Value>, entries: u32, shards: u32, share: f64) -> Vec<String> {
    let keys = keys("user", entries);
    let clock = Clock::manual();
    let region = Region::new(ALLOCATOR);
    let memory = builder.clock(clock.clone()).build();
    for (number, key) in (1..).zip(&keys) {
        memory.set(key.as_str(), value(), Some(Duration::from_millis(number)));
    }
    let before = in_use(&region);
    clock.advance(Duration::from_millis(u64::from(entries)).mul_f64(share));
    let now = clock.precise();
    let (mut expired, mut longest) = (0, Duration::ZERO);
    // Twice as many steps as one pass over a shard takes: those after its end find nothing to do.
    for _ in 0..2 * (entries / shards).div_ceil(JANITOR_STEP) + 2 {
        let step = spent(|| expired += memory.sweep(now, JANITOR_STEP as usize)).cpu;
        longest = longest.max(step / shards);
    }
    vec![
        what.to_owned(),
        entries.to_string(),
        expired.to_string(),
        longest.as_micros().to_string(),
        format!("{before:.1}"),
        format!("{:.1}", in_use(&region)),
    ]
}

/// Megabytes asked for and not given back.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn in_use(region: &Region<'_, System>) -> f64 {
    let change = region.change();
    (change.bytes_allocated as f64 - change.bytes_deallocated as f64) / 1e6
}
