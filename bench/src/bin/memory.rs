//! What an entry takes beyond its key and value, and how often the allocator is asked.
//!
//! Each engine has a process of its own, so that none finds memory that another left behind: without arguments this
//! program starts itself once for each.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use std::{alloc::System, env, hint::black_box, process::Command};

use scrubjay_bench::{
    engines::{Contestant, Race, VALUE_SIZE, value},
    gauge::resident,
    keys::keys,
    table,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ENTRIES: u32 = 200_000;
/// More keys than fit, so that what is kept of evicted entries counts, too.
const KEYS: u32 = ENTRIES / 10 * 11;
/// Strokes that allocations are counted over.
const STROKES: u32 = 50_000;
const COLUMNS: [&str; 6] = ["engine", "held", "overhead B", "RSS B", "allocations an insert", "allocations a hit"];

fn main() {
    if let Some(contestant) = env::args().nth(1).and_then(|name| Contestant::by_name(&name)) {
        println!("{}", measure(contestant));
        return;
    }
    println!(
        "Bytes an entry: {KEYS} entries put where {ENTRIES} fit, key 24 B, value {VALUE_SIZE} B. Overhead: what the \
         allocator was asked for beyond those 124 B.\n\n{}",
        table::header(&COLUMNS)
    );
    for contestant in Contestant::ALL.into_iter().filter(|contestant| contestant.name != "null") {
        let own = env::current_exe().and_then(|program| Command::new(program).arg(contestant.name).output());
        match own {
            Ok(output) if output.status.success() => print!("{}", String::from_utf8_lossy(&output.stdout)),
            failed => println!("| {} | failed: {failed:?} |", contestant.name),
        }
    }
}

fn measure(contestant: Contestant) -> String {
    let (keys, others) = (keys("user", KEYS), keys("more", STROKES));
    let resident_before = resident().unwrap_or(0);
    let region = Region::new(ALLOCATOR);
    let engine = contestant.build(ENTRIES as usize);
    keys.iter().for_each(|key| engine.set(key, value()));
    engine.settle();
    let allocated = region.change();
    let resident = resident().unwrap_or(0).saturating_sub(resident_before);

    // Some evict before they are full.
    let held = keys.iter().filter(|key| engine.get(key).is_some()).collect::<Vec<_>>();
    let bytes = figure(allocated.bytes_allocated) - figure(allocated.bytes_deallocated);
    let overhead = bytes / figure(held.len()) - figure(24 + VALUE_SIZE);
    let hits = held.iter().take(STROKES as usize);
    let of_a_hit = allocations(&*engine, |engine| hits.clone().for_each(|key| drop(black_box(engine.get(key)))));
    let of_an_insert = allocations(&*engine, |engine| others.iter().for_each(|key| engine.set(key, value())));
    table::row(&[
        contestant.name.to_owned(),
        held.len().to_string(),
        format!("{overhead:.0}"),
        format!("{:.0}", figure(usize::try_from(resident).unwrap_or(0)) / figure(held.len())),
        format!("{of_an_insert:.2}"),
        format!("{of_a_hit:.2}"),
    ])
}

/// How often the allocator is asked in one of [`STROKES`].
fn allocations(engine: &dyn Race, strokes: impl FnOnce(&dyn Race)) -> f64 {
    let region = Region::new(ALLOCATOR);
    strokes(engine);
    figure(region.change().allocations) / f64::from(STROKES)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn figure(count: usize) -> f64 {
    count as f64
}
