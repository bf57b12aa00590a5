//! Hit ratios, beside those of a cache that knows the future and of exact LRU.
//!
//! Engines that choose their hash at random give slightly different figures in each run: a few hundredths of a point.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use scrubjay_bench::{
    engines::{Contestant, Race, value},
    keys::keys,
    random::SEED,
    table,
    traces::{LENGTH, SCANNED, Trace, UNIVERSE, lru_hits, optimal_hits},
};

const PEERS: [&str; 6] = ["scrubjay", "quick_cache", "moka_sync", "mini_moka", "foyer_s3fifo", "scc"];
/// Parts of the universe that fit.
const CAPACITIES: [(&str, u32); 2] = [("1 %", UNIVERSE / 100), ("10 %", UNIVERSE / 10)];
/// Accesses after which an engine does what it puts off: less often, and moka would be blamed for what it does later.
const SETTLED: usize = 64;

fn main() {
    println!("Hit ratio in per cent; {UNIVERSE} keys, {LENGTH} accesses, seed {SEED:#x}.\n");
    println!("{}", table::header(&[&["trace, capacity", "optimum"], &PEERS[..], &["exact LRU"]].concat()));
    let keys = keys("user", UNIVERSE + SCANNED);
    let table = Trace::ALL.into_iter().flat_map(|trace| compare(trace, &keys)).collect::<Vec<_>>();
    let rows = table.iter().map(|_| 1.0).sum::<f64>();
    let means = (0..PEERS.len() + 2).map(|column| table.iter().map(|row| row[column]).sum::<f64>() / rows);
    print_row("**mean**", &means.collect::<Vec<_>>());
    // Not part of the mean: nobody's parameters were chosen by them.
    Trace::CHECKS.into_iter().for_each(|trace| drop(compare(trace, &keys)));
}

/// Prints a row for each capacity, and answers them.
fn compare(trace: Trace, keys: &[String]) -> Vec<Vec<f64>> {
    let accesses = trace.accesses();
    let mut rows = Vec::new();
    for (share, capacity) in CAPACITIES {
        let capacity = capacity as usize;
        let mut row = vec![optimal_hits(&accesses, capacity)];
        let engines = PEERS.iter().filter_map(|name| Contestant::by_name(name));
        row.extend(engines.map(|engine| hits(engine.build(capacity).as_ref(), keys, &accesses)));
        row.push(lru_hits(&accesses, capacity));
        let row = row.into_iter().map(|hits| f64::from(hits) * 100.0 / f64::from(LENGTH)).collect::<Vec<_>>();
        print_row(&format!("{}, {share}", trace.name), &row);
        rows.push(row);
    }
    rows
}

fn hits(engine: &dyn Race, keys: &[String], accesses: &[u32]) -> u32 {
    let mut hits = 0;
    for batch in accesses.chunks(SETTLED) {
        for &access in batch {
            let key = &keys[access as usize];
            if engine.get(key).is_some() {
                hits += 1;
            } else {
                engine.set(key, value());
            }
        }
        engine.settle();
    }
    hits
}

fn print_row(name: &str, row: &[f64]) {
    let figures = row.iter().map(|percent| format!("{percent:.1}"));
    println!("{}", table::row(&std::iter::once(name.to_owned()).chain(figures).collect::<Vec<_>>()));
}
