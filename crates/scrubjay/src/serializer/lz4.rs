//! LZ4: the fastest of the compressors here, and the weakest.

use std::{
    borrow::Cow,
    io::{self, Read, Write},
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

impl Transform for Lz4 {
    fn name(&self) -> Cow<'_, str> {
        "lz4".into()
    }

    fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        compress(&bytes).map_err(|error| Failure::encode("lz4 could not compress the value", error))
    }

    fn decode(&self, bytes: Bytes, limit: usize) -> Result<Bytes> {
        const TRIED: &str = "not one whole lz4 frame";
        let mut input = Input { rest: &bytes, starved: false };
        let out = read_capped(&mut FrameDecoder::new(&mut input), TRIED, bytes.len(), limit)?;
        match input {
            Input { starved: true, .. } => Err(Failure::decode(TRIED, "it ends too early")),
            Input { rest: [], .. } => Ok(out.into()),
            _ => Err(Failure::decode(TRIED, "bytes follow it")),
        }
    }

    fn recognises(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&[0x04, 0x22, 0x4d, 0x18])
    }
}

/// Remembers whether more was asked of it than there is: the decoder takes the end of its input for the end of the frame.
struct Input<'a> {
    rest: &'a [u8],
    starved: bool,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.starved |= self.rest.is_empty() && !buffer.is_empty();
        self.rest.read(buffer)
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
    use crate::serializer::promises::check_transform;

    #[test]
    fn keeps_the_promises_of_a_transform() {
        check_transform(&Lz4);
    }
}
