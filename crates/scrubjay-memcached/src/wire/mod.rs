//! The language: commands into bytes, bytes into replies. No sockets, no clocks.
//!
//! Two dialects are spoken. *Meta* (memcached 1.6) is the one to have: every request carries an opaque token and every
//! reply repeats it, so that a reply is proved to belong to its request. *Classic* is for older servers; there, the order
//! is all there is. Nothing here allocates by a length that the other side declares.

mod classic;
mod codec;
mod entries;
mod expiry;
mod frame;
mod key;
mod meta;
mod reply;
mod request;

pub(crate) use self::meta::{PROBE, speaks_meta};
pub use self::{
    codec::{Decoder, Encoder, Expected, Unsayable},
    entries::Entries,
    expiry::{InvalidExpiry, LAST_MOMENT, expiry},
    frame::{Frame, Frames, LONGEST_LINE},
    key::{Key, LONGEST_KEY, key},
    reply::{Found, Refusal, Reply, Violation},
    request::{Dialect, Direction, Mode, Request, Want},
};
