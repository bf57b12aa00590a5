//! The cases: who is asked ([`Subject`]), what for ([`Operation`]), and by which [`Plugins`] it is observed.

use std::{fmt, hint::black_box, sync::Arc, time::Duration};

use scrubjay::{Cache, Memory, Result, blocking, far::MemoryStore, plugin::Plugin, serializer::Json};

use crate::at_once::at_once;

/// Entries in every cache, all of them asked for in turn; there is room for five times as many, so none is evicted.
const HOT_KEYS: usize = 2_000;
const VALUE_SIZE: usize = 100;
const LONG: Duration = Duration::from_hours(1);

/// One thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Who is asked.
    pub subject: Subject,
    /// What for.
    pub operation: Operation,
    /// Who watches.
    pub plugins: Plugins,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `Memory<Arc<[u8]>>`, without a cache around it: what the others are compared with.
    Engine,
    /// `blocking::Cache<Arc<[u8]>>` on that engine.
    Blocking,
    /// `Cache<Arc<[u8]>>` on that engine, its requests polled by hand: a near tier answers at the first poll.
    Async,
    /// `Cache<String>` on bytes in this process: json and a boxed future, but no network.
    Far,
    /// `quick_cache`, the leanest bounded peer, which knows no ttl.
    QuickCache,
}

/// What for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `get` of an entry without a deadline.
    Hit,
    /// `get` of an entry that has a ttl.
    TtlHit,
    /// `get` of a key under which nothing stands.
    Miss,
    /// `set` over an entry.
    Set,
}

/// Who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugins {
    /// Nobody.
    None,
    /// Two that do nothing.
    Two,
    /// Two that do nothing, one of which wants to know how long each command takes.
    TwoOneTimed,
}

/// Carries a case out so many times.
pub type Work = Box<dyn Fn(u64)>;

impl Case {
    /// Every case, those that are compared with one another together.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let faces = [Subject::Blocking, Subject::Async, Subject::Far];
        let mut cases = Vec::new();
        for operation in Operation::ALL {
            let mut add = |subject, plugins| cases.push(Self { subject, operation, plugins });
            if operation != Operation::TtlHit {
                add(Subject::QuickCache, Plugins::None);
            }
            add(Subject::Engine, Plugins::None);
            faces.iter().for_each(|&face| add(face, Plugins::None));
            faces.iter().for_each(|&face| add(face, Plugins::Two));
            if operation == Operation::Hit {
                faces.iter().for_each(|&face| add(face, Plugins::TwoOneTimed));
            }
        }
        cases
    }

    /// The case of that name, which is what `Display` prints.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|case| case.to_string() == name)
    }

    /// Builds and fills the cache, so that only the operation itself is left to be carried out.
    #[must_use]
    pub fn prepare(self) -> Work {
        let ttl = (self.operation == Operation::TtlHit).then_some(LONG);
        let bytes: Arc<[u8]> = vec![b'x'; VALUE_SIZE].into();
        match self.subject {
            Subject::Engine => self.work(Engine { memory: Memory::builder().build(), ttl }, bytes),
            Subject::Blocking => self.work(self.cache(Cache::builder(), ttl).blocking(), bytes),
            Subject::Async => self.work(self.cache(Cache::builder(), ttl), bytes),
            Subject::Far => {
                let far = Cache::builder().far(MemoryStore::default()).serializer(Json);
                self.work(self.cache(far, ttl), "x".repeat(VALUE_SIZE))
            }
            Subject::QuickCache => self.work(quick_cache::sync::Cache::new(5 * HOT_KEYS), bytes),
        }
    }

    fn cache<V: Clone + Send + Sync + 'static>(self, builder: scrubjay::Builder<V>, ttl: Option<Duration>) -> Cache<V> {
        let builder = match ttl {
            Some(ttl) => builder.ttl(ttl),
            None => builder,
        };
        let builder = match self.plugins {
            Plugins::None => builder,
            Plugins::Two => builder.plugin(Idle { timed: false }).plugin(Idle { timed: false }),
            Plugins::TwoOneTimed => builder.plugin(Idle { timed: false }).plugin(Idle { timed: true }),
        };
        sound(builder.build())
    }

    fn work<V: Clone + 'static>(self, subject: impl Ask<V> + 'static, value: V) -> Work {
        let present = keys("user");
        for key in &present {
            subject.set(key, value.clone());
        }
        let keys = if self.operation == Operation::Miss { keys("none") } else { present };
        match self.operation {
            Operation::Set => Box::new(move |times| each(&keys, times, |key| subject.set(key, value.clone()))),
            _ => Box::new(move |times| each(&keys, times, |key| drop(black_box(subject.get(key))))),
        }
    }
}

/// `hit_async_2_plugins`
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.operation.name(), self.who())
    }
}

impl Case {
    /// The name without the operation's.
    #[must_use]
    pub fn who(self) -> String {
        let subject = match self.subject {
            Subject::Engine => "engine",
            Subject::Blocking => "blocking",
            Subject::Async => "async",
            Subject::Far => "far",
            Subject::QuickCache => "quick_cache",
        };
        let plugins = match self.plugins {
            Plugins::None => "",
            Plugins::Two => "_2_plugins",
            Plugins::TwoOneTimed => "_2_plugins_timed",
        };
        format!("{subject}{plugins}")
    }
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 4] = [Self::Hit, Self::TtlHit, Self::Miss, Self::Set];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::TtlHit => "ttl_hit",
            Self::Miss => "miss",
            Self::Set => "set",
        }
    }
}

/// Keys of 24 bytes, in an order that no memory prefetcher foresees.
fn keys(kind: &str) -> Vec<String> {
    // 769 has no divisor in common with the number of keys, so that each comes up once.
    (0..HOT_KEYS).map(|number| format!("{kind}:{:019}", number * 769 % HOT_KEYS)).collect()
}

#[inline]
fn each(keys: &[String], times: u64, ask: impl Fn(&str)) {
    for (key, _) in keys.iter().cycle().zip(0..times) {
        ask(black_box(key));
    }
}

/// What all subjects have in common.
trait Ask<V> {
    fn get(&self, key: &str) -> Option<V>;
    fn set(&self, key: &str, value: V);
}

struct Engine<V> {
    memory: Memory<V>,
    ttl: Option<Duration>,
}

impl<V: Clone + Send + Sync + 'static> Ask<V> for Engine<V> {
    fn get(&self, key: &str) -> Option<V> {
        self.memory.get(key)
    }

    fn set(&self, key: &str, value: V) {
        self.memory.set(key, value, self.ttl);
    }
}

impl<V: Clone + Send + Sync + 'static> Ask<V> for blocking::Cache<V> {
    fn get(&self, key: &str) -> Option<V> {
        sound(self.get(key))
    }

    fn set(&self, key: &str, value: V) {
        sound(self.set(key, value));
    }
}

impl<V: Clone + Send + Sync + 'static> Ask<V> for Cache<V> {
    fn get(&self, key: &str) -> Option<V> {
        sound(at_once(async { self.get(key).await }))
    }

    fn set(&self, key: &str, value: V) {
        sound(at_once(async { self.set(key, value).await }));
    }
}

impl<V: Clone> Ask<V> for quick_cache::sync::Cache<String, V> {
    fn get(&self, key: &str) -> Option<V> {
        self.get(key)
    }

    fn set(&self, key: &str, value: V) {
        self.insert(key.to_owned(), value);
    }
}

fn sound<T>(answer: Result<T>) -> T {
    answer.unwrap_or_else(|error| unreachable!("nothing can fail here: {error}"))
}

#[derive(Debug)]
struct Idle {
    timed: bool,
}

impl Plugin for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn measures_time(&self) -> bool {
        self.timed
    }
}
