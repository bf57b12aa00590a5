//! MessagePack, as rmp-serde writes it.

use std::{borrow::Cow, io};

use bytes::Bytes;
use rmp_serde::decode::{Deserializer, Error as Refusal, ReadSlice};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Serializer, failure::Failure, nesting::MAX_NESTING};
use crate::Result;

/// MessagePack: structs are maps with their fields' names, so that other languages and later versions can read them.
///
/// A `Vec<u8>` is written as an array of integers, as serde gives it; Python's `bytes` (MessagePack's *bin*) read back into it.
///
/// ```
/// use scrubjay::serializer::{Msgpack, Serializer};
///
/// let mut bytes = Vec::new();
/// Msgpack.encode(&(1, "a".to_owned()), &mut bytes).unwrap();
/// assert_eq!(bytes, b"\x92\x01\xa1a");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Msgpack;

impl<V: Serialize + DeserializeOwned> Serializer<V> for Msgpack {
    fn name(&self) -> Cow<'_, str> {
        "msgpack".into()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        rmp_serde::encode::write_named(out, value)
            .map_err(|error| Failure::encode("the value has no MessagePack form", error))
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        let refused = |cause: &dyn std::fmt::Display| Failure::decode("not the MessagePack of this type", cause);
        let mut input = Deserializer::from_read_ref(&**bytes);
        input.set_max_depth(MAX_NESTING);
        let value = V::deserialize(&mut input).map_err(|error| refused(&error))?;
        if at_end(&mut input) { Ok(value) } else { Err(refused(&"bytes follow the value")) }
    }
}

/// Whether nothing is left: the reader does not tell its position, but it tells where the next value would begin.
fn at_end<'de, R: ReadSlice<'de>>(input: &mut Deserializer<R>) -> bool {
    match u8::deserialize(input) {
        Err(Refusal::InvalidMarkerRead(error)) => error.kind() == io::ErrorKind::UnexpectedEof,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_are_maps_and_bin_reads_as_bytes() {
        #[derive(Serialize, Deserialize)]
        struct Point {
            x: u8,
        }
        let mut bytes = Vec::new();
        Msgpack.encode(&Point { x: 1 }, &mut bytes).unwrap();
        assert_eq!(bytes, b"\x81\xa1x\x01");

        let bin = Bytes::from_static(b"\xc4\x02\xff\x00");
        assert_eq!(Serializer::<Vec<u8>>::decode(&Msgpack, &bin).unwrap(), [0xff, 0x00]);
    }

    #[test]
    fn bytes_after_the_value_are_refused() {
        for rest in [&b"\x01"[..], b"\xc1", b"\x92"] {
            let bytes = [b"\x01", rest].concat().into();
            let error = Serializer::<u8>::decode(&Msgpack, &bytes).unwrap_err();
            assert!(error.to_string().ends_with("bytes follow the value"), "{error}");
        }
    }
}
