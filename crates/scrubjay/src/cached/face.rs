//! Who waits for a cache: a task, or the thread itself.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::{
    Result,
    blocking::With,
    engine::{Command, Engine, Options, Request},
};

/// How a command is carried out. What is written over a face serves async functions and others.
pub trait Face: Send + Sync {
    /// Whether the function keeps its thread until it is done.
    const BLOCKS: bool;

    /// Carries out a command that loads nothing.
    fn ask<V, C>(
        engine: &Engine<V>,
        command: C,
        options: Options<'_>,
    ) -> impl Future<Output = Result<C::Output>> + Send
    where
        V: Clone + Send + Sync + 'static,
        C: Command<V>;

    /// Carries out a command that loads, and may have to wait with a timer if it is `timed`.
    fn load<V, C>(
        engine: &Engine<V>,
        command: C,
        options: Options<'_>,
        timed: bool,
    ) -> impl Future<Output = Result<C::Output>> + Send
    where
        V: Clone + Send + Sync + 'static,
        C: Command<V>;
}

/// A task waits.
#[derive(Debug)]
pub struct Async;

impl Face for Async {
    const BLOCKS: bool = false;

    async fn ask<V, C>(engine: &Engine<V>, command: C, options: Options<'_>) -> Result<C::Output>
    where
        V: Clone + Send + Sync + 'static,
        C: Command<V>,
    {
        Request::with(engine, command, options).await
    }

    async fn load<V, C>(engine: &Engine<V>, command: C, options: Options<'_>, _: bool) -> Result<C::Output>
    where
        V: Clone + Send + Sync + 'static,
        C: Command<V>,
    {
        Request::with(engine, command, options).await
    }
}

/// The thread waits: its futures are ready when they are first polled.
#[derive(Debug)]
pub struct Blocking;

impl Face for Blocking {
    const BLOCKS: bool = true;

    async fn ask<V, C>(engine: &Engine<V>, command: C, options: Options<'_>) -> Result<C::Output>
    where
        V: Clone + Send + Sync + 'static,
        C: Command<V>,
    {
        With::of(engine, options).run(command)
    }

    async fn load<V, C>(engine: &Engine<V>, command: C, options: Options<'_>, timed: bool) -> Result<C::Output>
    where
        V: Clone + Send + Sync + 'static,
        C: Command<V>,
    {
        With::of(engine, options).load(command, timed)
    }
}

/// The answer of a future that is [`Blocking`].
///
/// # Panics
/// If it is not.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a function that is not async was waited for as if it were"),
    }
}
