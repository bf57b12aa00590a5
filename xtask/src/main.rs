//! The project's automation: `cargo xtask <task>`. One file per task, and nothing but the standard library, so that it
//! builds in a second.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

mod bench;
mod docs;
mod engines;
mod fuzz;
mod goals;
mod manifest;
mod project;
mod servers;
mod setup;
mod test;

use std::{env, process::ExitCode};

use self::project::Project;

/// What a task answers: nothing, or what went wrong, in words for whoever ran it.
type Result<T = (), E = String> = std::result::Result<T, E>;

/// Something `cargo xtask` can do.
struct Task {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&Project, &[String]) -> Result,
}

/// Every task, in the order of the help text. A new one is a file and a line here.
const TASKS: &[Task] = &[
    Task {
        name: "test",
        arguments: "[step…]",
        about: "set up what is missing, then check and test everything, or only the steps named",
        run: test::run,
    },
    Task {
        name: "bench",
        arguments: "[case… | engines [part…] | servers]",
        about: "count the instructions of benchmark cases (needs valgrind), or compare with peers into bench/RESULTS*.md",
        run: bench::run,
    },
    Task {
        name: "fuzz",
        arguments: "[--seconds N] [target…]",
        about: "run every fuzz target, or those named, 20 seconds each unless told otherwise",
        run: fuzz::run,
    },
    Task { name: "docs", arguments: "", about: "write the generated pages of docs/ anew", run: docs::run },
];

fn main() -> ExitCode {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result {
    let asks_for_help = |argument: &String| matches!(argument.as_str(), "help" | "-h" | "--help");
    let Some((name, rest)) = arguments.split_first() else {
        return Err(format!("which task?\n\n{}", help()));
    };
    if arguments.iter().any(asks_for_help) {
        print!("{}", help());
        return Ok(());
    }
    match TASKS.iter().find(|task| task.name == name) {
        Some(task) => (task.run)(&Project::find()?, rest),
        None => Err(format!("there is no task `{name}`\n\n{}", help())),
    }
}

fn help() -> String {
    let task =
        |Task { name, arguments, about, .. }: &Task| format!("  {:<16} {about}\n", format!("{name} {arguments}"));
    let tasks = TASKS.iter().map(task).collect::<String>();
    format!("usage: cargo xtask <task>\n\ntasks:\n{tasks}\nsteps of `test`: {}\n", test::step_names())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_task_is_told_the_known_ones() {
        let error = dispatch(&["tset".into()]).unwrap_err();
        assert!(error.contains("`tset`"), "{error}");
        for Task { name, .. } in TASKS {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn help_needs_no_project() {
        for arguments in [&["help"][..], &["--help"], &["test", "--help"]] {
            let arguments = arguments.iter().copied().map(String::from).collect::<Vec<_>>();
            assert_eq!(dispatch(&arguments), Ok(()));
        }
    }
}
