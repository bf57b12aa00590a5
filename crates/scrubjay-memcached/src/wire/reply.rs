//! What a server answers.

use std::{fmt, time::Duration};

use bytes::Bytes;

use super::Entries;

/// The answer to a [`Request`](super::Request).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// The entry.
    Found(Found),
    /// What there is of many entries.
    Entries(Entries),
    /// There is no entry.
    Absent,
    /// Done.
    Done,
    /// Added, as this version.
    Written(u64),
    /// Not written: the condition does not hold.
    NotStored,
    /// Not written: the entry is another version now.
    Changed,
    /// The counter's new value.
    Number(u64),
    /// A line of text.
    Text(String),
    /// Names and figures.
    Stats(Vec<(String, String)>),
    /// Lines and data blocks, as they came.
    Lines(Vec<Bytes>),
    /// The server would not.
    Refused(Refusal),
}

/// An entry, as far as it was [`Want`](super::Want)ed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The bytes, empty if not wanted. They share the read buffer: copy what you keep for long.
    pub value: Bytes,
    /// The remaining ttl, in whole seconds; `None` if there is no deadline, or none was wanted.
    pub ttl: Option<Duration>,
    /// The version, zero if not wanted.
    pub cas: u64,
    /// The number beside the value, zero if not wanted.
    pub flags: u32,
}

/// Why a server would not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The item is larger than the server accepts.
    TooLarge,
    /// A counter was asked of something else.
    NotANumber,
    /// User and password are missing or wrong.
    Unauthenticated,
    /// Something else, in the server's words.
    Other(String),
}

/// How much of a server's own words is kept.
const WORDS_SHOWN: usize = 200;

impl Refusal {
    /// What an error line says, if `line` is one.
    #[must_use]
    pub fn of(line: &[u8]) -> Option<Self> {
        let is_error = line == b"ERROR"
            || [&b"ERROR "[..], b"ERROR:", b"CLIENT_ERROR", b"SERVER_ERROR"]
                .iter()
                .any(|start| line.starts_with(start));
        is_error.then(|| {
            let text: String = String::from_utf8_lossy(line).chars().take(WORDS_SHOWN).collect();
            match &*text {
                text if text.contains("too large") => Self::TooLarge,
                text if text.contains("non-numeric") => Self::NotANumber,
                text if text.contains("authenticat") => Self::Unauthenticated,
                _ => Self::Other(text.escape_debug().to_string()),
            }
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("the item is larger than the server accepts (its option -I)"),
            Self::NotANumber => f.write_str("the stored value is not a whole number in decimal text"),
            Self::Unauthenticated => f.write_str("the server wants another user or password"),
            Self::Other(words) => write!(f, "the server answered {words:?}"),
        }
    }
}

/// What no server in step would send. The connection is good for nothing after it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A line beyond [`LONGEST_LINE`](super::LONGEST_LINE).
    LongLine,
    /// A value beyond the agreed size; how large it says it is, in bytes.
    LargeValue(u64),
    /// Bytes that are no reply.
    Malformed(&'static str),
    /// A reply to another request.
    Foreign,
    /// The server did not understand a write, and may have read its value as commands.
    OutOfStep(Refusal),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongLine => f.write_str("a line of the reply does not end"),
            Self::LargeValue(size) => {
                write!(f, "the reply declares a value of {size} bytes, more than the client accepts")
            }
            Self::Malformed(what) => write!(f, "the reply is not memcached's: {what}"),
            Self::Foreign => f.write_str("the reply belongs to another request"),
            Self::OutOfStep(refusal) => write!(f, "the server did not understand a write: {refusal}"),
        }
    }
}

impl std::error::Error for Violation {}
