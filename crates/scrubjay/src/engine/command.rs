//! What a verb is: a command with a synchronous part and an asynchronous one, and the options of a call.

use std::time::Duration;

use super::Engine;
use crate::{Key, Operation, Result, Ttl, plugin::Reads};

/// One call of a verb. Sealed: users meet it only as the parameter of a [`Request`](super::Request).
pub trait Command<'a, V>: Send {
    /// What the verb answers.
    type Output: Send;

    /// The verb.
    const OPERATION: Operation;

    /// The keys it concerns.
    fn keys(&self) -> &[Key<'a>];

    /// The same, for the key builder.
    fn keys_mut(&mut self) -> &mut [Key<'a>];

    /// Answers without waiting, if the near tier can, or the call is wrong.
    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<Self::Output>>;

    /// Answers from the far tier. Called once, after [`near`](Self::near) could not.
    fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> impl Future<Output = Result<Self::Output>> + Send;

    /// What was found, if it reads values.
    fn reads(&self) -> Option<Reads> {
        None
    }
}

/// A command that writes entries, and so takes a ttl.
pub trait Expiring {}

/// What a single call may choose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    pub(crate) namespace: Option<&'a str>,
    pub(crate) ttl: Option<Ttl>,
    pub(crate) timeout: Option<Duration>,
}

/// The keys of a command that concerns a single one.
macro_rules! single_key {
    () => {
        fn keys(&self) -> &[Key<'a>] {
            std::slice::from_ref(&self.key)
        }

        fn keys_mut(&mut self) -> &mut [Key<'a>] {
            std::slice::from_mut(&mut self.key)
        }
    };
}

/// The keys of a command that concerns several.
macro_rules! several_keys {
    () => {
        fn keys(&self) -> &[Key<'a>] {
            &self.keys
        }

        fn keys_mut(&mut self) -> &mut [Key<'a>] {
            &mut self.keys
        }
    };
}

/// The keys of a command that concerns none.
macro_rules! no_keys {
    () => {
        fn keys(&self) -> &[Key<'a>] {
            &[]
        }

        fn keys_mut(&mut self) -> &mut [Key<'a>] {
            &mut []
        }
    };
}

pub(super) use {no_keys, several_keys, single_key};
