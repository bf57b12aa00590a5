//! What must not happen however the network, the server, the caller or a key fails. Each test prints its figure.
#![cfg(all(feature = "memcached", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

mod faults;

use std::collections::{HashMap, HashSet};

use bytes::BytesMut;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use scrubjay::{Cache, ErrorKind};
use scrubjay_memcached::{
    Dialect,
    wire::{self, Key, LONGEST_KEY},
};
use scrubjay_testkit::{
    proxy::HostileServer,
    servers::{MemcachedBuilder, MemcachedServer},
};

use self::faults::Target;

impl Target for MemcachedServer {
    const SCHEME: &'static str = "memcached";
    const SURPLUS: &'static str = "VA 4 O1\r\n\"no\"\r\n";

    fn start() -> Self {
        Self::start().unwrap()
    }

    fn url(&self) -> String {
        self.url()
    }

    fn port(&self) -> u16 {
        self.port()
    }

    /// Beside the one that asks.
    fn clients(&self) -> usize {
        self.stats()["curr_connections"].parse::<usize>().unwrap() - 1
    }

    fn pause(&self) {
        self.pause();
    }

    fn resume(&self) {
        self.resume();
    }

    fn kill(&self) {
        self.kill();
    }

    fn restart(&self) {
        self.restart();
    }
}

faults::fault_tests!(MemcachedServer);

#[tokio::test]
async fn hostile_replies_are_errors() {
    faults::hostile_replies_are_errors::<MemcachedServer>(&[
        ("huge length", "VA 8000000000 O0\r\n".into()),
        ("negative length", "VA -7 O0\r\n".into()),
        ("no length", "VA\r\n".into()),
        ("a value longer than said", "VA 1 O0\r\nxyz\r\n".into()),
        ("another's token", "VA 1 O99\r\nx\r\n".into()),
        ("no token", "EN\r\n".into()),
        ("an older server's reply", "VALUE key 0 8000000000\r\n".into()),
        ("a long line", "x".repeat(100_000)),
        ("garbage", "HTTP/1.1 400 Bad Request\r\n\r\n".into()),
        ("binary", "\u{1}\0\0\0".repeat(100)),
    ])
    .await;
    let endless = ["x".repeat(1 << 16), "EN\r\n".repeat(1 << 14), "VALUE key 0 1\r\nx\r\n".repeat(1 << 12)];
    faults::endless_replies_are_errors::<MemcachedServer>(&endless).await;
}

#[tokio::test]
async fn a_server_that_quotes_the_password_is_not_quoted() {
    for reply in ["ERROR jay hunter2\r\n", "STORED\r\nERROR jay hunter2\r\n", "jay hunter2\r\n"] {
        let server = HostileServer::start(reply).unwrap();
        let url = format!("memcached://jay:hunter2@{}", server.address());
        let cache = Cache::<String>::from_url(&url).unwrap();
        let error = cache.get("key").await.unwrap_err();
        let shown = format!("{error} {error:?} {:?} {cache:?}", cache.info());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

/// Keys that try to be more than keys: commands, ends of lines, other keys' codes, every length around the limits.
fn keys() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9+/=_-]{1,20}",
        "\\PC{1,12}",
        "[\\x00-\\x20\\x7f]{1,3}",
        Just("\r\nflush_all\r\n".to_owned()),
        Just("\r\nset injected 0 0 1\r\nx\r\n".to_owned()),
        Just(" b O1\r\nms injected 1\r\nx\r\n".to_owned()),
        Just("~#".to_owned()),
        "~#[A-Za-z0-9_-]{32}",
        (180..260usize).prop_map(|length| "k".repeat(length)),
    ];
    prop_oneof![8 => proptest::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat()), 1 => "[ab ]{0,6}"]
}

fn each_key(count: usize, mut check: impl FnMut(String)) {
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    let keys = keys();
    (0..count).for_each(|_| check(keys.new_tree(&mut runner).unwrap().current()));
}

#[test]
fn a_million_fuzzed_keys_are_legal_on_the_wire_and_share_no_slot() {
    const KEYS: usize = 1_000_000;
    let (mut whose, mut distinct, mut hashed): (HashMap<u128, u128>, usize, usize) = Default::default();
    let digest = |bytes: &[u8]| {
        use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
        let half = |salt: u8| u128::from(BuildHasherDefault::<DefaultHasher>::default().hash_one((salt, bytes)));
        half(0) << 64 | half(1)
    };
    let mut wire = BytesMut::new();
    each_key(KEYS, |raw| {
        for dialect in [Dialect::Meta, Dialect::Classic] {
            let key = wire::key(raw.as_bytes(), dialect);
            wire.clear();
            key.write(&mut wire);
            let legal = wire.iter().all(|&byte| byte > b' ' && byte != 0x7f);
            assert!(legal && (1..=LONGEST_KEY).contains(&wire.len()), "{raw:?} goes as {wire:?}");
            if dialect == Dialect::Meta {
                // The server reads base64: the bytes themselves are the slot.
                let slot = digest(if let Key::Encoded(raw) = key { raw } else { &wire });
                if matches!(key, Key::Hashed(_)) {
                    hashed += 1;
                    let imitation = wire::key(&wire, dialect);
                    assert!(matches!(imitation, Key::Hashed(_)), "a key that reads {wire:?} meets that of {raw:?}");
                }
                let owner = *whose.entry(slot).or_insert_with(|| {
                    distinct += 1;
                    digest(raw.as_bytes())
                });
                assert_eq!(owner, digest(raw.as_bytes()), "{raw:?} goes as {wire:?}, as another key does");
            }
        }
    });
    println!("{KEYS} fuzzed keys, {distinct} distinct: 0 illegal, 0 share a slot; {hashed} of them hashed");
    assert!(distinct > KEYS / 2 && hashed > KEYS / 20);
}

#[tokio::test]
async fn fuzzed_keys_come_back_from_a_server_and_carry_no_command_to_it() {
    const KEYS: usize = 20_000;
    let server = MemcachedBuilder::default().start().unwrap();
    let cache = Cache::<String>::from_url(&server.url()).unwrap();
    let mut keys = HashSet::new();
    each_key(KEYS, |key| {
        keys.insert(key);
    });
    let keys: Vec<_> = keys.into_iter().collect();
    let mut invalid = 0;
    for batch in keys.chunks(500) {
        match cache.set_many(batch.iter().map(|key| (key, key.clone()))).await {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidKey, "{error}");
                invalid += batch.len();
            }
        }
    }
    for batch in keys.chunks(500) {
        let values = cache.get_many(batch).await.unwrap();
        assert!(values.iter().zip(batch).all(|(value, key)| value.as_ref() == Some(key)));
    }
    let stats = server.stats();
    let count = |name: &str| stats[name].parse::<usize>().unwrap();
    println!(
        "{} keys on a server: {invalid} invalid, {} sets, {} items, {} flushes",
        keys.len(),
        count("cmd_set"),
        count("curr_items"),
        count("cmd_flush")
    );
    assert_eq!((count("cmd_set"), count("curr_items"), count("cmd_flush")), (keys.len(), keys.len(), 0));
    assert_eq!(cache.get("injected").await.unwrap(), None);
}
