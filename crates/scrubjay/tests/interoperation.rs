//! Entries that aiocache, pycached and cachetory write are read here, and the other way round, on the same servers.
//!
//! Each pair of a library and a serializer is checked with several namespaces, both ways, value by value and verb by verb;
//! `interoperation/peer.py` is the Python side. Its packages are pinned in `interoperation/requirements.txt` and installed
//! by `cargo xtask test setup`. Where they are missing this says so, and fails in CI.
#![cfg(all(
    feature = "memcached",
    feature = "redis",
    feature = "msgpack",
    feature = "pickle",
    feature = "zlib",
    feature = "zstd",
    unix
))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

#[path = "interoperation/peer.rs"]
mod peer;
#[path = "interoperation/plain.rs"]
mod plain;

use std::time::Duration;

use scrubjay::{Cache, ErrorKind, Lookup, MissReason, Remaining, blocking};
use scrubjay_testkit::servers::{MemcachedServer, RedisServer};
use serde_json::json;

use self::{
    peer::{Peer, Place},
    plain::Plain,
};

/// A library with one of its serializers, and what it can do with it on its servers.
struct Pair {
    library: &'static str,
    /// By our name, which is cachetory's too.
    serializer: &'static str,
    verbs: &'static [&'static str],
}

const AIOCACHE: &[&str] = &["ttl", "add", "delete", "many", "increment"];
/// Counters are decimal text, which these serializers cannot read, on either side.
const AIOCACHE_IN_BYTES: &[&str] = &["ttl", "add", "delete", "many"];
/// Its `add` asks redis-py for what never was there; `pickle` and `msgpack` fail on Redis for the same kind of reason.
const PYCACHED: &[&str] = &["ttl", "delete", "many", "increment"];
const CACHETORY: &[&str] = &["ttl", "add", "delete", "many"];

const fn pair(library: &'static str, serializer: &'static str, verbs: &'static [&'static str]) -> Pair {
    Pair { library, serializer, verbs }
}

const ON_REDIS: &[Pair] = &[
    pair("aiocache", "text", AIOCACHE),
    pair("aiocache", "json", AIOCACHE),
    pair("aiocache", "pickle", AIOCACHE_IN_BYTES),
    pair("aiocache", "msgpack", AIOCACHE_IN_BYTES),
    pair("pycached", "text", PYCACHED),
    pair("pycached", "json", PYCACHED),
    pair("cachetory", "json", CACHETORY),
    pair("cachetory", "pickle", CACHETORY),
    pair("cachetory", "msgpack", CACHETORY),
    pair("cachetory", "pickle+zlib", CACHETORY),
    pair("cachetory", "pickle+zstd", CACHETORY),
    pair("cachetory", "msgpack+zstd", CACHETORY),
];

const ON_MEMCACHED: &[Pair] = &[
    pair("aiocache", "text", AIOCACHE),
    pair("aiocache", "json", AIOCACHE),
    pair("aiocache", "pickle", AIOCACHE_IN_BYTES),
    pair("aiocache", "msgpack", AIOCACHE_IN_BYTES),
];

const NAMESPACES: [&str; 4] = ["", "main", "naïve", "a:b"];

/// A ttl, and how much of it may have passed before it is read: no machine is that slow.
const TTL: Duration = Duration::from_secs(1000);
const SLACK: Duration = Duration::from_secs(100);

#[test]
fn entries_on_redis_are_shared_with_the_python_originals() {
    let Some(mut peer) = Peer::start() else { return };
    let server = RedisServer::start().unwrap();
    println!("{HEAD}");
    for pair in ON_REDIS {
        let counts = |namespace| check(&mut peer, pair, "redis", server.port(), namespace);
        tell(pair, "redis", NAMESPACES.map(counts).into_iter().sum());
    }
}

#[test]
fn entries_on_memcached_are_shared_with_the_python_originals() {
    let Some(mut peer) = Peer::start() else { return };
    let server = MemcachedServer::start().unwrap();
    println!("{HEAD}");
    for pair in ON_MEMCACHED {
        let counts = |namespace| check(&mut peer, pair, "memcached", server.port(), namespace);
        tell(pair, "memcached", NAMESPACES.map(counts).into_iter().sum());
    }
}

#[test]
fn a_namedtuple_is_a_typed_error_and_no_value() {
    let Some(mut peer) = Peer::start() else { return };
    let server = RedisServer::start().unwrap();
    for library in ["aiocache", "cachetory"] {
        let place = Place { library, server: "redis", port: server.port(), serializer: "pickle", namespace: library };
        peer.ask(&place, "set", json!(["jay", { "namedtuple": "Nutkin" }, null]));
        let found = ours(&place).lookup("jay").unwrap();
        let Lookup::Miss(MissReason::Undecodable(error)) = found else { panic!("{library}: {found:?}") };
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    }
}

const HEAD: &str = "\nlibrary    server     serializer    read here  read there  verbs";

/// How many values went there and came back.
fn tell(pair: &Pair, server: &str, values: usize) {
    let Pair { library, serializer, verbs } = pair;
    println!("{library:<10} {server:<10} {serializer:<13} {values:>9}  {values:>10}  {}", verbs.join(" "));
}

/// The cache that shares its entries with the one at `place`.
fn ours(place: &Place) -> blocking::Cache<Plain> {
    let Place { library, server, port, serializer, namespace } = place;
    let layout = if *library == "cachetory" { "cachetory".to_owned() } else { format!("{library}-{server}") };
    let url = format!(
        "{server}://127.0.0.1:{port}?serializer={serializer}&key-layout={layout}&namespace={namespace}&timeout=30s"
    );
    Cache::from_url(&url).unwrap().blocking()
}

/// Everything that can be shared in one namespace. Answers how many values there were.
fn check(peer: &mut Peer, pair: &Pair, server: &'static str, port: u16, namespace: &'static str) -> usize {
    let Pair { library, serializer, verbs } = *pair;
    // Without a namespace libraries would see each other's keys.
    let key = |name: &str| format!("{library}/{serializer}/{name}");
    let place = Place { library, server, port, serializer, namespace };
    let (cache, shown) = (ours(&place), format!("{library} {serializer} in {namespace:?} on {server}"));
    let values = plain::values(library, serializer);
    for (number, value) in values.iter().enumerate() {
        let (theirs, mine) = (key(&format!("theirs é:{number}")), key(&format!("mine é:{number}")));
        // On memcached aiocache changes spaces into something else.
        let [theirs, mine] = [theirs, mine].map(|key| if server == "memcached" { key.replace(' ', "-") } else { key });
        let expected = if serializer == "text" { value.as_text() } else { value.clone() };

        peer.ask(&place, "set", json!([theirs, value.to_wire(), null]));
        assert_eq!(cache.get(&theirs).unwrap(), Some(expected.clone()), "{shown}: they wrote {value:?}");
        assert_eq!(cache.ttl(&theirs).unwrap(), Remaining::Never, "{shown}");

        cache.set(&mine, value.clone()).unwrap();
        assert_eq!(peer.ask(&place, "get", json!([mine])), expected.to_wire(), "{shown}: scrubjay wrote {value:?}");
        assert_eq!(peer.ask(&place, "exists", json!([mine])), json!(true), "{shown}: scrubjay wrote {value:?}");
    }

    if verbs.contains(&"ttl") {
        ttls(peer, &place, &cache, &key("ttl"));
    }
    if verbs.contains(&"add") {
        adds(peer, &place, &cache, &key("add"));
    }
    if verbs.contains(&"delete") {
        deletes(peer, &place, &cache, &key("delete"));
    }
    if verbs.contains(&"many") {
        batches(peer, &place, &cache, &key("many"));
    }
    if verbs.contains(&"increment") {
        counters(peer, &place, &cache, &key("counter"));
    } else if serializer == "json" {
        assert_eq!(cache.increment(key("counter"), 1).unwrap(), 1);
        assert_eq!(peer.ask(&place, "get", json!([key("counter")])), json!(1), "{shown}");
    }
    values.len()
}

fn text(text: &str) -> Plain {
    Plain::Text(text.to_owned())
}

fn ttls(peer: &mut Peer, place: &Place, cache: &blocking::Cache<Plain>, key: &str) {
    peer.ask(place, "set", json!([key, "brief", TTL.as_secs()]));
    let Remaining::For(left) = cache.ttl(key).unwrap() else { panic!("{place:?}: no ttl") };
    assert!(left <= TTL && left + SLACK > TTL, "{place:?}: {left:?}");

    cache.with().ttl(2 * TTL).set(key, text("longer")).unwrap();
    // The protocol that aiocache speaks to memcached cannot ask for it.
    if place.server == "redis" {
        let left = Duration::from_secs(peer.ask(place, "ttl", json!([key])).as_u64().unwrap());
        assert!(left <= 2 * TTL && left + SLACK > 2 * TTL, "{place:?}: {left:?}");
    }
}

fn adds(peer: &mut Peer, place: &Place, cache: &blocking::Cache<Plain>, key: &str) {
    assert_eq!(peer.ask(place, "add", json!([key, "theirs"])), json!(true), "{place:?}");
    assert!(!cache.add(key, text("mine")).unwrap(), "{place:?}");
    assert_eq!(cache.get(key).unwrap(), Some(text("theirs")), "{place:?}");
    cache.delete(key).unwrap();
    assert!(cache.add(key, text("mine")).unwrap(), "{place:?}");
    assert_eq!(peer.ask(place, "add", json!([key, "theirs"])), json!(false), "{place:?}");
    assert_eq!(peer.ask(place, "get", json!([key])), json!("mine"), "{place:?}");
}

fn deletes(peer: &mut Peer, place: &Place, cache: &blocking::Cache<Plain>, key: &str) {
    peer.ask(place, "set", json!([key, "theirs", null]));
    assert!(cache.delete(key).unwrap(), "{place:?}");
    assert_eq!(peer.ask(place, "exists", json!([key])), json!(false), "{place:?}");
    cache.set(key, text("mine")).unwrap();
    assert_eq!(peer.ask(place, "delete", json!([key])), json!(true), "{place:?}");
    assert!(!cache.exists(key).unwrap(), "{place:?}");
}

fn batches(peer: &mut Peer, place: &Place, cache: &blocking::Cache<Plain>, key: &str) {
    let [a, b, absent] = ["a", "b", "absent"].map(|name| format!("{key}-{name}"));
    peer.ask(place, "set_many", json!([[[a, "one"], [b, "two"]]]));
    let found = cache.get_many([&a, &absent, &b]).unwrap();
    assert_eq!(found, [Some(text("one")), None, Some(text("two"))], "{place:?}");
    cache.set_many([(&a, text("three")), (&b, text("four"))]).unwrap();
    let found = peer.ask(place, "get_many", json!([[b, absent, a]]));
    assert_eq!(found, json!(["four", null, "three"]), "{place:?}");
}

fn counters(peer: &mut Peer, place: &Place, cache: &blocking::Cache<Plain>, key: &str) {
    assert_eq!(peer.ask(place, "increment", json!([key, 5])), json!(5), "{place:?}");
    assert_eq!(cache.increment(key, 2).unwrap(), 7, "{place:?}");
    assert_eq!(peer.ask(place, "increment", json!([key, -1])), json!(6), "{place:?}");
    let number = if place.serializer == "text" { text("6") } else { Plain::Int(6) };
    assert_eq!(cache.get(key).unwrap(), Some(number.clone()), "{place:?}");
    assert_eq!(peer.ask(place, "get", json!([key])), number.to_wire(), "{place:?}");
}
