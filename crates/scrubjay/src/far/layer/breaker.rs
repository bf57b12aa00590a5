//! The layer that stops asking a server which keeps failing.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{Intercept, ratio::Ratio};
use crate::{
    Error, ErrorKind, Parameters, Result, clock,
    far::{Answer, Call},
};

/// A circuit breaker (`breaker`): while a server keeps failing, calls are refused at once instead of waiting in vain.
///
/// It looks at the last calls. Once enough of them failed the circuit opens and refuses everything with
/// [`ErrorKind::Overloaded`]. After a cooldown it is half open: one call at a time goes through as a probe. A probe that
/// succeeds closes the circuit, one that fails opens it again.
///
/// Timeouts, broken connections and retryable server errors are failures. Any other answer, also an error, shows that the
/// server works. A call that was cancelled or refused further down shows nothing. A call that began before the circuit
/// last changed shows nothing about it now.
///
/// Clones share the circuit: keep one to read its [`state`](Self::state).
///
/// - **Order**: inside `retry`, so that each try counts; outside `limit`, so that a refusal waits for no place. `timeout`
///   may be on either side.
/// - **Cancellation**: a cancelled probe makes room for the next.
/// - **Cost**: a short lock before and after each call.
///
/// ```
/// use scrubjay::far::{AnyStore, MemoryStore, layer::{Breaker, Circuit, Layer}};
///
/// let breaker = Breaker::new().failures(0.25);
/// let store = breaker.clone().wrap(AnyStore::new(MemoryStore::default()));
/// assert_eq!(store.to_string(), "breaker(memory)");
/// assert_eq!(breaker.state(), Circuit::Closed);
/// ```
#[derive(Clone, Debug)]
pub struct Breaker {
    window: u32,
    failures: Ratio,
    cooldown: Duration,
    state: Arc<Mutex<State>>,
}

/// What a [`Breaker`] does with the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Circuit {
    /// Lets it through.
    Closed,
    /// Refuses it.
    Open,
    /// Lets it through to see whether the server works again, unless another call is doing so.
    HalfOpen,
}

/// Fewer calls than this never open the circuit.
const FEWEST_CALLS: u32 = 5;

/// The widest window: outcomes are kept as bits.
const WIDEST_WINDOW: u32 = u128::BITS;

impl Default for Breaker {
    fn default() -> Self {
        Self { window: 20, failures: Ratio::HALF, cooldown: Duration::from_secs(1), state: Arc::default() }
    }
}

impl Breaker {
    /// Opens for a second when half of the last 20 calls failed, and at least 5 were made.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many calls back it looks (`breaker-window=20`), from 1 to 128; what is outside becomes the nearest.
    #[must_use]
    pub fn window(mut self, calls: u32) -> Self {
        self.window = calls.clamp(1, WIDEST_WINDOW);
        self
    }

    /// Which share of these must have failed, from 0 to 1 (`breaker-failures=0.5`, `breaker-failures=50%`).
    #[must_use]
    pub fn failures(mut self, ratio: f64) -> Self {
        self.failures = Ratio::nearest(ratio);
        self
    }

    /// How long an open circuit refuses everything (`breaker-cooldown=1s`).
    #[must_use]
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// What the circuit would do with a call now.
    #[must_use]
    pub fn state(&self) -> Circuit {
        match self.state.lock().phase {
            Phase::Closed(_) => Circuit::Closed,
            Phase::Open { since } if self.cooldown_left(since).is_some() => Circuit::Open,
            Phase::Open { .. } | Phase::Probing { .. } => Circuit::HalfOpen,
        }
    }

    pub(crate) fn from_parameters(parameters: &mut Parameters) -> Result<Self> {
        let default = Self::default();
        let expected = "a whole number from 1 to 128";
        let window = parameters.take("breaker-window", expected)?.unwrap_or(default.window);
        if !(1..=WIDEST_WINDOW).contains(&window) {
            return Err(Error::config(format!("option `breaker-window`: expected {expected}, found {window}")));
        }
        Ok(Self {
            window,
            failures: Ratio::take(parameters, "breaker-failures")?.unwrap_or(default.failures),
            cooldown: parameters.take_duration("breaker-cooldown")?.unwrap_or(default.cooldown),
            ..default
        })
    }

    fn cooldown_left(&self, since: Instant) -> Option<Duration> {
        let left = self.cooldown.saturating_sub(clock::now().saturating_duration_since(since));
        (!left.is_zero()).then_some(left)
    }

    /// Lets `call` through, or refuses it.
    fn admit(&self, call: Call) -> Result<Pass<'_>> {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Closed(_) => {}
            Phase::Open { since } => match self.cooldown_left(since) {
                Some(left) => return Err(Refusal::Open(left).into()),
                None => state.turn(Phase::Probing { since }),
            },
            Phase::Probing { .. } => return Err(Refusal::Probing.into()),
        }
        Ok(Pass { breaker: self, era: state.era, deadline: call.deadline, finding: None })
    }

    /// Draws the consequences of a call that was let through in `era`.
    fn settle(&self, era: u64, finding: Finding) {
        let mut state = self.state.lock();
        if state.era != era {
            return;
        }
        match (&mut state.phase, finding) {
            (Phase::Closed(recent), Finding::Well) => recent.add(false, self.window),
            (Phase::Closed(recent), Finding::Ill) => {
                recent.add(true, self.window);
                if recent.calls >= FEWEST_CALLS.min(self.window)
                    && self.failures.is_reached_by(recent.failures(), recent.calls)
                {
                    state.turn(Phase::Open { since: clock::now() });
                }
            }
            (Phase::Probing { .. }, Finding::Well) => state.turn(Phase::Closed(Recent::default())),
            (Phase::Probing { .. }, Finding::Ill) => state.turn(Phase::Open { since: clock::now() }),
            // The cooldown is over already: the next call is the next probe.
            (Phase::Probing { since }, Finding::Nothing) => {
                let since = *since;
                state.turn(Phase::Open { since });
            }
            (Phase::Closed(_), Finding::Nothing) | (Phase::Open { .. }, _) => {}
        }
    }
}

impl Intercept for Breaker {
    fn name(&self) -> &'static str {
        "breaker"
    }

    async fn intercept<'a, T, A>(&'a self, call: Call, attempt: A) -> Result<T>
    where
        T: Send + 'a,
        A: Fn(Call) -> Answer<'a, T> + Send + Sync + 'a,
    {
        let mut pass = self.admit(call)?;
        let result = attempt(call).await;
        pass.finding = Some(Finding::of(&result));
        result
    }
}

/// The circuit, and how often it changed.
#[derive(Debug, Default)]
struct State {
    phase: Phase,
    era: u64,
}

impl State {
    fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.era += 1;
    }
}

#[derive(Debug)]
enum Phase {
    Closed(Recent),
    /// Half open, too, once the cooldown is over.
    Open {
        since: Instant,
    },
    Probing {
        since: Instant,
    },
}

impl Default for Phase {
    fn default() -> Self {
        Self::Closed(Recent::default())
    }
}

/// The outcomes of the last calls.
#[derive(Debug, Default)]
struct Recent {
    /// One bit a call, the latest lowest, set where it failed.
    failed: u128,
    calls: u32,
}

impl Recent {
    fn add(&mut self, failed: bool, window: u32) {
        let mask = u128::MAX >> (WIDEST_WINDOW - window);
        self.failed = ((self.failed << 1) | u128::from(failed)) & mask;
        self.calls = (self.calls + 1).min(window);
    }

    fn failures(&self) -> u32 {
        self.failed.count_ones()
    }
}

/// A call that was let through. However it ends, dropping this settles it.
struct Pass<'a> {
    breaker: &'a Breaker,
    era: u64,
    deadline: Instant,
    finding: Option<Finding>,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        // Dropped past its deadline, it was given up by a timeout further out; before that, by a caller who left.
        let unanswered = || if clock::now() >= self.deadline { Finding::Ill } else { Finding::Nothing };
        let finding = self.finding.unwrap_or_else(unanswered);
        self.breaker.settle(self.era, finding);
    }
}

/// What the end of a call shows about the server.
#[derive(Clone, Copy)]
enum Finding {
    Well,
    Ill,
    Nothing,
}

impl Finding {
    fn of<T>(result: &Result<T>) -> Self {
        let Err(error) = result else { return Self::Well };
        match error.kind() {
            ErrorKind::Timeout | ErrorKind::Connection => Self::Ill,
            ErrorKind::Server if error.is_retryable() => Self::Ill,
            ErrorKind::Overloaded => Self::Nothing,
            _ => Self::Well,
        }
    }
}

/// Whether `error` says that a circuit let nothing through.
pub(super) fn refused(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Refusal>)
}

/// Why a circuit let nothing through.
#[derive(Debug)]
enum Refusal {
    Open(Duration),
    Probing,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(left) => write!(f, "the circuit is open for another {left:.0?}"),
            Self::Probing => f.write_str("the circuit is half open until the call that probes the server is answered"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(ErrorKind::Overloaded, "refused without being tried").with_source(refusal)
    }
}
