//! A server that does not accept who we are, or forbids what we do: a configuration error, which no load goes on without.
#![cfg(all(feature = "redis", feature = "memcached", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use scrubjay::{Cache, Error, ErrorKind};
use scrubjay_testkit::{
    proxy::HostileServer,
    servers::{MemcachedServer, RedisCluster, RedisServer},
};

/// Every kind of call on `key` is refused as a configuration error, and no loader is called.
async fn is_refused(name: &str, cache: &Cache<u32>, key: &str) {
    let loads = AtomicU32::new(0);
    let load = || async {
        loads.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Error>(7)
    };
    let load_many = |missing: Vec<String>| async {
        loads.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Error>(missing.into_iter().map(|key| (key, 7)).collect::<HashMap<_, _>>())
    };
    let blocking = cache.blocking();
    let errors = [
        cache.get(key).await.err(),
        cache.set(key, 1).await.err(),
        cache.get_or_load(key, load).await.err(),
        // A second one finds no store that it could leave alone.
        cache.get_or_load(key, load).await.err(),
        cache.get_or_load_many([key], load_many).await.err(),
        cache.lock(key, Duration::from_secs(1)).within(Duration::ZERO).await.err(),
        blocking.get_or_load(key, || Ok::<_, Error>(7)).err(),
    ];
    for (nth, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("{name}: call {nth} went through"));
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false), "{name}, call {nth}: {error}");
        if nth == 2 {
            println!("{name}: {error}");
        }
    }
    assert_eq!(loads.into_inner(), 0, "{name}: a load went on as if nothing were wrong");
}

fn cache(url: &str) -> Cache<u32> {
    Cache::from_url(url).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_lets_no_load_go_on() {
    let redis = RedisServer::builder().user("jay", "acorn").start().unwrap();
    let memcached = MemcachedServer::builder().auth("jay", "acorn").start().unwrap();
    for login in ["jay:pebble@", "jackdaw:acorn@", ""] {
        for protocol in [2, 3] {
            let url = format!("redis://{login}127.0.0.1:{}?protocol={protocol}", redis.port());
            is_refused(&format!("Redis, protocol {protocol}, {login:?}"), &cache(&url), "key").await;
        }
        let url = format!("memcached://{login}127.0.0.1:{}", memcached.port());
        is_refused(&format!("memcached, {login:?}"), &cache(&url), "key").await;
    }
    for server in [redis.url(), memcached.url()] {
        assert_eq!(cache(&server).get_or_load("key", || async { Ok::<_, Error>(7) }).await.unwrap(), 7);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_for_a_cluster_lets_no_load_go_on() {
    let cluster = RedisCluster::start_as(RedisServer::builder().password("acorn")).unwrap();
    assert_eq!(cache(&cluster.url()).get_or_load("key", || async { Ok::<_, Error>(7) }).await.unwrap(), 7);
    for login in [":pebble@", ""] {
        let url = cluster.url().replace(":acorn@", login);
        is_refused(&format!("a cluster, {login:?}"), &cache(&url), "key").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_an_acl_forbids_lets_no_load_go_on() {
    let server = RedisServer::start().unwrap();
    server.command(&["ACL", "SETUSER", "jay", "on", ">acorn", "~ours:*", "+@all"]);
    let cache = cache(&format!("redis://jay:acorn@127.0.0.1:{}", server.port()));
    assert_eq!(cache.get_or_load("ours:key", || async { Ok::<_, Error>(7) }).await.unwrap(), 7);
    is_refused("a key that is not ours", &cache, "theirs:key").await;
    // A command in a script is refused in other words.
    server.command(&["ACL", "SETUSER", "jay", "-set"]);
    let error = cache.get_or_load("ours:other", || async { Ok::<_, Error>(7) }).await.unwrap_err();
    println!("a command that is not ours: {error}");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    server.command(&["ACL", "SETUSER", "jay", "allkeys", "+set"]);
    assert_eq!(cache.get_or_load("theirs:key", || async { Ok::<_, Error>(7) }).await.unwrap(), 7, "once it is mended");
}

/// A server that has no room, or is not up yet, is to be tried again: loads go on without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_full_or_loads_its_data_is_no_wrong_password() {
    for reply in ["-ERR max number of clients reached\r\n", "-LOADING Redis is loading the dataset in memory\r\n"] {
        let server = HostileServer::start(reply).unwrap();
        for protocol in [2, 3] {
            let cache = cache(&format!("redis://jay:acorn@{}?protocol={protocol}", server.address()));
            let error = cache.get("key").await.unwrap_err();
            println!("protocol {protocol}: {error}");
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
            assert_eq!(cache.get_or_load("key", || async { Ok::<_, Error>(7) }).await.unwrap(), 7);
        }
    }
}
