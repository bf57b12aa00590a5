//! scrubjay's stores on servers beside other clients, in one run.
//!
//! `servers [--quick] [--server redis|memcached] [--clients name,…] [--tasks 1,50,1000] [--rows 'GET 100 B',…]`
//!
//! All contestants take a turn in every repetition, and ratios are medians over the repetitions of the ratio within one: a
//! time alone means little on a machine that others use too. Processor time is this process's: the server's is left out.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use std::{env, process::ExitCode};

use scrubjay_bench::{
    gauge::{Spent, spent},
    servers::{BATCH, Contestant, Discipline, Latencies, Result, Turn, memcached, redis},
    table,
};
use scrubjay_testkit::servers::{MemcachedServer, RedisServer};
use tokio::runtime::{Builder, Runtime};

struct Options {
    server: Option<String>,
    clients: Vec<String>,
    tasks: Vec<usize>,
    rows: Vec<String>,
    repetitions: usize,
    /// Calls of all tasks together in one turn.
    calls: usize,
}

/// What a client took in one turn, a call.
#[derive(Clone)]
struct Figures {
    /// Microseconds.
    wall: f64,
    cpu: f64,
    latencies: Latencies,
}

/// A promise about the ratio of two clients' throughput.
struct Goal {
    server: &'static str,
    discipline: Discipline,
    tasks: usize,
    client: &'static str,
    ratio: f64,
}

const GOALS: &[Goal] = &[
    goal("Redis", Discipline::Get(100), 50, "scrubjay", 0.95),
    goal("Redis", Discipline::Get(100), 1_000, "scrubjay", 0.95),
    goal("memcached", Discipline::Get(100), 1, "scrubjay-memcached", 1.0),
    goal("memcached", Discipline::Get(100), 50, "scrubjay-memcached", 1.0),
    goal("memcached", Discipline::Get(100), 1_000, "scrubjay-memcached", 1.4),
    goal("memcached", Discipline::Set(100), 50, "scrubjay-memcached", 1.25),
    goal("memcached", Discipline::Set(100), 1_000, "scrubjay-memcached", 2.0),
    goal("memcached", Discipline::GetMany(100), 50, "scrubjay-memcached", 1.8),
];

const fn goal(server: &'static str, discipline: Discipline, tasks: usize, client: &'static str, ratio: f64) -> Goal {
    Goal { server, discipline, tasks, client, ratio }
}

/// All that one server's contestants have shown.
struct Contest {
    server: &'static str,
    yardstick: &'static str,
    rows: Vec<Row>,
}

/// One client at one discipline with so many tasks: a figure a repetition.
struct Row {
    discipline: Discipline,
    tasks: usize,
    client: &'static str,
    repetitions: Vec<Figures>,
}

fn main() -> ExitCode {
    let Some(options) = options(env::args().skip(1)) else {
        eprintln!(
            "usage: servers [--quick] [--server redis|memcached] [--clients name,…] [--tasks 1,50,1000] [--rows 'GET 100 B',…]"
        );
        return ExitCode::from(2);
    };
    match compete(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        server: None,
        clients: Vec::new(),
        tasks: vec![1, 50, 1_000],
        rows: Vec::new(),
        repetitions: 9,
        calls: 12_000,
    };
    while let Some(argument) = arguments.next() {
        if argument == "--quick" {
            (options.repetitions, options.calls) = (3, 5_000);
            continue;
        }
        let value = arguments.next()?;
        let list = || value.split(',').map(str::to_owned).collect();
        match argument.as_str() {
            "--server" => options.server = Some(value),
            "--clients" => options.clients = list(),
            "--rows" => options.rows = list(),
            "--tasks" => options.tasks = value.split(',').map(|count| count.parse().ok()).collect::<Option<_>>()?,
            _ => return None,
        }
    }
    Some(options)
}

fn compete(options: &Options) -> Result<()> {
    println!(
        "Two worker threads; {} interleaved repetitions of {} calls a client (a quarter with one task, a twentieth in \
         batches of {BATCH}). Throughput of all tasks together, its ratio to the yardstick's, processor time of the client \
         a call, and how long a call takes.",
        options.repetitions, options.calls
    );
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let wants = |server: &str| options.server.as_deref().is_none_or(|wanted| wanted == server);
    let mut contests = Vec::new();
    if wants("redis") {
        let server = RedisServer::start()?;
        let contestants = runtime.block_on(redis::contestants(server.port()))?;
        contests.push(contest(&runtime, options, "Redis", redis::YARDSTICK, &contestants)?);
    }
    if wants("memcached") {
        let server = MemcachedServer::start()?;
        let contestants = runtime.block_on(memcached::contestants(server.port()))?;
        contests.push(contest(&runtime, options, "memcached", memcached::YARDSTICK, &contestants)?);
    }
    contests.iter().for_each(Contest::print);
    print_goals(&contests);
    Ok(())
}

fn contest(
    runtime: &Runtime,
    options: &Options,
    server: &'static str,
    yardstick: &'static str,
    contestants: &[Box<dyn Contestant>],
) -> Result<Contest> {
    let chosen = |name: &str| {
        name == yardstick || options.clients.is_empty() || options.clients.iter().any(|client| client == name)
    };
    let order = contestants.iter().filter(|contestant| chosen(contestant.name())).collect::<Vec<_>>();
    let mut contestants = order.clone();
    let mut rows = Vec::new();
    for discipline in Discipline::ALL {
        if !options.rows.is_empty() && !options.rows.contains(&discipline.to_string()) {
            continue;
        }
        for &tasks in &options.tasks {
            let turn = turn(discipline, tasks, options.calls);
            let fill = Turn::new(Discipline::Set(discipline.size()), 1, BATCH);
            let mut found = order
                .iter()
                .filter(|contestant| contestant.takes(tasks))
                .map(|contestant| Row { discipline, tasks, client: contestant.name(), repetitions: Vec::new() })
                .collect::<Vec<_>>();
            for _ in 0..options.repetitions {
                // Whoever comes after a disturbance pays for it, so nobody always comes after the same one.
                contestants.rotate_left(1);
                for contestant in contestants.iter().filter(|contestant| contestant.takes(tasks)) {
                    // Each reads what it wrote, and is warm.
                    runtime.block_on(contestant.run(fill.clone()))?;
                    let figures = measure(runtime, contestant.as_ref(), &turn)?;
                    let row = found.iter_mut().find(|row| row.client == contestant.name());
                    row.into_iter().for_each(|row| row.repetitions.push(figures.clone()));
                }
            }
            rows.append(&mut found);
        }
    }
    Ok(Contest { server, yardstick, rows })
}

/// One task waits for the network most of the time, and a batch is many calls in one.
fn turn(discipline: Discipline, tasks: usize, calls: usize) -> Turn {
    let calls = if tasks == 1 { calls / 4 } else { calls };
    let calls = if matches!(discipline, Discipline::GetMany(_)) { calls / 20 } else { calls };
    Turn::new(discipline, tasks, calls.div_ceil(tasks))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn measure(runtime: &Runtime, contestant: &dyn Contestant, turn: &Turn) -> Result<Figures> {
    let mut latencies = Ok(Vec::new());
    let Spent { wall, cpu } = spent(|| latencies = runtime.block_on(contestant.run(turn.clone())));
    let a_call = |time: std::time::Duration| time.as_secs_f64() * 1e6 / (turn.tasks * turn.each) as f64;
    Ok(Figures { wall: a_call(wall), cpu: a_call(cpu), latencies: latencies? })
}

impl Contest {
    fn find(&self, discipline: Discipline, tasks: usize, client: &str) -> Option<&Row> {
        self.rows.iter().find(|row| (row.discipline, row.tasks, row.client) == (discipline, tasks, client))
    }

    /// The throughput of `row` as a part of the yardstick's.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let yardstick = self.find(row.discipline, row.tasks, self.yardstick)?;
        let pairs = row.repetitions.iter().zip(&yardstick.repetitions);
        Some(table::median(pairs.map(|(own, other)| other.wall / own.wall)))
    }

    fn print(&self) {
        println!("\n## {}, × {}", self.server, self.yardstick);
        for discipline in Discipline::ALL {
            let mut rows = self.rows.iter().filter(|row| row.discipline == discipline).peekable();
            if rows.peek().is_some() {
                println!("\n### {discipline} ({})\n", self.server);
                println!("{}", table::header(&["client", "tasks", "calls/s", "×", "CPU µs", "p50 µs", "p99 µs"]));
                rows.for_each(|row| println!("{}", table::row(&self.cells(row))));
            }
        }
    }

    fn cells(&self, row: &Row) -> [String; 7] {
        let median = |of: fn(&Figures) -> f64| table::median(row.repetitions.iter().map(of));
        let mut latencies = row.repetitions.iter().flat_map(|figures| &figures.latencies).copied().collect::<Vec<_>>();
        latencies.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let quantile =
            |part: usize| latencies.get(latencies.len() * part / 100).map_or(0.0, |nanos| *nanos as f64 / 1e3);
        [
            row.client.to_owned(),
            row.tasks.to_string(),
            format!("{:.0}", 1e6 / median(|figures| figures.wall)),
            self.ratio(row).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")),
            format!("{:.2}", median(|figures| figures.cpu)),
            format!("{:.0}", quantile(50)),
            format!("{:.0}", quantile(99)),
        ]
    }

    /// What a cache adds to its store, in microseconds of processor time a call.
    fn layer(&self, tasks: usize) -> Option<f64> {
        let (whole, alone) = match self.server {
            "Redis" => ("scrubjay", "scrubjay, its store alone"),
            _ => ("scrubjay", "scrubjay-memcached"),
        };
        let [whole, alone] = [whole, alone].map(|client| self.find(Discipline::Get(100), tasks, client));
        let pairs = whole?.repetitions.iter().zip(&alone?.repetitions);
        Some(table::median(pairs.map(|(whole, alone)| whole.cpu - alone.cpu)))
    }
}

fn print_goals(contests: &[Contest]) {
    println!("\n## Goals\n\n{}", table::header(&["what", "goal", "found"]));
    for contest in contests {
        for goal in GOALS.iter().filter(|goal| goal.server == contest.server) {
            let row = contest.find(goal.discipline, goal.tasks, goal.client);
            if let Some(ratio) = row.and_then(|row| contest.ratio(row)) {
                let what = format!(
                    "{} on {}, {} tasks: {} × {}",
                    goal.discipline, goal.server, goal.tasks, goal.client, contest.yardstick
                );
                println!("{}", table::row(&[what, format!("≥ {:.2}", goal.ratio), format!("{ratio:.2}")]));
            }
        }
        for tasks in [50, 1_000] {
            if let Some(added) = contest.layer(tasks) {
                let what = format!("CPU that the cache adds to a GET 100 B on {}, {tasks} tasks", contest.server);
                println!("{}", table::row(&[what, "≤ 0.30 µs".to_owned(), format!("{added:.2} µs")]));
            }
        }
    }
}
