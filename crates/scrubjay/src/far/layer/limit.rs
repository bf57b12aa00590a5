//! The layer that keeps too many calls from running at once.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Intercept;
use crate::{
    Error, ErrorKind, Parameters, Result,
    far::{Answer, Call, Capability, timer},
};

/// Lets a number of calls run at once (`limit`); others queue, first come first served.
///
/// A call that got no place by its deadline fails with [`ErrorKind::Overloaded`]: it was never tried.
///
/// Clones share the places.
///
/// - **Order**: inside `breaker`, whose refusals should wait for no place, and inside `retry`, whose pauses should hold none.
/// - **Cancellation**: a dropped call leaves the queue, or gives its place to the next.
/// - **Cost**: one atomic operation while there are places, a timer for a call that queues. Queueing needs a tokio runtime.
///
/// ```
/// use scrubjay::far::{AnyStore, MemoryStore, layer::{Layer, Limit}};
///
/// let store = Limit::new().concurrency(16).wrap(AnyStore::new(MemoryStore::default()));
/// assert_eq!(store.to_string(), "limit(memory)");
/// ```
#[derive(Clone, Debug)]
pub struct Limit {
    places: Arc<Semaphore>,
}

impl Default for Limit {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(64)) }
    }
}

impl Limit {
    /// At most 64 calls at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many calls may run at once (`concurrency=64`), at least one.
    #[must_use]
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.places = Arc::new(Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS)));
        self
    }

    pub(crate) fn from_parameters(parameters: &mut Parameters) -> Result<Self> {
        match parameters.take("concurrency", "a whole number")? {
            None => Ok(Self::default()),
            Some(0) => Err(Error::config("option `concurrency`: without a place no call could ever run")),
            Some(calls) => Ok(Self::default().concurrency(calls)),
        }
    }
}

impl Intercept for Limit {
    fn name(&self) -> &'static str {
        "limit"
    }

    fn capability(&self, inner: Capability) -> Capability {
        Capability { needs_runtime: true, ..inner }
    }

    async fn intercept<'a, T, A>(&'a self, call: Call, attempt: A) -> Result<T>
    where
        T: Send + 'a,
        A: Fn(Call) -> Answer<'a, T> + Send + Sync + 'a,
    {
        let place = match self.places.try_acquire() {
            Ok(place) => Some(Ok(place)),
            Err(_) => timer::until(call.deadline, self.places.acquire()).await?,
        };
        match place {
            Some(Ok(_place)) => attempt(call).await,
            _ => Err(Error::new(ErrorKind::Overloaded, "refused without being tried: too many calls at once")),
        }
    }
}
