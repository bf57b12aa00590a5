//! What goes into a store and what comes out of it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{Operation, clock, ttl::A_HUNDRED_YEARS};

/// One call to a store: the cache command, and its deadline.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Call {
    /// The cache command that this call serves.
    pub operation: Operation,
    /// When the call must have ended. It covers connecting, queueing, sending, receiving and retrying.
    pub deadline: Instant,
}

impl Call {
    /// A call that has `timeout` from now.
    #[must_use]
    pub fn new(operation: Operation, timeout: Duration) -> Self {
        let now = clock::now();
        // A timeout beyond what the clock can tell is as good as a hundred years.
        let deadline = now.checked_add(timeout).unwrap_or(now + A_HUNDRED_YEARS);
        Self { operation, deadline }
    }

    /// The time that is left, zero when the deadline has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(clock::now())
    }
}

/// Bytes to be stored under a wire key.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// The key, as the server is to see it.
    pub key: &'a str,
    /// The bytes.
    pub value: Bytes,
    /// How long they live; `None` means until they are evicted.
    pub ttl: Option<Duration>,
}

/// A change to a counter.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The counter's wire key.
    pub key: &'a str,
    /// What to add; may be negative.
    pub by: i64,
    /// How long a counter created by this change lives. One that exists keeps its ttl.
    pub ttl: Option<Duration>,
}

/// What a `get` returns about each key. All of it costs one round trip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Want {
    /// The bytes.
    pub value: bool,
    /// The remaining ttl.
    pub ttl: bool,
    /// A token for compare-and-set.
    pub token: bool,
}

impl Want {
    /// Only whether the key exists.
    pub const PRESENCE: Self = Self { value: false, ttl: false, token: false };
    /// The bytes.
    pub const VALUE: Self = Self { value: true, ..Self::PRESENCE };
    /// The remaining ttl.
    pub const TTL: Self = Self { ttl: true, ..Self::PRESENCE };
    /// The bytes and the remaining ttl.
    pub const VALUE_AND_TTL: Self = Self { value: true, ..Self::TTL };
    /// The bytes and a token.
    pub const VALUE_AND_TOKEN: Self = Self { token: true, ..Self::VALUE };
    /// The bytes, the remaining ttl and a token.
    pub const EVERYTHING: Self = Self { token: true, ..Self::VALUE_AND_TTL };
}

/// What a store holds under a key; only what was [`Want`]ed is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The bytes, empty if not wanted.
    pub value: Bytes,
    /// The remaining ttl; `None` if there is no deadline, or none was wanted.
    pub ttl: Option<Duration>,
    /// The token; `None` if not wanted.
    pub token: Option<Token>,
}

/// Identifies the state of an entry when it was read, so that a later write can tell whether it has changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Token {
    /// There was no entry.
    Absent,
    /// The entry had this version.
    Version(u64),
    /// The entry held these bytes.
    Value(Bytes),
}

/// The result of a [`claim`](super::Store::claim).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// The item was written; this is its token.
    Won(Token),
    /// There was this entry, with value, ttl and token.
    Held(Found),
}

/// What a `clear` removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope<'a> {
    /// Every key that starts with this text. The text is not a pattern.
    Prefix(&'a str),
    /// Everything that the store holds, including other programs' entries.
    Everything,
}

/// The answer to a `raw` command.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// No value.
    Nil,
    /// Done.
    Ok,
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes, or text.
    Bytes(Bytes),
    /// Several answers.
    Array(Vec<Reply>),
    /// Pairs of answers.
    Map(Vec<(Reply, Reply)>),
}
