//! A decompression bomb is refused without taking the memory it asks for. Alone in its process, which it measures.
#![cfg(all(target_os = "linux", feature = "zlib", feature = "zstd", feature = "lz4"))]
#![allow(clippy::unwrap_used)] // a test that fails panics, its helpers too

use std::io::{self, Read, Write};

use scrubjay::{ErrorKind, serializer};

const BOMB: u64 = 128 << 20;
const LIMIT: u64 = 1 << 20;
/// A limit's worth of value, as much again while it grows, and a compressor's own windows.
const ALLOWED: u64 = 24 << 20;

#[test]
fn a_bomb_takes_no_more_memory_than_the_limit() {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    fill(&mut zlib);
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    fill(&mut zstd);
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    fill(&mut lz4);

    for (name, bomb) in
        [("zlib", zlib.finish().unwrap()), ("zstd", zstd.finish().unwrap()), ("lz4", lz4.finish().unwrap())]
    {
        let serializer = serializer::from_url::<Vec<u8>>(&format!("{name}?max-decompressed={LIMIT}")).unwrap();
        let before = peak_memory();
        let error = serializer.decode(&bomb.into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("larger than"), "{name}: {error}");
        let taken = peak_memory() - before;
        assert!(taken < ALLOWED, "{name} took {taken} bytes");
    }
}

fn fill(encoder: &mut impl Write) {
    io::copy(&mut io::repeat(7).take(BOMB), encoder).unwrap();
}

/// The most memory that this process ever had, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
