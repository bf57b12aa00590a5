//! Values to bytes and back, for the far tier.
//!
//! ```text
//!   V  ── format ──▶  bytes  ── transform ──▶  bytes  ── transform ──▶  far tier
//!         json                  zstd                     your cipher
//! ```
//!
//! A **format** turns values into bytes: [`Json`] (the default), `Msgpack`, `Pickle`, [`Text`], `Postcard`, and [`Null`],
//! which passes bytes and text through. A **transform** turns bytes into other bytes: the compressors `Zlib`, `Zstd` and
//! `Lz4`, or a cipher of your own. A **chain** is one format and any number of transforms after it: [`Chain`] in Rust,
//! names joined by `+` in a URL (`json+zstd`); a transform alone is given bytes.
//!
//! A format and a chain are both [`Serializer`]s. [`Codecs`] says which serializers a type can have by name. [`register_format`] and [`register_transform`] add names of your own.
//!
//! All of them promise:
//! - The bytes are exactly what the format says, so that other programs can share them.
//! - Reading never runs code, never nests deeper than 128 levels, never allocates by a length that is only declared, and never
//!   decompresses more than a limit.
//! - An error never shows the value.

mod built_in;
mod chain;
mod codecs;
#[cfg(any(feature = "lz4", feature = "zlib", feature = "zstd"))]
mod decompress;
mod failure;
mod json;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "msgpack")]
mod msgpack;
mod names;
mod nesting;
mod null;
#[cfg(feature = "pickle")]
mod pickle;
#[cfg(feature = "postcard")]
mod postcard;
#[cfg(all(test, any(feature = "lz4", feature = "zlib", feature = "zstd")))]
mod promises;
mod registry;
mod text;
mod threshold;
mod url;
#[cfg(feature = "zlib")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

#[cfg(feature = "lz4")]
pub use self::lz4::Lz4;
#[cfg(feature = "msgpack")]
pub use self::msgpack::Msgpack;
#[cfg(feature = "pickle")]
pub use self::pickle::Pickle;
#[cfg(feature = "postcard")]
pub use self::postcard::Postcard;
#[cfg(feature = "zlib")]
pub use self::zlib::Zlib;
#[cfg(feature = "zstd")]
pub use self::zstd::Zstd;
pub use self::{
    chain::{Chain, MAX_DECOMPRESSED},
    codecs::Codecs,
    json::Json,
    null::{Null, Raw},
    registry::{Format, Slot, Value, register_format, register_transform},
    text::Text,
    threshold::Threshold,
    url::from_url,
};
use crate::Result;

/// Turns values into bytes and back.
///
/// Bytes from the store may have been written by anyone: `decode` must return an
/// [`ErrorKind::Decode`](crate::ErrorKind::Decode), never panic, whatever they are.
pub trait Serializer<V>: Send + Sync + 'static {
    /// The name, as a URL would give it (`json`, `json+zstd`).
    fn name(&self) -> Cow<'_, str>;

    /// Appends the value's bytes to `out`.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) for a value that has no such form.
    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()>;

    /// The value that `bytes` hold.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) for bytes that this does not write.
    fn decode(&self, bytes: &Bytes) -> Result<V>;

    /// Whether an integer is written as bare decimal text, so that a counter kept by the server reads back as a value.
    fn reads_counters(&self) -> bool {
        false
    }

    /// This, and then `transform`: `Json.then(Zstd::default())`.
    fn then(self, transform: impl Transform) -> Chain<V>
    where
        Self: Sized,
        V: 'static,
    {
        Chain::new(self).then(transform)
    }
}

impl<V: 'static, S: Serializer<V> + ?Sized> Serializer<V> for Arc<S> {
    fn name(&self) -> Cow<'_, str> {
        (**self).name()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        (**self).encode(value, out)
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        (**self).decode(bytes)
    }

    fn reads_counters(&self) -> bool {
        (**self).reads_counters()
    }
}

/// Turns bytes into other bytes and back: a compressor, a cipher.
///
/// As with [`Serializer`], `decode` must answer an [`ErrorKind::Decode`](crate::ErrorKind::Decode) for bytes that are not
/// its own, and must take no more memory than the bytes it really gives back.
pub trait Transform: Send + Sync + 'static {
    /// The name, as a URL would give it (`zstd`).
    fn name(&self) -> Cow<'_, str>;

    /// The transformed bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) if they cannot be transformed.
    fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;

    /// The original bytes, of which there must be no more than `limit`.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) for bytes that are not its own, and for more than `limit`.
    fn decode(&self, bytes: Bytes, limit: usize) -> Result<Bytes>;

    /// Whether `bytes` may be this transform's output. This is only used with a [`Threshold`]: bytes that are not recognised are
    /// then read as they are. No decimal number may be recognised, since counters are stored as they are.
    fn recognises(&self, bytes: &[u8]) -> bool;
}

impl<T: Transform + ?Sized> Transform for Arc<T> {
    fn name(&self) -> Cow<'_, str> {
        (**self).name()
    }

    fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        (**self).encode(bytes)
    }

    fn decode(&self, bytes: Bytes, limit: usize) -> Result<Bytes> {
        (**self).decode(bytes, limit)
    }

    fn recognises(&self, bytes: &[u8]) -> bool {
        (**self).recognises(bytes)
    }
}
