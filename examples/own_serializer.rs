//! A serializer of one's own: compressed JSON, in twenty lines.
//!
//! (`?serializer=json+zstd` does the same; this shows how it is done.)

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{borrow::Cow, io::Read};

use bytes::Bytes;
use scrubjay::{
    Cache, Error, ErrorKind, Result,
    far::{MemoryStore, Reply},
    serializer::{Json, Serializer},
};
use serde::{Serialize, de::DeserializeOwned};

struct PackedJson;

/// What is read may have been written by anyone, so it must not grow without end.
const LARGEST: u64 = 64 << 20;

impl<V: Serialize + DeserializeOwned> Serializer<V> for PackedJson {
    fn name(&self) -> Cow<'_, str> {
        "packed-json".into()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        let json = serde_json::to_vec(value).map_err(|error| unwritable().with_source(error))?;
        zstd::stream::copy_encode(&*json, out, 3).map_err(|error| unwritable().with_source(error))
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        let json = zstd::Decoder::new(&**bytes).map_err(|error| unreadable().with_source(error))?;
        serde_json::from_reader(json.take(LARGEST)).map_err(|error| unreadable().with_source(error))
    }
}

fn unwritable() -> Error {
    Error::new(ErrorKind::Encode, "the value has no packed JSON form")
}

fn unreadable() -> Error {
    Error::new(ErrorKind::Decode, "not packed JSON of this type")
}

fn main() -> Result<()> {
    let readings = (0..500).map(|hour| (format!("2030-01-01T{:02}:00", hour % 24), 20)).collect::<Vec<_>>();
    let plain = stored_size(Json, &readings)?;
    let packed = stored_size(PackedJson, &readings)?;
    println!("json {plain} bytes, packed-json {packed} bytes");
    assert!(packed * 10 < plain);
    Ok(())
}

/// Puts `value` into a cache with that serializer, reads it back, and asks the store how many bytes it holds.
fn stored_size<V>(serializer: impl Serializer<V>, value: &V) -> Result<usize>
where
    V: Clone + PartialEq + Send + Sync + 'static,
{
    let cache = Cache::<V>::builder().far(MemoryStore::default()).serializer(serializer).build()?.blocking();
    cache.set("value", value.clone())?;
    assert!(cache.get("value")?.as_ref() == Some(value));
    match cache.raw(["GET", "value"])? {
        Reply::Bytes(bytes) => Ok(bytes.len()),
        other => unreachable!("GET answers bytes, not {other:?}"),
    }
}
