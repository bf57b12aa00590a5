//! JSON text, as serde_json writes it: the default of every far tier.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::Serializer;
use crate::{Error, ErrorKind, Result};

/// JSON text in UTF-8, without spaces. Counters read back as numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<V: Serialize + DeserializeOwned> Serializer<V> for Json {
    fn name(&self) -> Cow<'_, str> {
        "json".into()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(out, value)
            .map_err(|error| Error::new(ErrorKind::Encode, "the value has no JSON form").with_source(error))
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        serde_json::from_slice(bytes)
            .map_err(|error| Error::new(ErrorKind::Decode, "not the JSON of this type").with_source(error))
    }

    fn reads_counters(&self) -> bool {
        true
    }
}
