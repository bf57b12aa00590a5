//! What stands between the engine and the far tier: values to bytes ([`Serializer`]), bytes to bytes ([`Transform`]).

mod json;

use std::borrow::Cow;

use bytes::Bytes;

pub use self::json::Json;
use crate::Result;

/// Turns values into bytes and back.
pub trait Serializer<V>: Send + Sync + 'static {
    /// The name, as a URL would give it (`json`, `json+zstd`).
    fn name(&self) -> Cow<'_, str>;

    /// Appends the value's bytes to `out`.
    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()>;

    /// The value that `bytes` hold.
    fn decode(&self, bytes: &Bytes) -> Result<V>;

    /// Whether an integer is written as bare decimal text, so that a counter kept by the server reads back as a value.
    fn reads_counters(&self) -> bool {
        false
    }
}

/// Turns bytes into other bytes and back: a compressor, a cipher.
pub trait Transform: Send + Sync + 'static {
    /// The name, as a URL would give it (`zstd`).
    fn name(&self) -> Cow<'_, str>;

    /// The transformed bytes.
    fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;

    /// The original bytes, of which there must be no more than `limit`.
    fn decode(&self, bytes: Bytes, limit: usize) -> Result<Bytes>;

    /// Whether `bytes` may be this transform's output. Only asked where small payloads are left as they are.
    fn recognises(&self, bytes: &[u8]) -> bool;
}
