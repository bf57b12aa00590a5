//! The engines' speed, in one run.
//!
//! `engines [--quick] [--rows hit,miss,…] [--engines scrubjay,…] [--threads 1,2,4]`
//!
//! All contestants take a turn in every repetition, and ratios are medians over the repetitions of the ratio within one: a
//! time alone means little on a machine that others use too. An engine's time on several threads is that of all strokes
//! together, so half of what one thread takes is perfect.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use std::{env, process::ExitCode, thread};

use scrubjay_bench::{
    disciplines::{Course, Discipline},
    engines::{Contestant, Race},
    gauge::{Spent, spent},
    table,
};

const CAPACITY: u32 = 100_000;
/// What the others are compared with.
const YARDSTICK: &str = "quick_cache";

struct Options {
    disciplines: Vec<Discipline>,
    engines: Vec<Contestant>,
    threads: Vec<usize>,
    repetitions: usize,
    /// Strokes of one thread in one turn.
    strokes: usize,
}

/// An engine on its course, and what each repetition took: one figure for each number of threads.
struct Runner {
    contestant: Contestant,
    engine: Box<dyn Race>,
    repetitions: Vec<Vec<PerStroke>>,
}

/// Nanoseconds a stroke.
#[derive(Clone, Copy)]
struct PerStroke {
    wall: f64,
    cpu: f64,
}

fn main() -> ExitCode {
    let Some(options) = options(env::args().skip(1)) else {
        eprintln!("usage: engines [--quick] [--rows hit,miss,…] [--engines scrubjay,…] [--threads 1,2,4]");
        return ExitCode::from(2);
    };
    println!(
        "ns a stroke, all threads together, and its ratio to {YARDSTICK}'s, on the wall and in processor time;\n\
         {} interleaved repetitions of {} strokes a thread, capacity {CAPACITY}.",
        options.repetitions, options.strokes
    );
    options.disciplines.iter().for_each(|&discipline| compete(discipline, &options));
    ExitCode::SUCCESS
}

fn options(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        disciplines: Discipline::ALL.to_vec(),
        engines: Contestant::ALL.to_vec(),
        threads: vec![1, 2, 4],
        repetitions: 15,
        strokes: 1 << 16,
    };
    while let Some(argument) = arguments.next() {
        if argument == "--quick" {
            (options.repetitions, options.strokes) = (5, 1 << 14);
            continue;
        }
        let list = arguments.next()?;
        let mut list = list.split(',');
        match argument.as_str() {
            "--rows" => {
                let known = |name| Discipline::ALL.into_iter().find(|discipline| discipline.name() == name);
                options.disciplines = list.map(known).collect::<Option<_>>()?;
            }
            "--engines" => options.engines = list.map(Contestant::by_name).collect::<Option<_>>()?,
            "--threads" => options.threads = list.by_ref().map(|count| count.parse().ok()).collect::<Option<_>>()?,
            _ => return None,
        }
    }
    Some(options)
}

fn compete(discipline: Discipline, options: &Options) {
    let course = discipline.course(CAPACITY);
    let chosen = |contestant: &Contestant| {
        contestant.name == YARDSTICK || options.engines.iter().any(|engine| engine.name == contestant.name)
    };
    let contestants = discipline.contestants().into_iter().filter(chosen);
    let mut runners = contestants
        .map(|contestant| {
            let engine = course.prepare(contestant, CAPACITY);
            Runner { contestant, engine, repetitions: vec![Vec::new(); options.repetitions] }
        })
        .collect::<Vec<_>>();
    for repetition in 0..options.repetitions {
        for &threads in &options.threads {
            // Whoever comes after a disturbance pays for it, so nobody always comes after the same one.
            runners.rotate_left(1);
            for runner in &mut runners {
                let time = spent(|| run(&course, runner.engine.as_ref(), threads, repetition, options.strokes));
                runner.repetitions[repetition].push(per_stroke(time, threads * options.strokes));
            }
        }
    }
    print(discipline, &mut runners, &options.threads);
}

/// Each thread goes a part of the course of its own.
fn run(course: &Course, engine: &dyn Race, threads: usize, repetition: usize, strokes: usize) {
    let first = repetition * threads;
    thread::scope(|scope| {
        for part in first + 1..first + threads {
            scope.spawn(move || course.run(engine, part, strokes));
        }
        course.run(engine, first, strokes);
    });
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn per_stroke(time: Spent, strokes: usize) -> PerStroke {
    let nanoseconds = |time: std::time::Duration| time.as_secs_f64() * 1e9 / strokes as f64;
    PerStroke { wall: nanoseconds(time.wall), cpu: nanoseconds(time.cpu) }
}

fn print(discipline: Discipline, runners: &mut [Runner], threads: &[usize]) {
    let order =
        |runner: &Runner| Contestant::ALL.iter().position(|contestant| contestant.name == runner.contestant.name);
    runners.sort_by_key(order);
    let mut columns = vec!["engine".to_owned()];
    for count in threads {
        columns.extend([format!("{count} T ns"), "×".to_owned(), "× cpu".to_owned()]);
    }
    let scales = threads.starts_with(&[1, 2]);
    columns.extend(scales.then(|| "2 T : 1 T".to_owned()));
    println!("\n### {discipline}\n");
    println!("{}", table::header(&columns));
    let Some(yardstick) = runners.iter().find(|runner| runner.contestant.name == YARDSTICK) else { return };
    for runner in &*runners {
        let mut cells = vec![runner.contestant.name.to_owned()];
        for index in 0..threads.len() {
            let pairs =
                || runner.repetitions.iter().zip(&yardstick.repetitions).map(|(own, other)| (own[index], other[index]));
            let ratio = |of: fn(PerStroke) -> f64| table::median(pairs().map(|(own, other)| of(own) / of(other)));
            cells.push(format!("{:.0}", table::median(pairs().map(|(own, _)| own.wall))));
            cells.push(format!("{:.2}", ratio(|time| time.wall)));
            cells.push(format!("{:.2}", ratio(|time| time.cpu)));
        }
        if scales {
            let gains = runner.repetitions.iter().map(|times| times[0].wall / times[1].wall);
            cells.push(format!("{:.2}", table::median(gains)));
        }
        println!("{}", table::row(&cells));
    }
}
