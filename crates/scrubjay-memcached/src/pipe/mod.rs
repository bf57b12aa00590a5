//! One connection for any number of callers: requests are pipelined, replies find their request by order and by whatever
//! the protocol checks.
//!
//! A task owns the socket. Callers append their request to a shared buffer and leave a slot for its reply; the task writes
//! all that has been appended in one go. A caller that goes away leaves its slot behind: its reply is read and dropped, and
//! the next one gets its own. A reply too many, or one that does not fit, ends the connection and every call on it.
//!
//! The room knows no protocol: see [`Protocol`].

mod connection;
mod driver;
mod protocol;
mod state;

pub use self::{
    connection::{Connection, Limits},
    protocol::{Break, Failure, Protocol},
    state::Ended,
};

#[cfg(test)]
mod tests;
