//! The layer that ends every call at its deadline.

use std::time::Duration;

use super::Intercept;
use crate::{
    Error, ErrorKind, Parameters, Result,
    far::{Answer, Call, Capability, timer},
};

/// Ends every call at its deadline (`timeout`), for stores that do not do so themselves.
///
/// A call whose time is up before it begins is not sent at all.
///
/// - **Order**: inside `retry`, with [`attempt_timeout`](Self::attempt_timeout), one lost reply leaves time for another try.
///   Outside `retry` it bounds all tries together, which retry does anyway. Of two timeouts in one URL the inner one takes
///   the option.
/// - **Cancellation**: at the deadline the call is dropped. Whether the server carried it out is not known.
/// - **Cost**: a timer for each call that does not answer at once. Needs a tokio runtime.
///
/// ```
/// use std::time::Duration;
/// use scrubjay::far::{AnyStore, MemoryStore, layer::{Layer, Timeout}};
///
/// let store = AnyStore::new(MemoryStore::default());
/// let store = Timeout::new().attempt_timeout(Duration::from_millis(200)).wrap(store);
/// assert_eq!(store.to_string(), "timeout(memory)");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Timeout {
    attempt: Option<Duration>,
}

impl Timeout {
    /// A timeout at the call's deadline.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives each call no more than `timeout`, even if its deadline is later (`attempt-timeout=200ms`).
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt = Some(timeout);
        self
    }

    pub(crate) fn from_parameters(parameters: &mut Parameters) -> Result<Self> {
        let attempt = parameters.take_duration("attempt-timeout")?;
        if attempt == Some(Duration::ZERO) {
            return Err(Error::config("option `attempt-timeout`: a call needs more time than none"));
        }
        Ok(Self { attempt })
    }
}

impl Intercept for Timeout {
    fn name(&self) -> &'static str {
        "timeout"
    }

    fn capability(&self, inner: Capability) -> Capability {
        Capability { keeps_deadlines: true, needs_runtime: true, ..inner }
    }

    async fn intercept<'a, T, A>(&'a self, mut call: Call, attempt: A) -> Result<T>
    where
        T: Send + 'a,
        A: Fn(Call) -> Answer<'a, T> + Send + Sync + 'a,
    {
        if let Some(limit) = self.attempt {
            call.deadline = call.deadline.min(Call::new(call.operation, limit).deadline);
        }
        let time = call.remaining();
        if time.is_zero() {
            return Err(Error::new(ErrorKind::Timeout, "not sent: the call's deadline had passed"));
        }
        let answer = timer::until(call.deadline, attempt(call)).await?;
        answer.unwrap_or_else(|| Err(Error::new(ErrorKind::Timeout, format!("no answer within {time:.0?}"))))
    }
}
