//! Every verb against a real server, in both dialects.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program: a failure is a panic, figures are printed"
)]

mod support;

use std::time::Duration;

use scrubjay_memcached::{Client, Dialect, ErrorKind, Initial, Item, Mode, Outcome, Want};
use support::Server;

const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

fn clients(server: &Server) -> [Client; 2] {
    let classic = Client::builder().server(&server.address()).dialect(Dialect::Classic).build().unwrap();
    [Client::new(&server.address()).unwrap(), classic]
}

#[tokio::test]
async fn values_come_back() {
    let server = Server::start();
    for client in clients(&server) {
        assert_eq!(client.get("a").await.unwrap(), None);
        client.set("a", "1", None).await.unwrap();
        client.set("empty", "", HOUR).await.unwrap();
        client.set("lines", "\r\nEND\r\n", HOUR).await.unwrap();
        assert_eq!(client.get("a").await.unwrap().unwrap(), "1");
        assert_eq!(client.get("empty").await.unwrap().unwrap(), "");
        assert_eq!(client.get("lines").await.unwrap().unwrap(), "\r\nEND\r\n");
        assert!(client.delete("a").await.unwrap());
        assert!(!client.delete("a").await.unwrap());
        client.flush_all().await.unwrap();
        assert_eq!(client.get("empty").await.unwrap(), None);
    }
}

#[tokio::test]
async fn conditional_writes() {
    let server = Server::start();
    for client in clients(&server) {
        client.flush_all().await.unwrap();
        let store = async |mode, value: &str| client.store(mode, &Item::new("k", value, None)).await.unwrap();
        assert_eq!(store(Mode::Replace, "x").await, Outcome::NotStored);
        assert_eq!(store(Mode::Append, "x").await, Outcome::NotStored);
        assert!(client.add("k", "b", HOUR).await.unwrap());
        assert!(!client.add("k", "c", HOUR).await.unwrap());
        assert_eq!(store(Mode::Append, "c").await, Outcome::Done);
        assert_eq!(store(Mode::Prepend, "a").await, Outcome::Done);
        let found = client.fetch("k", Want::VALUE_AND_CAS).await.unwrap().unwrap();
        assert_eq!(found.value, "abc");
        assert_eq!(client.compare_and_set("k", "new", None, found.cas).await.unwrap(), Outcome::Done);
        assert_eq!(client.compare_and_set("k", "late", None, found.cas).await.unwrap(), Outcome::Changed);
        assert_eq!(client.compare_and_set("none", "x", None, 1).await.unwrap(), Outcome::Absent);
        assert_eq!(client.get("k").await.unwrap().unwrap(), "new");
    }
}

#[tokio::test]
async fn delete_by_version_is_for_meta_servers() {
    let server = Server::start();
    let [meta, classic] = clients(&server);
    meta.set("k", "v", None).await.unwrap();
    let cas = meta.fetch("k", Want::VALUE_AND_CAS).await.unwrap().unwrap().cas;
    assert_eq!(meta.compare_and_delete("k", cas + 1).await.unwrap(), Outcome::Changed);
    assert_eq!(meta.compare_and_delete("k", cas).await.unwrap(), Outcome::Done);
    assert_eq!(meta.compare_and_delete("k", cas).await.unwrap(), Outcome::Absent);
    let error = classic.compare_and_delete("k", cas).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Unsupported, true));
    assert_eq!(classic.fetch("k", Want::TTL).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(classic.inspect("k").await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn counters_are_made_and_stop_at_zero() {
    let server = Server::start();
    for client in clients(&server) {
        client.flush_all().await.unwrap();
        assert_eq!(client.increment("n", 1, None).await.unwrap(), None);
        let initial = Some(Initial { value: 5, ttl: HOUR });
        assert_eq!(client.increment("n", 1, initial).await.unwrap(), Some(5));
        assert_eq!(client.increment("n", 6, initial).await.unwrap(), Some(11));
        assert_eq!(client.decrement("n", 2, None).await.unwrap(), Some(9));
        assert_eq!(client.decrement("n", 9, None).await.unwrap(), Some(0));
        assert_eq!(client.decrement("n", 1, None).await.unwrap(), Some(0));
        assert_eq!(client.increment("n", 0, None).await.unwrap(), Some(0));
        assert_eq!(client.increment("n", u64::MAX, None).await.unwrap(), Some(u64::MAX));
        assert_eq!(client.increment("n", 2, None).await.unwrap(), Some(1));
        for text in ["text", "", "-5", "1.5"] {
            client.set("n", text, None).await.unwrap();
            let error = client.increment("n", 1, None).await.unwrap_err();
            assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::NotANumber, false), "{text:?}");
        }
    }
    let meta = &clients(&server)[0];
    meta.delete("n").await.unwrap();
    meta.increment("n", 1, Some(Initial { value: 1, ttl: HOUR })).await.unwrap();
    let ttl = meta.fetch("n", Want::TTL).await.unwrap().unwrap().ttl.unwrap();
    assert!(ttl <= Duration::from_secs(3600) && ttl > Duration::from_secs(3590), "{ttl:?}");
}

#[tokio::test]
async fn many_counters_are_made_once() {
    let server = Server::start();
    for client in clients(&server) {
        client.delete("n").await.unwrap();
        let count = || client.increment("n", 1, Some(Initial { value: 1, ttl: None }));
        let results = futures_util::future::join_all((0..100).map(|_| count())).await;
        let mut numbers: Vec<u64> = results.into_iter().map(|result| result.unwrap().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn ttls_of_any_length_hold() {
    let server = Server::start();
    let client = &clients(&server)[0];
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    for ttl in [Duration::from_secs(2), days(30), days(31), days(365)] {
        client.set("k", "v", Some(ttl)).await.unwrap();
        let left = client.fetch("k", Want::VALUE_AND_TTL).await.unwrap().expect("not lost").ttl.unwrap();
        // The server's clock ticks once a second, and its second is not ours.
        assert!(left <= ttl + Duration::from_secs(1) && left + Duration::from_secs(2) >= ttl, "{ttl:?}: {left:?}");
        assert!(client.touch("k", None).await.unwrap());
        assert_eq!(client.fetch("k", Want::TTL).await.unwrap().unwrap().ttl, None);
        assert!(client.touch("k", Some(ttl)).await.unwrap());
        assert!(client.fetch("k", Want::TTL).await.unwrap().unwrap().ttl.is_some());
    }
    assert!(!client.touch("none", None).await.unwrap());
    for ttl in [Duration::ZERO, Duration::MAX, days(365 * 100)] {
        let error = client.set("k", "v", Some(ttl)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::InvalidTtl, true));
        assert_eq!(client.touch("k", Some(ttl)).await.unwrap_err().kind(), ErrorKind::InvalidTtl);
    }
}

#[tokio::test]
async fn a_short_ttl_ends() {
    let server = Server::start();
    for client in clients(&server) {
        client.set("k", "v", Some(Duration::from_millis(1))).await.unwrap();
        let end = tokio::time::Instant::now() + Duration::from_secs(5);
        while client.get("k").await.unwrap().is_some() {
            assert!(tokio::time::Instant::now() < end);
        }
    }
}

#[tokio::test]
async fn everything_of_an_entry_in_one_round_trip() {
    let server = Server::start();
    for (client, want) in clients(&server).into_iter().zip([Want::ALL, Want::VALUE_AND_CAS]) {
        client.store(Mode::Set, &Item::new("k", "v", HOUR).flags(77)).await.unwrap();
        let found = client.fetch("k", want).await.unwrap().unwrap();
        assert_eq!(found.value, "v");
        assert!(found.cas > 0);
        assert_eq!(found.ttl.is_some(), want.ttl);
        assert_eq!(found.flags, if want.flags { 77 } else { 0 });
        let presence = client.fetch("k", Want::PRESENCE).await.unwrap().unwrap();
        assert!(presence.value.is_empty());
        assert_eq!(client.fetch("none", Want::PRESENCE).await.unwrap(), None);
    }
}

#[tokio::test]
async fn batches_keep_order_and_duplicates() {
    let server = Server::start();
    let long = "x".repeat(250);
    let kinds = ["key ", "key", &*long];
    for (client, kind) in clients(&server).iter().flat_map(|client| kinds.map(|kind| (client, kind))) {
        let keys: Vec<String> = (0..2_500).map(|number| format!("{kind}{number}")).collect();
        let values: Vec<String> = keys.iter().map(|key| key.replace(kind, "value ")).collect();
        let items: Vec<_> = keys.iter().zip(&values).map(|(key, value)| Item::new(key, value, HOUR)).collect();
        client.set_many(&items).await.unwrap();
        client.delete(&keys[7]).await.unwrap();
        let asked: Vec<&String> = keys.iter().chain(&keys[..10]).collect();
        let found = client.get_many(&asked).await.unwrap();
        for (key, value) in asked.iter().zip(&found) {
            let expected = (**key != keys[7]).then(|| key.replace(kind, "value "));
            assert_eq!(value.as_deref(), expected.as_deref().map(str::as_bytes));
        }
        let deleted = client.delete_many(&[&keys[0], &keys[7], &keys[0]]).await.unwrap();
        assert_eq!(deleted, [true, false, false]);
        assert!(client.get_many::<&str>(&[]).await.unwrap().is_empty());
        client.set_many(&[]).await.unwrap();
        client.set_many(&[Item::new("twice", "one", None), Item::new("twice", "two", None)]).await.unwrap();
        assert_eq!(client.get("twice").await.unwrap().unwrap(), "two");
    }
}

#[tokio::test]
async fn too_large_is_said_by_name() {
    let server = Server::start();
    for client in clients(&server) {
        let large = vec![b'x'; 1_100_000];
        let error = client.set("big", &large, None).await.unwrap_err();
        assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::TooLarge, false), "{error}");
        assert!(error.to_string().contains(&server.address()), "{error}");
        // The connection is as good as before.
        client.set("small", "v", None).await.unwrap();
        assert_eq!(client.get("small").await.unwrap().unwrap(), "v");
        let nearly = vec![b'x'; 1_000_000];
        client.set("nearly", &nearly, None).await.unwrap();
        assert_eq!(client.get("nearly").await.unwrap().unwrap(), nearly);
        let error = client.set_many(&[Item::new("a", "v", None), Item::new("big", &large, None)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
    let careful = Client::builder().server(&server.address()).largest_value(10).build().unwrap();
    let error = careful.set("k", "eleven chars", None).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::TooLarge, true));
    assert_eq!(careful.get("nearly").await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn the_server_tells_about_itself() {
    let server = Server::start();
    for client in clients(&server) {
        let versions = client.version().await.unwrap();
        assert!(versions[0].1.starts_with("1."), "{versions:?}");
        client.set("k", "v", None).await.unwrap();
        let stats = client.stats("").await.unwrap();
        assert!(stats[0].1.iter().any(|(name, value)| name == "pid" && value.parse::<u32>().is_ok()));
        assert!(client.stats("items").await.unwrap()[0].1.iter().any(|(name, _)| name.starts_with("items:")));
        assert!(client.stats("reset").await.unwrap()[0].1.is_empty());
        assert_eq!(client.stats("a\r\nflush_all").await.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    let client = &clients(&server)[0];
    client.set("odd key", "v", None).await.unwrap();
    assert!(client.inspect("k").await.unwrap().unwrap().starts_with("k exp="));
    assert!(client.inspect("odd key").await.unwrap().is_some());
    assert_eq!(client.inspect("none").await.unwrap(), None);
}

#[tokio::test]
async fn raw_lines_harm_nobody() {
    let server = Server::start();
    for client in clients(&server) {
        let address = client.servers().next().unwrap().clone();
        let raw = async |line: &str, data: Option<&[u8]>| client.raw(&address, line, data).await;
        assert_eq!(raw("set k 0 0 1", Some(b"v")).await.unwrap(), ["STORED"]);
        assert_eq!(raw("get k", None).await.unwrap(), ["VALUE k 0 1", "v", "END"]);
        assert_eq!(raw("mg k v", None).await.unwrap(), ["VA 1", "v"]);
        assert_eq!(raw("nonsense", None).await.unwrap(), ["ERROR"]);
        assert_eq!(raw("delete k noreply", None).await.unwrap(), Vec::<&str>::new());
        assert!(raw("version", None).await.unwrap()[0].starts_with(b"VERSION"));
        for line in ["", "a\r\nb", "a\0", &"x".repeat(3_000)] {
            assert_eq!(raw(line, None).await.unwrap_err().kind(), ErrorKind::Unsupported);
        }
        // The server waits for a value that never comes; nobody else notices.
        let hanging = client.timeout(Duration::from_millis(50));
        let (hung, others) = tokio::join!(hanging.raw(&address, "set k 0 0 1000", None), client.get("k"));
        assert_eq!(hung.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(others.unwrap(), None);
        assert!(raw("quit", None).await.is_err());
        assert_eq!(
            client.raw(&"elsewhere".parse().unwrap(), "version", None).await.unwrap_err().kind(),
            ErrorKind::Config
        );
    }
}
