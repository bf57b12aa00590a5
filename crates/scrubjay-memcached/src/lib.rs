#![doc = include_str!("../README.md")]

mod client;
mod error;
pub mod pipe;
pub mod wire;

#[cfg(feature = "tls")]
pub use self::client::Tls;
pub use self::{
    client::{Address, Builder, Client, Hashing, Initial, Item, Outcome},
    error::{Error, ErrorKind, Result},
    wire::{Dialect, Found, Mode, Want},
};
