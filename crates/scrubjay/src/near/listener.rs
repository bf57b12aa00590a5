//! Reports removed entries, and why they were removed.

use std::sync::Arc;

use crate::QualifiedKey;

/// Why an entry was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The cache was full, and the policy chose this entry.
    Evicted,
    /// Its deadline had passed.
    Expired,
    /// Another value took its place.
    Replaced,
    /// It was deleted.
    Deleted,
    /// Its namespace, or everything, was cleared.
    Cleared,
}

/// Called with what left, outside every lock, on the thread that made it leave.
pub(super) type Listener<V> = Arc<dyn Fn(QualifiedKey<'_>, V, Cause) + Send + Sync>;
