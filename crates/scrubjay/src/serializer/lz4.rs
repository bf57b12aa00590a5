//! LZ4: the fastest of the compressors here, and the weakest.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use bytes::Bytes;
use lz4_flex::frame::{FrameDecoder, FrameEncoder, FrameInfo};

use super::{Transform, decompress::read_capped, failure::Failure};
use crate::Result;

/// Compresses into one LZ4 frame (not a bare block) that carries its content's size and a checksum.
///
/// ```
/// use scrubjay::serializer::{Lz4, Transform};
///
/// let packed = Lz4.encode(vec![b'a'; 1000]).unwrap();
/// assert!(packed.len() < 50);
/// assert_eq!(Lz4.decode(packed.into(), 1000).unwrap(), vec![b'a'; 1000]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Lz4;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

impl Transform for Lz4 {
    fn name(&self) -> Cow<'_, str> {
        "lz4".into()
    }

    fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        compress(&bytes).map_err(|error| Failure::encode("lz4 could not compress the value", error))
    }

    fn decode(&self, bytes: Bytes, limit: usize) -> Result<Bytes> {
        const TRIED: &str = "not one whole lz4 frame";
        // The decoder takes no input, or only the magic number, for the end of a frame before this one.
        if bytes.len() <= MAGIC.len() || !self.recognises(&bytes) {
            return Err(Failure::decode(TRIED, "it does not begin as one"));
        }
        let mut stream = FrameDecoder::new(&*bytes);
        let out = read_capped(&mut stream, TRIED, bytes.len(), limit)?;
        match stream.into_inner() {
            [] => Ok(out.into()),
            _ => Err(Failure::decode(TRIED, "bytes follow it")),
        }
    }

    fn recognises(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }
}

fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let info = FrameInfo::new().content_size(Some(bytes.len() as u64)).content_checksum(true);
    let mut out = FrameEncoder::with_frame_info(info, Vec::with_capacity(bytes.len() / 2));
    out.write_all(bytes)?;
    out.finish().map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serializer::check_transform;

    #[test]
    fn keeps_the_promises_of_a_transform() {
        check_transform(&Lz4);
    }
}
