//! The layer that tries again what may safely be tried again.

use std::time::Duration;

use super::{Intercept, breaker};
use crate::{
    Error, ErrorKind, Operation, Parameters, Result,
    far::{Answer, Call, Capability, timer},
    random::Random,
};

/// Tries failed calls again (`retry`), waiting in between: exponentially longer, with full jitter.
///
/// An error that is [retryable](Error::is_retryable) is retried if the operation is
/// [idempotent](Operation::is_idempotent), or if the error proves that nothing was sent
/// ([`ErrorKind::Overloaded`]). An `increment` that may have reached the server is never sent again. What an open
/// [`Breaker`](super::Breaker) refuses is not retried either: it would be refused again.
///
/// - **Order**: outside `breaker`, `limit` and `timeout`, so that each try is counted, queued and timed by itself.
/// - **Cancellation**: dropping the call drops the try or the pause that is under way.
/// - **Cost**: nothing unless a call fails. A pause that would pass the call's deadline is not begun: the last error is
///   returned at once. Pausing needs a tokio runtime.
///
/// ```
/// use scrubjay::far::{AnyStore, MemoryStore, layer::{Layer, Retry}};
///
/// let store = Retry::new().retries(3).wrap(AnyStore::new(MemoryStore::default()));
/// assert_eq!(store.to_string(), "retry(memory)");
/// ```
#[derive(Debug)]
pub struct Retry {
    retries: u32,
    backoff: Duration,
    random: Random,
}

/// The longest pause between two tries, however many there were.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A timer fires up to this much late; a try with less time left than that is none.
const TICK: Duration = Duration::from_millis(1);

impl Default for Retry {
    fn default() -> Self {
        Self { retries: 2, backoff: Duration::from_millis(10), random: Random::unpredictable() }
    }
}

impl Retry {
    /// Two more tries, pausing up to 10 ms before the first and up to 20 ms before the second.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many more tries a failed call gets (`retries=2`).
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The longest pause before the first retry (`retry-backoff=10ms`). It doubles with every retry, up to a second.
    #[must_use]
    pub fn backoff(mut self, backoff: Duration) -> Self {
        self.backoff = backoff;
        self
    }

    /// Makes the pauses repeatable, for tests.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Random::seeded(seed);
        self
    }

    pub(crate) fn from_parameters(parameters: &mut Parameters) -> Result<Self> {
        let default = Self::default();
        Ok(Self {
            retries: parameters.take("retries", "a whole number")?.unwrap_or(default.retries),
            backoff: parameters.take_duration("retry-backoff")?.unwrap_or(default.backoff),
            ..default
        })
    }

    /// Full jitter: anything from nothing to the exponential back-off, so that callers who failed together do not return
    /// together.
    fn pause(&self, retried: u32) -> Duration {
        let [fraction] = self.random.fractions();
        let longest = self.backoff.saturating_mul(2_u32.saturating_pow(retried));
        longest.min(LONGEST_PAUSE).mul_f64(fraction)
    }
}

fn may_retry(operation: Operation, error: &Error) -> bool {
    let unsent = error.kind() == ErrorKind::Overloaded;
    error.is_retryable() && (operation.is_idempotent() || unsent) && !breaker::refused(error)
}

impl Intercept for Retry {
    fn name(&self) -> &'static str {
        "retry"
    }

    fn capability(&self, inner: Capability) -> Capability {
        Capability { needs_runtime: true, ..inner }
    }

    async fn intercept<'a, T, A>(&'a self, call: Call, attempt: A) -> Result<T>
    where
        T: Send + 'a,
        A: Fn(Call) -> Answer<'a, T> + Send + Sync + 'a,
    {
        let mut retried = 0;
        loop {
            let error = match attempt(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if retried == self.retries || !may_retry(call.operation, &error) {
                return Err(error);
            }
            let pause = self.pause(retried);
            if pause + TICK > call.remaining() {
                return Err(error);
            }
            timer::sleep(pause).await.map_err(|no_runtime| no_runtime.with_source(error))?;
            retried += 1;
        }
    }
}
