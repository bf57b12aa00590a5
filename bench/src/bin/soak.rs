//! Two threads do everything to one cache for minutes: `soak [--minutes N]`.
//!
//! They meet every few thousand strokes, and while both stand still the books must balance: what was written and has not
//! been told to have left is what is held, to the entry, and weighs no more than the bound. Memory must not grow.

#![allow(clippy::print_stdout, reason = "a command-line tool talks to whoever runs it")]

use std::{
    env,
    process::{self, ExitCode},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use scrubjay::{Memory, QualifiedKey};
use scrubjay_bench::{
    gauge::{now, resident},
    random::{Random, SEED},
};

const THREADS: usize = 2;
/// Strokes of a thread between two meetings.
const STROKES: u32 = 5_000;
/// The weight of all values, each of which weighs its length.
const CAPACITY: i64 = 4_000_000;
const LONGEST_VALUE: u32 = 400;
/// How long the janitor may take to tell.
const PATIENCE: Duration = Duration::from_secs(5);
/// Rare enough that the samples themselves are not what grows.
const BETWEEN_SAMPLES: Duration = Duration::from_millis(100);
/// More keys than fit.
const KEYS: u32 = 40_000;
const NAMESPACES: [&str; 4] = ["", "users", "pages", "a-namespace-of-some-length"];

/// What was written less what has left.
#[derive(Debug, Default)]
struct Books {
    entries: AtomicI64,
    weight: AtomicI64,
    most_weight: AtomicI64,
    strokes: AtomicU64,
    meetings: AtomicU64,
}

struct Soak {
    memory: Memory<Arc<[u8]>>,
    books: Arc<Books>,
    meeting: Barrier,
    ended: AtomicBool,
}

fn main() -> ExitCode {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let minutes = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(1.0),
        ["--minutes", minutes] => minutes.parse::<f64>(),
        _ => "?".parse(),
    };
    let Ok(minutes) = minutes else {
        eprintln!("usage: soak [--minutes N]");
        return ExitCode::from(2);
    };
    let soak = Soak::new();
    let resident = thread::scope(|scope| {
        for thread in 1..THREADS {
            let soak = &soak;
            scope.spawn(move || soak.work(thread, |_| {}));
        }
        let mut resident = Vec::new();
        let start = now();
        soak.work(0, |soak| {
            let passed = start.elapsed();
            soak.check();
            if resident.last().is_none_or(|&(last, _)| passed > last + BETWEEN_SAMPLES) {
                resident.extend(self::resident().map(|bytes| (passed, bytes)));
            }
            soak.ended.store(passed >= Duration::from_mins(1).mul_f64(minutes), Ordering::Relaxed);
        });
        resident
    });
    soak.print(&resident);
    ExitCode::SUCCESS
}

impl Soak {
    fn new() -> Self {
        let books = Arc::<Books>::default();
        let told = Arc::clone(&books);
        let memory = Memory::builder()
            .capacity(CAPACITY.unsigned_abs())
            .weigher(|_, value: &Arc<[u8]>| u32::try_from(value.len()).unwrap_or(u32::MAX))
            .listener(move |_, value, _| told.note(-1, &value))
            .build();
        Self { memory, books, meeting: Barrier::new(THREADS), ended: AtomicBool::new(false) }
    }

    /// Strokes and meetings until the end; one thread does something `at_meetings`, while the others wait.
    fn work(&self, thread: usize, mut at_meetings: impl FnMut(&Self)) {
        let mut random = Random::new(SEED + thread as u64);
        while !self.ended.load(Ordering::Relaxed) {
            (0..STROKES).for_each(|_| self.stroke(&mut random));
            self.books.strokes.fetch_add(u64::from(STROKES), Ordering::Relaxed);
            self.meeting.wait();
            at_meetings(self);
            self.meeting.wait();
        }
    }

    fn stroke(&self, random: &mut Random) {
        let number = random.below(KEYS).min(random.below(KEYS)).to_string();
        let namespace = NAMESPACES[random.below(4) as usize];
        let key = QualifiedKey { namespace, key: &number };
        let ttl = (random.below(2) == 0).then(|| Duration::from_millis(u64::from(random.below(2_000))));
        match random.below(10_000) {
            0 => self.memory.clear(namespace),
            1 if random.below(10) == 0 => self.memory.clear_all(),
            2..500 => drop(self.memory.delete(key)),
            500..1_000 => drop(self.memory.expire(key, ttl)),
            1_000..1_500 => self.write(random, |value| self.memory.add(key, value, ttl)),
            1_500..2_000 => {
                let version = self.memory.read(key).map_or(0, |held| held.version);
                self.write(random, |value| self.memory.compare_and_set(key, value, ttl, version));
            }
            2_000..2_500 => {
                let ticket = self.memory.ticket(key);
                self.write(random, |value| self.memory.fill(key, value, ttl, ticket));
            }
            2_500..4_500 => self.write(random, |value| {
                self.memory.set(key, value, ttl);
                true
            }),
            _ => drop(self.memory.get(key)),
        }
    }

    fn write(&self, random: &mut Random, write: impl FnOnce(Arc<[u8]>) -> bool) {
        let value = Arc::from(vec![0; random.below(LONGEST_VALUE) as usize]);
        if write(Arc::clone(&value)) {
            self.books.note(1, &value);
        }
    }

    /// Nobody else is at work, but for the janitor, who may be about to tell of what it has just taken out.
    fn check(&self) {
        let balanced = || i64::try_from(self.memory.len()) == Ok(self.books.entries.load(Ordering::Relaxed));
        let start = now();
        while !balanced() {
            let held = self.memory.len();
            fail_if(start.elapsed() > PATIENCE, || format!("{held} entries are held, but {:?}", self.books));
            thread::yield_now();
        }
        let weight = self.books.weight.load(Ordering::Relaxed);
        fail_if(weight > CAPACITY, || format!("{weight} is over {CAPACITY}"));
        self.books.most_weight.fetch_max(weight, Ordering::Relaxed);
        self.books.meetings.fetch_add(1, Ordering::Relaxed);
    }

    fn print(&self, resident: &[(Duration, u64)]) {
        println!("strokes              {}", self.books.strokes.load(Ordering::Relaxed));
        println!("meetings             {}, the books balanced at each", self.books.meetings.load(Ordering::Relaxed));
        println!("most weight          {} of {CAPACITY}", self.books.most_weight.load(Ordering::Relaxed));
        println!("entries at the end   {}", self.memory.len());
        // The first half fills the cache and the allocator's own stores.
        let settled = &resident[resident.len() / 2..];
        if let (Some((_, before)), Some((_, after))) = (settled.first(), settled.last()) {
            println!("resident             {} KiB half way, {} KiB at the end", before / 1_024, after / 1_024);
            println!("slope                {:+.1} KiB a minute over the second half", slope(settled) / 1_024.0);
        }
    }
}

/// Ends the program, since a panic would leave the other thread waiting.
fn fail_if(failed: bool, why: impl FnOnce() -> String) {
    if failed {
        eprintln!("soak: {}", why());
        process::exit(1);
    }
}

impl Books {
    fn note(&self, entries: i64, value: &[u8]) {
        let weight = i64::try_from(value.len()).unwrap_or(i64::MAX);
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.weight.fetch_add(entries * weight, Ordering::Relaxed);
    }
}

/// Bytes a minute: the line of least squares.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn slope(samples: &[(Duration, u64)]) -> f64 {
    let points = samples.iter().map(|&(time, bytes)| (time.as_secs_f64() / 60.0, bytes as f64)).collect::<Vec<_>>();
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let rise = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>();
    let run = points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>();
    if run > 0.0 { rise / run } else { 0.0 }
}
