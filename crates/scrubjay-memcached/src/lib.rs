#![doc = include_str!("../README.md")]

mod client;
mod error;
pub mod pipe;
pub mod wire;

#[cfg(feature = "tls")]
pub use self::client::Tls;
pub use self::{
    client::{Address, Builder, Claim, Client, Hashing, Initial, Item, Outcome, longest_ttl},
    error::{Error, ErrorKind, Result},
    wire::{Dialect, Found, Mode, Want},
};
