//! What a dead server and a hostile one cost in memory: in a process of its own, since the figure is the whole process's.
#![cfg(all(feature = "redis", target_os = "linux"))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    pin::Pin,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use scrubjay::{Cache, ErrorKind};
use scrubjay_testkit::{
    proxy::{Answer, HostileServer},
    servers::RedisServer,
};

/// The resident memory of this process in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a figure of a test")]
fn now() -> Instant {
    Instant::now()
}

/// What a forger who knows the protocol says to `request`: it lets everybody in and repeats every `ECHO`, which is what proves a
/// reply; to all else it says `forged`.
fn forge(request: &[u8], forged: &[Answer]) -> Vec<Answer> {
    let text = String::from_utf8_lossy(request);
    let mut words = text.split("\r\n").filter(|word| !word.starts_with(['*', '$']));
    let mut answers = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "ECHO" => {
                let text = words.next().unwrap_or_default();
                answers.push(Answer::Once(format!("${}\r\n{text}\r\n", text.len()).into()));
            }
            "HELLO" => answers.push(Answer::Once("%0\r\n".into())),
            "CLIENT" => answers.push(Answer::Once("+OK\r\n".into())),
            "GET" => answers.extend(forged.iter().cloned()),
            _ => {}
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_hostile_server_nor_a_dead_one_makes_memory_grow() {
    let once = |text: &str| Answer::Once(text.to_owned().into());
    let forever = |text: &str| Answer::Forever(text.repeat(1 << 12).into());
    let forgeries = [
        ("huge length", vec![once("$8000000000\r\n")]),
        ("huge length and endless data", vec![once("$8000000000\r\n"), forever("x")]),
        ("huge array", vec![once("*2000000000\r\n"), forever(":1\r\n")]),
        ("deep nesting", vec![Answer::Once("*1\r\n".repeat(100_000).into())]),
        ("endless line", vec![forever("x")]),
        ("endless replies", vec![forever("$-1\r\n")]),
        ("endless pushes", vec![forever(">1\r\n+x\r\n")]),
        ("another type", vec![once(":5\r\n")]),
        ("endless nothing in an array", vec![once("*100000\r\n"), forever("*0\r\n")]),
    ];
    let before = resident();
    for protocol in [2, 3] {
        for (name, forged) in &forgeries {
            let forged = forged.clone();
            let server = HostileServer::answering(move |request| forge(request, &forged)).unwrap();
            let url = format!("redis://{}?protocol={protocol}", server.address());
            let cache = Cache::<String>::from_url(&url).unwrap();
            for _ in 0..3 {
                let began = now();
                let error = cache.get("key").await.unwrap_err();
                let (took, grown) = (began.elapsed(), resident().saturating_sub(before));
                println!("{name}, protocol {protocol}: {error} after {took:.0?}; {grown} KiB more");
                let kinds = [ErrorKind::Connection, ErrorKind::Server, ErrorKind::Timeout];
                assert!(
                    kinds.contains(&error.kind()) && took <= Duration::from_millis(1050),
                    "{name}: {error:?}, {took:?}"
                );
                assert!(grown <= 8 * 1024, "{name}: {grown} KiB");
            }
        }
    }

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
