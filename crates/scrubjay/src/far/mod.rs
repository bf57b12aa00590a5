//! The far tier: stores of bytes behind one trait.
//!
//! [`Store`] is the trait to implement, with `async fn`s. [`AnyStore`] is a boxed store, which the engine and the [`layer`]s
//! hold. [`MemoryStore`] and [`DummyStore`] live in this process. A store never sees a value's type, a
//! namespace or a serializer: only wire keys and bytes.

mod any;
mod call;
mod capability;
mod dummy;
mod info;
pub mod layer;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod registry;
mod store;
pub(crate) mod timer;

#[cfg(feature = "memcached")]
pub use self::memcached::Memcached;
pub(crate) use self::memory::overflow;
#[cfg(feature = "redis")]
pub use self::redis::Redis;
pub use self::{
    any::{Answer, AnyStore},
    call::{Call, Change, Claim, Found, Item, Reply, Scope, Token, Want},
    capability::Capability,
    dummy::DummyStore,
    info::StoreInfo,
    memory::MemoryStore,
    registry::{StoreConfig, from_url, register},
    store::Store,
};
pub use crate::url::{Host, Secret};
