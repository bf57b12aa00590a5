//! Python's pickle, for plain data only.

mod machine;
mod opcodes;
mod read;
mod text;

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_pickle::SerOptions;

use super::{Serializer, failure::Failure, nesting};
use crate::{Error, Parameters, Result};

/// Python's pickle, as far as it is plain data: none, booleans, numbers, text, bytes, lists, tuples, sets and dicts.
///
/// Reads protocols 0 to 5 and never runs code: a pickle that holds anything else (a class, a named tuple, a `datetime`) is
/// refused with an [`ErrorKind::Decode`](crate::ErrorKind::Decode) that says to store a dict instead. Structs are dicts,
/// tuples are tuples, variants are text or a dict of one entry.
///
/// By name it takes `pickle-protocol`, 2 to 5; the default is 4, as in Python.
///
/// ```
/// use scrubjay::serializer::{Pickle, Serializer};
///
/// // pickle.dumps({"id": 42})
/// let written_by_python = b"\x80\x04\x95\x0c\0\0\0\0\0\0\0}\x94\x8c\x02id\x94K*s.";
/// let ids: std::collections::BTreeMap<String, u32> = Pickle::default().decode(&written_by_python[..].into()).unwrap();
/// assert_eq!(ids["id"], 42);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pickle {
    protocol: u8,
}

const PROTOCOLS: &str = "a pickle protocol from 2 to 5";

impl Pickle {
    /// Writes this protocol, 2 to 5. Older Pythons may need a lower one: 3.8 was the first to read 5, 3.4 to read 4.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for any other protocol.
    pub fn with_protocol(protocol: u8) -> Result<Self> {
        match protocol {
            2..=5 => Ok(Self { protocol }),
            _ => Err(Error::config(format!("pickle: expected {PROTOCOLS}, found {protocol}"))),
        }
    }

    pub(super) fn from_parameters(parameters: &mut Parameters) -> Result<Self> {
        parameters.take("pickle-protocol", PROTOCOLS)?.map_or(Ok(Self::default()), Self::with_protocol)
    }
}

impl Default for Pickle {
    fn default() -> Self {
        Self { protocol: 4 }
    }
}

impl<V: Serialize + DeserializeOwned> Serializer<V> for Pickle {
    fn name(&self) -> Cow<'_, str> {
        "pickle".into()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let options = if self.protocol == 2 { SerOptions::new().proto_v2() } else { SerOptions::new() };
        serde_pickle::to_writer(out, value, options)
            .map_err(|error| Failure::encode("the value has no pickle form", error))?;
        // serde-pickle writes protocols 2 and 3. Newer ones only add opcodes, so the same bytes are valid under their number,
        // which follows the first opcode.
        if let Some(protocol) = out.get_mut(start + 1) {
            *protocol = self.protocol;
        }
        Ok(())
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        let refused = |failure: Failure| Failure::decode("not the pickle of this type", failure);
        let pickle = machine::run(bytes).map_err(refused)?;
        nesting::capped(pickle.value()).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_protocol_and_nothing_before_it_changes() {
        for protocol in 2..=5 {
            let mut out = b"before".to_vec();
            Pickle::with_protocol(protocol).unwrap().encode(&1, &mut out).unwrap();
            assert_eq!(out, [b"before\x80", &[protocol][..], b"J\x01\0\0\0."].concat());
        }
    }

    #[test]
    fn other_protocols_are_not_written() {
        assert!(Pickle::with_protocol(1).is_err());
        let mut parameters = Parameters::from_iter([("pickle-protocol", "6")]);
        let error = Pickle::from_parameters(&mut parameters).unwrap_err();
        assert_eq!(error.to_string(), "pickle: expected a pickle protocol from 2 to 5, found 6");
    }

    fn read<V: Serialize + DeserializeOwned>(bytes: &'static [u8]) -> Result<V> {
        Pickle::default().decode(&Bytes::from_static(bytes))
    }

    #[test]
    fn old_and_large_values_are_read() {
        assert_eq!(read::<String>(b"S'it\\'s'\n.").unwrap(), "it's");
        assert_eq!(read::<String>(b"U\x03abc.").unwrap(), "abc");
        assert_eq!(read::<Vec<u8>>(b"U\x02\xff\x00.").unwrap(), [0xff, 0x00]);
        assert_eq!(read::<u64>(b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00.").unwrap(), u64::MAX);
        assert_eq!(read::<i128>(b"L-170141183460469231731687303715884105728L\n.").unwrap(), i128::MIN);
        assert_eq!(read::<Option<bool>>(b"I01\n.").unwrap(), Some(true));
        assert!(read::<f64>(b"Finf\n.").unwrap().is_infinite());
    }

    #[test]
    fn an_error_does_not_show_the_value() {
        let error = read::<u8>(b"U\x07hunter2.").unwrap_err();
        assert_eq!(error.to_string(), "not the pickle of this type: invalid type: string, expected u8");
    }
}
