//! JSON text, as `serde_json` writes it: the default of every far tier.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{Serializer, failure::Failure};
use crate::Result;

/// JSON text in UTF-8, without spaces. Counters read back as numbers.
///
/// A float that is not a number or not finite is written as `null`, since JSON has no word for it, and does not read back
/// as a float. Python's `NaN` and `Infinity` are not JSON and are refused.
///
/// ```
/// use scrubjay::serializer::{Json, Serializer};
///
/// let mut bytes = Vec::new();
/// Json.encode(&vec![1, 2, 3], &mut bytes).unwrap();
/// assert_eq!(bytes, b"[1,2,3]");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<V: Serialize + DeserializeOwned> Serializer<V> for Json {
    fn name(&self) -> Cow<'_, str> {
        "json".into()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(out, value).map_err(|error| Failure::encode("the value has no JSON form", error))
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        serde_json::from_slice(bytes).map_err(|error| Failure::decode("not the JSON of this type", error))
    }

    fn reads_counters(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_and_what_was_expected_but_not_what_was_found() {
        let error = Serializer::<Vec<u32>>::decode(&Json, &Bytes::from_static(b"[1,\"hunter2\"]")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not the JSON of this type: invalid type: string, expected u32 at line 1 column 12"
        );
    }

    #[test]
    fn a_value_without_json_form_is_an_encode_error() {
        let pairs = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = Json.encode(&pairs, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Encode);
    }
}
