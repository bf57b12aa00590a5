//! `cargo xtask bench engines`: the near engine beside its peers. Writes what it finds to `bench/RESULTS.md`.

use std::{collections::BTreeMap, fmt::Write as _, fs, thread};

use crate::{
    Result, bench, goals,
    project::{Project, run as run_command, run_quietly},
};

const REPORT: &str = "bench/RESULTS.md";
/// Whose versions are told.
const PACKAGES: [&str; 8] =
    ["scrubjay", "quick_cache", "moka", "mini-moka", "foyer-memory", "scc", "cached", "parking_lot"];

/// A part of the report: what stands above it, and who knows.
struct Part {
    name: &'static str,
    title: &'static str,
    run: fn(&Project) -> Result<String>,
}

/// Every part, in the order of the report.
const PARTS: &[Part] = &[
    Part { name: "speed", title: "Speed", run: |project| says(project, "engines") },
    Part { name: "instructions", title: "Instructions", run: instructions },
    Part { name: "memory", title: "Memory", run: |project| says(project, "memory") },
    Part { name: "hit_ratio", title: "Hit ratio", run: |project| says(project, "hit_ratio") },
    Part { name: "expiry", title: "Expiry", run: |project| says(project, "expiry") },
    Part { name: "soak", title: "Soak", run: soak },
];

/// Runs the parts named and prints them, or runs all and writes the report.
pub(crate) fn run(project: &Project, names: &[String]) -> Result {
    if let Some(unknown) = names.iter().find(|name| PARTS.iter().all(|part| part.name != **name)) {
        let known = PARTS.iter().map(|part| part.name).collect::<Vec<_>>().join(", ");
        return Err(format!("there is no part `{unknown}`; known: {known}"));
    }
    run_command(&mut project.cargo(["build", "--profile", "bench", "--package", "scrubjay-bench", "--bins"]))?;
    let mut report = introduction(project)?;
    for part in PARTS.iter().filter(|part| names.is_empty() || names.iter().any(|name| name == part.name)) {
        let text = (part.run)(project)?;
        let text = format!("\n## {}\n\n{}\n", part.title, text.trim());
        println!("{text}");
        report.push_str(&text);
    }
    if !names.is_empty() {
        return Ok(());
    }
    let goals = goals::section(&report)?;
    println!("{goals}");
    project.write(REPORT, &format!("{report}\n{goals}"))
}

/// What a program of the benchmarks prints.
fn says(project: &Project, binary: &str) -> Result<String> {
    let output = run_quietly(&mut project.command(project.bench_binary(binary)))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn soak(project: &Project) -> Result<String> {
    Ok(format!("```text\n{}\n```\n\n{SOAK}", says(project, "soak")?.trim()))
}

/// Why the sizes and the slope need not agree.
const SOAK: &str = "Two threads, one minute. The two resident sizes are single samples. The slope is the least-squares line through all \
                    samples of\nthe second half, ten a second. Resident memory goes up and down, so the sign of the slope can differ \
                    from the sign of their\ndifference. A run this short shows large leaks only; `soak --minutes N` runs longer.";

/// One table: an engine a line, a discipline a column.
fn instructions(project: &Project) -> Result<String> {
    let (mut disciplines, mut engines) = (Vec::new(), Vec::new());
    let mut counts = BTreeMap::new();
    bench::instructions(project, "engine_instructions", &[], |case, count| {
        let (discipline, engine) = case.split_once(':').unwrap_or((case, ""));
        println!("{case:<32} {count:>8.0}");
        remember(&mut disciplines, discipline);
        remember(&mut engines, engine);
        counts.insert(case.to_owned(), count);
    })?;
    let mut table = "Instructions a stroke at capacity 2,000, the harness (`null`) included.\n\n".to_owned();
    let columns = std::iter::once("engine").chain(disciplines.iter().map(String::as_str)).collect::<Vec<_>>();
    let _ = writeln!(table, "| {} |\n| --- |{}", columns.join(" | "), " ---: |".repeat(disciplines.len()));
    for engine in engines {
        let count = |discipline| counts.get(&format!("{discipline}:{engine}"));
        let cell = |discipline| count(discipline).map_or_else(|| "–".to_owned(), |count| format!("{count:.0}"));
        let _ = writeln!(table, "| {engine} | {} |", disciplines.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
    Ok(table)
}

fn remember(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// What was measured where.
fn introduction(project: &Project) -> Result<String> {
    Ok(format!(
        "# The near engine beside its peers\n\n\
         Written by `cargo xtask bench engines`; README.md describes the method. `scrubjay` is the near engine alone,\n\
         `scrubjay_async` and `scrubjay_blocking` are the two faces of a cache around it, which have the single-flight load.\n\n{}",
        machine(project, &PACKAGES)?
    ))
}

/// One paragraph: the processor, the compiler, and the versions of `packages`.
pub(crate) fn machine(project: &Project, packages: &[&str]) -> Result<String> {
    let lock = project.read("Cargo.lock")?;
    let version = |name: &&str| Some(format!("{name} {}", version(&lock, name)?));
    let rustc = run_quietly(project.command("rustc").arg("--version"))?.stdout;
    let cores = thread::available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    Ok(format!(
        "Processor: {}, {cores} cores. {}. {}.\n",
        processor(),
        String::from_utf8_lossy(&rustc).trim(),
        packages.iter().filter_map(version).collect::<Vec<_>>().join(", ")
    ))
}

fn processor() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.to_owned())
}

/// The version of a package in a `Cargo.lock`, the first if there are several.
fn version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
    lines.nth(1)?.strip_prefix("version = ")?.trim_matches('"').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"moka-like\"\nversion = \"2\"\n\n[[package]]\nname = \"moka\"\nversion = \"0.12.16\"\n";
        assert_eq!(version(lock, "moka"), Some("0.12.16"));
        assert_eq!(version(lock, "mini"), None);
    }
}
