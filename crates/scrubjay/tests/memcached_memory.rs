//! What a dead server and a hostile one cost in memory: in a process of its own, since the figure is the whole process's.
#![cfg(all(feature = "memcached", target_os = "linux"))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    pin::Pin,
    task::{Context, Waker},
    time::Duration,
};

use scrubjay::Cache;
use scrubjay_testkit::{proxy::HostileServer, servers::MemcachedServer};

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

async fn hates(server: &HostileServer) {
    let cache = Cache::<String>::from_url(&format!("memcached://{}", server.address())).unwrap();
    cache.get("key").timeout(Duration::from_millis(300)).await.unwrap_err();
}
