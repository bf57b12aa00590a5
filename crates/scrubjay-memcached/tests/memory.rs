//! What hostile and dead servers cost in memory. One test in a process of its own: nothing else may allocate meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program: a failure is a panic, figures are printed"
)]

mod support;

use std::time::Duration;

use scrubjay_memcached::{Client, ErrorKind};
use support::{Server, resident};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    time::Instant,
};

#[tokio::test]
async fn neither_lies_nor_silence_cost_memory() {
    lies_are_errors_soon().await;
    a_declared_length_allocates_nothing().await;
    what_waits_for_a_stopped_server_is_bounded().await;
}

async fn lies_are_errors_soon() {
    let lies = [
        Lie::Endless(&[b'x'; 4096]),
        Lie::Once(b"VA 8000000000 O1\r\n"),
        Lie::Once(b"VA 99999999999999999999999 O1\r\n"),
        Lie::Once(b"VA -7 O1\r\n"),
        Lie::Once(b"VA 1 O1\r\nlonger\r\n"),
        Lie::Once(b"VA 1 O1\r\nx\r\n"),
        Lie::Once(b"HD\r\n"),
        Lie::Once(b"EN O99999999999\r\nEN O99999999998\r\n"),
        Lie::Once(b"\0\xff\x80 garbage\r\n"),
        Lie::Once(b"STORED\r\n"),
        Lie::Once(b"\n"),
        Lie::Endless(b"\r\n"),
    ];
    let before = resident();
    let mut worst = Duration::ZERO;
    for lie in lies {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&listener.local_addr().unwrap().to_string()).unwrap();
        let liar = Handle::current().spawn(liar(listener, lie));
        let start = Instant::now();
        let error = client.get("k").await.unwrap_err();
        worst = worst.max(start.elapsed());
        assert_eq!(error.kind(), ErrorKind::Protocol, "{lie:?}: {error}");
        liar.abort();
    }
    let grown = resident().saturating_sub(before) / 1024;
    println!("{} lies: typed errors within {worst:?}, {grown} KiB more", lies.len());
    assert!(worst < Duration::from_millis(500) && grown < 8 * 1024);
}

async fn a_declared_length_allocates_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&listener.local_addr().unwrap().to_string()).unwrap();
    let liar = Handle::current().spawn(liar(listener, Lie::Once(b"VA 500000000 O1\r\nonly this")));
    let before = resident();
    let error = client.timeout(Duration::from_millis(100)).get("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let grown = resident().saturating_sub(before) / 1024;
    println!("half a gigabyte declared: {grown} KiB more");
    assert!(grown < 1024);
    liar.abort();
}

async fn what_waits_for_a_stopped_server_is_bounded() {
    let server = Server::start();
    let client = Client::new(&server.address()).unwrap();
    client.set("k", "v", None).await.unwrap();
    server.pause();
    let value = vec![b'x'; 10_000];
    let before = resident();
    for _ in 0..20_000 {
        let mut call = std::pin::pin!(client.set("k", &value, None));
        assert!(futures_util::poll!(call.as_mut()).is_pending());
    }
    let grown = resident().saturating_sub(before) / 1024 / 1024;
    println!("20000 abandoned writes of 10 kB to a stopped server: {grown} MiB more");
    assert!(grown <= 48, "{grown} MiB");
    server.resume();
    assert_eq!(client.get("other").await.unwrap(), None);
}

/// What a hostile server sends once the client has asked for something.
#[derive(Clone, Copy, Debug)]
enum Lie {
    Once(&'static [u8]),
    Endless(&'static [u8]),
}

async fn liar(listener: TcpListener, lie: Lie) {
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        Handle::current().spawn(async move {
            let mut bytes = [0; 1_000];
            // The question for the dialect is answered truthfully.
            let _ = socket.read(&mut bytes).await;
            let _ = socket.write_all(b"EN O0\r\n").await;
            let _ = socket.read(&mut bytes).await;
            let _ = speak(&mut socket, lie).await;
            while let Ok(1..) = socket.read(&mut bytes).await {}
        });
    }
}

async fn speak(socket: &mut TcpStream, lie: Lie) -> std::io::Result<()> {
    match lie {
        Lie::Once(bytes) => socket.write_all(bytes).await,
        Lie::Endless(bytes) => loop {
            socket.write_all(bytes).await?;
        },
    }
}
