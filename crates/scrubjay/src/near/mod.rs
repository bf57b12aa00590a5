//! The near tier: a bounded cache of live values in this process.
//!
//! Everything here is synchronous and needs no runtime. `memory` holds the public handle, `shard` one lock's worth of
//! entries, `policy` decides who leaves when it is full, and `janitor` frees what has expired when nobody comes by.
//! What is *not* here: serializers, stores, plugins, loading. The engine joins those to this.

mod janitor;
mod memory;
mod policy;
mod shard;

pub use self::memory::{Builder, Held, Memory, Ticket};
