//! Postcard: compact bytes for Rust programs that share their types.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{Serializer, failure::Failure, nesting};
use crate::Result;

/// Postcard: no names and no types on the wire, so the smallest and fastest of the formats here, and the least forgiving.
///
/// Reader and writer need the same type. A field added, removed or moved is at best an error and at worst another value:
/// change the namespace with the type. Types that ask what comes next (`serde_json::Value`, untagged enums) cannot be read.
///
/// ```
/// use scrubjay::serializer::{Postcard, Serializer};
///
/// let mut bytes = Vec::new();
/// Postcard.encode(&(1_u64, "a".to_owned()), &mut bytes).unwrap();
/// assert_eq!(bytes, b"\x01\x01a");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

impl<V: Serialize + DeserializeOwned> Serializer<V> for Postcard {
    fn name(&self) -> Cow<'_, str> {
        "postcard".into()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        postcard::to_io(value, out).map(drop).map_err(|error| Failure::encode("the value has no postcard form", error))
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        let refused = |cause: &dyn std::fmt::Display| Failure::decode("not the postcard of this type", cause);
        let mut input = postcard::Deserializer::from_bytes(bytes);
        let value = nesting::capped(&mut input).map_err(|error| refused(&error))?;
        match input.finalize() {
            Ok([]) => Ok(value),
            Ok(_) => Err(refused(&"bytes follow the value")),
            Err(error) => Err(refused(&error)),
        }
    }
}
