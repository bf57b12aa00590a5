//! Small payloads are not worth compressing.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::Transform;
use crate::{Parameters, Result};

/// A compressor that stores short payloads, and those that do not shrink, as they are.
///
/// Reading decides by the payload's first bytes, whatever the threshold, so values written with another threshold or without
/// compression can be read, too. The few short payloads that look compressed are compressed, so that none is mistaken.
///
/// By name, `compression-threshold=N` puts one around every compressor of the chain; without it (or with 0) everything is
/// compressed and nothing else is read, as Python's libraries do.
///
/// Do not put one around a cipher: it would store short values in the clear.
#[cfg_attr(feature = "zlib", doc = "```")]
#[cfg_attr(not(feature = "zlib"), doc = "```ignore")]
/// use scrubjay::serializer::{Threshold, Transform, Zlib};
///
/// let compressor = Threshold::new(Zlib::default(), 100);
/// assert_eq!(compressor.encode(vec![b'a'; 99]).unwrap().len(), 99);
/// assert!(compressor.encode(vec![b'a'; 100]).unwrap().len() < 30);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Threshold<T> {
    compressor: T,
    at_least: usize,
}

impl<T: Transform> Threshold<T> {
    /// `compressor`, for payloads of `at_least` that many bytes.
    pub const fn new(compressor: T, at_least: usize) -> Self {
        Self { compressor, at_least }
    }
}

/// `compressor` as the parameters want it: with a threshold or without.
#[cfg_attr(not(any(feature = "zlib", feature = "zstd", feature = "lz4")), allow(dead_code))]
pub(super) fn from_parameters(compressor: impl Transform, parameters: &mut Parameters) -> Result<Arc<dyn Transform>> {
    match parameters.take("compression-threshold", "a number of bytes")? {
        None | Some(0) => Ok(Arc::new(compressor)),
        Some(at_least) => Ok(Arc::new(Threshold::new(compressor, at_least))),
    }
}

impl<T: Transform> Transform for Threshold<T> {
    fn name(&self) -> Cow<'_, str> {
        self.compressor.name()
    }

    fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        if self.recognises(&bytes) {
            return self.compressor.encode(bytes);
        }
        if bytes.len() < self.at_least {
            return Ok(bytes);
        }
        let compressed = self.compressor.encode(bytes.clone())?;
        Ok(if compressed.len() < bytes.len() { compressed } else { bytes })
    }

    fn decode(&self, bytes: Bytes, limit: usize) -> Result<Bytes> {
        if self.recognises(&bytes) { self.compressor.decode(bytes, limit) } else { Ok(bytes) }
    }

    fn recognises(&self, bytes: &[u8]) -> bool {
        self.compressor.recognises(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Halves runs of one byte; its output begins with `!`.
    struct Runs;

    impl Transform for Runs {
        fn name(&self) -> Cow<'_, str> {
            "runs".into()
        }

        fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
            let runs = bytes.chunk_by(|a, b| a == b).flat_map(|run| run.chunks(255));
            Ok([b'!'].into_iter().chain(runs.flat_map(|run| [u8::try_from(run.len()).unwrap(), run[0]])).collect())
        }

        fn decode(&self, bytes: Bytes, _: usize) -> Result<Bytes> {
            Ok(bytes[1..].chunks(2).flat_map(|run| vec![run[1]; run[0].into()]).collect::<Vec<_>>().into())
        }

        fn recognises(&self, bytes: &[u8]) -> bool {
            bytes.first() == Some(&b'!')
        }
    }

    #[test]
    fn what_is_short_or_does_not_shrink_is_left_alone() {
        let compressor = Threshold::new(Runs, 4);
        assert_eq!(compressor.encode(b"aaa".to_vec()).unwrap(), b"aaa");
        assert_eq!(compressor.encode(b"aaaa".to_vec()).unwrap(), b"!\x04a");
        assert_eq!(compressor.encode(b"abcd".to_vec()).unwrap(), b"abcd");
        assert_eq!(compressor.encode(b"!a".to_vec()).unwrap(), b"!\x01!\x01a");
    }

    proptest! {
        #[test]
        fn whatever_goes_in_comes_out(bytes in "[!a]{0,9}", at_least in 0..9_usize) {
            let compressor = Threshold::new(Runs, at_least);
            let stored = compressor.encode(bytes.clone().into_bytes()).unwrap();
            prop_assert_eq!(compressor.decode(stored.into(), 99).unwrap(), bytes);
        }
    }
}
