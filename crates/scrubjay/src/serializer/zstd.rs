//! Zstandard: the best of the compressors here for most values.

use std::{borrow::Cow, io};

use bytes::Bytes;
use zstd::{bulk::Compressor, stream::read::Decoder, zstd_safe::CParameter};

use super::{Transform, decompress::read_capped, failure::Failure};
use crate::{Error, Parameters, Result};

/// Compresses into one zstd frame that carries its content's size, without which Python's readers refuse it.
///
/// By name (`zstd` or `zstandard`) it takes `compression-level` (default 3; up to 22, negative ones are faster) and
/// `compression-threads` (default 0: on the caller's thread; only worth it for values of many megabytes).
///
/// ```
/// use scrubjay::serializer::{Transform, Zstd};
///
/// let packed = Zstd::default().encode(vec![b'a'; 1000]).unwrap();
/// assert!(packed.len() < 30);
/// assert_eq!(Zstd::default().decode(packed.into(), 1000).unwrap(), vec![b'a'; 1000]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Zstd {
    level: i32,
    threads: u32,
}

impl Zstd {
    /// With a level up to 22 (smallest); negative levels are faster than small.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a level zstd does not have.
    pub fn with_level(level: i32) -> Result<Self> {
        let levels = zstd::compression_level_range();
        if levels.contains(&level) {
            return Ok(Self { level, ..Self::default() });
        }
        let (least, most) = levels.into_inner();
        Err(Error::config(format!("zstd: expected a compression level from {least} to {most}, found {level}")))
    }

    /// Compresses on this many other threads; 0 is the caller's own.
    #[must_use]
    pub fn threads(self, threads: u32) -> Self {
        Self { threads, ..self }
    }

    pub(super) fn from_parameters(parameters: &mut Parameters) -> Result<Self> {
        let level = parameters.take("compression-level", "a compression level up to 22")?;
        let threads = parameters.take("compression-threads", "a number of threads")?.unwrap_or(0);
        Ok(level.map_or(Ok(Self::default()), Self::with_level)?.threads(threads))
    }

    fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut compressor = Compressor::new(self.level)?;
        if self.threads > 0 {
            compressor.set_parameter(CParameter::NbWorkers(self.threads))?;
        }
        // In one piece, so that zstd knows the size beforehand and writes it into the frame.
        compressor.compress(bytes)
    }
}

impl Default for Zstd {
    fn default() -> Self {
        Self { level: zstd::DEFAULT_COMPRESSION_LEVEL, threads: 0 }
    }
}

impl Transform for Zstd {
    fn name(&self) -> Cow<'_, str> {
        "zstd".into()
    }

    fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        self.compress(&bytes).map_err(|error| Failure::encode("zstd could not compress the value", error))
    }

    fn decode(&self, bytes: Bytes, limit: usize) -> Result<Bytes> {
        const TRIED: &str = "not a whole zstd frame";
        if bytes.is_empty() {
            return Err(Failure::decode(TRIED, "there are no bytes"));
        }
        let mut stream = decoder(&bytes, limit).map_err(|error| Failure::decode(TRIED, error))?;
        read_capped(&mut stream, TRIED, bytes.len(), limit).map(Bytes::from)
    }

    fn recognises(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
    }
}

/// A decoder that reserves no larger window than a value within `limit` can need.
fn decoder(bytes: &[u8], limit: usize) -> io::Result<Decoder<'static, &[u8]>> {
    let window = limit.max(1).checked_next_power_of_two().map_or(usize::BITS, usize::trailing_zeros);
    let mut decoder = Decoder::with_buffer(bytes)?;
    decoder.window_log_max(window.clamp(SMALLEST_WINDOW, LARGEST_WINDOW))?;
    Ok(decoder)
}

/// Bounds of a window's size, as powers of two. Writers that do not know the size beforehand declare windows up to 8 MiB
/// at the usual levels, however short the value, so those are always read; 128 MiB is what zstd itself allows.
const SMALLEST_WINDOW: u32 = 23;
const LARGEST_WINDOW: u32 = 27;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serializer::promises::check_transform;

    #[test]
    fn keeps_the_promises_of_a_transform() {
        for level in [-5, 1, 3, 19] {
            check_transform(&Zstd::with_level(level).unwrap());
        }
        check_transform(&Zstd::default().threads(2));
    }

    #[test]
    fn every_frame_carries_its_contents_size() {
        for threads in [0, 2] {
            for size in [0, 1, 255, 256, 100_000, 3_000_000] {
                let frame = Zstd::default().threads(threads).encode(vec![7; size]).unwrap();
                assert_eq!(zstd::zstd_safe::get_frame_content_size(&frame).unwrap(), Some(size as u64));
            }
        }
    }

    #[test]
    fn levels_are_checked() {
        for (level, works) in [("22", true), ("-7", true), ("23", false), ("high", false)] {
            let mut parameters = Parameters::from_iter([("compression-level", level)]);
            assert_eq!(Zstd::from_parameters(&mut parameters).is_ok(), works, "{level}");
        }
    }
}
