//! What a dead server costs in memory: in a process of its own, since the figure is the whole process's.
#![cfg(all(feature = "redis", target_os = "linux"))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    pin::Pin,
    task::{Context, Waker},
};

use scrubjay::Cache;
use scrubjay_testkit::servers::RedisServer;

/// The resident memory of this process in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_server_does_not_make_the_queue_grow() {
    let server = RedisServer::start().unwrap();
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
    assert!(grown < 24 * 1024, "{grown} KiB");
    cache.get("key").await.unwrap();
}
