//! Single flight: of all callers that want a key loaded, one loads and the others wait.
//!
//! The table holds the loads under way of one cache. It is also the fence: whoever writes to a key voids its flight, and the
//! value of a void flight goes to those who wait for it and nowhere else. While nothing is loading a write pays two atomic
//! reads for that.

use std::{
    hash::{BuildHasher, Hasher},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use foldhash::quality::RandomState;
use hashbrown::{HashTable, hash_table::Entry};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};

use super::{
    spare::Spare,
    sync::{AtomicUsize, Mutex},
};
use crate::{Error, ErrorKind, QualifiedKey, Result};

/// The loads under way of one cache.
pub(crate) struct Flights<V> {
    active: AtomicUsize,
    shards: [Mutex<HashTable<Arc<Flight<V>>>>; SHARDS],
    hasher: RandomState,
    detached: Arc<Semaphore>,
}

const SHARDS: usize = 16;

/// What a caller is to do.
pub(crate) enum Boarding<V> {
    /// Load, and [land](Lead::land).
    Lead(Lead<V>),
    /// Wait for whoever does.
    Wait(Wait<V>),
}

/// What a load came to: a value, or the knowledge that there is none.
pub(crate) type Landed<V> = Result<Option<V>>;

/// The number of a flight, another one for each in this process.
pub(crate) type FlightId = u64;

struct Flight<V> {
    id: FlightId,
    hash: u64,
    namespace: Box<str>,
    key: Box<str>,
    void: AtomicBool,
    /// Set while the loader runs: a flight dropped then has panicked.
    in_loader: AtomicBool,
    /// Told when somebody who waited has no more time: what is still held for the key is to be let go.
    given_up: Notify,
    state: Mutex<State<V>>,
}

struct State<V> {
    phase: Phase<V>,
    /// Nobody's, in nearly all flights: they pay nothing for it.
    company: Option<Box<Company<V>>>,
}

/// Those who wait, and what concerns only them.
struct Company<V> {
    /// What may be served meanwhile.
    spare: Option<Spare<V>>,
    /// The wakers of those who wait, by number: a caller that has left takes its own out.
    wakers: Vec<(u64, Waker)>,
    next: u64,
    /// Those who wait, polled or not.
    waiting: usize,
    /// The task that loads, if it is one.
    task: Option<AbortHandle>,
    /// The place among the loads that nobody waits for.
    detached: Option<OwnedSemaphorePermit>,
}

enum Phase<V> {
    Loading,
    /// Its leader left: those who wait board anew, and the first of them leads.
    Abandoned,
    Landed(Landed<V>),
}

impl<V> Flights<V> {
    /// No flights; of those that nobody waits for any more, `detached` may go on at once.
    pub(crate) fn new(detached: u32) -> Self {
        Self {
            active: AtomicUsize::new(0),
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::default(),
            detached: Arc::new(Semaphore::new(detached as usize)),
        }
    }

    /// Joins the flight of `key`, or starts one.
    pub(crate) fn board(self: &Arc<Self>, key: QualifiedKey<'_>) -> Boarding<V> {
        let hash = self.hash(key);
        // Counted before the table is looked at, so that a writer who sees no flight wrote before this load began.
        self.active.fetch_add(1, Ordering::SeqCst);
        let mut shard = self.shard(hash).lock();
        match shard.entry(hash, |flight| flight.is(key), |flight| flight.hash) {
            Entry::Occupied(found) => {
                self.active.fetch_sub(1, Ordering::SeqCst);
                Boarding::Wait(Wait::new(self, found.get()))
            }
            Entry::Vacant(place) => {
                let flight = Arc::new(Flight::new(key, hash));
                place.insert(Arc::clone(&flight));
                Boarding::Lead(Lead { flights: Arc::clone(self), flight, landed: false })
            }
        }
    }

    /// A flight of `key` that nobody else knows of, and whose value is not kept.
    pub(crate) fn alone(self: &Arc<Self>, key: QualifiedKey<'_>) -> Lead<V> {
        let flight = Flight { void: AtomicBool::new(true), ..Flight::new(key, self.hash(key)) };
        Lead { flights: Arc::clone(self), flight: Arc::new(flight), landed: false }
    }

    /// Voids the flight of `key`: what it brings is not kept.
    #[inline]
    pub(crate) fn void(&self, key: QualifiedKey<'_>) {
        if self.active.load(Ordering::SeqCst) > 0 {
            self.void_where_active(key);
        }
    }

    #[cold]
    fn void_where_active(&self, key: QualifiedKey<'_>) {
        let hash = self.hash(key);
        let mut shard = self.shard(hash).lock();
        if let Ok(found) = shard.find_entry(hash, |flight| flight.is(key)) {
            found.get().void.store(true, Ordering::SeqCst);
            found.remove();
            self.active.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Voids every flight of `namespace`; of all, if it is empty.
    pub(crate) fn void_namespace(&self, namespace: &str) {
        if self.active.load(Ordering::SeqCst) == 0 {
            return;
        }
        for shard in &self.shards {
            shard.lock().retain(|flight| {
                let stays = !namespace.is_empty() && *flight.namespace != *namespace;
                if !stays {
                    flight.void.store(true, Ordering::SeqCst);
                    self.active.fetch_sub(1, Ordering::SeqCst);
                }
                stays
            });
        }
    }

    /// Takes `flight` out, if it is still there.
    fn remove(&self, flight: &Arc<Flight<V>>) {
        let mut shard = self.shard(flight.hash).lock();
        if let Ok(found) = shard.find_entry(flight.hash, |other| Arc::ptr_eq(other, flight)) {
            found.remove();
            self.active.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn hash(&self, key: QualifiedKey<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key.namespace.as_bytes());
        hasher.write(key.key.as_bytes());
        hasher.finish()
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the shard")]
    fn shard(&self, hash: u64) -> &Mutex<HashTable<Arc<Flight<V>>>> {
        &self.shards[hash as usize % SHARDS]
    }
}

impl<V> Flight<V> {
    fn new(key: QualifiedKey<'_>, hash: u64) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            hash,
            namespace: key.namespace.into(),
            key: key.key.into(),
            void: AtomicBool::new(false),
            in_loader: AtomicBool::new(false),
            given_up: Notify::new(),
            state: Mutex::new(State { phase: Phase::Loading, company: None }),
        }
    }

    fn is(&self, key: QualifiedKey<'_>) -> bool {
        *self.key == *key.key && *self.namespace == *key.namespace
    }

    fn end(&self, phase: Phase<V>) {
        let wakers = {
            let mut state = self.state.lock();
            state.phase = phase;
            state.company.as_mut().map_or_else(Vec::new, |company| std::mem::take(&mut company.wakers))
        };
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl<V> State<V> {
    fn company(&mut self) -> &mut Company<V> {
        self.company.get_or_insert_with(|| {
            Box::new(Company { spare: None, wakers: Vec::new(), next: 0, waiting: 0, task: None, detached: None })
        })
    }
}

/// The duty to load. Dropped without landing, it is somebody else's.
pub(crate) struct Lead<V> {
    flights: Arc<Flights<V>>,
    flight: Arc<Flight<V>>,
    landed: bool,
}

impl<V> Lead<V> {
    pub(super) fn id(&self) -> FlightId {
        self.flight.id
    }

    /// True once somebody has written to the key.
    pub(super) fn void(&self) -> &AtomicBool {
        &self.flight.void
    }

    pub(super) fn is_void(&self) -> bool {
        self.flight.void.load(Ordering::SeqCst)
    }

    /// Ends when somebody has waited for this flight as long as they could, and its key is free.
    pub(super) fn given_up(&self) -> impl Future<Output = ()> + use<V> {
        let flight = Arc::clone(&self.flight);
        async move { flight.given_up.notified().await }
    }

    /// To be true while the loader runs: if the flight is dropped then, it has panicked.
    pub(super) fn in_loader(&self) -> &AtomicBool {
        &self.flight.in_loader
    }

    /// Offers those who wait a value to leave with.
    pub(super) fn offer(&self, spare: Spare<V>) {
        let (_before, wakers) = {
            let mut state = self.flight.state.lock();
            let company = state.company();
            (company.spare.replace(spare), std::mem::take(&mut company.wakers))
        };
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// The wait for this flight.
    pub(super) fn wait(&self) -> Wait<V> {
        Wait::new(&self.flights, &self.flight)
    }

    /// Takes the flight out of the table. Whoever does not know of it by then never will.
    fn leave(&self) -> Left {
        self.flights.remove(&self.flight);
        if Arc::strong_count(&self.flight) > 1 { Left::Others } else { Left::Nobody }
    }

    /// What a task of its own does with it when nobody waits any more.
    pub(super) fn follow(&self) -> Follow<V> {
        Follow(Arc::clone(&self.flight))
    }
}

/// Who is left with a flight that has ended, to be told of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Others,
    Nobody,
}

/// A flight whose leader is a task.
pub(super) struct Follow<V>(Arc<Flight<V>>);

impl<V> Follow<V> {
    /// The flight is led by `task`, which the last of those who wait cancels.
    pub(super) fn led_by(self, task: AbortHandle) {
        let mut state = self.0.state.lock();
        let company = state.company();
        if company.waiting == 0 {
            task.abort();
        }
        company.task = Some(task);
    }
}

impl<V: Clone> Lead<V> {
    /// Ends the flight: everybody who waits gets `result`.
    pub(super) fn land(mut self, result: &Landed<V>) {
        if self.leave() == Left::Others {
            self.flight.end(Phase::Landed(result.clone()));
        }
        // Not before the clone, which is the user's: if it panics, those who wait load for themselves.
        self.landed = true;
    }
}

impl<V> Drop for Lead<V> {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        if self.leave() == Left::Nobody {
            return;
        }
        self.flight.end(if self.flight.in_loader.load(Ordering::Relaxed) {
            Phase::Landed(Err(Error::new(ErrorKind::Load, "the loader panicked")))
        } else {
            Phase::Abandoned
        });
    }
}

/// The wait for somebody else's load.
pub(crate) struct Wait<V> {
    flights: Arc<Flights<V>>,
    flight: Arc<Flight<V>>,
    number: Option<u64>,
    takes_stale: bool,
    leaving: Leaving,
}

/// How a wait ended.
pub(crate) enum Arrival<V> {
    Landed(Landed<V>),
    /// Whoever loaded has left: board anew.
    Abandoned,
    /// The load goes on; this is what there was before.
    Spare(V),
}

/// What whoever leaves wants of the load, if nobody else waits for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// Nothing: a task is cancelled.
    Cancel,
    /// That it goes on, and is kept.
    Refresh,
    /// That the key is free, even if others wait.
    GiveUp,
}

impl<V> Wait<V> {
    fn new(flights: &Arc<Flights<V>>, flight: &Arc<Flight<V>>) -> Self {
        flight.state.lock().company().waiting += 1;
        Self {
            flights: Arc::clone(flights),
            flight: Arc::clone(flight),
            number: None,
            takes_stale: false,
            leaving: Leaving::Cancel,
        }
    }

    pub(super) fn id(&self) -> FlightId {
        self.flight.id
    }

    /// From now on a stale value will do.
    pub(super) fn take_stale(&mut self) {
        self.takes_stale = true;
    }

    /// Leaves for good: the load is not worth a key any more.
    pub(super) fn give_up(mut self) {
        self.leaving = Leaving::GiveUp;
    }
}

impl<V: Clone> Future for Wait<V> {
    type Output = Arrival<V>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut state = this.flight.state.lock();
        let state = &mut *state;
        match &state.phase {
            Phase::Landed(result) => return Poll::Ready(Arrival::Landed(result.clone())),
            Phase::Abandoned => return Poll::Ready(Arrival::Abandoned),
            Phase::Loading => {}
        }
        let company = state.company();
        let suits = |spare: &&Spare<V>| this.takes_stale || spare.is_fresh();
        if let Some(value) = company.spare.as_ref().filter(suits).and_then(Spare::value) {
            this.leaving = Leaving::Refresh;
            return Poll::Ready(Arrival::Spare(value));
        }
        let number = *this.number.get_or_insert_with(|| {
            company.next += 1;
            company.next
        });
        match company.wakers.iter_mut().find(|(other, _)| *other == number) {
            Some((_, waker)) => waker.clone_from(context.waker()),
            None => company.wakers.push((number, context.waker().clone())),
        }
        Poll::Pending
    }
}

impl<V> Wait<V> {
    /// What this wait's end, the last one's or not, means for the load.
    fn leave(&self) -> Farewell {
        let mut state = self.flight.state.lock();
        let is_loading = matches!(state.phase, Phase::Loading);
        let company = state.company();
        company.waiting -= 1;
        if let Some(number) = self.number {
            company.wakers.retain(|(other, _)| *other != number);
        }
        if company.detached.is_some() || !is_loading {
            return Farewell::Stay;
        }
        let task = if company.waiting == 0 { company.task.clone() } else { None };
        let place = || Arc::clone(&self.flights.detached).try_acquire_owned().ok();
        match (self.leaving, task) {
            // However many still wait: it has lasted longer than somebody was ready to wait from its beginning.
            (Leaving::GiveUp, task) => {
                company.detached = place();
                match (&company.detached, task) {
                    (Some(_), _) => Farewell::FreeKey,
                    (None, Some(task)) => Farewell::Cancel(task),
                    (None, None) => Farewell::Stay,
                }
            }
            (Leaving::Cancel, Some(task)) => Farewell::Cancel(task),
            (Leaving::Refresh, Some(task)) => {
                company.detached = place();
                if company.detached.is_some() { Farewell::Stay } else { Farewell::Cancel(task) }
            }
            (Leaving::Cancel | Leaving::Refresh, None) => Farewell::Stay,
        }
    }
}

/// What becomes of a load when somebody leaves.
enum Farewell {
    /// It goes on.
    Stay,
    /// It goes on, and is not kept: the next who wants the key loads anew.
    FreeKey,
    Cancel(AbortHandle),
}

impl<V> Drop for Wait<V> {
    fn drop(&mut self) {
        match self.leave() {
            Farewell::Stay => {}
            Farewell::Cancel(task) => task.abort(),
            Farewell::FreeKey => {
                self.flight.void.store(true, Ordering::SeqCst);
                self.flights.remove(&self.flight);
                self.flight.given_up.notify_one();
            }
        }
    }
}

#[cfg(all(test, shuttle))]
mod interleavings;
