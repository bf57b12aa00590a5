//! Processes that load: the test program once more, told by its environment what to do and by its input when.

use std::{
    fmt,
    io::{BufRead, BufReader, Write, stdin},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use scrubjay::{Cache, Error, Memory, Policy, far, serializer::Json};
use scrubjay_testkit::servers::{MemcachedServer, RedisServer};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

const JOB: &str = "SCRUBJAY_JOB";
/// What comes before all that a worker says.
const MARK: &str = "worker: ";

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

/// A process at work, ended with its handle.
pub(crate) struct Worker {
    process: Child,
    voice: BufReader<ChildStdout>,
}

impl Worker {
    pub(crate) fn start(job: &Job) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "worker", "--ignored", "--nocapture"]).env(JOB, serde_json::to_string(job).unwrap());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let voice = BufReader::new(process.stdout.take().unwrap());
        Self { process, voice }
    }

    /// The next thing it says.
    pub(crate) fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.voice.read_line(&mut line).unwrap() > 0, "the worker has ended");
            if let Some((_, said)) = line.trim_end().split_once(MARK) {
                return said.to_owned();
            }
        }
    }

    pub(crate) fn tell(&mut self, word: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &process]).status().unwrap().success());
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The life of a worker.
pub(crate) fn work() {
    let Ok(job) = std::env::var(JOB) else { return };
    let job: Job = serde_json::from_str(&job).unwrap();
    say("ready");
    listen();
    say(&job.run().to_string());
}

fn until_told() {
    say("loading");
    listen();
}

fn listen() {
    stdin().lock().read_line(&mut String::new()).unwrap();
}

fn say(word: &str) {
    println!("{MARK}{word}");
}
