//! What callers and the task that owns the socket share.

use std::{mem, sync::Arc, task::Waker, time::Duration};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, oneshot},
    time::Instant,
};

use super::{Break, Failure, Limits, Protocol};

pub(super) type Answer<P, T> = Result<T, Failure<<P as Protocol>::Error>>;

/// The meeting point of callers and driver.
pub(super) struct Shared<P: Protocol> {
    /// Room for requests in flight, in KiB. There is none before the connection is open, and never again once it ended: to
    /// wait for the connection and to wait for room is the same.
    pub(super) places: Semaphore,
    pub(super) limits: Limits,
    state: Mutex<State<P>>,
}

struct State<P: Protocol> {
    phase: Phase<P>,
    queue: Queue<P>,
    /// To be woken when something is queued.
    driver: Option<Waker>,
    /// What ends the connection from this side.
    verdict: Option<P::Error>,
    silence: Silence,
}

enum Phase<P: Protocol> {
    Opening,
    Open(P::Encoder),
    Ended(Ended<P::Error>),
}

/// How a connection ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ended<E> {
    /// It never opened.
    Unopened {
        /// Why.
        error: E,
        /// When that was known.
        at: Instant,
    },
    /// It was open before.
    Lost {
        /// Why.
        error: E,
    },
}

impl<E> Ended<E> {
    /// Why it ended.
    pub fn error(&self) -> &E {
        match self {
            Self::Unopened { error, .. } | Self::Lost { error } => error,
        }
    }
}

/// Requests that the driver has not taken yet.
struct Queue<P: Protocol> {
    bytes: BytesMut,
    slots: Vec<Slot<P>>,
    /// How many bytes have ever been queued.
    total: u64,
}

/// A place for a reply.
pub(super) struct Slot<P: Protocol> {
    pub(super) pending: P::Pending,
    pub(super) to: To<P>,
    /// How many bytes were queued before the request, or before its batch.
    pub(super) start: u64,
    /// The KiB it takes up in [`Shared::places`].
    pub(super) weight: usize,
}

/// Whom a reply goes to.
pub(super) enum To<P: Protocol> {
    One(oneshot::Sender<Answer<P, P::Reply>>),
    /// One of a batch: kept until the last.
    Batch,
    /// The last of a batch.
    LastOfBatch(oneshot::Sender<Answer<P, Vec<P::Reply>>>),
}

/// Calls that ended without an answer since the server was last heard.
#[derive(Default)]
struct Silence {
    timeouts: u32,
    since: Option<Instant>,
}

/// What the driver finds when it looks.
pub(super) enum Found {
    /// Something to do.
    Work,
    /// Nothing; it will be woken.
    Nothing,
}

impl<P: Protocol> Shared<P> {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        let queue = Queue { bytes: BytesMut::new(), slots: Vec::new(), total: 0 };
        let silence = Silence::default();
        let state = State { phase: Phase::Opening, queue, driver: None, verdict: None, silence };
        Arc::new(Self { places: Semaphore::new(0), limits, state: Mutex::new(state) })
    }

    pub(super) fn open(&self, encoder: P::Encoder) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Opening) {
            state.phase = Phase::Open(encoder);
            drop(state);
            self.places.add_permits(self.limits.places());
        }
    }

    pub(super) fn ended(&self) -> Option<Ended<P::Error>> {
        match &self.state.lock().phase {
            Phase::Ended(ended) => Some(ended.clone()),
            Phase::Opening | Phase::Open(_) => None,
        }
    }

    /// Why nothing more is taken.
    pub(super) fn reason(&self) -> P::Error {
        let state = self.state.lock();
        match (&state.phase, &state.verdict) {
            (Phase::Ended(ended), _) => ended.error().clone(),
            (_, Some(verdict)) => verdict.clone(),
            _ => Break::Closed.into(),
        }
    }

    /// Queues `requests`; the reply to the last goes to `last`, those of the others nowhere on their own.
    pub(super) fn queue(&self, requests: &[P::Request<'_>], weight: usize, last: To<P>) -> Answer<P, ()> {
        let mut state = self.state.lock();
        let State { phase, queue, driver, .. } = &mut *state;
        let encoder = match phase {
            Phase::Open(encoder) => encoder,
            Phase::Opening => return Err(Failure::unsent(Break::Closed.into())),
            Phase::Ended(ended) => return Err(Failure::unsent(ended.error().clone())),
        };
        let (slots_before, bytes_before) = (queue.slots.len(), queue.bytes.len());
        for request in requests {
            let appended = P::encode(encoder, request, &mut queue.bytes);
            match appended {
                Ok(pending) => queue.slots.push(Slot { pending, to: To::Batch, start: queue.total, weight: 0 }),
                Err(error) => {
                    queue.slots.truncate(slots_before);
                    queue.bytes.truncate(bytes_before);
                    return Err(Failure::unsent(error));
                }
            }
        }
        queue.total += (queue.bytes.len() - bytes_before) as u64;
        if let Some(slot) = queue.slots.last_mut().filter(|_| !requests.is_empty()) {
            slot.to = last;
            slot.weight = weight;
        }
        let driver = driver.take();
        drop(state);
        driver.inspect(Waker::wake_by_ref);
        Ok(())
    }

    /// Moves what is queued to the driver, or leaves its waker. Bytes move only into an empty buffer.
    pub(super) fn take(
        &self,
        slots: &mut impl Extend<Slot<P>>,
        bytes: &mut BytesMut,
        heard: Heard,
        waker: &Waker,
    ) -> Result<Found, P::Error> {
        let mut state = self.state.lock();
        if let Some(verdict) = &state.verdict {
            return Err(verdict.clone());
        }
        if heard == Heard::Something {
            state.silence = Silence::default();
        }
        slots.extend(state.queue.slots.drain(..));
        if bytes.is_empty() && !state.queue.bytes.is_empty() {
            mem::swap(bytes, &mut state.queue.bytes);
            return Ok(Found::Work);
        }
        if !state.driver.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.driver = Some(waker.clone());
        }
        Ok(Found::Nothing)
    }

    /// Notes that a call got no answer in time; after several, with nothing heard for a while, the connection is given up.
    pub(super) fn missed(&self) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let silence = &mut state.silence;
        silence.timeouts += 1;
        let lasted = now.duration_since(*silence.since.get_or_insert(now));
        if silence.timeouts >= self.limits.timeouts && lasted >= self.limits.silence {
            Self::sentence(state, Break::Silent.into());
        }
    }

    /// Ends the connection from this side.
    pub(super) fn leave(&self) {
        Self::sentence(self.state.lock(), Break::Closed.into());
    }

    /// Ends the connection as its protocol would. Whoever asks next finds it ended.
    pub(super) fn fail(&self, error: P::Error) {
        Self::sentence(self.state.lock(), error);
        self.places.close();
    }

    fn sentence(mut state: parking_lot::MutexGuard<'_, State<P>>, verdict: P::Error) {
        state.verdict = Some(verdict);
        let driver = state.driver.take();
        drop(state);
        driver.inspect(Waker::wake_by_ref);
    }

    /// Ends every call. `taken` are the slots that the driver holds, `sent` how many bytes it has handed to the system.
    pub(super) fn end(&self, error: &P::Error, taken: impl IntoIterator<Item = Slot<P>>, sent: u64) {
        let mut state = self.state.lock();
        let was_open = match state.phase {
            Phase::Opening => false,
            Phase::Open(_) => true,
            Phase::Ended(_) => return,
        };
        let error = error.clone();
        state.phase = Phase::Ended(if was_open {
            Ended::Lost { error: error.clone() }
        } else {
            Ended::Unopened { error: error.clone(), at: Instant::now() }
        });
        state.queue.bytes = BytesMut::new();
        let queued = mem::take(&mut state.queue.slots);
        drop(state);
        self.places.close();
        for slot in taken.into_iter().chain(queued) {
            let failure = Failure { error: error.clone(), unsent: slot.start >= sent };
            // A caller that went away does not mind.
            match slot.to {
                To::One(caller) => drop(caller.send(Err(failure))),
                To::LastOfBatch(caller) => drop(caller.send(Err(failure))),
                To::Batch => {}
            }
        }
    }
}

/// Whether the server has sent anything since the driver last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Something,
    Nothing,
}

impl Limits {
    /// The room for requests in flight, in KiB.
    pub(super) fn places(self) -> usize {
        (self.bytes_in_flight / 1024).max(1)
    }

    /// What a request of `size` bytes takes of it: at least one KiB, at most all.
    pub(super) fn weight(self, size: usize) -> u32 {
        u32::try_from((1 + size / 1024).min(self.places())).unwrap_or(u32::MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_in_flight: 16 * 1024 * 1024, timeouts: 3, silence: Duration::from_secs(1) }
    }
}
