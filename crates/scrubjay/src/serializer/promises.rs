//! What every compressor promises, tried on payloads of many sizes and shapes.
#![allow(clippy::unwrap_used, clippy::expect_used)] // only tests come here

use bytes::Bytes;

use super::Transform;
use crate::ErrorKind;

pub(super) fn check_transform(transform: &impl Transform) {
    let mut noise = 1_u32;
    let mut random = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.to_be_bytes()[0]
    };
    for size in [0, 1, 3, 50, 1000, 70_000] {
        for payload in [vec![7; size], (0..size).map(|_| random()).collect()] {
            let packed = Bytes::from(transform.encode(payload.clone()).unwrap());
            assert!(transform.recognises(&packed));
            assert_eq!(transform.decode(packed.clone(), size).unwrap(), payload);

            let refused = |bytes: Bytes, limit: usize| {
                let error = transform.decode(bytes, limit).expect_err("damaged bytes were read");
                assert_eq!(error.kind(), ErrorKind::Decode);
            };
            if size > 0 {
                refused(packed.clone(), size - 1);
            }
            for end in (0..packed.len()).step_by(1 + packed.len() / 100) {
                refused(packed.slice(..end), size);
            }
            refused([&packed[..], b"more"].concat().into(), 2 * size + 10);
        }
    }
}
