#![doc = include_str!("../README.md")]

pub mod blocking;
mod builder;
mod cache;
mod clock;
mod config;
mod engine;
mod error;
pub mod far;
mod info;
mod key;
pub mod near;
mod operation;
mod parameters;
pub mod plugin;
mod registry;
pub mod requests;
pub mod serializer;
mod ttl;
mod url;

/// Named caches.
pub use self::config::named as caches;
#[cfg(feature = "redis")]
pub use self::far::Redis;
pub use self::{
    builder::Builder,
    cache::Cache,
    clock::{Clock, Moment},
    config::Recipe,
    engine::{Counter, Current, Lookup, MissReason, Source},
    error::{Error, ErrorKind, Result, Retryable},
    info::{CacheInfo, NearInfo},
    key::{Key, KeyBuilder, KeyLayout, QualifiedKey},
    near::Memory,
    operation::Operation,
    parameters::Parameters,
    serializer::Codecs,
    ttl::{Remaining, Ttl},
};
