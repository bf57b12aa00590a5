//! `instructions --list` names the cases; `instructions <case> <times>` carries one out so many times and does nothing
//! else, for `cargo xtask bench` to count instructions of.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use std::{env, process::ExitCode};

use scrubjay_bench::cases::Case;

fn main() -> ExitCode {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => Case::all().iter().for_each(|case| println!("{case}")),
        [name, times] => {
            let (Some(case), Ok(times)) = (Case::by_name(name), times.parse()) else { return usage() };
            case.prepare()(times);
        }
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: instructions --list | instructions <case> <times>");
    ExitCode::from(2)
}
