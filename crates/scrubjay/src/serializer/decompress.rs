//! Reading a decompressor to its end, but no further than a limit.

use std::io::Read;

use super::failure::Failure;
use crate::{Error, ErrorKind, Result};

/// Everything `stream` holds, of which there must be no more than `limit` bytes; `hint` is about how much to expect.
///
/// Memory grows with what really comes out, never with what a header declares.
pub(super) fn read_capped(stream: &mut impl Read, tried: &'static str, hint: usize, limit: usize) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(hint.min(limit));
    // One byte more than allowed, to tell the end from the limit.
    let one_more = (limit as u64).saturating_add(1);
    stream.take(one_more).read_to_end(&mut out).map_err(|error| Failure::decode(tried, error))?;
    if out.len() <= limit { Ok(out) } else { Err(too_large(limit)) }
}

fn too_large(limit: usize) -> Error {
    Error::new(
        ErrorKind::Decode,
        format!("the value is larger than {limit} bytes when decompressed; raise `max-decompressed` if it may be"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_limit_is_read_and_one_byte_more_is_not() {
        assert_eq!(read_capped(&mut &[7; 10][..], "test", 0, 10).unwrap(), [7; 10]);
        let error = read_capped(&mut &[7; 11][..], "test", 0, 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("larger than 10 bytes"));
        assert_eq!(read_capped(&mut &[7; 11][..], "test", 0, usize::MAX).unwrap().len(), 11);
    }
}
