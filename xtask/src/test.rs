//! `cargo xtask test`: everything that must hold before a change goes in, one step after another.
//!
//! All steps share one target folder and, but for the feature checks, one selection (`--workspace --all-features`), so
//! that no dependency is built twice for the same purpose.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
    time::Duration,
};

use crate::{
    Result, manifest,
    project::{Project, Stopwatch, capture, run as run_command, run_quietly},
    setup,
};

/// One thing that is checked.
struct Step {
    name: &'static str,
    run: fn(&Project) -> Result,
    when: When,
}

/// When a step is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Unless other steps are named.
    Always,
    /// Only if it is named: it takes long, and what it checks changes rarely.
    Named,
}

/// Every step, quickest to fail first.
const STEPS: &[Step] = &[
    Step { name: "setup", run: setup::run, when: When::Always },
    Step { name: "fmt", run: fmt, when: When::Always },
    Step { name: "clippy", run: clippy, when: When::Always },
    Step { name: "test", run: test, when: When::Always },
    Step { name: "interleavings", run: interleavings, when: When::Always },
    Step { name: "keys", run: keys, when: When::Named },
    Step { name: "doc", run: doc, when: When::Always },
    Step { name: "examples", run: examples, when: When::Always },
    Step { name: "features", run: features, when: When::Always },
];

/// The names of the steps, for the help text.
pub(crate) fn step_names() -> String {
    STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(" ")
}

/// Runs the steps named (all that are always run, if none is), stops at the first failure, and tells what was done and how long it took.
pub(crate) fn run(project: &Project, names: &[String]) -> Result {
    let steps = choose(names)?;
    let mut times = Vec::new();
    let mut outcome = Ok(());
    for step in &steps {
        println!("\n== {} ==", step.name);
        let stopwatch = Stopwatch::start();
        outcome = (step.run)(project).map_err(|error| format!("step `{}` failed: {error}", step.name));
        times.push((step.name, stopwatch.elapsed()));
        println!("-- {}: {}", step.name, seconds(stopwatch.elapsed()));
        if outcome.is_err() {
            break;
        }
    }
    let not_run = steps[times.len()..].iter().map(|step| format!("{:<10} not run", step.name));
    println!("\n== summary ==");
    for line in summary(&times, outcome.is_err()).into_iter().chain(not_run) {
        println!("{line}");
    }
    outcome
}

/// The steps of these names, in their own order. The set-up goes before any of them.
fn choose(names: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        return Err(format!("there is no step `{unknown}`; known: {}", step_names()));
    }
    let wanted = |step: &Step| match &*names {
        [] => step.when == When::Always,
        names => step.name == "setup" || names.iter().any(|name| name == step.name),
    };
    Ok(STEPS.iter().filter(|step| wanted(step)).collect())
}

/// The lines of the closing table.
fn summary(times: &[(&str, Duration)], last_failed: bool) -> Vec<String> {
    let row = |(position, &(name, time)): (usize, &(&str, Duration))| {
        let result = if last_failed && position + 1 == times.len() { "FAILED" } else { "ok" };
        format!("{name:<10} {result:<7} {:>9}", seconds(time))
    };
    let total = times.iter().map(|(_, time)| *time).sum();
    let total = format!("{:<18} {:>9}", "total", seconds(total));
    times.iter().enumerate().map(row).chain([total]).collect()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn fmt(project: &Project) -> Result {
    run_command(&mut project.cargo(["fmt", "--all", "--check"]))
}

fn clippy(project: &Project) -> Result {
    let arguments = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    run_command(&mut project.cargo(arguments))
}

/// Unit, behaviour, integration and doc tests.
fn test(project: &Project) -> Result {
    run_command(&mut project.cargo(["test", "--workspace", "--all-features"]))
}

/// The near tier and the flights under `shuttle`, which replaces their locks: another build, so in a folder of its own.
fn interleavings(project: &Project) -> Result {
    let mut cargo = project.cargo(["test", "--package", "scrubjay", "--lib", "interleavings"]);
    run_command(cargo.env("RUSTFLAGS", "--cfg shuttle").env("CARGO_TARGET_DIR", project.separate_target("shuttle")))
}

/// Ten million calls, no two of which share a key: too many for a test without optimisation.
fn keys(project: &Project) -> Result {
    let arguments =
        ["test", "--release", "--package", "scrubjay", "--test", "argument_keys", "--", "--ignored", "--nocapture"];
    run_command(&mut project.cargo(arguments))
}

fn doc(project: &Project) -> Result {
    let arguments = ["doc", "--workspace", "--no-deps", "--all-features"];
    run_command(project.cargo(arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

/// The command of the README, then every example, then the quickstart's other promises.
fn examples(project: &Project) -> Result {
    run_command(&mut project.cargo(["run", "--quiet", "--example", "quickstart"]))?;

    let path = "examples/Cargo.toml";
    let text = project.read(path)?;
    let names = manifest::examples(&text).map_err(|error| format!("{path}: {error}"))?;
    run_command(&mut project.cargo(["build", "--quiet", "--workspace", "--all-features", "--examples"]))?;
    for name in names {
        run_quietly(&mut project.command(project.example(name)))?;
        let text = project.read(&format!("examples/{name}.rs"))?;
        if text.contains("common::cache_url") {
            let mut elsewhere = project.command(project.example(name));
            run_quietly(elsewhere.args(["--cache", "memory://?serializer=json+zstd"]))?;
        }
    }
    let quickstart = |url| -> Command {
        let mut command = project.command(project.example("quickstart"));
        command.args(["--cache", url]);
        command
    };
    run_quietly(&mut quickstart("memory://?serializer=json+zstd"))?;
    let bad_url = "no-such-scheme://localhost";
    is_refusal(&capture(&mut quickstart(bad_url))?)
        .map_err(|error| format!("`quickstart --cache {bad_url}` should explain itself in one line: {error}"))
}

/// Whether a program declined bad input as it should: exit code 2, one line that explains, no panic.
fn is_refusal(output: &Output) -> Result {
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(2) {
        return Err(format!("expected exit code 2, found {}; it said: {said}", output.status));
    }
    if said.contains("panicked") {
        return Err(format!("it panicked: {said}"));
    }
    match said.lines().count() {
        1 => Ok(()),
        lines => Err(format!("expected one line on stderr, found {lines}: {said}")),
    }
}

/// The library with no feature, and with each feature alone.
fn features(project: &Project) -> Result {
    let path = "crates/scrubjay/Cargo.toml";
    let text = project.read(path)?;
    let check = ["check", "--quiet", "--package", "scrubjay", "--no-default-features"];
    run_command(&mut project.cargo(check))?;
    // `default` and `full` are only lists of the others.
    let lists = BTreeSet::from(["default", "full"]);
    for feature in manifest::features(&text).map_err(|error| format!("{path}: {error}"))? {
        if !lists.contains(feature) {
            run_command(project.cargo(check).args(["--features", feature]))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of(steps: &[&Step]) -> Vec<&'static str> {
        steps.iter().map(|step| step.name).collect()
    }

    #[test]
    fn steps_run_in_their_own_order_after_the_setup() {
        let chosen = choose(&["doc".into(), "fmt".into()]).unwrap();
        assert_eq!(names_of(&chosen), ["setup", "fmt", "doc"]);
        let always = STEPS.iter().filter(|step| step.when == When::Always).count();
        assert_eq!(choose(&[]).unwrap().len(), always);
        assert_eq!(choose(&["keys".into()]).unwrap().last().map(|step| step.name), Some("keys"));
    }

    #[test]
    fn an_unknown_step_is_told_the_known_ones() {
        let Err(error) = choose(&["fnt".into()]) else { panic!("`fnt` is no step") };
        assert!(error.contains("`fnt`") && error.contains("clippy"), "{error}");
    }

    #[test]
    fn the_summary_marks_the_step_that_failed() {
        let times = [("fmt", Duration::from_millis(400)), ("clippy", Duration::from_secs(61))];
        let lines = summary(&times, true);
        let lines = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>();
        assert_eq!(lines[0], ["fmt", "ok", "0.4", "s"]);
        assert_eq!(lines[1], ["clippy", "FAILED", "61.0", "s"]);
        assert_eq!(lines[2], ["total", "61.4", "s"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_refusal_is_code_two_and_one_line() {
        let refusal = |script: &str| is_refusal(&Command::new("sh").args(["-c", script]).output().unwrap());
        refusal("echo 'unknown scheme' >&2; exit 2").unwrap();
        assert!(refusal("echo fine").unwrap_err().contains("exit code 2"));
        assert!(refusal("exit 2").unwrap_err().contains("found 0"));
        assert!(refusal("echo one >&2; echo two >&2; exit 2").unwrap_err().contains("found 2"));
        assert!(refusal("echo \"thread 'main' panicked\" >&2; exit 2").unwrap_err().contains("it panicked"));
    }
}
