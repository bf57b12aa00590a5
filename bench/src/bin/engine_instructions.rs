//! `engine_instructions --list` names the cases, a discipline and an engine each; `engine_instructions <case> <times>`
//! carries one out so many times, for `cargo xtask bench` to count instructions of.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use std::{env, process::ExitCode};

use scrubjay_bench::{disciplines::Discipline, engines::Contestant};

/// Small enough to stay in a processor's cache, so that counts tell most of the story.
const CAPACITY: u32 = 2_000;

fn main() -> ExitCode {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => cases().iter().for_each(|(name, ..)| println!("{name}")),
        [name, times] => {
            let case = cases().into_iter().find(|case| case.0 == name);
            let (Some((_, discipline, contestant)), Ok(times)) = (case, times.parse()) else { return usage() };
            let course = discipline.course(CAPACITY);
            course.run_from_start(course.prepare(contestant, CAPACITY).as_ref(), times);
        }
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn cases() -> Vec<(String, Discipline, Contestant)> {
    let of = |discipline: Discipline| {
        let case = move |engine: Contestant| (format!("{}:{}", discipline.name(), engine.name), discipline, engine);
        discipline.contestants().into_iter().map(case)
    };
    Discipline::ALL.into_iter().flat_map(of).collect()
}

fn usage() -> ExitCode {
    eprintln!("usage: engine_instructions --list | engine_instructions <case> <times>");
    ExitCode::from(2)
}
