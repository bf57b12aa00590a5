//! Clients of a server that compete: what each must do ([`Client`]), and how it is made to ([`Contestant`]).

pub mod memcached;
pub mod redis;

use std::{error::Error, fmt, pin::Pin, sync::Arc};

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::gauge;

/// What went wrong, in words for whoever ran the benchmark.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How many keys a batch has.
pub const BATCH: usize = 100;
/// Of so many calls one is timed.
const TIMED: usize = 8;

/// A client with which any number of tasks work; clones share its connections.
pub trait Client: Clone + Send + Sync + 'static {
    /// Reads an entry; answers how long its value is.
    fn get(&self, key: &str) -> impl Future<Output = Result<usize>> + Send;

    /// Writes an entry.
    fn set(&self, key: &str, value: &Bytes) -> impl Future<Output = Result<()>> + Send;

    /// Reads entries in one batch; answers how long all their values are.
    fn get_many(&self, keys: &[String]) -> impl Future<Output = Result<usize>> + Send;
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// Reads values of this size.
    Get(usize),
    /// Writes values of this size.
    Set(usize),
    /// Reads batches of [`BATCH`] values of this size.
    GetMany(usize),
}

impl Discipline {
    /// Each, in the order of the report.
    pub const ALL: [Self; 5] =
        [Self::Get(100), Self::Set(100), Self::Get(10_000), Self::Set(10_000), Self::GetMany(100)];

    /// How large a value is.
    #[must_use]
    pub fn size(self) -> usize {
        let (Self::Get(size) | Self::Set(size) | Self::GetMany(size)) = self;
        size
    }
}

impl fmt::Display for Discipline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = match self.size() {
            size if size.is_multiple_of(1_000) => format!("{} kB", size / 1_000),
            size => format!("{size} B"),
        };
        match self {
            Self::Get(_) => write!(f, "GET {size}"),
            Self::Set(_) => write!(f, "SET {size}"),
            Self::GetMany(_) => write!(f, "GET {BATCH} × {size}"),
        }
    }
}

/// So many tasks do the same, each so often.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What they do.
    pub discipline: Discipline,
    /// How many they are.
    pub tasks: usize,
    /// How often each does it.
    pub each: usize,
    /// What is read and written.
    keys: Arc<[String]>,
    value: Bytes,
}

impl Turn {
    /// So many tasks, each so often, with [`BATCH`] keys of the discipline's own.
    #[must_use]
    pub fn new(discipline: Discipline, tasks: usize, each: usize) -> Self {
        let size = discipline.size();
        let keys = (0..BATCH).map(|number| format!("bench:{size}:{number:04}")).collect();
        Self { discipline, tasks, each, keys, value: vec![b'x'; size].into() }
    }
}

/// How long the timed calls took, in nanoseconds.
pub type Latencies = Vec<u64>;

/// A client under a name.
pub trait Contestant: Sync {
    /// The name.
    fn name(&self) -> &'static str;

    /// Whether so many tasks are what it is made for.
    fn takes(&self, tasks: usize) -> bool {
        tasks > 0
    }

    /// Carries a turn out.
    fn run(&self, turn: Turn) -> Pin<Box<dyn Future<Output = Result<Latencies>> + '_>>;
}

/// A client whose calls are futures.
#[derive(Debug)]
pub struct Concurrent<C> {
    /// What the report calls it.
    pub name: &'static str,
    /// It.
    pub client: C,
}

impl<C: Client> Contestant for Concurrent<C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, turn: Turn) -> Pin<Box<dyn Future<Output = Result<Latencies>> + '_>> {
        Box::pin(async move {
            let mut tasks = JoinSet::new();
            for first in 0..turn.tasks {
                tasks.spawn(work(self.client.clone(), turn.clone(), first));
            }
            let mut all = Vec::new();
            while let Some(latencies) = tasks.join_next().await {
                all.extend(latencies??);
            }
            Ok(all)
        })
    }
}

/// What one task does.
async fn work<C: Client>(client: C, turn: Turn, first: usize) -> Result<Latencies> {
    let (keys, value) = (&*turn.keys, &turn.value);
    let mut latencies = Vec::with_capacity(turn.each / TIMED + 1);
    for number in first..first + turn.each {
        let key = &keys[number % keys.len()];
        let began = number.is_multiple_of(TIMED).then(gauge::now);
        let (found, expected) = match turn.discipline {
            Discipline::Get(size) => (client.get(key).await?, size),
            Discipline::Set(_) => (client.set(key, value).await.map(|()| 0)?, 0),
            Discipline::GetMany(size) => (client.get_many(keys).await?, size * BATCH),
        };
        if found != expected {
            return Err(format!("{}: {found} bytes came, not {expected}", turn.discipline).into());
        }
        latencies.extend(began.map(|began| u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)));
    }
    Ok(latencies)
}

/// Why a value that was written before is not there.
fn missing() -> Box<dyn Error + Send + Sync> {
    "a value that was written is missing".into()
}
