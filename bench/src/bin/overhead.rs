//! What a cache adds to a hit of its engine, and what plugins add to that, in nanoseconds.
//!
//! A time alone says little on a machine that others use too. So all contestants run in every repetition, one short batch
//! each, and what is told is the median over the repetitions of their *difference* within one.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use scrubjay_bench::{
    cases::{Case, Operation, Plugins, Subject, Work},
    table::median,
    timed,
};

/// A batch goes round the hot keys ten times: about half a millisecond.
const BATCH: u64 = 20_000;
const REPETITIONS: usize = 501;

/// A contestant, what it is compared with, and how many nanoseconds more it may take.
struct Contestant {
    case: Case,
    work: Work,
    against: Option<usize>,
    goal: Option<f64>,
    times: Vec<f64>,
}

fn main() {
    println!("ns per operation: medians of {REPETITIONS} interleaved repetitions\n");
    println!("{:<32} {:>8}   {:<40} {:>8}", "case", "time", "more than", "goal");
    for operation in [Operation::Hit, Operation::TtlHit] {
        measure(operation).iter().for_each(|line| println!("{line}"));
    }
}

fn measure(operation: Operation) -> Vec<String> {
    let mut contestants = contestants(operation);
    for repetition in 0..REPETITIONS {
        // Whoever comes after a disturbance pays for it, so nobody always comes after the same one.
        for turn in 0..contestants.len() {
            let count = contestants.len();
            let contestant = &mut contestants[(turn + repetition) % count];
            contestant.times.push(per_operation(&contestant.work));
        }
    }
    contestants.iter().map(|contestant| line(contestant, &contestants)).collect()
}

fn contestants(operation: Operation) -> Vec<Contestant> {
    let contestant = |subject, plugins, against, goal| {
        let case = Case { subject, operation, plugins };
        let work = case.prepare();
        work(BATCH);
        Contestant { case, work, against, goal, times: Vec::with_capacity(REPETITIONS) }
    };
    vec![
        contestant(Subject::Engine, Plugins::None, None, None),
        contestant(Subject::Blocking, Plugins::None, Some(0), Some(15.0)),
        contestant(Subject::Async, Plugins::None, Some(0), Some(15.0)),
        contestant(Subject::Blocking, Plugins::Two, Some(1), Some(25.0)),
        contestant(Subject::Async, Plugins::Two, Some(2), Some(25.0)),
        contestant(Subject::Blocking, Plugins::TwoOneTimed, Some(3), None),
        contestant(Subject::Async, Plugins::TwoOneTimed, Some(4), None),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^52")]
fn per_operation(work: &Work) -> f64 {
    timed(|| work(BATCH)).as_secs_f64() * 1e9 / BATCH as f64
}

fn line(contestant: &Contestant, all: &[Contestant]) -> String {
    let time = format!("{:<32} {:>8.1}", contestant.case.to_string(), median(contestant.times.iter().copied()));
    let Some(against) = contestant.against.map(|index| &all[index]) else { return time };
    let more = median(contestant.times.iter().zip(&against.times).map(|(own, other)| own - other));
    let compared = format!("{more:+.1} than {}", against.case);
    match contestant.goal {
        Some(goal) if more <= goal => format!("{time}   {compared:<40} ≤ {goal}, met"),
        Some(goal) => format!("{time}   {compared:<40} ≤ {goal}, MISSED"),
        None => format!("{time}   {compared}"),
    }
}
