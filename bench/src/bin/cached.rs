//! What a hit of `#[cached]` costs beside its peers, with a key of two arguments, on one, two and four threads.
//!
//! All contestants run in every repetition, one short batch each; what is told is the median over the repetitions.
//! `cached scrubjay` only runs the hit again and again, for a profiler.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use std::{
    hint::black_box,
    sync::{Barrier, LazyLock},
    thread,
};

use scrubjay_bench::{
    at_once::at_once,
    gauge::{Spent, spent},
    table::{header, median, row},
};

/// How many different pairs are asked for: all are hits.
const PAIRS: u32 = 2_000;
/// Calls of each thread in one batch.
const BATCH: u32 = 20_000;
const REPETITIONS: u32 = 201;
/// Nanoseconds of processor time per call.
const GOAL: f64 = 150.0;

mod contestants {
    use super::{LazyLock, PAIRS};

    #[scrubjay::cached]
    pub(super) fn ours(user: u64, page: u32) -> u64 {
        user + u64::from(page)
    }

    #[scrubjay::cached]
    pub(super) async fn ours_async(user: u64, page: u32) -> u64 {
        user + u64::from(page)
    }

    #[cached::macros::cached(max_size = 10_000)]
    pub(super) fn cached(user: u64, page: u32) -> u64 {
        user + u64::from(page)
    }

    #[cached::macros::concurrent_cached(max_size = 10_000)]
    pub(super) fn cached_sharded(user: u64, page: u32) -> u64 {
        user + u64::from(page)
    }

    static MOKA: LazyLock<moka::sync::Cache<(u64, u32), u64>> = LazyLock::new(|| moka::sync::Cache::new(10_000));

    pub(super) fn moka(user: u64, page: u32) -> u64 {
        MOKA.get_with((user, page), || user + u64::from(page))
    }

    pub(super) fn pairs() -> impl Iterator<Item = (u64, u32)> {
        (0..PAIRS).cycle().map(|number| (u64::from(number) * 7_919, number % 100))
    }
}

/// A contestant: its name, and a call of it.
type Contestant = (&'static str, fn(u64, u32) -> u64);

const CONTESTANTS: [Contestant; 5] = [
    ("scrubjay `#[cached]`", contestants::ours),
    ("scrubjay `#[cached]`, async", |user, page| at_once(contestants::ours_async(user, page))),
    ("cached `#[cached]`", contestants::cached),
    ("cached `#[concurrent_cached]`", contestants::cached_sharded),
    ("moka `get_with`", contestants::moka),
];

fn main() {
    if std::env::args().nth(1).as_deref() == Some("scrubjay") {
        for (user, page) in contestants::pairs().take(PAIRS as usize * 50) {
            black_box(contestants::ours(user, page));
        }
        return;
    }
    println!(
        "ns a hit, medians of {REPETITIONS} interleaved repetitions: processor time a call, and wall time over all calls\n"
    );
    println!("{}", header(&["", "1 thread", "wall", "2 threads", "wall", "4 threads", "wall"]));
    let figures = [1, 2, 4].map(measure);
    for (place, (name, _)) in CONTESTANTS.iter().enumerate() {
        let cells = figures.iter().flat_map(|figures| {
            let (cpu, wall) = figures[place];
            [format!("{cpu:.1}"), format!("{wall:.1}")]
        });
        println!("{}", row(&std::iter::once((*name).to_owned()).chain(cells).collect::<Vec<_>>()));
    }
    let worst = figures.iter().flat_map(|figures| [figures[0].0, figures[1].0]).fold(0.0, f64::max);
    println!("\ngoal: {GOAL} ns or less: {}", if worst <= GOAL { "met" } else { "MISSED" });
}

/// Processor time a call and wall time over all calls, of each contestant.
fn measure(threads: u32) -> Vec<(f64, f64)> {
    CONTESTANTS.iter().for_each(|(_, call)| batch(*call, PAIRS));
    let mut figures = vec![(Vec::new(), Vec::new()); CONTESTANTS.len()];
    for repetition in 0..REPETITIONS as usize {
        // Whoever comes after a disturbance pays for it, so nobody always comes after the same one.
        for turn in 0..CONTESTANTS.len() {
            let place = (turn + repetition) % CONTESTANTS.len();
            let call = CONTESTANTS[place].1;
            let Spent { wall, cpu } = race(call, threads);
            let calls = f64::from(BATCH) * f64::from(threads);
            figures[place].0.push(cpu.as_secs_f64() * 1e9 / calls);
            figures[place].1.push(wall.as_secs_f64() * 1e9 / calls);
        }
    }
    figures.into_iter().map(|(cpu, wall)| (median(cpu), median(wall))).collect()
}

/// What a batch on each of several threads takes.
fn race(call: fn(u64, u32) -> u64, threads: u32) -> Spent {
    if threads == 1 {
        return spent(|| batch(call, BATCH));
    }
    let barrier = Barrier::new(threads as usize);
    spent(|| {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    barrier.wait();
                    batch(call, BATCH);
                });
            }
        });
    })
}

fn batch(call: fn(u64, u32) -> u64, calls: u32) {
    for (user, page) in contestants::pairs().take(calls as usize) {
        black_box(call(black_box(user), black_box(page)));
    }
}
