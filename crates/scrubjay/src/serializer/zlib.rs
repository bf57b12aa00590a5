//! zlib: the compressor every language has in its standard library.

use std::{borrow::Cow, io::Write};

use bytes::Bytes;
use flate2::{Compression, bufread::ZlibDecoder, write::ZlibEncoder};

use super::{Transform, decompress::read_capped, failure::Failure};
use crate::{Error, Parameters, Result};

/// Compresses with zlib (RFC 1950), as Python's `zlib.compress` does.
///
/// By name it takes `compression-level`, 0 (store) to 9 (smallest); the default is 6, which can also be written as -1.
///
/// ```
/// use scrubjay::serializer::{Transform, Zlib};
///
/// let packed = Zlib::default().encode(vec![b'a'; 1000]).unwrap();
/// assert!(packed.len() < 30);
/// assert_eq!(Zlib::default().decode(packed.into(), 1000).unwrap(), vec![b'a'; 1000]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Zlib {
    level: Compression,
}

const LEVELS: &str = "a compression level from 0 to 9";

impl Zlib {
    /// With a level from 0 (store) to 9 (smallest).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for any other level.
    pub fn with_level(level: u32) -> Result<Self> {
        match level {
            0..=9 => Ok(Self { level: Compression::new(level) }),
            _ => Err(Error::config(format!("zlib: expected {LEVELS}, found {level}"))),
        }
    }

    pub(super) fn from_parameters(parameters: &mut Parameters) -> Result<Self> {
        match parameters.take::<i32>("compression-level", LEVELS)? {
            None | Some(-1) => Ok(Self::default()),
            Some(level) => u32::try_from(level)
                .map_err(|_| Error::config(format!("zlib: expected {LEVELS}, found {level}")))
                .and_then(Self::with_level),
        }
    }
}

impl Transform for Zlib {
    fn name(&self) -> Cow<'_, str> {
        "zlib".into()
    }

    fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut out = ZlibEncoder::new(Vec::with_capacity(bytes.len() / 2), self.level);
        out.write_all(&bytes)
            .and_then(|()| out.finish())
            .map_err(|error| Failure::encode("zlib could not compress the value", error))
    }

    fn decode(&self, bytes: Bytes, limit: usize) -> Result<Bytes> {
        const TRIED: &str = "not one whole zlib stream";
        let mut stream = ZlibDecoder::new(&*bytes);
        let out = read_capped(&mut stream, TRIED, bytes.len(), limit)?;
        match stream.into_inner() {
            [] => Ok(out.into()),
            _ => Err(Failure::decode(TRIED, "bytes follow it")),
        }
    }

    /// An `x`, as every zlib stream with the usual window begins, and a second byte that checks it.
    fn recognises(&self, bytes: &[u8]) -> bool {
        matches!(bytes, [0x78, flags, ..] if u16::from_be_bytes([0x78, *flags]).is_multiple_of(31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serializer::promises::check_transform;

    #[test]
    fn keeps_the_promises_of_a_transform() {
        for level in 0..=9 {
            check_transform(&Zlib::with_level(level).unwrap());
        }
    }

    #[test]
    fn levels_are_checked() {
        assert!(Zlib::with_level(10).is_err());
        for (level, works) in [("-1", true), ("0", true), ("9", true), ("10", false), ("-2", false), ("best", false)] {
            let mut parameters = Parameters::from_iter([("compression-level", level)]);
            assert_eq!(Zlib::from_parameters(&mut parameters).is_ok(), works, "{level}");
        }
    }

    #[test]
    fn no_number_looks_compressed() {
        assert!((0..100_000).all(|n| !Zlib::default().recognises(n.to_string().as_bytes())));
    }
}
