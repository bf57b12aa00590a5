//! Keeps connections: makes them when they are first needed, shares them, and replaces them when they are of no use.

use std::{
    collections::HashMap,
    mem,
    pin::{Pin, pin},
    process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;
use parking_lot::{RwLock, RwLockWriteGuard};
use redis::{RedisResult, ServerErrorKind, Value};
use tokio::{runtime, time};

use super::{
    failure,
    order::Strictness,
    server::is_lost,
    topology::{Link, Request, Topology},
};
use crate::{
    Error, ErrorKind, Result, clock,
    far::{Call, timer},
};

/// An attempt to connect that is older than this is given up for a new one by the next caller.
const PATIENCE: Duration = Duration::from_secs(1);

/// All connections of one store.
pub(super) struct Supervisor {
    topology: Arc<Topology>,
    pool: usize,
    next: AtomicUsize,
    places: RwLock<Places>,
}

/// Connections by runtime, in one process. A socket belongs to the runtime that it was made on, and to one process.
struct Places {
    process: u32,
    by_runtime: HashMap<runtime::Id, Arc<Pool>, RandomState>,
}

/// The connections of one runtime.
struct Pool {
    slots: Box<[Slot]>,
}

/// The place of one connection.
#[derive(Default)]
struct Slot {
    link: RwLock<Option<Arc<Link>>>,
    connecting: tokio::sync::Mutex<Connecting>,
}

/// Held by the one caller that connects. If it leaves, the next one goes on with the same attempt.
#[derive(Default)]
struct Connecting {
    attempt: Option<Attempt>,
    failure: Option<(Instant, Error)>,
}

struct Attempt {
    began: Instant,
    link: Pin<Box<dyn Future<Output = RedisResult<Link>> + Send>>,
}

/// What was sent over which connection.
struct Sent {
    link: Arc<Link>,
    received: u64,
    written: u64,
}

impl Supervisor {
    pub(super) fn new(topology: Topology, pool: usize) -> Self {
        let places = Places { process: process::id(), by_runtime: HashMap::default() };
        Self { topology: Arc::new(topology), pool, next: AtomicUsize::new(0), places: RwLock::new(places) }
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.topology.is_cluster()
    }

    /// The replies to `request`, by the call's deadline.
    pub(super) async fn ask(&self, call: Call, request: &Request) -> Result<Vec<Value>> {
        let runtime = timer::runtime()?;
        let mut sent = None;
        let answer = {
            // Pinned here and lent on: each hand that it passed through would copy it.
            let asked = pin!(self.ask_twice(call, request, runtime, &mut sent));
            within(call, asked).await?
        };
        answer.unwrap_or_else(|| {
            let Some(sent) = sent else {
                return Err(Error::new(ErrorKind::Timeout, "not sent: no connection was made before the deadline"));
            };
            // Not one byte since: whoever was there may have gone without a word. A slow server would have answered others.
            if sent.link.pulse().received() == sent.received {
                sent.link.pulse().end();
            }
            Err(Error::new(ErrorKind::Timeout, "no answer before the deadline"))
        })
    }

    /// The reply to a command that must not share its connection.
    pub(super) async fn ask_alone(&self, call: Call, request: &Request) -> Result<Vec<Value>> {
        timer::runtime()?;
        let answer = pin!(async {
            let link = self.topology.connect(Strictness::Form).await?;
            link.ask(request).await
        });
        match within(call, answer).await? {
            Some(answer) => answer.map_err(|error| failure::from_redis(&error, call.operation)),
            None => Err(Error::new(ErrorKind::Timeout, "no answer before the deadline")),
        }
    }

    /// Lets go of every connection of this process.
    pub(super) fn close(&self) {
        let places = mem::take(&mut self.places().by_runtime);
        drop(places);
    }

    /// Asks; once more where a connection turned out to be lost, and the request may be repeated or was never sent.
    async fn ask_twice(
        &self,
        call: Call,
        request: &Request,
        runtime: runtime::Id,
        sent: &mut Option<Sent>,
    ) -> Result<Vec<Value>> {
        let turn = self.turn();
        let mut again = true;
        loop {
            let link = match self.live(runtime, turn) {
                Some(link) => link,
                // Rare, so it shall not make the future of every call larger.
                None => Box::pin(self.connect(call, runtime, turn)).await?,
            };
            let Sent { link, written, .. } =
                sent.insert(Sent { received: link.pulse().received(), written: link.pulse().written(), link });
            let error = match link.ask(request).await {
                Ok(replies) => return Ok(replies),
                Err(error) => error,
            };
            let refused = error.kind() == redis::ErrorKind::Server(ServerErrorKind::ReadOnly);
            if !self.is_cluster() && (is_lost(&error) || refused) {
                link.pulse().end();
                let unsent = refused || link.pulse().written() == *written;
                if mem::take(&mut again) && (unsent || call.operation.is_idempotent()) {
                    continue;
                }
            }
            return Err(failure::from_redis(&error, call.operation));
        }
    }

    /// Which connection of a pool the next call takes.
    fn turn(&self) -> usize {
        if self.pool == 1 { 0 } else { self.next.fetch_add(1, Ordering::Relaxed) % self.pool }
    }

    /// The connection of `runtime` whose turn it is, if it is of use.
    fn live(&self, runtime: runtime::Id, turn: usize) -> Option<Arc<Link>> {
        self.places.read().by_runtime.get(&runtime)?.slots[turn].live()
    }

    async fn connect(&self, call: Call, runtime: runtime::Id, turn: usize) -> Result<Arc<Link>> {
        let pool = self.pool(runtime);
        pool.slots[turn].connect(call, &self.topology).await
    }

    /// The connections of `runtime`.
    fn pool(&self, runtime: runtime::Id) -> Arc<Pool> {
        let mut places = self.places();
        // What a finished runtime left behind goes when a new one comes.
        places.by_runtime.retain(|id, pool| *id == runtime || Arc::strong_count(pool) > 1 || pool.is_alive());
        let pool = places.by_runtime.entry(runtime).or_insert_with(|| Arc::new(Pool::new(self.pool)));
        Arc::clone(pool)
    }

    /// The places of this process. A child that was forked has runtimes of its own, whose ids are in no place of its
    /// parent's: so this need not be asked for a runtime that has its place.
    fn places(&self) -> RwLockWriteGuard<'_, Places> {
        let mut places = self.places.write();
        let process = process::id();
        if places.process != process {
            // After a fork these are the parent's. Even dropping them would reach into what both processes share.
            mem::forget(mem::take(&mut places.by_runtime));
            places.process = process;
        }
        places
    }
}

/// `answer`, or `None` at the deadline; nothing is begun after it. To be called in a runtime.
async fn within<T>(call: Call, answer: impl Future<Output = T>) -> Result<Option<T>> {
    if call.remaining().is_zero() {
        return Err(Error::new(ErrorKind::Timeout, "not sent: the call's deadline had passed"));
    }
    Ok(time::timeout_at(call.deadline.into(), answer).await.ok())
}

impl Pool {
    fn new(size: usize) -> Self {
        Self { slots: (0..size).map(|_| Slot::default()).collect() }
    }

    fn is_alive(&self) -> bool {
        self.slots.iter().any(|slot| slot.live().is_some())
    }
}

impl Slot {
    /// The connection, if it is of use.
    fn live(&self) -> Option<Arc<Link>> {
        self.link.read().as_ref().filter(|link| !link.pulse().is_over()).map(Arc::clone)
    }

    /// Makes the connection. Of many callers one connects, the others wait for that.
    async fn connect(&self, call: Call, topology: &Arc<Topology>) -> Result<Arc<Link>> {
        let came = clock::now();
        let mut connecting = self.connecting.lock().await;
        if let Some(link) = self.live() {
            return Ok(link);
        }
        if let Some((when, error)) = &connecting.failure
            && *when >= came
        {
            return Err(error.clone());
        }
        connecting.attempt.take_if(|attempt| came.duration_since(attempt.began) > PATIENCE);
        let attempt = connecting.attempt.get_or_insert_with(|| {
            let topology = Arc::clone(topology);
            Attempt { began: came, link: Box::pin(async move { topology.connect(Strictness::Proof).await }) }
        });
        let outcome = attempt.link.as_mut().await;
        connecting.attempt = None;
        match outcome {
            Ok(link) => {
                let link = Arc::new(link);
                *self.link.write() = Some(Arc::clone(&link));
                Ok(link)
            }
            Err(error) => {
                let error = failure::from_redis_connecting(&error, call.operation);
                connecting.failure = Some((clock::now(), error.clone()));
                Err(error)
            }
        }
    }
}
