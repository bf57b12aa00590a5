//! A slow job becomes fast: statistics about documents, computed once and then answered from a cache.
//!
//! ```text
//! cargo run --example quickstart                                        # this repository's own documentation
//! cargo run --example quickstart -- notes.md ~/texts                    # other files and folders
//! cargo run --example quickstart -- --cache "memory://?serializer=json+zstd"
//! ```

#![allow(clippy::print_stdout, reason = "the table is what it is for")]

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use scrubjay::{
    Cache,
    blocking::Cache as BlockingCache,
    plugin::{HitRatio, Timing},
};
use serde::{Deserialize, Serialize};

/// What is computed of a document, and cached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Statistics {
    words: usize,
    distinct: usize,
    /// Long words that differ by one letter: plurals mostly, now and then a typing error.
    lookalikes: Vec<(String, String)>,
}

fn main() -> ExitCode {
    match Arguments::read(env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let cache = Cache::from_url(&arguments.cache)?.with_plugin(HitRatio::default()).with_plugin(Timing::default());
    let cache = cache.blocking();
    let documents = Document::read_all(&arguments.paths)?;
    println!("cache: {}\n", cache.info());

    let ask = |document| timed(|| statistics(&cache, document));
    let cold = documents.iter().map(ask).collect::<scrubjay::Result<Vec<_>>>()?;
    let warm = documents.iter().map(ask).collect::<scrubjay::Result<Vec<_>>>()?;

    let width = documents.iter().map(|document| document.name.chars().count()).max().unwrap_or(0).max(8);
    println!(
        "{:<width$}  {:>7} {:>8} {:>10} {:>9} {:>9}",
        "document", "words", "distinct", "lookalikes", "cold", "warm"
    );
    let (mut cold_total, mut warm_total) = (Duration::ZERO, Duration::ZERO);
    for (document, ((first, cold), (again, warm))) in documents.iter().zip(cold.into_iter().zip(warm)) {
        assert_eq!(first, again, "the cache gave back something else than it was given");
        let Statistics { words, distinct, lookalikes } = first;
        let lookalikes = lookalikes.len();
        println!("{:<width$}  {words:>7} {distinct:>8} {lookalikes:>10} {cold:>9.1?} {warm:>9.1?}", document.name);
        cold_total += cold;
        warm_total += warm;
    }
    let speed_up = cold_total.as_secs_f64() / warm_total.as_secs_f64();
    println!("{:<width$}  {:>7} {:>8} {:>10} {cold_total:>9.1?} {warm_total:>9.1?}", "all", "", "", "");
    println!("\nThe second time was {speed_up:.0} times as fast.\n");

    report(&cache);
    Ok(())
}

/// The statistics of a document: from the cache, or computed and put there.
fn statistics(cache: &BlockingCache<Statistics>, document: &Document) -> scrubjay::Result<Statistics> {
    let key = document.key();
    if let Some(known) = cache.get(&key)? {
        return Ok(known);
    }
    let computed = document.compute();
    cache.set(&key, computed.clone())?;
    Ok(computed)
}

/// What the plugins have seen.
fn report(cache: &BlockingCache<Statistics>) {
    if let Some(ratio) = cache.plugin::<HitRatio>().map(|plugin| plugin.read()) {
        println!("hit ratio  {:.0} % ({} of {})", 100.0 * ratio.ratio().unwrap_or(0.0), ratio.hits, ratio.total);
    }
    println!("\ncommand    count       p50       p99");
    for (operation, figures) in cache.plugin::<Timing>().into_iter().flat_map(|plugin| plugin.read()) {
        println!("{:<9} {:>6} {:>9.1?} {:>9.1?}", operation.name(), figures.count, figures.p50, figures.p99);
    }
}

#[expect(clippy::disallowed_methods, reason = "here time is not waited for but shown")]
fn timed<T>(work: impl FnOnce() -> scrubjay::Result<T>) -> scrubjay::Result<(T, Duration)> {
    let start = Instant::now();
    Ok((work()?, start.elapsed()))
}

struct Arguments {
    cache: String,
    paths: Vec<PathBuf>,
}

impl Arguments {
    fn read(mut given: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut arguments = Self { cache: "memory://".into(), paths: Vec::new() };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--cache" => arguments.cache = given.next().ok_or("--cache needs a URL, such as memory://")?,
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}; usage: [--cache URL] [files or folders]").into());
                }
                path => arguments.paths.push(path.into()),
            }
        }
        if arguments.paths.is_empty() {
            arguments.paths.push(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        }
        Ok(arguments)
    }
}

struct Document {
    name: String,
    text: String,
}

/// Comparing all words with all takes time with their square; more than these many say nothing new about a text.
const MOST_WORDS_COMPARED: usize = 800;
/// Shorter words differ from one another by a letter all the time.
const SHORTEST_COMPARED: usize = 4;

impl Document {
    /// The files of `paths`; of a folder, the Markdown files below it.
    fn read_all(paths: &[PathBuf]) -> Result<Vec<Self>, Box<dyn Error>> {
        let mut documents = Vec::new();
        for path in paths {
            Self::collect(path, path, &mut documents)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        }
        if documents.is_empty() {
            return Err("there are no documents (*.md) in the folders given".into());
        }
        documents.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(documents)
    }

    fn collect(root: &Path, path: &Path, documents: &mut Vec<Self>) -> std::io::Result<()> {
        if !path.is_dir() {
            let name = path.strip_prefix(root).ok().filter(|name| !name.as_os_str().is_empty()).unwrap_or(path);
            let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
            documents.push(Self { name: name.display().to_string(), text });
            return Ok(());
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            let name = name.to_string_lossy();
            let is_folder = kind.is_dir() && !name.starts_with('.') && name != "target";
            let is_text = kind.is_file() && name.ends_with(".md");
            if is_folder || is_text {
                Self::collect(root, &entry.path(), documents)?;
            }
        }
        Ok(())
    }

    /// Name and content: a document that was changed is another one.
    fn key(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        format!("{}#{:016x}", self.name, hasher.finish())
    }

    /// The slow job.
    fn compute(&self) -> Statistics {
        let words = self.text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        let words = words.map(str::to_lowercase).collect::<Vec<_>>();
        let distinct = words.iter().collect::<BTreeSet<_>>();
        let long = distinct.iter().map(|word| word.chars().collect::<Vec<_>>());
        let long = long.filter(|word| word.len() >= SHORTEST_COMPARED).take(MOST_WORDS_COMPARED).collect::<Vec<_>>();
        let mut lookalikes = Vec::new();
        for (position, one) in long.iter().enumerate() {
            for other in &long[..position] {
                if edit_distance(one, other) == 1 {
                    lookalikes.push((String::from_iter(other), String::from_iter(one)));
                }
            }
        }
        Statistics { words: words.len(), distinct: distinct.len(), lookalikes }
    }
}

/// How many letters must be put in, taken out or changed to make `one` of `other` (Levenshtein's distance).
fn edit_distance(one: &[char], other: &[char]) -> usize {
    let mut row = (0..=other.len()).collect::<Vec<_>>();
    for (deleted, letter) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], deleted + 1);
        for (column, other) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
