//! [`Request`]: a command as a lazy future.

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use super::{Command, Engine, Expiring, Options};
use crate::{Result, Ttl, plugin::Observation};

/// A call of a verb: a future that does nothing until it is awaited, with options to chain on it before that.
///
/// An answer from the near tier allocates nothing; only a call that goes on to the far tier is boxed. A request is `Send` and
/// `Unpin`, so `join!` and `select!` take it. Dropping it cancels the call; a command that was already sent may still be
/// carried out.
///
/// # Panics
/// If polled again after it has returned.
#[must_use = "a request does nothing until it is awaited"]
pub struct Request<'a, V, C: Command<V> + 'a> {
    engine: &'a Engine<V>,
    state: State<'a, C, C::Output>,
    /// The near tier has answered. Not a state: dropping the command there and then would send the answer through memory.
    answered: bool,
}

enum State<'a, C, T> {
    Ready { command: C, options: Options<'a> },
    Running(Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>),
    Finished,
}

impl<'a, V, C: Command<V>> Request<'a, V, C> {
    pub(crate) fn new(engine: &'a Engine<V>, command: C) -> Self {
        Self::with_options(engine, command, Options::default())
    }

    pub(crate) fn with_options(engine: &'a Engine<V>, command: C, options: Options<'a>) -> Self {
        Self { engine, state: State::Ready { command, options }, answered: false }
    }

    /// Uses `namespace` instead of the cache's; an empty one means none.
    pub fn namespace(mut self, namespace: &'a str) -> Self {
        self.change_options(|options| options.namespace = Some(namespace));
        self
    }

    /// Sets the timeout of the far tier for this call, instead of the cache's timeout.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.change_options(|options| options.timeout = Some(timeout));
        self
    }

    /// Sets the ttl of what is written, instead of the cache's ttl.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self
    where
        C: Expiring,
    {
        self.change_options(|options| options.ttl = Some(ttl.into()));
        self
    }

    pub(super) fn engine(&self) -> &'a Engine<V> {
        self.engine
    }

    pub(crate) fn map(mut self, change: impl FnOnce(&mut C)) -> Self {
        if let State::Ready { command, .. } = &mut self.state {
            change(command);
        }
        self
    }

    /// The same request of another command.
    pub(crate) fn with_command<D: Command<V>>(self, change: impl FnOnce(C) -> D) -> Request<'a, V, D> {
        let state = match self.state {
            State::Ready { command, options } => State::Ready { command: change(command), options },
            State::Running(_) | State::Finished => State::Finished,
        };
        Request { engine: self.engine, state, answered: self.answered }
    }

    fn change_options(&mut self, change: impl FnOnce(&mut Options<'a>)) {
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
        if self.answered {
            polled_again();
        }
        let State::Ready { command, options } = &mut self.state else { return self.poll_far(context) };
        let mut observation = None;
        let Some(answer) = engine.try_near(command, options, &mut observation).transpose() else {
            self.start_far(observation);
            return self.poll_far(context);
        };
        self.answered = true;
        Poll::Ready(answer)
    }
}

/// The far part stands apart from `poll`, so that a near hit can be compiled into its caller.
impl<'a, V, C> Request<'a, V, C>
where
    V: Clone + Send + Sync + 'static,
    C: Command<V> + 'a,
{
    #[inline(never)]
    fn start_far(&mut self, observation: Option<Box<Observation<'a>>>) {
        if let State::Ready { command, options } = mem::replace(&mut self.state, State::Finished) {
            self.state = State::Running(Box::pin(self.engine.finish(command, options, observation)));
        }
    }

    #[inline(never)]
    fn poll_far(&mut self, context: &mut Context<'_>) -> Poll<Result<C::Output>> {
        match &mut self.state {
            State::Running(answer) => answer.as_mut().poll(context),
            _ => polled_again(),
        }
    }
}

#[cold]
fn polled_again() -> ! {
    panic!("a request was polled after it had answered")
}

impl<V, C: Command<V>> fmt::Debug for Request<'_, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            _ if self.answered => "finished",
            State::Ready { .. } => "ready",
            State::Running(_) => "running",
            State::Finished => "finished",
        };
        write!(f, "Request({}, {state})", C::OPERATION)
    }
}
