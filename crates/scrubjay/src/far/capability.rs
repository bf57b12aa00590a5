//! What a store can do, declared by the store itself.

use std::time::Duration;

/// What a store, or a stack of layers over one, can do.
///
/// The behaviour suite tests everything that is declared, and expects
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for everything else. The builder adds a
/// [`Timeout`](super::layer::Timeout) to a store that does not keep deadlines itself.
///
/// End a literal with `..Capability::NONE`, so that it still compiles when a field is added:
///
/// ```
/// use scrubjay::far::Capability;
///
/// let capability = Capability { expire: true, increment: true, ..Capability::NONE };
/// assert!(!capability.raw);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a table of independent facts")]
pub struct Capability {
    /// The finest ttl the store keeps. Finer ones are rounded up.
    pub ttl_resolution: Duration,
    /// Can read and change the remaining ttl.
    pub expire: bool,
    /// Can change counters atomically.
    pub increment: bool,
    /// Can return tokens, and write only if a token still matches.
    pub compare_and_set: bool,
    /// Can remove all keys with a prefix.
    pub clear_prefix: bool,
    /// Can remove everything.
    pub clear_everything: bool,
    /// Answers `raw` commands.
    pub raw: bool,
    /// Applies a batch as a whole: nobody sees half of a `set_many`.
    pub atomic_batches: bool,
    /// Belongs to this process alone, so that `clear` may empty it for a cache without a namespace.
    pub private: bool,
    /// Keeps what it is given. A store that does not must behave as if empty.
    pub retains: bool,
    /// Ends every call by its deadline itself.
    pub keeps_deadlines: bool,
    /// Must be polled inside a tokio runtime.
    pub needs_runtime: bool,
}

impl Capability {
    /// What every store can do: `get`, `set`, `add` and `delete`, with ttls of any resolution, inside a tokio runtime.
    pub const NONE: Self = Self {
        ttl_resolution: Duration::ZERO,
        expire: false,
        increment: false,
        compare_and_set: false,
        clear_prefix: false,
        clear_everything: false,
        raw: false,
        atomic_batches: false,
        private: false,
        retains: true,
        keeps_deadlines: false,
        needs_runtime: true,
    };
}
