//! What a store can do, declared by the store itself.

use std::time::Duration;

/// What a store, or a stack of layers over one, can do.
///
/// The behaviour suite tests what is declared and expects [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) of what
/// is not; the builder adds a [`Timeout`](super::layer::Timeout) to what does not keep deadlines itself.
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
    /// Tells the remaining ttl, and changes it.
    pub expire: bool,
    /// Changes counters atomically.
    pub increment: bool,
    /// Brings tokens back and compares them.
    pub compare_and_set: bool,
    /// Removes the keys with a prefix.
    pub clear_prefix: bool,
    /// Removes everything.
    pub clear_everything: bool,
    /// Answers `raw` commands.
    pub raw: bool,
    /// Applies a batch as a whole: nobody sees half of a `set_many`.
    pub atomic_batches: bool,
    /// Belongs to this process alone, so that a cache without a namespace may be cleared.
    pub private: bool,
    /// Keeps what it is given. A store that does not is tested for answering as if empty.
    pub retains: bool,
    /// Ends every call by its deadline without help.
    pub keeps_deadlines: bool,
    /// Must be polled inside a tokio runtime.
    pub needs_runtime: bool,
}

impl Capability {
    /// What the least store can do: `get`, `set`, `add` and `delete`, with ttls of any resolution, waiting inside tokio.
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
