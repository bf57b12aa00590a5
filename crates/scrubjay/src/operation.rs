//! The names of the commands, for plugins, layers, errors and metrics.

use std::fmt;

/// A cache command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `get`
    Get,
    /// `get_many`
    GetMany,
    /// `lookup`
    Lookup,
    /// `get_for_update`
    GetForUpdate,
    /// `get_or_load`
    GetOrLoad,
    /// `get_or_load_many`
    GetOrLoadMany,
    /// `lock`
    Lock,
    /// `exists`
    Exists,
    /// `ttl`
    Ttl,
    /// `set`
    Set,
    /// `set_many`
    SetMany,
    /// `add`
    Add,
    /// `compare_and_set`
    CompareAndSet,
    /// `increment`
    Increment,
    /// `expire`
    Expire,
    /// `delete`
    Delete,
    /// `delete_many`
    DeleteMany,
    /// `clear`
    Clear,
    /// `clear_server`
    ClearServer,
    /// `raw`
    Raw,
    /// `close`
    Close,
}

impl Operation {
    /// The verb's name, as in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetMany => "get_many",
            Self::Lookup => "lookup",
            Self::GetForUpdate => "get_for_update",
            Self::GetOrLoad => "get_or_load",
            Self::GetOrLoadMany => "get_or_load_many",
            Self::Lock => "lock",
            Self::Exists => "exists",
            Self::Ttl => "ttl",
            Self::Set => "set",
            Self::SetMany => "set_many",
            Self::Add => "add",
            Self::CompareAndSet => "compare_and_set",
            Self::Increment => "increment",
            Self::Expire => "expire",
            Self::Delete => "delete",
            Self::DeleteMany => "delete_many",
            Self::Clear => "clear",
            Self::ClearServer => "clear_server",
            Self::Raw => "raw",
            Self::Close => "close",
        }
    }

    /// Whether carrying it out twice leaves the cache as carrying it out once, so that it may be retried after it was sent.
    ///
    /// Deletions count: a retried `delete` may answer `false` for an entry that its first try removed, but the entry is gone.
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        !matches!(
            self,
            Self::Add
                | Self::CompareAndSet
                | Self::Increment
                | Self::GetOrLoad
                | Self::GetOrLoadMany
                | Self::Lock
                | Self::Raw
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
