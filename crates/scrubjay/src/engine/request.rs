//! [`Request`]: a command as a lazy future.

use std::{
    fmt, mem,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use super::{Command, Engine, Expiring, Options};
use crate::{Result, Ttl};

/// A call of a verb, as a future that does nothing until awaited: options chain on it first.
///
/// An answer from the near tier allocates nothing; only what goes on to the far tier is boxed. It is `Send` and `Unpin`, so
/// `join!` and `select!` take it. Dropping it cancels the call: what was on its way may still have been carried out.
///
/// # Panics
/// If polled after it has answered.
#[must_use = "a request does nothing until it is awaited"]
pub struct Request<'a, V, C: Command<V> + 'a> {
    engine: &'a Engine<V>,
    state: State<'a, C, C::Output>,
}

enum State<'a, C, T> {
    Ready { command: C, options: Options<'a> },
    Running(Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>),
    Finished,
}

impl<'a, V, C: Command<V>> Request<'a, V, C> {
    pub(crate) fn new(engine: &'a Engine<V>, command: C) -> Self {
        Self { engine, state: State::Ready { command, options: Options::default() } }
    }

    /// Uses `namespace` instead of the cache's; the empty one is none.
    pub fn namespace(mut self, namespace: &'a str) -> Self {
        self.with_options(|options| options.namespace = Some(namespace));
        self
    }

    /// Gives the far tier this long instead of the cache's timeout.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.with_options(|options| options.timeout = Some(timeout));
        self
    }

    /// Lets what is written live this long, instead of the cache's ttl.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self
    where
        C: Expiring,
    {
        self.with_options(|options| options.ttl = Some(ttl.into()));
        self
    }

    pub(crate) fn map(mut self, change: impl FnOnce(&mut C)) -> Self {
        if let State::Ready { command, .. } = &mut self.state {
            change(command);
        }
        self
    }

    fn with_options(&mut self, change: impl FnOnce(&mut Options<'a>)) {
        if let State::Ready { options, .. } = &mut self.state {
            change(options);
        }
    }
}

/// Nothing in a request is pinned but the boxed future, which stays where it is.
impl<V, C: Command<V>> Unpin for Request<'_, V, C> {}

/// No bound here relates a lifetime to another: `join!` asks for `Future` where a spawned task has forgotten which is which.
impl<V, C> Future for Request<'_, V, C>
where
    V: Clone + Send + Sync + 'static,
    C: Command<V>,
{
    type Output = Result<C::Output>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let engine = self.engine;
        let observation = match &mut self.state {
            State::Ready { command, options } => match engine.try_near(command, options) {
                ControlFlow::Break(answer) => {
                    self.state = State::Finished;
                    return Poll::Ready(answer);
                }
                ControlFlow::Continue(observation) => observation,
            },
            State::Running(answer) => return answer.as_mut().poll(context),
            State::Finished => panic!("a request was polled after it had answered"),
        };
        if let State::Ready { command, options } = mem::replace(&mut self.state, State::Finished) {
            self.state = State::Running(Box::pin(engine.finish(command, options, observation)));
        }
        self.poll(context)
    }
}

impl<V, C: Command<V>> fmt::Debug for Request<'_, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Ready { .. } => "ready",
            State::Running(_) => "running",
            State::Finished => "finished",
        };
        write!(f, "Request({}, {state})", C::OPERATION)
    }
}
