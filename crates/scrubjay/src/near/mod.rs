//! The near tier: a bounded cache of live values in this process.
//!
//! Everything here is synchronous and needs no runtime. From the outside in: `memory` is the public handle and `builder` its
//! options; `shards` routes keys to shards and keeps the bound; `shard` is one lock's worth of entries; `slots` stores them,
//! `index` finds them, `policy` decides which is evicted when it is full, and `ghosts` remembers those; `weights` knows what they
//! weigh, `cleared` what a `clear` has emptied, and `notes` what there is to know of an entry beyond its value; `listener` reports
//! removed entries, and `janitor` frees dead entries of idle caches.
//! Serializers, stores, plugins and loading are *not* here. The engine joins those to this.

mod builder;
mod cleared;
mod ghosts;
mod index;
mod janitor;
mod listener;
mod memory;
mod notes;
mod policy;
mod shard;
mod shards;
mod slots;
mod sync;
mod weights;

pub(crate) use self::memory::{Keep, Standing};
pub use self::{
    builder::Builder,
    listener::Cause,
    memory::{Held, Memory},
    shards::Ticket,
};
