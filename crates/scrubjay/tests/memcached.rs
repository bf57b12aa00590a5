//! The behaviour suite and the model on real memcached servers: one, several, by socket with a password, over TLS, behind a
//! near tier; and what only memcached has.
#![cfg(all(feature = "memcached", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

mod servers;

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use scrubjay::{
    Cache, Clock, ErrorKind, Memory, Operation, Remaining,
    far::{Call, Claim, Item, Memcached, Reply, Store, StoreConfig, Token, Want},
    serializer::Json,
};
use scrubjay_memcached::Client;
use scrubjay_testkit::{
    Subject,
    servers::{MemcachedBuilder, MemcachedServer},
};
use tokio::task::JoinSet;

/// Behaviours that run at a time: they sleep, each on a server of its own.
const AT_A_TIME: usize = 60;

/// A server that takes values of a mebibyte, which by default an item with its key must not exceed.
fn roomy() -> MemcachedBuilder {
    MemcachedServer::builder().item_size_max("8m")
}

fn far(url: &str) -> Subject {
    Subject::far(Memcached::new(url).unwrap(), Clock::System)
}

fn cache(server: &MemcachedServer) -> scrubjay::blocking::Cache<String> {
    Cache::from_url(&server.url()).unwrap().blocking()
}

/// Several servers, and one URL for all.
fn several(count: usize, hash: &str) -> (Vec<MemcachedServer>, String) {
    let servers: Vec<_> = (0..count).map(|_| roomy().start().unwrap()).collect();
    let hosts: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
    let url = format!("memcached://{}/?hash={hash}", hosts.join(","));
    (servers, url)
}

#[test]
fn one_server_behaves() {
    servers::behaves(AT_A_TIME, |_| {
        let server = roomy().start().unwrap();
        let subject = far(&server.url());
        (server, subject)
    });
}

#[test]
fn several_servers_behave() {
    servers::behaves(AT_A_TIME, |number| {
        let (servers, url) = several(3, ["ketama", "rendezvous"][number % 2]);
        let subject = far(&format!("{url}&pool=2"));
        (servers, subject)
    });
}

#[test]
fn a_near_tier_before_a_server_behaves() {
    servers::behaves(AT_A_TIME, |_| {
        let server = roomy().start().unwrap();
        let store = Memcached::new(&server.url()).unwrap();
        (server, Subject::two_tiers(Memory::builder().build(), store))
    });
}

#[test]
fn a_server_with_a_user_behaves_by_its_socket() {
    servers::behaves(AT_A_TIME, |_| {
        let server = roomy().auth("jay", "acorn").unix_socket().start().unwrap();
        let subject = far(&server.url());
        (server, subject)
    });
}

#[cfg(feature = "tls")]
#[test]
fn a_server_over_tls_behaves() {
    if let Err(error) = roomy().tls().start() {
        assert!(error.contains("built without TLS"), "{error}");
        println!("NOT TESTED over TLS: {error}");
        return;
    }
    servers::behaves(AT_A_TIME, |_| {
        let server = roomy().tls().start().unwrap();
        let subject = far(&format!("{}?ca={}", server.url(), server.ca_certificate().display()));
        (server, subject)
    });
}

#[cfg(feature = "tls")]
#[test]
fn a_server_that_nobody_vouches_for_is_refused() {
    let Ok(server) = roomy().tls().start() else {
        println!("NOT TESTED: this memcached was built without TLS");
        return;
    };
    let error = Cache::<String>::from_url(&server.url()).unwrap().blocking().get("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().contains("certificate"), "{error}");
}

/// More sequences: `PROPTEST_CASES=10000 cargo test -p scrubjay --features memcached --test memcached model`.
#[test]
fn one_server_agrees_with_the_model() {
    let server = MemcachedServer::start().unwrap();
    agree_with_the_model(&server.url());
}

#[test]
fn several_servers_agree_with_the_model() {
    let (_servers, url) = several(3, "ketama");
    agree_with_the_model(&url);
}

#[test]
fn a_server_with_a_user_agrees_with_the_model_by_its_socket() {
    let server = MemcachedServer::builder().auth("jay", "acorn").unix_socket().start().unwrap();
    agree_with_the_model(&server.url());
}

#[cfg(feature = "tls")]
#[test]
fn a_server_over_tls_agrees_with_the_model() {
    let Ok(server) = MemcachedServer::builder().tls().start() else {
        println!("NOT TESTED over TLS: this memcached was built without");
        return;
    };
    agree_with_the_model(&format!("{}?ca={}", server.url(), server.ca_certificate().display()));
}

#[test]
fn a_near_tier_before_a_server_agrees_with_the_model() {
    let server = MemcachedServer::start().unwrap();
    let cleaner = cache(&server);
    servers::agrees_with_the_model(|| {
        cleaner.clear_server().unwrap();
        let near = Memory::builder().unbounded().build();
        Subject::two_tiers(near, Memcached::new(&server.url()).unwrap())
    });
}

fn agree_with_the_model(url: &str) {
    let cleaner = Cache::<String>::from_url(url).unwrap();
    servers::agrees_with_the_model(|| {
        cleaner.blocking().clear_server().unwrap();
        far(url)
    });
}

#[test]
fn urls_are_read_without_connecting() {
    for (url, shown) in [
        ("memcached://", "memcached://localhost:11211"),
        ("memcached://me:hunter2@a:1,b/?pool=4&hash=rendezvous", "memcached://a:1"),
        ("memcached://[::1]/", "memcached://[::1]:11211"),
        ("memcached+unix:///run/memcached.sock", "memcached+unix:///run/memcached.sock"),
        ("memcached+unix://me:hunter2@/run/memcached.sock", "memcached+unix:///run/memcached.sock"),
    ] {
        let store = Memcached::new(url).unwrap();
        assert_eq!(format!("{store:?}"), format!("Memcached({shown})"));
    }
    for (url, told) in [
        ("memcached://h/1", "takes no path"),
        ("memcached://h?poool=2", "unknown option `poool`; known: hash, pool"),
        ("memcached://h?pool=0", "expected 1 to 256"),
        ("memcached://h?hash=modulo", "expected ketama or rendezvous"),
        ("memcached+unix://", "expects a socket's path"),
        ("memcached://:hunter2@h", "expected a user"),
        ("redis://h", "unknown scheme `redis`"),
        #[cfg(feature = "tls")]
        ("memcacheds://h?ca=/no/such/file", "cannot read /no/such/file"),
        #[cfg(not(feature = "tls"))]
        ("memcacheds://h", "needs the Cargo feature `tls`"),
    ] {
        let error = Memcached::new(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(told) && !error.to_string().contains("hunter2"), "{url}: {error}");
    }
    let set = StoreConfig::new("memcached").host("h", Some(1)).user("me").password("hunter2").option("pool", "4");
    assert_eq!(set.build().unwrap().to_string(), "memcached://h:1");
}

#[test]
fn a_client_that_the_program_has_can_be_used() {
    let server = MemcachedServer::start().unwrap();
    let client = Client::new(&format!("127.0.0.1:{}", server.port())).unwrap();
    let store = Memcached::from_client(client);
    let cache = Cache::<String>::builder().far(store).serializer(Json).build().unwrap().blocking();
    cache.set("key", "value".into()).unwrap();
    assert_eq!(cache.get("key").unwrap().as_deref(), Some("value"));
    assert_eq!(cache.info().to_string().split(' ').next(), Some(&*server.url()));
}

#[test]
fn raw_takes_any_command_and_leaves_the_shared_connection_as_it_was() {
    let server = MemcachedServer::start().unwrap();
    let cache = cache(&server);
    let raw = |words: &[&str]| cache.raw(words.iter().map(|word| (*word).to_owned()));
    let line = |text: &'static str| Reply::Bytes(text.into());
    assert_eq!(raw(&["set", "a", "0", "0", "2", "\r\n"]).unwrap(), line("STORED"));
    let lines = ["VALUE a 0 2", "\r\n", "END"].map(line);
    assert_eq!(raw(&["get", "a"]).unwrap(), Reply::Array(lines.into()));
    assert_eq!(raw(&["ms", "b", "1", "T60", "7"]).unwrap(), line("HD"));
    assert_eq!(raw(&["mg", "b", "v"]).unwrap(), Reply::Array(["VA 1", "7"].map(line).into()));
    assert_eq!(raw(&["incr", "b", "5"]).unwrap(), line("12"));
    assert_eq!(raw(&["get", "absent"]).unwrap(), line("END"));
    assert!(matches!(raw(&["version"]).unwrap(), Reply::Bytes(text) if text.starts_with(b"VERSION ")));
    assert!(matches!(raw(&["stats"]).unwrap(), Reply::Array(lines) if lines.len() > 20));
    for wrong in [&["no-such-command", "hunter2"][..], &["set", "a", "0", "none", "7", "hunter2"]] {
        let error = raw(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error}");
    }
    // One command is one line.
    let short = &["set", "a", "0", "0", "9", "hunter2"];
    for wrong in [&["get", "a\r\nflush_all"][..], &[], &[""], &["set", "a"], &["ms", "a", "1"], short] {
        assert_eq!(raw(wrong).unwrap_err().kind(), ErrorKind::Unsupported);
    }
    cache.set("key", "value".into()).unwrap();
    assert_eq!(cache.get("key").unwrap().as_deref(), Some("value"));
}

#[test]
fn raw_goes_to_the_server_of_its_key() {
    let (_servers, url) = several(3, "ketama");
    let cache = Cache::<String>::from_url(&url).unwrap().blocking();
    for n in 0..50 {
        let key = format!("key{n}");
        cache.set(&key, "x".into()).unwrap();
        assert_eq!(cache.raw(["mg".to_owned(), key.clone()]).unwrap(), Reply::Bytes("HD".into()));
        assert!(matches!(cache.raw(["gat".to_owned(), "60".into(), key]).unwrap(), Reply::Array(_)));
    }
    let error = cache.raw(["stats"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("several"), "{error}");
}

#[test]
fn an_item_too_large_is_named_so() {
    let server = MemcachedServer::start().unwrap();
    let cache = cache(&server);
    cache.set("key", "small".into()).unwrap();
    let large = "x".repeat(2 * 1024 * 1024);
    for error in [
        cache.set("key", large.clone()).unwrap_err(),
        cache.set_many([("key", large.clone()), ("other", "small".into())]).unwrap_err(),
        cache.add("new", large.clone()).unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Server, false));
        assert!(error.to_string().contains("larger than the server accepts"), "{error}");
    }
    assert_eq!(cache.get("key").unwrap(), None, "what was to be replaced is gone, not stale");
}

/// The server counts the second under way as a whole one, though it may be over at once.
#[test]
fn an_entry_is_given_a_second_more_so_that_it_is_never_early() {
    let server = MemcachedServer::start().unwrap();
    let cache = cache(&server);
    for (ttl, given) in
        [(Duration::from_secs(60), 61), (Duration::from_millis(59_001), 61), (Duration::from_nanos(1), 2)]
    {
        let seen = (0..5).map(|_| {
            cache.with().ttl(ttl).set("key", "value".into()).unwrap();
            cache.raw(["mg", "key", "t"]).unwrap()
        });
        // A second may begin between the two, but not each time.
        let expected = Reply::Bytes(format!("HD t{given}").into());
        assert!(seen.collect::<Vec<_>>().contains(&expected), "{ttl:?}");
    }
    cache.with().ttl(Duration::from_secs(60)).set("key", "value".into()).unwrap();
    let left = cache.ttl("key").unwrap();
    assert!(matches!(left, Remaining::For(left) if left <= Duration::from_secs(60)), "{left:?}");
}

#[test]
fn long_ttls_are_moments_and_the_end_of_its_clock_is_never() {
    let server = MemcachedServer::start().unwrap();
    let cache = cache(&server);
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    for ttl in [days(1), days(30), days(31), days(365)] {
        cache.with().ttl(ttl).set("key", "value".into()).unwrap();
        let left = cache.ttl("key").unwrap();
        let told = matches!(left, Remaining::For(left) if left <= ttl && left + Duration::from_secs(3) >= ttl);
        assert!(told, "{left:?} are left of {ttl:?}");
    }
    cache.with().ttl(days(365 * 99)).set("key", "value".into()).unwrap();
    assert_eq!(cache.ttl("key").unwrap(), Remaining::Never);
    assert!(cache.expire("key", days(40)).unwrap());
    assert!(matches!(cache.ttl("key").unwrap(), Remaining::For(left) if left > days(39)));
}

#[test]
fn counters_are_signed_text_whoever_wrote_them() {
    let server = MemcachedServer::start().unwrap();
    let client = Client::new(&format!("127.0.0.1:{}", server.port())).unwrap();
    let store = Memcached::from_client(client.clone());
    let counters = Cache::<i64>::builder().far(store).serializer(Json).build().unwrap().blocking();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = || String::from_utf8(runtime.block_on(client.get("n")).unwrap().unwrap().to_vec()).unwrap();
    // Digits are lost and signs change, and never does a space stand there.
    for (by, after) in [(-5, -5), (15, 10), (-1, 9), (-9, 0), (-1, -1), (101, 100), (-1, 99), (0, 99)] {
        assert_eq!(counters.increment("n", by).unwrap(), after);
        assert_eq!(text(), after.to_string());
    }
    // memcached itself pads: that is a number all the same.
    runtime.block_on(client.set("n", "10", None)).unwrap();
    runtime.block_on(client.decrement("n", 1, None)).unwrap();
    assert_eq!(text(), "9 ");
    assert_eq!(counters.increment("n", 1).unwrap(), 10);
    for (by, after) in [(-1, "7"), (1, "9")] {
        runtime.block_on(client.set("n", "8 ", None)).unwrap();
        assert_eq!(counters.increment("n", by).unwrap().to_string(), after);
        assert_eq!(text(), after);
    }
    // What other clients note beside a value stays.
    let noted = scrubjay_memcached::Item::new("n", "5", None).flags(2);
    runtime.block_on(client.store(scrubjay_memcached::Mode::Set, &noted)).unwrap();
    assert_eq!(counters.increment("n", -7).unwrap(), -2);
    let found = runtime.block_on(client.fetch("n", scrubjay_memcached::Want::ALL)).unwrap().unwrap();
    assert_eq!(found.flags, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_who_count_at_once_are_all_counted() {
    let server = MemcachedServer::start().unwrap();
    let cache = Cache::<i64>::from_url(&server.url()).unwrap();
    let mut counting = JoinSet::new();
    for n in 0..1_000 {
        let cache = cache.clone();
        counting.spawn(async move {
            cache.increment("up", 1).timeout(Duration::from_secs(10)).await.unwrap();
            if n % 20 == 0 {
                cache.increment("down", -1).timeout(Duration::from_secs(10)).await.unwrap();
            }
        });
    }
    counting.join_all().await;
    assert_eq!(cache.get_many(["up", "down"]).await.unwrap(), [Some(1_000), Some(-50)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_count_at_once_a_counter_stays_in_range() {
    let server = MemcachedServer::start().unwrap();
    let cache = Cache::<i64>::from_url(&server.url()).unwrap();
    cache.set("n", i64::MAX - 5).await.unwrap();
    let mut counting = JoinSet::new();
    for _ in 0..20 {
        let cache = cache.clone();
        counting.spawn(async move { cache.increment("n", 1).timeout(Duration::from_secs(10)).await });
    }
    let answers = counting.join_all().await;
    assert_eq!(answers.iter().flatten().count(), 5);
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|error| error.kind() == ErrorKind::Overflow));
    assert_eq!(cache.get("n").await.unwrap(), Some(i64::MAX));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_won_once_and_its_token_is_good_at_once() {
    let (_servers, url) = several(2, "ketama");
    let store = Memcached::new(&url).unwrap();
    let call = Call::new(Operation::GetOrLoad, Duration::from_secs(10));
    let item = |value: &'static str| Item { key: "key", value: value.into(), ttl: Some(Duration::from_secs(60)) };
    let mut claiming = JoinSet::new();
    for _ in 0..100 {
        let store = store.clone();
        claiming.spawn(async move { store.claim(call, &item("claimed")).await.unwrap() });
    }
    let mut tokens = Vec::new();
    for claim in claiming.join_all().await {
        match claim {
            Claim::Won(token) => tokens.push(token),
            Claim::Held(found) => {
                assert_eq!(found.value, "claimed");
                assert!(found.ttl.is_some_and(|left| left <= Duration::from_secs(60)) && found.token.is_some());
            }
            other => panic!("{other:?}"),
        }
    }
    let [first] = &tokens[..] else { panic!("{tokens:?}") };
    assert!(store.compare_and_set(call, &item("filled"), first).await.unwrap());
    assert!(!store.compare_and_delete(call, "key", first).await.unwrap());
    let Claim::Held(found) = store.claim(call, &item("claimed")).await.unwrap() else { panic!("it is filled") };
    assert_eq!(found.value, "filled");
    let second = found.token.unwrap();
    assert!(store.compare_and_delete(call, "key", &second).await.unwrap());
    assert!(!store.compare_and_delete(call, "key", &second).await.unwrap());
    assert!(!store.compare_and_delete(call, "key", &Token::Absent).await.unwrap());
    assert!(matches!(store.claim(call, &item("claimed")).await.unwrap(), Claim::Won(third) if third != *first));
}

#[tokio::test]
async fn a_small_value_does_not_keep_the_receive_buffer() {
    let server = MemcachedServer::start().unwrap();
    let store = Memcached::new(&server.url()).unwrap();
    let call = Call::new(Operation::Get, Duration::from_secs(1));
    let item = Item { key: "key", value: vec![b'x'; 100].into(), ttl: None };
    store.set(call, &[item]).await.unwrap();
    let found = store.get(call, &["key", "key"], Want::VALUE).await.unwrap();
    assert!(found.iter().flatten().all(|found| found.value.is_unique()));
}

#[test]
fn without_a_runtime_the_async_face_says_what_is_missing() {
    let cache = Cache::<String>::from_url("memcached://localhost").unwrap();
    let mut get = cache.get("key");
    let Poll::Ready(answer) = Pin::new(&mut get).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nobody would wake it")
    };
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let server = MemcachedServer::builder().auth("jay", "acorn").start().unwrap();
    for login in ["jay:hunter2@", "me:hunter2@", ""] {
        let url = format!("memcached://{login}127.0.0.1:{}", server.port());
        let cache = Cache::<String>::from_url(&url).unwrap().blocking();
        let error = cache.get("key").unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false), "{error}");
        assert!(error.to_string().contains("another user or password"), "{error}");
        assert!(!format!("{error:?} {error} {cache:?}", cache = cache.info()).contains("hunter2"), "{error}");
    }
}

#[test]
fn one_server_of_several_that_is_down_takes_only_its_own_keys_with_it() {
    let (servers, url) = several(3, "ketama");
    let cache = Cache::<String>::from_url(&url).unwrap().blocking();
    let keys: Vec<_> = (0..300).map(|n| format!("key{n}")).collect();
    cache.set_many(keys.iter().map(|key| (key, key.clone()))).unwrap();
    servers[1].kill();
    let lost = keys.iter().filter(|key| cache.get(*key).map(|value| assert_eq!(value.as_ref(), Some(*key))).is_err());
    let lost = lost.count();
    println!("one server of three is down: {lost} of 300 keys fail");
    assert!((50..150).contains(&lost));
    servers[1].restart();
    assert!(keys.iter().all(|key| cache.get(key).is_ok()));
}
