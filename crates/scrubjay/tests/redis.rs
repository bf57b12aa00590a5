//! The behaviour suite and the model on real Redis servers: plain, by socket, with a password, over TLS, behind a sentinel,
//! and a cluster; and what only Redis has.
#![cfg(all(feature = "redis", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

mod servers;

use std::time::Duration;

use scrubjay::{
    Cache, Clock, ErrorKind, Memory,
    far::{Redis, Reply, StoreConfig},
    serializer::Json,
};
use scrubjay_testkit::{
    Subject,
    behaviour::{self, BEHAVIOURS},
    servers::{RedisCluster, RedisSentinel, RedisServer},
};

fn cache(store: Redis) -> scrubjay::Builder<String> {
    Cache::builder().far(store).serializer(Json)
}

/// Every behaviour, in a database of its own each.
fn behaves(url_of_db: impl Fn(usize) -> String + Sync, subject: impl Fn(Redis) -> Subject + Sync) {
    servers::behaves(6, |db| ((), subject(Redis::new(&url_of_db(db)).unwrap())));
}

fn far(store: Redis) -> Subject {
    Subject::far(store, Clock::System)
}

fn roomy() -> scrubjay_testkit::servers::RedisBuilder {
    RedisServer::builder().setting("databases", "200")
}

#[test]
fn one_server_behaves() {
    let server = roomy().start().unwrap();
    behaves(|db| format!("{}/{db}", server.url()), far);
}

#[test]
fn one_server_on_the_third_protocol_and_with_several_connections_behaves() {
    let server = roomy().start().unwrap();
    behaves(|db| format!("{}/{db}?protocol=3&pool=3", server.url()), far);
}

#[test]
fn a_near_tier_before_a_server_behaves() {
    let server = roomy().start().unwrap();
    let subject = |store| Subject::two_tiers(Memory::builder().build(), store);
    behaves(|db| format!("{}/{db}", server.url()), subject);
}

#[test]
fn a_server_with_a_user_behaves_by_its_socket() {
    let server = roomy().user("jay", "acorn").unix_socket().start().unwrap();
    behaves(|db| format!("{}?db={db}", server.url()), far);
}

#[cfg(feature = "tls")]
#[test]
fn a_server_over_tls_behaves() {
    let server = roomy().password("acorn").tls().start().unwrap();
    let ca = server.ca_certificate();
    behaves(|db| format!("{}/{db}?ca={}", server.url(), ca.display()), far);
}

#[test]
fn a_cluster_behaves() {
    let cluster = RedisCluster::start().unwrap();
    for behaviour in BEHAVIOURS {
        println!("{}", behaviour.name);
        let store = Redis::new(&cluster.url()).unwrap();
        let cache = cache(store.clone()).build().unwrap().blocking();
        cache.clear_server().unwrap();
        behaviour::run(behaviour.name, async { far(store) });
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_cluster_with_a_password_over_tls_behaves() {
    let cluster = RedisCluster::start_as(RedisServer::builder().password("acorn").tls()).unwrap();
    let url = format!("{}?ca={}", cluster.url(), cluster.nodes()[0].ca_certificate().display());
    let cache = cache(Redis::new(&url).unwrap()).build().unwrap().blocking();
    for behaviour in BEHAVIOURS.iter().step_by(4) {
        println!("{}", behaviour.name);
        cache.clear_server().unwrap();
        behaviour::run(behaviour.name, async { far(Redis::new(&url).unwrap()) });
    }
    // Nobody whom the web trusts vouches for it.
    let error = Cache::<String>::from_url(&cluster.url()).unwrap().blocking().get("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
}

#[test]
fn the_master_behind_a_sentinel_behaves_and_is_followed() {
    let sentinel = RedisSentinel::start().unwrap();
    let url = sentinel.url();
    let store = Redis::new(&url).unwrap();
    let cache = cache(store).build().unwrap().blocking();
    for behaviour in BEHAVIOURS.iter().step_by(4) {
        println!("{}", behaviour.name);
        cache.clear_server().unwrap();
        behaviour::run(behaviour.name, async { far(Redis::new(&url).unwrap()) });
    }
    cache.set("before", "kept".into()).unwrap();
    sentinel.failover();
    cache.set("after", "written".into()).unwrap();
    assert_eq!(cache.get("after").unwrap().as_deref(), Some("written"));
}

/// More sequences: `PROPTEST_CASES=10000 cargo test -p scrubjay --features redis --test redis model`.
#[test]
fn one_server_agrees_with_the_model() {
    let server = RedisServer::start().unwrap();
    let store = Redis::new(&server.url()).unwrap();
    servers::agrees_with_the_model(|| {
        server.command(&["FLUSHALL"]);
        far(store.clone())
    });
}

#[test]
fn urls_are_read_without_connecting() {
    for (url, shown) in [
        ("redis://", "redis://localhost:6379/0"),
        ("redis://me:hunter2@h:1/3?pool=4&protocol=3", "redis://h:1/3"),
        ("valkey://h", "valkey://h:6379/0"),
        #[cfg(feature = "tls")]
        ("valkeys-cluster://h", "valkeys-cluster://h:6379"),
        #[cfg(feature = "tls")]
        ("valkeys-sentinel://h/mymaster/2", "valkeys-sentinel://h:26379/2"),
        ("redis+unix:///run/redis.sock?db=2", "redis+unix:///run/redis.sock/2"),
        ("redis-cluster://a:1,b:2", "redis-cluster://a:1"),
        ("redis-sentinel://a,b:2/mymaster/3", "redis-sentinel://a:26379/3"),
    ] {
        let store = Redis::new(url).unwrap();
        assert_eq!(format!("{store:?}"), format!("Redis({shown})"));
    }
    for (url, told) in [
        ("redis://h/one", "expected a number"),
        ("redis://a,b/", "takes one host"),
        ("redis://h?poool=2", "unknown option `poool`; known: pool, protocol"),
        ("redis://h?pool=0", "expected 1 to 256"),
        ("redis+unix://", "expects a socket's path"),
        ("redis-cluster://h/1", "only the database 0"),
        ("redis-sentinel://h", "expects the master's name"),
        ("memcached://h", "unknown scheme `memcached`"),
    ] {
        let error = Redis::new(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(told), "{url}: {error}");
    }
    let set = StoreConfig::new("redis").host("h", Some(1)).db(3).user("me").password("hunter2").option("pool", "4");
    assert_eq!(set.build().unwrap().to_string(), "redis://h:1/3");
}

#[test]
fn a_client_that_the_program_has_can_be_used() {
    let server = RedisServer::builder().user("jay", "acorn").start().unwrap();
    let client = redis::Client::open(format!("{}/5", server.url())).unwrap();
    let cache = cache(Redis::from_client(&client).unwrap()).build().unwrap().blocking();
    cache.set("key", "value".into()).unwrap();
    assert_eq!(cache.get("key").unwrap().as_deref(), Some("value"));
    assert_eq!(cache.info().to_string().split_once("://").unwrap().0, "redis");
}

#[test]
fn raw_takes_any_command_and_leaves_the_shared_connection_as_it_was() {
    let server = RedisServer::start().unwrap();
    let cache = cache(Redis::new(&server.url()).unwrap()).build().unwrap().blocking();
    let raw = |words: &[&str]| cache.raw(words.iter().map(|word| (*word).to_owned())).unwrap();
    assert_eq!(raw(&["SET", "a", "1"]), Reply::Ok);
    assert_eq!(raw(&["SELECT", "5"]), Reply::Ok);
    assert_eq!(raw(&["GET", "a"]), Reply::Bytes("1".into()));
    assert_eq!(raw(&["RPUSH", "list", "x"]), Reply::Integer(1));
    assert_eq!(raw(&["BLPOP", "list", "1"]), Reply::Array(vec![Reply::Bytes("list".into()), Reply::Bytes("x".into())]));
    assert_eq!(raw(&["GET", "absent"]), Reply::Nil);
    assert!(matches!(raw(&["SUBSCRIBE", "one", "two"]), Reply::Array(_)));
    assert_eq!(raw(&["GET", "a"]), Reply::Bytes("1".into()));
    let error = cache.raw(["NOSUCH".to_owned(), "hunter2".to_owned()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(!format!("{error:?}").contains("hunter2"), "{error}");
}

#[test]
fn clear_of_a_namespace_takes_its_glob_characters_literally() {
    let server = RedisServer::start().unwrap();
    for namespace in ["*", "?", "[a-z]", "\\", "user"] {
        let store = Redis::new(&server.url()).unwrap();
        let cache = cache(store).namespace(namespace).build().unwrap().blocking();
        let other = cache.with().namespace("users");
        other.set("other", "stays".into()).unwrap();
        cache.set_many((0..1500).map(|n| (format!("{n}"), String::new()))).unwrap();
        cache.clear().unwrap();
        assert_eq!(cache.get("7").unwrap(), None);
        assert_eq!(server.command(&["DBSIZE"]), "1", "{namespace}");
    }
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let server = RedisServer::builder().password("acorn").start().unwrap();
    for url in ["redis://:hunter2@", "redis://me:hunter2@", "redis://", "redis://:hunter2@"] {
        for protocol in [2, 3] {
            let url = format!("{url}127.0.0.1:{}?protocol={protocol}", server.port());
            let cache = Cache::<String>::from_url(&url).unwrap().blocking();
            let error = cache.get("key").unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false), "{error}");
            assert!(!format!("{error:?} {error} {cache:?}", cache = cache.info()).contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn a_server_without_echo_for_us_still_works() {
    let server = RedisServer::start().unwrap();
    server.command(&["ACL", "SETUSER", "jay", "on", ">acorn", "~*", "+@read", "+@write", "+select"]);
    let url = format!("redis://jay:acorn@127.0.0.1:{}", server.port());
    let cache = Cache::<String>::from_url(&url).unwrap().blocking();
    cache.with().ttl(Duration::from_secs(60)).set("key", "value".into()).unwrap();
    assert_eq!(cache.get("key").unwrap().as_deref(), Some("value"));
}
