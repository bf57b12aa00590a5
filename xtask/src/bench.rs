//! `cargo xtask bench`: how many instructions one operation takes, counted by valgrind's callgrind.
//!
//! Counts hardly move with the load of the machine, so they show a change of a few per cent where wall time does not.
//! Each case runs twice, with two numbers of iterations; the difference leaves start-up and tear-down out.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result, engines,
    project::{Project, run as run_command, run_quietly, succeeds},
    servers,
};

const FEW: u64 = 10_000;
const MANY: u64 = 110_000;

/// Counts the cases named, or all of them, and prints a table; `engines` and `servers` are comparisons with the
/// peers instead.
pub(crate) fn run(project: &Project, names: &[String]) -> Result {
    match names.split_first() {
        Some((first, names)) if first == "engines" => return engines::run(project, names),
        Some((first, arguments)) if first == "servers" => return servers::run(project, arguments),
        _ => {}
    }
    let arguments = ["build", "--profile", "bench", "--package", "scrubjay-bench", "--bin", "instructions"];
    run_command(&mut project.cargo(arguments))?;
    println!("{:<32}  instructions/op", "case");
    instructions(project, "instructions", names, |case, count| println!("{case:<32}  {count:>15.1}"))
}

/// Counts the cases of a binary that are named, or all of them, and tells each as soon as it is known.
pub(crate) fn instructions(
    project: &Project,
    binary: &str,
    names: &[String],
    mut tell: impl FnMut(&str, f64),
) -> Result {
    let program = project.bench_binary(binary);
    let listed = run_quietly(project.command(&program).arg("--list"))?.stdout;
    let listed = String::from_utf8_lossy(&listed);
    let cases = choose(&listed, names)?;

    if !succeeds(project.command("valgrind").arg("--version")) {
        println!(
            "NOT DONE: instructions were not counted ({}), because valgrind is not installed.\n\
             Install it (Debian, Ubuntu: apt-get install valgrind) and run `cargo xtask bench` again.",
            cases.join(", ")
        );
        return Ok(());
    }
    let scratch = Scratch::new()?;
    for case in cases {
        let count = |iterations| count(project, &program, case, iterations, &scratch.0);
        tell(case, per_operation(count(FEW)?, count(MANY)?)?);
    }
    Ok(())
}

/// The cases of `listed` (one a line) that are wanted: those in `names`, or all.
fn choose<'a>(listed: &'a str, names: &[String]) -> Result<Vec<&'a str>> {
    let known = listed.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    if known.is_empty() {
        return Err("`instructions --list` named no case".to_owned());
    }
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("there is no case `{unknown}`; known: {}", known.join(", ")));
    }
    Ok(known.into_iter().filter(|case| names.is_empty() || names.iter().any(|name| name == case)).collect())
}

/// The instructions of a whole run of `case`.
fn count(project: &Project, program: &Path, case: &str, iterations: u64, scratch: &Path) -> Result<u64> {
    let profile = scratch.join(format!("{iterations}.out"));
    let mut valgrind: Command = project.command("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind"]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(program).args([case, &iterations.to_string()]);
    let output = valgrind.output().map_err(|error| format!("cannot start valgrind: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("case `{case}` with {iterations} iterations failed ({}): {said}", output.status));
    }
    let text =
        fs::read_to_string(&profile).map_err(|error| format!("callgrind left no profile of `{case}`: {error}"))?;
    total(&text).map_err(|error| format!("callgrind's profile of `{case}`: {error}"))
}

/// The instructions that a callgrind profile counts in all.
fn total(profile: &str) -> Result<u64> {
    let field = |name: &str| profile.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    match field("events:") {
        Some("Ir") => {}
        events => return Err(format!("expected `events: Ir`, found {events:?}")),
    }
    let total = field("totals:").or_else(|| field("summary:")).ok_or("it has neither a totals: nor a summary: line")?;
    total.parse().map_err(|_| format!("{total:?} is not a count"))
}

/// What one iteration takes, from the totals of [`FEW`] and of [`MANY`].
#[allow(clippy::cast_precision_loss, reason = "a count of instructions is far below 2^52")]
fn per_operation(few: u64, many: u64) -> Result<f64> {
    let difference = many.checked_sub(few).ok_or_else(|| {
        format!("{MANY} iterations took fewer instructions ({many}) than {FEW} ({few}): the case ignores its count")
    })?;
    Ok(difference as f64 / (MANY - FEW) as f64)
}

/// A temporary folder, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("scrubjay-bench-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is a few kilobytes in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "\
# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 4711
cmd:  ./instructions near_hit 10000
part: 1

desc: I1 cache: 
events: Ir
summary: 1234567

fn=(0) main
16 4

totals: 1234569
";

    #[test]
    fn the_total_is_read_from_a_profile() {
        assert_eq!(total(PROFILE), Ok(1_234_569));
        assert_eq!(total("events: Ir Dr\nsummary: 42 7\n"), Ok(42));
    }

    #[test]
    fn a_profile_that_counts_no_instructions_is_an_error() {
        for profile in ["", "events: Ir\n", "events: Dr\ntotals: 5\n", "events: Ir\ntotals: many\n"] {
            assert!(total(profile).is_err(), "{profile:?}");
        }
    }

    #[test]
    fn start_up_is_left_out() {
        let start_up = 500_000;
        assert_eq!(per_operation(start_up + FEW * 250, start_up + MANY * 250), Ok(250.0));
        assert!(per_operation(2, 1).is_err());
    }

    #[test]
    fn cases_are_chosen_by_name() {
        let listed = "near_hit\nfar_hit\n\n";
        assert_eq!(choose(listed, &[]).unwrap(), ["near_hit", "far_hit"]);
        assert_eq!(choose(listed, &["far_hit".into()]).unwrap(), ["far_hit"]);
        assert!(choose(listed, &["hit".into()]).unwrap_err().contains("near_hit, far_hit"));
        assert!(choose("", &[]).is_err());
    }
}
