//! Keys on their way to a memcached: legal there, one line a command, and no two in one slot.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use scrubjay_memcached::{
    Dialect, Want,
    wire::{self, Encoder, Key, LONGEST_KEY, Request},
};

fuzz_target!(|keys: [&[u8]; 2]| {
    for dialect in [Dialect::Meta, Dialect::Classic] {
        let [one, other] = keys.map(|raw| slot(raw, dialect));
        assert_eq!(one == other, keys[0] == keys[1], "{keys:?}");
        for raw in keys {
            let mut line = BytesMut::new();
            let request = Request::Get { key: raw, want: Want::VALUE };
            Encoder::new(dialect, 7, 0).encode(&request, &mut line).expect("every key can be asked for");
            let body = line.strip_suffix(b"\r\n").expect("a line ends");
            assert!(!body.iter().any(u8::is_ascii_control), "{raw:?}");
        }
    }
});

/// What the server keeps the entry under.
fn slot(raw: &[u8], dialect: Dialect) -> Vec<u8> {
    let mut written = BytesMut::new();
    let key = wire::key(raw, dialect);
    key.write(&mut written);
    let odd = |&byte: &u8| byte <= b' ' || byte == 0x7f;
    assert!((1..=LONGEST_KEY).contains(&written.len()) && !written.iter().any(odd), "{raw:?}");
    // It reads base64.
    if let Key::Encoded(raw) = key { raw.to_vec() } else { written.to_vec() }
}
