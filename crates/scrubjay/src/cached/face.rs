//! Who waits for a cache: a task, or the thread itself.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::{
    Result,
    blocking::With,
    engine::{Choices, Command, Engine, Loading, Options, Request},
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

    /// Carries out a command that loads.
    fn load<V, C>(
        engine: &Engine<V>,
        command: C,
        options: Options<'_>,
        choices: Choices,
    ) -> impl Future<Output = Result<C::Output>> + Send
    where
        V: Clone + Send + Sync + 'static,
        C: Command<V> + Loading;
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
        Request::with_options(engine, command, options).await
    }

    async fn load<V, C>(engine: &Engine<V>, command: C, options: Options<'_>, choices: Choices) -> Result<C::Output>
    where
        V: Clone + Send + Sync + 'static,
        C: Command<V> + Loading,
    {
        Request::with_options(engine, command.choosing(choices), options).await
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
        With::of(engine, options, Choices::default()).run(command)
    }

    async fn load<V, C>(engine: &Engine<V>, command: C, options: Options<'_>, choices: Choices) -> Result<C::Output>
    where
        V: Clone + Send + Sync + 'static,
        C: Command<V> + Loading,
    {
        With::of(engine, options, choices).load(command)
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
