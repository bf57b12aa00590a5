//! What a dead server and a hostile one cost in memory: in a process of its own, since the figure is the whole process's.
#![cfg(all(feature = "memcached", target_os = "linux"))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    pin::Pin,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use scrubjay::{Cache, ErrorKind};
use scrubjay_testkit::{
    proxy::{Answer, HostileServer},
    servers::MemcachedServer,
};

/// The resident memory of this process in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_hostile_server_nor_a_dead_one_makes_memory_grow() {
    let before = resident();
    for _ in 0..3 {
        for reply in ["VA 8000000000 O0\r\n", "VALUE key 0 500000000\r\n", "EN\r\n"] {
            let server = HostileServer::start(reply).unwrap();
            hates(&server).await;
        }
        for piece in ["x".repeat(1 << 16), "EN\r\n".repeat(1 << 14), "VALUE key 0 1\r\nx\r\n".repeat(1 << 12)] {
            let server = HostileServer::endless(piece).unwrap();
            hates(&server).await;
        }
    }
    forgers_cost_nothing(before).await;
    let grown = resident().saturating_sub(before);
    println!("18 hostile servers: {grown} KiB more");
    assert!(grown <= 8 * 1024, "{grown} KiB");

    let server = MemcachedServer::start().unwrap();
    let cache = Cache::<String>::from_url(&server.url()).unwrap();
    cache.get("key").await.unwrap();
    server.pause();
    let value = "x".repeat(10_000);
    let before = resident();
    for _ in 0..20_000 {
        let mut write = cache.set("key", value.clone());
        let _ = Pin::new(&mut write).poll(&mut Context::from_waker(Waker::noop()));
        tokio::task::yield_now().await;
    }
    let grown = resident().saturating_sub(before);
    server.resume();
    println!("20,000 abandoned writes of 10 kB to a stopped server: {grown} KiB more");
    // What may be under way is 16 MiB a connection.
    assert!(grown < 24 * 1024, "{grown} KiB");
    cache.get("key").await.unwrap();
}

/// Servers that repeat the token of each request, which is what proves a reply.
async fn forgers_cost_nothing(before: usize) {
    let once = |text: &str| Answer::Once(text.to_owned().into());
    let forever = |text: &str| Answer::Forever(text.repeat(1 << 12).into());
    let forgeries = [
        ("huge length", vec![once("VA 8000000000 O# \r\n")]),
        ("huge length and endless data", vec![once("VA 8000000000 O#\r\n"), forever("x")]),
        ("no end of flags", vec![once("VA 1 O#"), forever(" f0")]),
        ("endless line", vec![once("HD O# "), forever("x")]),
        ("endless replies", vec![once("EN O#\r\n"), forever("EN O#\r\n")]),
        ("a value longer than said", vec![once("VA 1 O#\r\nxx\r\n"), forever("x")]),
        ("another type", vec![once("NS O#\r\n")]),
    ];
    for (name, forged) in forgeries {
        let replies = forged.clone();
        let server = HostileServer::answering(move |request| forge(request, &replies)).unwrap();
        let cache = Cache::<String>::from_url(&format!("memcached://{}", server.address())).unwrap();
        for _ in 0..3 {
            let began = now();
            let error = match cache.get("key").await {
                // The one reply that is as it should be.
                Ok(None) if name == "endless replies" => continue,
                other => other.unwrap_err(),
            };
            let (took, grown) = (began.elapsed(), resident().saturating_sub(before));
            println!("{name}: {error} after {took:.0?}; {grown} KiB more");
            let kinds = [ErrorKind::Connection, ErrorKind::Server, ErrorKind::Timeout];
            assert!(
                kinds.contains(&error.kind()) && took <= Duration::from_millis(1050),
                "{name}: {error:?}, {took:?}"
            );
            assert!(grown <= 8 * 1024, "{name}: {grown} KiB");
        }
    }
}

/// `forged` with the token of `request` for each `#`; a client that asks whether the server knows tokens is told that it does.
fn forge(request: &[u8], forged: &[Answer]) -> Vec<Answer> {
    let text = String::from_utf8_lossy(request);
    let mut answers = Vec::new();
    for line in text.lines() {
        let Some(token) = line.split(' ').find_map(|word| word.strip_prefix('O')) else { continue };
        let proven = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('#', token).into();
        if line.starts_with("mg AA== b") {
            answers.push(Answer::Once(format!("EN O{token}\r\n").into()));
            continue;
        }
        answers.extend(forged.iter().map(|answer| match answer {
            Answer::Once(bytes) => Answer::Once(proven(bytes)),
            Answer::Forever(bytes) => Answer::Forever(proven(bytes)),
        }));
    }
    answers
}

#[expect(clippy::disallowed_methods, reason = "a figure of a test")]
fn now() -> Instant {
    Instant::now()
}

async fn hates(server: &HostileServer) {
    let cache = Cache::<String>::from_url(&format!("memcached://{}", server.address())).unwrap();
    cache.get("key").timeout(Duration::from_millis(300)).await.unwrap_err();
}
