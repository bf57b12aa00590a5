//! A million entries with a ttl each, all of which expire: how long a lock is held meanwhile, and whether the memory comes
//! back.
//!
//! A step's time (the mean of the shards', where there are several) is more than the lock's: dropping what left belongs to
//! it. What a reader waits for is the lock, or its turn on the processor.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use std::{
    alloc::System,
    hint::black_box,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use scrubjay::{Clock, Memory, near};
use scrubjay_bench::{
    engines::{Value, value},
    gauge::timed,
    keys::keys,
    table,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ENTRIES: u32 = 1_000_000;
/// Shards of a large cache.
const SHARDS: u32 = 256;
/// Slots that the janitor looks at under one lock.
const JANITOR_STEP: u32 = 512;
const REPETITIONS: usize = 5;
const COLUMNS: [&str; 6] =
    ["what expires", "entries expired", "longest step µs", "longest wait µs", "MB before", "MB after"];

/// What came of it.
struct Expired {
    entries: usize,
    longest_step: Duration,
    longest_wait: Duration,
    before: f64,
    after: f64,
}

fn main() {
    println!(
        "Expiring by the janitor's steps of {JANITOR_STEP} slots, while a thread reads: the best of {REPETITIONS} \
         repetitions.\n\n{}",
        table::header(&COLUMNS)
    );
    let keys = keys("user", ENTRIES);
    let of_a_shard = &keys[..(ENTRIES / SHARDS) as usize];
    // Entries without weight, so that a bound too small for more than one shard keeps them all.
    let one_shard = || Memory::builder().capacity(1).weigher(|_, _| 0);
    let unbounded = || Memory::builder().unbounded();
    print("all", || expire(unbounded(), &keys, SHARDS, 1.0));
    // The arrays are made smaller once three quarters of them are vacant.
    print("four in five", || expire(unbounded(), &keys, SHARDS, 0.8));
    print("all of one shard", || expire(one_shard(), of_a_shard, 1, 1.0));
    print("four in five of one shard", || expire(one_shard(), of_a_shard, 1, 0.8));
}

/// Other programs can only make a step or a wait longer, so the shortest of each says most.
fn print(what: &str, expire: impl Fn() -> Expired) {
    let all = (0..REPETITIONS).map(|_| expire()).collect::<Vec<_>>();
    let shortest = |of: fn(&Expired) -> Duration| all.iter().map(of).min().unwrap_or_default().as_micros().to_string();
    println!(
        "{}",
        table::row(&[
            what.to_owned(),
            all[0].entries.to_string(),
            shortest(|expired| expired.longest_step),
            shortest(|expired| expired.longest_wait),
            format!("{:.1}", all[0].before),
            format!("{:.1}", all[0].after),
        ])
    );
}

/// Fills a cache, moves its clock until that `share` has expired, and sweeps while somebody reads.
fn expire(builder: near::Builder<Value>, keys: &[String], shards: u32, share: f64) -> Expired {
    let entries = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    let clock = Clock::manual();
    let region = Region::new(ALLOCATOR);
    let memory = builder.clock(clock.clone()).build();
    for (number, key) in (1..).zip(keys) {
        memory.set(key.as_str(), value(), Some(Duration::from_millis(number)));
    }
    let before = in_use(&region);
    clock.advance(Duration::from_millis(u64::from(entries)).mul_f64(share));
    let now = clock.precise();
    let (mut entries_freed, mut longest_step) = (0, Duration::ZERO);
    let (ready, swept) = (Barrier::new(2), AtomicBool::new(false));
    let longest_wait = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            ready.wait();
            longest_read(&memory, keys, &swept)
        });
        ready.wait();
        // Twice as many steps as one pass over a shard takes: those after its end find nothing to do.
        for _ in 0..2 * (entries / shards).div_ceil(JANITOR_STEP) + 2 {
            let step = timed(|| entries_freed += memory.sweep(now, JANITOR_STEP as usize));
            longest_step = longest_step.max(step / shards);
        }
        swept.store(true, Ordering::Relaxed);
        reader.join().unwrap_or(Duration::MAX)
    });
    Expired { entries: entries_freed, longest_step, longest_wait, before, after: in_use(&region) }
}

/// The longest that a `get` took until all was `swept`.
fn longest_read(memory: &Memory<Value>, keys: &[String], swept: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    for key in keys.iter().rev().cycle() {
        longest = longest.max(timed(|| drop(black_box(memory.get(key.as_str())))));
        if swept.load(Ordering::Relaxed) {
            break;
        }
    }
    longest
}

/// Megabytes asked for and not given back.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn in_use(region: &Region<'_, System>) -> f64 {
    let change = region.change();
    (change.bytes_allocated as f64 - change.bytes_deallocated as f64) / 1e6
}
