//! What happens when callers leave, servers die and answers lie.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program: a failure is a panic, figures are printed"
)]

mod support;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use scrubjay_memcached::{Client, ErrorKind};
use support::{Random, Server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// Spawns on the test's own runtime.
fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::runtime::Handle::current().spawn(future)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_leave_never_shift_the_answers() {
    const TASKS: u64 = 20;
    const ROUNDS: u64 = 15_000;
    let server = Server::start();
    let client = Client::new(&server.address()).unwrap().timeout(Duration::from_secs(20));
    for number in 0..500 {
        client.set(format!("key{number}"), format!("value{number}"), None).await.unwrap();
    }
    let connections = server.figure("total_connections");
    let (completed, cancelled) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut random = Random::new();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (client, completed, cancelled) = (client.clone(), Arc::clone(&completed), Arc::clone(&cancelled));
            let seed = random.below(u64::MAX);
            spawn(async move {
                let mut random = Random::seeded(seed);
                for _ in 0..ROUNDS {
                    let number = random.below(500);
                    let key = format!("key{number}");
                    let mut call = std::pin::pin!(client.get(&key));
                    // Some are waited for, the others dropped after a few polls.
                    let mut polls = if random.below(4) == 0 { u64::MAX } else { random.below(4) };
                    let found = loop {
                        match futures_util::poll!(call.as_mut()) {
                            Poll::Ready(found) => break Some(found),
                            Poll::Pending if polls == 0 => break None,
                            Poll::Pending if polls > 4 => break Some(call.await),
                            Poll::Pending => polls -= 1,
                        }
                        tokio::task::yield_now().await;
                    };
                    let Some(found) = found else {
                        cancelled.fetch_add(1, Ordering::Relaxed);
                        continue;
                    };
                    assert_eq!(found.unwrap().unwrap(), format!("value{number}"));
                    completed.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    // One connection was the client's, and one more asks for the figure.
    let opened = server.figure("total_connections") - connections - 1;
    let (completed, cancelled) = (completed.load(Ordering::Relaxed), cancelled.load(Ordering::Relaxed));
    println!("{completed} completed, {cancelled} dropped half-way, 0 foreign values, {opened} connections more");
    assert_eq!(opened, 0);
    assert!(cancelled > 100_000, "the storm was a breeze: {cancelled}");
}

#[tokio::test]
async fn a_call_can_be_dropped_at_every_poll() {
    let server = Server::start();
    let client = Client::new(&server.address()).unwrap();
    let mut random = Random::new();
    client.set("kept", "kept", None).await.unwrap();
    let connections = server.figure("total_connections");
    for round in 0..20_000u64 {
        let value = round.to_string();
        let mut left = std::pin::pin!(client.set("left", &value, None));
        for _ in 0..random.below(3) {
            if futures_util::poll!(left.as_mut()).is_ready() {
                break;
            }
            if random.below(2) == 0 {
                tokio::task::yield_now().await;
            }
        }
        if round % 16 == 0 {
            assert_eq!(client.get("kept").await.unwrap().unwrap(), "kept");
        }
    }
    assert_eq!(client.get("kept").await.unwrap().unwrap(), "kept");
    assert_eq!(server.figure("total_connections") - connections, 1);
    println!("20000 futures dropped at random polls, 0 foreign values, 0 connections more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cold_callers_share_one_connection() {
    let server = Server::start();
    let before = server.figure("total_connections");
    let client = Client::new(&server.address()).unwrap();
    let calls = (0..1_000).map(|_| {
        let client = client.clone();
        spawn(async move { client.get("k").await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap(), None);
    }
    let opened = server.figure("total_connections") - before - 1;
    println!("1000 cold callers: 0 errors, {opened} connections");
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn a_stopped_server_costs_no_more_than_the_deadline() {
    let server = Server::start();
    let client = Client::new(&server.address()).unwrap();
    client.set("k", "v", None).await.unwrap();
    server.pause();
    let mut worst = Duration::ZERO;
    for limit in [50, 200, 1_000].map(Duration::from_millis) {
        let start = Instant::now();
        let error = client.timeout(limit).get("k").await.unwrap_err();
        let late = start.elapsed().saturating_sub(limit);
        worst = worst.max(late);
        assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Timeout, false));
        assert!(late < Duration::from_millis(50), "{late:?} late");
    }
    println!("SIGSTOP: at most {worst:?} beyond the deadline");
    server.resume();
    assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_server_stopped_for_long_is_given_up_and_found_again() {
    let server = Server::start();
    let client = Client::new(&server.address()).unwrap().timeout(Duration::from_millis(300));
    client.set("k", "v", None).await.unwrap();
    server.pause();
    let mut kinds = Vec::new();
    for _ in 0..8 {
        kinds.push(client.get("k").await.unwrap_err().kind());
    }
    println!("silent: {kinds:?}");
    server.resume();
    assert_eq!(client.timeout(Duration::from_secs(2)).get("k").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_dead_server_fails_fast_and_is_back_at_once() {
    let mut server = Server::start();
    let client = Client::new(&server.address()).unwrap();
    client.set("k", "v", None).await.unwrap();
    server.kill();
    let mut worst = Duration::ZERO;
    for _ in 0..50 {
        let start = Instant::now();
        let error = client.get("k").await.unwrap_err();
        worst = worst.max(start.elapsed());
        assert!(matches!(error.kind(), ErrorKind::Connect | ErrorKind::Connection), "{error}");
    }
    let error = client.set("k", "v", None).await.unwrap_err();
    assert!(error.is_unsent(), "{error:?}");
    server.restart();
    let up = Instant::now();
    assert_eq!(client.get("k").await.unwrap(), None);
    assert!(up.elapsed() < Duration::from_millis(150) && worst < Duration::from_millis(100));
    println!("killed: errors within {worst:?}; back {:?} after the port was open", up.elapsed());
}

#[tokio::test]
async fn a_restart_between_two_calls_goes_unnoticed() {
    let mut server = Server::start();
    let client = Client::new(&server.address()).unwrap();
    for _ in 0..5 {
        client.set("k", "v", None).await.unwrap();
        server.kill();
        server.restart();
        assert_eq!(client.get("k").await.unwrap(), None);
        server.kill();
        server.restart();
        assert_eq!(client.get_many(&["k", "l"]).await.unwrap(), [None, None]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_restarted_under_load() {
    let mut server = Server::start();
    let client = Client::new(&server.address()).unwrap();
    let (done, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (client, done, failed) = (client.clone(), Arc::clone(&done), Arc::clone(&failed));
            spawn(async move {
                loop {
                    let start = Instant::now();
                    match client.set("k", "v", None).await {
                        Ok(()) => done.fetch_add(1, Ordering::Relaxed),
                        Err(_) => failed.fetch_add(1, Ordering::Relaxed),
                    };
                    assert!(start.elapsed() < Duration::from_millis(1_050));
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let mut healed = Duration::ZERO;
    for _ in 0..3 {
        let before = done.load(Ordering::Relaxed);
        support::until(Duration::from_secs(5), "calls to succeed", || done.load(Ordering::Relaxed) > before + 100);
        let before = failed.load(Ordering::Relaxed);
        server.kill();
        support::until(Duration::from_secs(5), "calls to fail", || failed.load(Ordering::Relaxed) > before + 100);
        server.restart();
        let up = Instant::now();
        let before = done.load(Ordering::Relaxed);
        support::until(Duration::from_secs(5), "calls to succeed", || done.load(Ordering::Relaxed) > before);
        healed = healed.max(up.elapsed());
    }
    println!("kill -9 under load: healed {healed:?} after the port was open; {done:?} done, {failed:?} failed");
    assert!(healed < Duration::from_millis(150));
    for task in tasks {
        assert!(!task.is_finished(), "a call was late");
        task.abort();
    }
}

#[tokio::test]
async fn nobody_there_is_known_at_once() {
    let client = Client::new(&format!("127.0.0.1:{}", support::free_port())).unwrap();
    let start = Instant::now();
    let error = client.get("k").await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Connect, true));
    assert!(start.elapsed() < Duration::from_millis(200));
}

#[tokio::test]
async fn a_reply_too_many_ends_the_connection_not_the_client() {
    let server = Server::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&listener.local_addr().unwrap().to_string()).unwrap();
    let target = server.address();
    // A proxy that slips in one reply of its own, on the first connection only.
    let proxy = spawn(async move {
        let mut surplus: &[u8] = b"VA 3 O12345\r\nbad\r\n";
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(&target).await.unwrap();
            let mut bytes = [0; 1_000];
            for _ in 0..2 {
                let count = near.read(&mut bytes).await.unwrap();
                far.write_all(&bytes[..count]).await.unwrap();
                let count = far.read(&mut bytes).await.unwrap();
                near.write_all(&bytes[..count]).await.unwrap();
            }
            near.write_all(std::mem::take(&mut surplus)).await.unwrap();
            spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    client.set("k", "good", None).await.unwrap();
    let mut failed = 0;
    for _ in 0..100 {
        match client.get("k").await {
            Ok(value) => assert_eq!(value.unwrap(), "good"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Protocol);
                failed += 1;
            }
        }
    }
    println!("surplus reply: {failed} calls failed, 0 wrong");
    assert!(failed <= 1);
    proxy.abort();
}

#[test]
fn a_static_client_serves_runtime_after_runtime_and_several_at_once() {
    let server = Server::start();
    let client = Client::new(&server.address()).unwrap();
    assert_eq!(futures_util::FutureExt::now_or_never(client.get("k")).unwrap().unwrap_err().kind(), ErrorKind::Config);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for round in 0..50 {
        runtime().block_on(async {
            client.set("k", round.to_string(), None).await.unwrap();
            assert_eq!(client.get("k").await.unwrap().unwrap(), round.to_string());
        });
    }
    let (one, other) = (runtime(), runtime());
    for _ in 0..50 {
        one.block_on(client.set("k", "one", None)).unwrap();
        assert_eq!(other.block_on(client.get("k")).unwrap().unwrap(), "one");
    }
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let client = &client;
            scope.spawn(move || {
                runtime().block_on(async {
                    for round in 0..500 {
                        let value = format!("{thread}:{round}");
                        client.set(format!("k{thread}"), &value, None).await.unwrap();
                        assert_eq!(client.get(format!("k{thread}")).await.unwrap().unwrap(), value);
                    }
                });
            });
        }
    });
    let opened = server.figure("total_connections");
    println!("56 runtimes: {opened} connections in all");
    assert!(opened <= 60);
}

#[tokio::test]
async fn closing_lets_go_and_the_next_call_comes_back() {
    let server = Server::start();
    let client = Client::new(&server.address()).unwrap();
    client.set("k", "v", None).await.unwrap();
    client.close();
    client.close();
    support::until_async("the connection to close", async || server.figure("curr_connections") <= 2).await;
    assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
}
