//! The layer that behaves like a bad network, for tests.

use std::time::Duration;

use super::{Intercept, ratio::Ratio};
use crate::{
    Error, ErrorKind, Parameters, Result,
    far::{Answer, Call, Capability, timer},
    random::Random,
};

/// A bad network (`chaos`), for tests: broken connections, delays and lost replies, by chance but repeatable.
///
/// What happens to the nth call depends only on the seed and on n. By default nothing happens, and the seed is 0. Its errors
/// show the seed.
///
/// - **Order**: innermost, where the network is.
/// - **Cancellation**: dropping a delayed call before its delay is over leaves the store untouched.
/// - **Cost**: the delays that were asked for. Delays and lost replies need a tokio runtime.
///
/// ```
/// use scrubjay::far::{AnyStore, MemoryStore, layer::{Chaos, Layer, Retry}};
///
/// let memory = AnyStore::new(MemoryStore::default());
/// let store = Retry::new().wrap(Chaos::new().errors(0.1).seed(42).wrap(memory));
/// assert_eq!(store.to_string(), "retry(chaos(memory))");
/// ```
#[derive(Debug)]
pub struct Chaos {
    errors: Ratio,
    delays: Ratio,
    delay: Duration,
    lost_replies: Ratio,
    random: Random,
}

impl Default for Chaos {
    fn default() -> Self {
        Self {
            errors: Ratio::default(),
            delays: Ratio::default(),
            delay: Duration::from_millis(5),
            lost_replies: Ratio::default(),
            random: Random::seeded(0),
        }
    }
}

impl Chaos {
    /// A network that is still good.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The probability, from 0 to 1, that the connection breaks before the call is sent (`chaos-errors=0.1`).
    #[must_use]
    pub fn errors(mut self, probability: f64) -> Self {
        self.errors = Ratio::nearest(probability);
        self
    }

    /// The probability, from 0 to 1, that a call is held up for `delay` before it is sent, even past its deadline
    /// (`chaos-delays=0.2&chaos-delay=5ms`; without `chaos-delays` every call is).
    #[must_use]
    pub fn delays(mut self, probability: f64, delay: Duration) -> Self {
        self.delays = Ratio::nearest(probability);
        self.delay = delay;
        self
    }

    /// The probability, from 0 to 1, that a call is carried out but its reply never comes: the caller waits until the
    /// deadline and gets [`ErrorKind::Timeout`] (`chaos-lost-replies=0.1`).
    #[must_use]
    pub fn lost_replies(mut self, probability: f64) -> Self {
        self.lost_replies = Ratio::nearest(probability);
        self
    }

    /// The seed of what happens (`chaos-seed=42`).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Random::seeded(seed);
        self
    }

    pub(crate) fn from_parameters(parameters: &mut Parameters) -> Result<Self> {
        let default = Self::default();
        let delay = parameters.take_duration("chaos-delay")?;
        let delays_untold = if delay.is_some() { Ratio::ALWAYS } else { default.delays };
        Ok(Self {
            errors: Ratio::take(parameters, "chaos-errors")?.unwrap_or(default.errors),
            delays: Ratio::take(parameters, "chaos-delays")?.unwrap_or(delays_untold),
            delay: delay.unwrap_or(default.delay),
            lost_replies: Ratio::take(parameters, "chaos-lost-replies")?.unwrap_or(default.lost_replies),
            random: parameters.take("chaos-seed", "a whole number")?.map_or(default.random, Random::seeded),
        })
    }

    fn error(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, format!("chaos of seed {} {what}", self.random.seed()))
    }
}

impl Intercept for Chaos {
    fn name(&self) -> &'static str {
        "chaos"
    }

    fn capability(&self, inner: Capability) -> Capability {
        let waits = !self.delays.is_zero() || !self.lost_replies.is_zero();
        Capability { keeps_deadlines: false, needs_runtime: inner.needs_runtime || waits, ..inner }
    }

    async fn intercept<'a, T, A>(&'a self, call: Call, attempt: A) -> Result<T>
    where
        T: Send + 'a,
        A: Fn(Call) -> Answer<'a, T> + Send + Sync + 'a,
    {
        let [delayed, broken, lost] = self.random.fractions();
        if self.delays.happens(delayed) {
            timer::sleep(self.delay).await?;
        }
        if self.errors.happens(broken) {
            return Err(self.error(ErrorKind::Connection, "broke the connection"));
        }
        let result = attempt(call).await;
        if self.lost_replies.happens(lost) {
            timer::sleep_until(call.deadline).await?;
            return Err(self.error(ErrorKind::Timeout, "lost the reply"));
        }
        result
    }
}
