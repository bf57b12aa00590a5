//! What a verb is: a command with a synchronous part and an asynchronous one, and the options of a call.

use std::time::Duration;

use super::Engine;
use crate::{Key, KeyBuilder, Operation, Result, Ttl, plugin::Reads};

/// One call of a verb. Sealed: users meet it only as the parameter of a [`Request`](super::Request).
///
/// It has no lifetime of its own: a task could not be spawned whose future holds a request, if its command were one only for
/// the lifetime of that request.
pub trait Command<V>: Send {
    /// What the verb answers.
    type Output: Send;

    /// The verb.
    const OPERATION: Operation;

    /// The keys it concerns.
    fn keys(&self) -> &[Key<'_>];

    /// Replaces each by what `builder` makes of it.
    fn build_keys(&mut self, builder: &KeyBuilder);

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
        fn keys(&self) -> &[Key<'_>] {
            std::slice::from_ref(&self.key)
        }

        fn build_keys(&mut self, builder: &$crate::KeyBuilder) {
            builder.rebuild(&mut self.key);
        }
    };
}

/// The keys of a command that concerns several.
macro_rules! several_keys {
    () => {
        fn keys(&self) -> &[Key<'_>] {
            &self.keys
        }

        fn build_keys(&mut self, builder: &$crate::KeyBuilder) {
            self.keys.iter_mut().for_each(|key| builder.rebuild(key));
        }
    };
}

/// The keys of a command that concerns none.
macro_rules! no_keys {
    () => {
        fn keys(&self) -> &[Key<'_>] {
            &[]
        }

        fn build_keys(&mut self, _: &$crate::KeyBuilder) {}
    };
}

pub(super) use {no_keys, several_keys, single_key};
