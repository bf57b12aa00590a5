//! The goals of the near engine, each beside what a report has found, and a sentence for each that is missed.

use std::fmt::Write as _;

use crate::Result;

/// The last section of `report`, whose other sections it reads.
pub(crate) fn section(report: &str) -> Result<String> {
    let report = Report(report);
    let least = |figures: &[f64]| figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |figures: &[f64]| figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let hit = |column| report.cell("read hit with ttl", "scrubjay_ttl", column);
    let moka = |engine| report.cell("read hit with ttl", engine, RATIO_1);
    let insert = |column| report.cell("get or insert", "scrubjay", column);
    let load = |engine, column| report.cell("single-flight load", engine, column);
    let slower = |column| Ok::<_, String>(most(&[load("scrubjay_async", column)?, load("scrubjay_blocking", column)?]));
    let memory = |column| report.cell("Memory", "scrubjay_ttl", column);
    let steps = report.column("Expiry", 2)?;
    let behind = report.column("Hit ratio", 2)?.into_iter().zip(report.column("Hit ratio", 3)?);

    let worst_hit = most(&[hit(RATIO_1)?, hit(RATIO_2)?, hit(RATIO_4)?]);
    let moka = least(&[moka("moka_sync_ttl")?, moka("moka_sync_each_ttl")?]) / hit(RATIO_1)?;
    let worst_trace = least(&behind.map(|(ours, theirs)| ours - theirs).collect::<Vec<_>>());
    let rows = [
        (
            "read hit with ttl × quick_cache without, the worst of 1, 2 and 4 threads",
            "≤ 1.00",
            format!("{worst_hit:.2}"),
        ),
        ("read hit with ttl, 1 thread: how many times as fast as moka", "≥ 4.00", format!("{moka:.2}")),
        ("read hit with ttl: instructions", "≤ 400", format!("{:.0}", report.cell("Instructions", "scrubjay_ttl", 2)?)),
        ("allocations a hit", "≤ 0.00", format!("{:.2}", memory(5)?)),
        ("get or insert × quick_cache, 1 thread", "≤ 1.00", format!("{:.2}", insert(RATIO_1)?)),
        ("get or insert × quick_cache, 2 threads", "≤ 0.80", format!("{:.2}", insert(RATIO_2)?)),
        ("get_or_load × quick_cache's, the slower face, 1 thread", "≤ 1.50", format!("{:.2}", slower(RATIO_1)?)),
        ("get_or_load × quick_cache's, the slower face, 2 threads", "≤ 1.50", format!("{:.2}", slower(RATIO_2)?)),
        (
            "get_or_load, 1 thread: how many times as fast as moka's future",
            "≥ 3.00",
            format!("{:.2}", load("moka_future", RATIO_1)? / load("scrubjay_async", RATIO_1)?),
        ),
        ("read hit, 2 threads × 1", "≥ 1.60", format!("{:.2}", report.cell("read hit", "scrubjay", TWO_BY_ONE)?)),
        ("read hit with ttl, 2 threads × 1", "≥ 1.60", format!("{:.2}", hit(TWO_BY_ONE)?)),
        ("bytes an entry beyond key and value, ttl included", "≤ 95", format!("{:.0}", memory(2)?)),
        ("allocations an insert", "≤ 2.00", format!("{:.2}", memory(4)?)),
        ("mean hit ratio in per cent", "≥ 57.0", format!("{:.1}", report.cell("Hit ratio", "**mean**", 2)?)),
        ("points beside quick_cache on the worst trace", "≥ -1.0", format!("{worst_trace:.1}")),
        ("longest time that expiry holds a lock", "≤ 1000 µs", format!("{:.0} µs", most(&steps))),
        (
            "memory left when all of a million entries have expired",
            "≤ 1.0 MB",
            format!("{:.1} MB", report.cell("Expiry", "all", 5)?),
        ),
    ];
    let mut table = "| what | goal | found |\n| --- | ---: | ---: |\n".to_owned();
    for (what, goal, found) in rows {
        let _ = writeln!(table, "| {what} | {goal} | {found} |");
    }
    Ok(format!("## Goals\n\n{table}\n{}", misses(&table)?))
}

/// A sentence for each line of a table of goals that was not reached.
pub(crate) fn misses(table: &str) -> Result<String> {
    let mut sentences = String::new();
    for line in table.lines() {
        let [what, goal, found] = cells(line)[..] else { continue };
        let Some((sign, bound)) = goal.split_once(' ') else { continue };
        let reached = match sign {
            "≤" => number(found)? <= number(bound)?,
            "≥" => number(found)? >= number(bound)?,
            _ => continue,
        };
        if !reached {
            let _ = writeln!(sentences, "- Missed: {what}: {found}; the goal is {goal}.");
        }
    }
    Ok(if sentences.is_empty() { "Every goal is reached.\n".to_owned() } else { sentences })
}

/// The columns of the tables of speed: ratios on the wall at 1, 2 and 4 threads, and what a second thread brings.
const RATIO_1: usize = 2;
const RATIO_2: usize = 5;
const RATIO_4: usize = 8;
const TWO_BY_ONE: usize = 10;

/// The text of a report: tables under headings.
struct Report<'a>(&'a str);

impl Report<'_> {
    /// The lines of figures under `heading`.
    fn rows(&self, heading: &str) -> Vec<Vec<&str>> {
        let under = self.0.lines().skip_while(|line| line.trim_start_matches('#') != format!(" {heading}")).skip(1);
        let rows = under.take_while(|line| !line.starts_with('#')).map(cells).filter(|cells| cells.len() > 1);
        rows.skip(2).collect()
    }

    fn cell(&self, heading: &str, row: &str, column: usize) -> Result<f64> {
        let rows = self.rows(heading);
        let found = rows.iter().find(|cells| cells[0] == row).and_then(|cells| cells.get(column));
        number(found.ok_or_else(|| format!("the report has no `{row}` with a column {column} under `{heading}`"))?)
    }

    /// The figures of a column, that of the mean left out.
    fn column(&self, heading: &str, column: usize) -> Result<Vec<f64>> {
        let rows = self.rows(heading);
        let figures = rows.iter().filter(|cells| cells[0] != "**mean**").filter_map(|cells| cells.get(column));
        let figures = figures.map(|cell| number(cell)).collect::<Result<Vec<_>>>()?;
        if figures.is_empty() {
            Err(format!("the report has no column {column} under `{heading}`"))
        } else {
            Ok(figures)
        }
    }
}

fn cells(line: &str) -> Vec<&str> {
    line.strip_prefix('|')
        .and_then(|line| line.strip_suffix('|'))
        .map_or_else(Vec::new, |cells| cells.split('|').map(str::trim).collect())
}

/// The number that `text` begins with; a unit may follow.
fn number(text: &str) -> Result<f64> {
    let digits = text.split(' ').next().unwrap_or_default();
    digits.parse().map_err(|_| format!("the report has {text:?} where a number is expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_ends_with_the_goals_that_its_figures_give() {
        let report = include_str!("../../bench/RESULTS.md");
        let (figures, goals) = report.split_once("## Goals").expect("the report has goals");
        assert_eq!(format!("## Goals{goals}").trim(), section(figures).unwrap().trim());
    }

    #[test]
    fn the_report_of_the_servers_says_which_goals_are_missed() {
        let report = include_str!("../../bench/RESULTS-servers.md");
        let (_, goals) = report.split_once("## Goals").expect("the report has goals");
        assert!(goals.trim().ends_with(misses(goals).unwrap().trim()));
    }

    #[test]
    fn a_goal_is_missed_above_an_upper_and_below_a_lower_bound() {
        let table = "| what | goal | found |\n| --- | ---: | ---: |\n| a | ≤ 1.00 | 1.01 |\n| b | ≥ 2 µs | 2 µs |\n| c | ≥ -1.0 | -1.5 |\n";
        let missed = misses(table).unwrap();
        assert_eq!(missed.lines().count(), 2, "{missed}");
        assert!(missed.contains("Missed: a") && missed.contains("Missed: c"), "{missed}");
        assert_eq!(misses("| a | ≤ 1.00 | 1.00 |\n").unwrap(), "Every goal is reached.\n");
    }

    #[test]
    fn a_report_without_the_figure_is_an_error() {
        assert!(section("## Memory\n").is_err());
    }
}
