//! The client: servers, the ring that shares the keys among them, and the verbs.

mod address;
mod backoff;
mod batch;
mod builder;
mod clock;
mod connect;
mod ring;
mod server;
mod speech;
#[cfg(feature = "tls")]
mod tls;
mod verbs;

#[cfg(feature = "tls")]
pub use self::tls::Tls;
pub use self::{
    address::Address,
    builder::Builder,
    clock::longest_ttl,
    ring::Hashing,
    verbs::{Claim, Client, Initial, Item, Outcome},
};
