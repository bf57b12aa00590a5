//! Writes that race loads, at random: once all is settled no cache holds what was loaded before the last write.
//!
//! Each round has a key of its own and an origin with a version. Callers load it through two caches over one store, as two
//! processes would; a writer raises the version, then sets, deletes, expires or clears through either. A loader takes the
//! version at its start. `SCRUBJAY_SEED` starts the random numbers elsewhere.
#![cfg(all(feature = "redis", feature = "memcached", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

mod random;

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use random::Random;
use scrubjay::{
    Cache, Clock, Error, Lease, Memory, Outcome, Policy,
    far::{
        self, AnyStore, MemoryStore,
        layer::{Chaos, Layer},
    },
    serializer::Json,
};
use scrubjay_testkit::servers::{MemcachedServer, RedisServer};
use tokio::{sync::Notify, task::JoinSet};

const ROUNDS: usize = 10_000;
/// Rounds at the same time.
const AT_ONCE: usize = 64;
const SEED: u64 = 0x5c2b_1a7e;

impl Random {
    fn of_round(round: usize) -> Self {
        Self(seed().wrapping_add(round as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Lets others go first for a while.
    fn pause(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let (sleeps, much) = (self.below(4) == 0, self.below(6));
        async move {
            if sleeps {
                tokio::time::sleep(Duration::from_micros(400 * much)).await;
            } else {
                for _ in 0..much {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

fn seed() -> u64 {
    std::env::var("SCRUBJAY_SEED").ok().map_or(SEED, |seed| seed.parse().unwrap())
}

/// Where rounds are played.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "a table of independent facts")]
struct Ground {
    store: Option<AnyStore>,
    /// What lies before the store for those who race.
    seen: Option<AnyStore>,
    near: bool,
    clears: bool,
    chaotic: bool,
    /// Whether a third process holds each key at first, and is halted or killed in the middle of its load.
    halts: bool,
    /// Whether what is loaded is kept for a while after its ttl, so that leases stand beside it.
    graceful: bool,
}

impl Ground {
    fn near() -> Self {
        Self { store: None, seen: None, near: true, clears: true, chaotic: false, halts: false, graceful: false }
    }

    fn far(store: impl Into<AnyStore>) -> Self {
        let store = store.into();
        let clears = store.capability().clear_prefix;
        Self { seen: Some(store.clone()), store: Some(store), near: false, clears, ..Self::near() }
    }

    fn with_near(self) -> Self {
        Self { near: true, ..self }
    }

    fn with_halted_holders(self) -> Self {
        Self { halts: true, ..self }
    }

    fn chaotic(self) -> Self {
        let chaos = Chaos::new().errors(0.04).lost_replies(0.04).delays(0.1, Duration::from_millis(2)).seed(seed());
        Self { seen: self.store.clone().map(|store| chaos.wrap(store)), chaotic: true, ..self }
    }

    fn cache(&self, store: Option<&AnyStore>, near: bool, clock: &Clock) -> Cache<u64> {
        let minute = Duration::from_secs(60);
        let policy = Policy::new().lease(Lease::For(Duration::from_millis(200))).negative_ttl(minute);
        let policy = if self.graceful { policy.grace(minute) } else { policy };
        let mut builder = Cache::builder().policy(policy).ttl(minute);
        if let Some(store) = store {
            builder = builder.far(store.clone()).serializer(Json);
        }
        if self.chaotic {
            builder = builder.timeout(Duration::from_millis(50));
        }
        if near {
            builder = builder.near(Memory::builder().capacity(16).clock(clock.clone()).build());
        }
        builder.build().unwrap()
    }
}

/// One key, its origin, and what is known of its loads.
struct Round {
    number: usize,
    origin: AtomicU64,
    loads: AtomicU64,
    /// Counts all that happens, so that it can be told what came first.
    events: AtomicU64,
    /// When each load began and ended.
    spans: parking_lot::Mutex<HashMap<u64, (u64, u64)>>,
}

/// What a writer did last.
struct Written {
    verb: Verb,
    version: u64,
    span: (u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verb {
    Set,
    SetMany,
    Delete,
    DeleteMany,
    Expire,
    Clear,
}

/// A value tells the version of the origin that it was loaded from, and by which load; 0 is no load but a write.
fn version(value: u64) -> u64 {
    value >> 32
}

impl Round {
    fn new(number: usize) -> Self {
        Self {
            number,
            origin: AtomicU64::new(1),
            loads: AtomicU64::new(0),
            events: AtomicU64::new(0),
            spans: parking_lot::Mutex::default(),
        }
    }

    fn namespace(&self) -> String {
        format!("round{}", self.number)
    }

    fn now(&self) -> u64 {
        self.events.fetch_add(1, Ordering::SeqCst)
    }

    async fn load(&self, pause: impl Future<Output = ()>) -> u64 {
        let (began, version) = (self.now(), self.origin.load(Ordering::SeqCst));
        let load = self.loads.fetch_add(1, Ordering::SeqCst) + 1;
        pause.await;
        let value = version << 32 | load;
        self.spans.lock().insert(value, (began, self.now()));
        value
    }

    async fn call(&self, cache: &Cache<u64>, anew: bool, random: &mut Random) -> Result<(), Error> {
        let namespace = self.namespace();
        let pause = random.pause();
        let load = || async { Ok::<_, Error>(self.load(pause).await) };
        match random.below(7) {
            3 => {
                let load = |_| async {
                    self.load(tokio::task::yield_now()).await;
                    Ok::<_, Error>(Outcome::NotFound)
                };
                cache.get_or_load_with("key", load).namespace(&namespace).await.map(drop)
            }
            0 => cache.get("key").namespace(&namespace).await.map(drop),
            1 if anew => cache.get_or_load("key", load).namespace(&namespace).force_refresh().await.map(drop),
            2 => {
                let load = async |keys: Vec<String>| {
                    let value = self.load(tokio::task::yield_now()).await;
                    Ok::<_, Error>(keys.into_iter().map(|key| (key, value)).collect::<HashMap<_, _>>())
                };
                cache
                    .get_or_load_many(["key", "other"], |keys| {
                        Box::pin(load(keys)) as Pin<Box<dyn Future<Output = _> + Send>>
                    })
                    .namespace(&namespace)
                    .await
                    .map(drop)
            }
            _ => cache.get_or_load("key", load).namespace(&namespace).await.map(drop),
        }
    }

    async fn write(&self, cache: &Cache<u64>, verb: Verb) -> Written {
        let namespace = self.namespace();
        let version = self.origin.fetch_add(1, Ordering::SeqCst) + 1;
        loop {
            let began = self.now();
            let answer = match verb {
                Verb::Set => cache.set("key", version << 32).namespace(&namespace).await,
                Verb::SetMany => cache.set_many([("key", version << 32)]).namespace(&namespace).await,
                Verb::Delete => cache.delete("key").namespace(&namespace).await.map(drop),
                Verb::DeleteMany => cache.delete_many(["other", "key"]).namespace(&namespace).await.map(drop),
                Verb::Expire => cache.expire("key", Duration::from_secs(60)).namespace(&namespace).await.map(drop),
                Verb::Clear => cache.clear().namespace(&namespace).await,
            };
            // A write is one once it has been acknowledged.
            if answer.is_ok() {
                return Written { verb, version, span: (began, self.now()) };
            }
        }
    }

    /// Whether `held` ought not to be there.
    fn is_late(&self, held: Option<u64>, written: &Written) -> bool {
        let Some(held) = held else { return false };
        match written.verb {
            // What stood there before lives on; a load that was under way does not come to stand there.
            Verb::Expire => {
                let spans = self.spans.lock();
                spans.get(&held).is_some_and(|(began, ended)| *began < written.span.0 && *ended > written.span.1)
            }
            _ => version(held) < written.version,
        }
    }
}

/// What came of all rounds.
#[derive(Default)]
struct Tally {
    rounds: AtomicUsize,
    late: AtomicUsize,
    raced: AtomicUsize,
    kept: AtomicUsize,
}

/// The load of a process that is halted in the middle of it, until it is polled again.
async fn halted(
    ground: &Ground,
    round: &Arc<Round>,
    clock: &Clock,
    go: &Arc<Notify>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let (cache, round, go) =
        (ground.cache(ground.seen.as_ref(), ground.near, clock), Arc::clone(round), Arc::clone(go));
    let reached = Arc::new(AtomicBool::new(false));
    let is_reached = Arc::clone(&reached);
    let mut loading = Box::pin(async move {
        let load = async {
            reached.store(true, Ordering::SeqCst);
            Ok::<_, Error>(round.load(go.notified()).await)
        };
        let _ = cache.get_or_load("key", || load).namespace(&round.namespace()).await;
    });
    poll_fn(|context| match loading.as_mut().poll(context) {
        Poll::Pending if !is_reached.load(Ordering::SeqCst) => Poll::Pending,
        _ => Poll::Ready(()),
    })
    .await;
    loading
}

/// Plays one round.
async fn play(ground: Ground, number: usize, tally: Arc<Tally>) {
    let mut random = Random::of_round(number);
    let ground = Ground { graceful: number.is_multiple_of(2), ..ground };
    let round = Arc::new(Round::new(number));
    let clock = Clock::manual();
    let here = ground.cache(ground.seen.as_ref(), ground.near, &clock);
    let elsewhere =
        if ground.store.is_some() { ground.cache(ground.seen.as_ref(), ground.near, &clock) } else { here.clone() };
    let namespace = round.namespace();

    let verbs = [Verb::Set, Verb::SetMany, Verb::Delete, Verb::DeleteMany, Verb::Expire, Verb::Clear];
    let mut verb = verbs[usize::try_from(random.below(6)).unwrap()];
    if verb == Verb::Clear && !ground.clears {
        verb = Verb::Delete;
    }
    // An `expire` of a bare entry changes no bytes: a load over it does not notice one by another process.
    let anew = verb != Verb::Expire || ground.store.is_none() || ground.graceful;
    let go = Arc::new(Notify::new());
    let mut holder = None;
    if ground.halts {
        holder = Some(halted(&ground, &round, &clock, &go).await);
    }
    // Half of the rounds begin with a value, which some callers load anew.
    if anew && !ground.halts && random.below(2) == 0 {
        if ground.graceful {
            let _ = here.get_or_load("key", || async { Ok::<_, Error>(1 << 32) }).namespace(&namespace).await;
        } else {
            let _ = here.set("key", 1 << 32).namespace(&namespace).await;
        }
    }
    let mut callers = JoinSet::new();
    for caller in 0..2 + random.below(4) {
        let cache = if caller % 2 == 0 { here.clone() } else { elsewhere.clone() };
        let (round, mut random) = (Arc::clone(&round), Random(random.below(u64::MAX)));
        callers.spawn(async move {
            random.pause().await;
            let _ = round.call(&cache, anew, &mut random).await;
        });
    }
    // One of them may leave before it is done.
    let leaves = (random.below(3) == 0).then(|| random.pause());
    let writer = if random.below(2) == 0 { &here } else { &elsewhere };
    let (before, write) = (random.pause(), round.write(writer, verb));
    let writing = async {
        before.await;
        write.await
    };
    let leaving = async {
        if let Some(pause) = leaves {
            pause.await;
            callers.abort_all();
        }
    };
    let (written, ()) = tokio::join!(writing, leaving);
    while callers.join_next().await.is_some() {}
    // Half of the halted go on, and bring what they have loaded; the others stay dead until the round is over.
    if let Some(loading) = holder.as_mut().filter(|_| number.is_multiple_of(2)) {
        go.notify_one();
        loading.await;
    }

    // What the writer's own cache holds is never late; another's near tier is bounded by its ttl.
    let mut late = usize::from(round.is_late(writer.get("key").namespace(&namespace).await.unwrap_or(None), &written));
    clock.advance(Duration::from_secs(6));
    let held = match &ground.store {
        Some(store) => ground
            .cache(Some(store), false, &clock)
            .get("key")
            .namespace(&namespace)
            .timeout(Duration::from_secs(30))
            .await
            .unwrap(),
        None => here.get("key").namespace(&namespace).await.unwrap(),
    };
    late += usize::from(round.is_late(held, &written));
    for cache in [&here, &elsewhere] {
        late += usize::from(round.is_late(cache.get("key").namespace(&namespace).await.unwrap_or(None), &written));
    }
    if late > 0 {
        println!("round {number}: {:?}, {held:?} of {:?}", written.verb, round.spans.lock());
    }
    if matches!(written.verb, Verb::Set | Verb::SetMany) && !ground.chaotic {
        assert!(held.is_some(), "round {number}: what was set is gone");
    }
    let raced = round.spans.lock().values().any(|(began, ended)| *began < written.span.1 && *ended > written.span.0);
    tally.rounds.fetch_add(1, Ordering::Relaxed);
    tally.late.fetch_add(late, Ordering::Relaxed);
    tally.raced.fetch_add(usize::from(raced), Ordering::Relaxed);
    tally.kept.fetch_add(usize::from(held.is_some()), Ordering::Relaxed);
    if let Some(store) = &ground.store {
        let _ = ground.cache(Some(store), false, &clock).delete_many(["key", "other"]).namespace(&namespace).await;
    }
}

async fn play_all(name: &str, ground: Ground, rounds: usize) {
    let (tally, mut playing) = (Arc::new(Tally::default()), JoinSet::new());
    for number in 0..rounds {
        if playing.len() >= AT_ONCE {
            playing.join_next().await.unwrap().unwrap();
        }
        playing.spawn(play(ground.clone(), number, Arc::clone(&tally)));
    }
    playing.join_all().await;
    let Tally { rounds, late, raced, kept } = &*tally;
    println!(
        "{name}: {rounds:?} rounds of seed {}, {raced:?} with a load around the write, {kept:?} end with a value, {late:?} late",
        seed()
    );
    assert_eq!(late.load(Ordering::Relaxed), 0, "{name}: late values kept");
    assert!(raced.load(Ordering::Relaxed) * 50 > rounds.load(Ordering::Relaxed), "{name}: hardly anything raced");
}

/// As a test of its own for each, so that they run at the same time.
macro_rules! grounds {
    ($($name:ident($rounds:expr): $ground:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (_server, ground) = $ground;
            play_all(stringify!($name), ground, $rounds).await;
        }
    )*};
}

fn redis() -> (RedisServer, Ground) {
    let server = RedisServer::start().unwrap();
    let ground = Ground::far(far::from_url(&server.url()).unwrap());
    (server, ground)
}

fn memcached() -> (MemcachedServer, Ground) {
    let server = MemcachedServer::start().unwrap();
    let ground = Ground::far(far::from_url(&server.url()).unwrap());
    (server, ground)
}

fn and<S>((server, ground): (S, Ground), change: impl FnOnce(Ground) -> Ground) -> (S, Ground) {
    (server, change(ground))
}

grounds! {
    near(ROUNDS): ((), Ground::near());
    memory_store(ROUNDS): ((), Ground::far(MemoryStore::default()));
    two_tiers_over_a_memory_store(ROUNDS): ((), Ground::far(MemoryStore::default()).with_near());
    on_redis(ROUNDS): redis();
    on_memcached(ROUNDS): memcached();
    two_tiers_over_redis(ROUNDS): and(redis(), Ground::with_near);
    two_tiers_over_memcached(ROUNDS): and(memcached(), Ground::with_near);
    chaos_before_a_memory_store(ROUNDS): ((), Ground::far(MemoryStore::default()).chaotic());
    halted_holders_on_redis(ROUNDS): and(redis(), Ground::with_halted_holders);
    halted_holders_on_memcached(ROUNDS): and(memcached(), |ground| ground.with_near().with_halted_holders());
    chaos_before_redis(ROUNDS): and(redis(), |ground| ground.with_near().chaotic());
    chaos_before_memcached(ROUNDS): and(memcached(), Ground::chaotic);
}
