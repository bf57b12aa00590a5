//! Processes that load.

use std::{fmt, thread, time::Duration};

use scrubjay::{Cache, Error, Memory, Policy, far, serializer::Json};
use scrubjay_testkit::{
    servers::{MemcachedServer, RedisServer},
    worker::{self, Worker},
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

/// A server of one kind or the other.
pub(crate) enum Server {
    Redis(RedisServer),
    Memcached(MemcachedServer),
}

impl Server {
    pub(crate) fn each() -> [Self; 2] {
        [Self::Redis(RedisServer::start().unwrap()), Self::Memcached(MemcachedServer::start().unwrap())]
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Redis(server) => server.url(),
            Self::Memcached(server) => server.url(),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis(_) => "Redis",
            Self::Memcached(_) => "memcached",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Tiers {
    Far,
    Two,
}

pub(crate) const TIERS: [Tiers; 2] = [Tiers::Far, Tiers::Two];

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Face {
    Async,
    Blocking,
}

/// How long a load takes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    Takes(Duration),
    UntilTold,
}

/// What a worker does: so many callers at once for one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    url: String,
    tiers: Tiers,
    face: Face,
    callers: usize,
    work: Work,
    pub(crate) lease: Duration,
    key: String,
}

impl Job {
    pub(crate) fn new(server: &Server, tiers: Tiers, face: Face) -> Self {
        Self {
            url: server.url(),
            tiers,
            face,
            callers: 1,
            work: Work::Takes(Duration::ZERO),
            lease: Duration::from_secs(2),
            key: "key".into(),
        }
    }

    /// On a key of its own.
    pub(crate) fn on(self, key: &str) -> Self {
        Self { key: key.into(), ..self }
    }

    pub(crate) fn callers(self, callers: usize) -> Self {
        Self { callers, ..self }
    }

    pub(crate) fn work(self, work: Work) -> Self {
        Self { work, ..self }
    }

    pub(crate) fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Carries it out; answers how many callers got an error.
    fn run(&self) -> usize {
        let cache = cache_at(&self.url, self.tiers, Some(self.lease));
        let tally = tally(&self.url);
        let (blocking, blocking_tally) = (&cache.blocking(), &tally.blocking());
        match self.face {
            Face::Async => {
                let mut runtime = tokio::runtime::Builder::new_multi_thread();
                let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut callers = JoinSet::new();
                    for _ in 0..self.callers {
                        let (cache, tally, job) = (cache.clone(), tally.clone(), self.clone());
                        callers.spawn(async move {
                            let load = async {
                                tally.increment("executions", 1).await?;
                                match job.work {
                                    Work::Takes(time) => tokio::time::sleep(time).await,
                                    Work::UntilTold => tokio::task::spawn_blocking(until_told).await.unwrap(),
                                }
                                Ok::<_, Error>(42)
                            };
                            cache.get_or_load(&*job.key, || load).await
                        });
                    }
                    callers.join_all().await.iter().filter(|answer| !matches!(answer, Ok(42))).count()
                })
            }
            Face::Blocking => thread::scope(|scope| {
                let load = || {
                    blocking_tally.increment("executions", 1)?;
                    match self.work {
                        #[expect(clippy::disallowed_methods, reason = "the work of a loader, not a wait")]
                        Work::Takes(time) => thread::sleep(time),
                        Work::UntilTold => until_told(),
                    }
                    Ok::<_, Error>(42)
                };
                let caller = |_| scope.spawn(move || blocking.get_or_load(&*self.key, load));
                let callers: Vec<_> = (0..self.callers).map(caller).collect();
                callers.into_iter().map(|caller| caller.join().unwrap()).filter(Result::is_err).count()
            }),
        }
    }
}

/// One process's cache at `url`.
pub(crate) fn cache_at(url: &str, tiers: Tiers, lease: Option<Duration>) -> Cache<u32> {
    let policy = Policy { lease: lease.map(scrubjay::Lease::For), ..Policy::default() };
    let builder = Cache::builder().far(far::from_url(url).unwrap()).serializer(Json).namespace("loads").policy(policy);
    match tiers {
        Tiers::Far => builder.build().unwrap(),
        Tiers::Two => builder.near(Memory::with_capacity(100)).build().unwrap(),
    }
}

/// What all processes count together, on the server.
pub(crate) fn tally(url: &str) -> Cache<i64> {
    Cache::builder().far(far::from_url(url).unwrap()).serializer(Json).namespace("tally").build().unwrap()
}

/// A process that does `job`.
pub(crate) fn start(job: &Job) -> Worker {
    Worker::start("worker", &serde_json::to_string(job).unwrap())
}

/// The life of a worker.
pub(crate) fn work() {
    let Some(job) = worker::job() else { return };
    let job: Job = serde_json::from_str(&job).unwrap();
    worker::say("ready");
    worker::listen();
    worker::say(&job.run().to_string());
}

fn until_told() {
    worker::say("loading");
    worker::listen();
}
