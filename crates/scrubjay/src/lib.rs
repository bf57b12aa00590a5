#![doc = include_str!("../README.md")]
#![warn(clippy::missing_errors_doc)]

#[cfg(feature = "macros")]
mod argument_key;
pub mod blocking;
mod builder;
mod cache;
#[cfg(feature = "macros")]
mod cached;
mod clock;
mod config;
mod engine;
mod entry;
mod error;
pub mod far;
mod info;
mod key;
mod load;
pub mod lock;
pub mod near;
mod operation;
mod parameters;
pub mod plugin;
mod random;
mod registry;
pub mod requests;
pub mod serializer;
mod ttl;
mod url;

/// What `#[cached]` expands to calls this.
#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod __cached {
    pub use crate::cached::*;
}
/// Named caches.
pub use self::config::named as caches;
#[cfg(feature = "macros")]
#[doc = include_str!("cached/cached.md")]
pub use scrubjay_macros::cached;
#[cfg(feature = "macros")]
#[doc = include_str!("cached/cached_many.md")]
pub use scrubjay_macros::cached_many;

#[cfg(feature = "memcached")]
pub use self::far::Memcached;
#[cfg(feature = "redis")]
pub use self::far::Redis;
pub use self::{
    builder::Builder,
    cache::Cache,
    clock::{Clock, Moment},
    config::{Lease, OnFailure, Policy, Recipe, Wire},
    engine::{Counter, Current, Lookup, MissReason, Source},
    error::{Error, ErrorKind, Result, Retryable},
    info::{CacheInfo, NearInfo},
    key::{Key, KeyBuilder, KeyLayout, QualifiedKey},
    load::{Load, Outcome},
    near::Memory,
    operation::Operation,
    parameters::Parameters,
    serializer::Codecs,
    ttl::{Remaining, Ttl},
};
