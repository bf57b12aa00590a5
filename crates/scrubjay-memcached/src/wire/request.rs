//! What can be asked of a server.

use super::Key;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// memcached 1.6: `mg ms md ma me`. Every reply is checked by a token.
    Meta,
    /// Older servers: `get set delete incr`. Replies are matched by their order alone; ttls cannot be read.
    Classic,
}

/// One command. Keys are the caller's own; [`key`](super::key) maps them when the command is encoded.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Read an entry.
    Get {
        /// Whose.
        key: &'a [u8],
        /// What of it.
        want: Want,
    },
    /// Read many entries in one go.
    GetMany {
        /// Whose, mapped for the meta dialect. None may be [encoded](Key::Encoded).
        keys: &'a [Key<'a>],
        /// What of them: the value, and whatever else but the ttl.
        want: Want,
    },
    /// Write an entry.
    Store {
        /// Whose.
        key: &'a [u8],
        /// The bytes.
        value: &'a [u8],
        /// On which condition.
        mode: Mode,
        /// As [`expiry`](super::expiry) gives it.
        expiry: u32,
        /// A number kept beside the value; other clients note the value's type there.
        flags: u32,
    },
    /// Remove an entry.
    Delete {
        /// Whose.
        key: &'a [u8],
        /// Only if it is still this version.
        cas: Option<u64>,
    },
    /// Change a counter.
    Count {
        /// Whose.
        key: &'a [u8],
        /// Up or down.
        direction: Direction,
        /// By how much.
        by: u64,
        /// What an absent counter becomes, and its expiry; `None` leaves it absent.
        create: Option<(u64, u32)>,
    },
    /// Give an entry another expiry.
    Touch {
        /// Whose.
        key: &'a [u8],
        /// As [`expiry`](super::expiry) gives it.
        expiry: u32,
    },
    /// What the server knows about an entry (`me`).
    Inspect {
        /// Whose.
        key: &'a [u8],
    },
    /// The server's version.
    Version,
    /// Remove every entry.
    FlushAll,
    /// The server's figures.
    Stats {
        /// Which of them, empty for the general ones.
        group: &'a str,
    },
    /// A line as it is, with a block of data behind it or none. Only for a connection of its own: a line that does not fit
    /// its data shifts everything that follows.
    Raw {
        /// Without the line's end.
        line: &'a [u8],
        /// Without the block's end.
        data: Option<&'a [u8]>,
    },
}

impl<'a> Request<'a> {
    /// The key that it concerns; empty if it concerns none, or many.
    #[must_use]
    pub fn key(&self) -> &'a [u8] {
        match *self {
            Self::Get { key, .. }
            | Self::Store { key, .. }
            | Self::Delete { key, .. }
            | Self::Count { key, .. }
            | Self::Touch { key, .. }
            | Self::Inspect { key } => key,
            Self::GetMany { .. } | Self::Version | Self::FlushAll | Self::Stats { .. } | Self::Raw { .. } => b"",
        }
    }
}

/// On which condition a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// On none.
    Set,
    /// If there is no entry.
    Add,
    /// If there is an entry.
    Replace,
    /// Behind the entry's own bytes, if there is one.
    Append,
    /// Before the entry's own bytes, if there is one.
    Prepend,
    /// If the entry is still this version.
    CompareAndSet(u64),
}

/// Which way a counter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Up; beyond 2⁶⁴ − 1 it starts again at zero.
    Up,
    /// Down, not below zero.
    Down,
}

/// What a read brings back, all in one round trip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that is wanted or not, in any combination")]
pub struct Want {
    /// The bytes.
    pub value: bool,
    /// The remaining ttl. Not in the classic dialect.
    pub ttl: bool,
    /// The version, for compare-and-set.
    pub cas: bool,
    /// The number beside the value.
    pub flags: bool,
}

impl Want {
    /// Only whether there is an entry.
    pub const PRESENCE: Self = Self { value: false, ttl: false, cas: false, flags: false };
    /// The bytes.
    pub const VALUE: Self = Self { value: true, ..Self::PRESENCE };
    /// The remaining ttl.
    pub const TTL: Self = Self { ttl: true, ..Self::PRESENCE };
    /// The bytes and the remaining ttl.
    pub const VALUE_AND_TTL: Self = Self { ttl: true, ..Self::VALUE };
    /// The bytes and the version.
    pub const VALUE_AND_CAS: Self = Self { cas: true, ..Self::VALUE };
    /// All of it.
    pub const ALL: Self = Self { value: true, ttl: true, cas: true, flags: true };
}
