//! Batches whose replies are false, cut off, or wanted by nobody any more.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program: a failure is a panic, figures are printed"
)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use scrubjay_memcached::{Client, ErrorKind, Item, Want};
use support::{Random, Server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::mpsc,
    task::JoinHandle,
};

const KEYS: [&str; 3] = ["a", "b", "c"];

/// The reply to a read of [`KEYS`], `b` being absent; `#` and `$` stand for the tokens before and behind.
const TRUTH: &str = "EN O#\r\nVALUE a 0 2\r\n1a\r\nVALUE c 0 2\r\n1c\r\nEND\r\nEN O$\r\n";

/// A server whose every connection answers one batch by what `answer` gives for its number, until that is `None`.
struct Impostor {
    address: String,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Impostor {
    async fn start(answer: impl Fn(usize) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = Handle::current().spawn(async move {
            while let Some(answer) = answer(count.load(Ordering::Relaxed)) {
                let (mut socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                // The question for the dialect.
                request(&mut socket, 1).await;
                socket.write_all(b"EN O0\r\n").await.unwrap();
                let asked = request(&mut socket, 3).await;
                let whole = answer.ends_with("$\r\n");
                socket.write_all(answered(&answer, &asked).as_bytes()).await.unwrap();
                if whole {
                    // The client may close it, or ask for more and get nothing.
                    Handle::current().spawn(async move { while let Ok(1..) = socket.read(&mut [0; 100]).await {} });
                }
            }
        });
        Self { address, connections, task }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads so many lines.
async fn request(socket: &mut TcpStream, lines: usize) -> String {
    let mut bytes = Vec::new();
    while bytes.split(|&byte| byte == b'\n').count() <= lines {
        assert_ne!(socket.read_buf(&mut bytes).await.unwrap(), 0);
    }
    String::from_utf8(bytes).unwrap()
}

/// `reply` with the tokens of the request.
fn answered(reply: &str, request: &str) -> String {
    let token: u64 = request.split_once(" O").unwrap().1.split_once('\r').unwrap().0.parse().unwrap();
    reply.replace('#', &token.to_string()).replace('$', &(token + 1).to_string())
}

fn truth() -> Vec<Option<&'static [u8]>> {
    vec![Some(b"1a"), None, Some(b"1c")]
}

#[tokio::test]
async fn a_false_reply_is_no_answer_and_ends_the_connection() {
    for (from, to) in [
        // A token of somebody else's, in the middle, before and behind.
        ("VALUE c", "EN O99\r\nVALUE c"),
        ("VALUE c", "VA 2 O99\r\nxx\r\nVALUE c"),
        ("EN O#", "EN O99"),
        ("EN O#", "VA 2 O99\r\nxx\r\nEN O#"),
        ("EN O$", "EN O99"),
        ("EN O$", "EN O#"),
        // Entries of other keys, of none, and twice: these the caller finds.
        ("VALUE c", "VALUE d"),
        ("VALUE a", "VALUE c"),
        ("VALUE c", "VALUE a"),
        ("VALUE a 0", "VALUE a x"),
        ("VALUE c", "VALUE a 0 2\r\nxx\r\nVALUE c"),
        // Ends too many and too few.
        ("VALUE c", "END\r\nVALUE c"),
        ("END\r\n", ""),
    ] {
        let forged = TRUTH.replacen(from, to, 1);
        assert_ne!(forged, TRUTH);
        let lie = forged.clone();
        let server = Impostor::start(move |number| [lie.clone(), TRUTH.to_owned()].get(number).cloned()).await;
        let client = Client::new(&server.address).unwrap();
        let values = client.get_many(&KEYS).await.unwrap();
        assert!(values.iter().map(Option::as_deref).eq(truth()), "{forged:?}: {values:?}");
        assert_eq!(server.connections(), 2, "{forged:?}");

        let lie = forged.clone();
        let server = Impostor::start(move |_| Some(lie.clone())).await;
        let client = Client::new(&server.address).unwrap();
        let error = client.get_many(&KEYS).await.unwrap_err();
        assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Protocol, false), "{forged:?}: {error}");
        assert_eq!(error.server(), Some(&*server.address));
    }
}

#[tokio::test]
async fn a_reply_cut_anywhere_is_asked_for_again() {
    for cut in 0..TRUTH.len() {
        let server = Impostor::start(move |number| match number {
            0 => Some(TRUTH[..cut].to_owned()),
            1 => Some(TRUTH.to_owned()),
            _ => None,
        })
        .await;
        let client = Client::new(&server.address).unwrap();
        let values = client.get_many(&KEYS).await.unwrap();
        assert!(values.iter().map(Option::as_deref).eq(truth()), "cut after {cut}: {values:?}");
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn a_batch_dropped_while_its_reply_arrives_leaves_the_connection_in_step() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&listener.local_addr().unwrap().to_string()).unwrap();
    let (half_sent, mut half) = mpsc::unbounded_channel();
    let (go_on, mut rest) = mpsc::unbounded_channel();
    let server = Handle::current().spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        request(&mut socket, 1).await;
        socket.write_all(b"EN O0\r\n").await.unwrap();
        for cut in 0..TRUTH.len() {
            let reply = answered(TRUTH, &request(&mut socket, 3).await);
            let (first, second) = reply.as_bytes().split_at(cut);
            socket.write_all(first).await.unwrap();
            half_sent.send(()).unwrap();
            rest.recv().await.unwrap();
            socket.write_all(second).await.unwrap();
            let next = answered(&TRUTH.replace("1a", "2a").replace("1c", "2c"), &request(&mut socket, 3).await);
            socket.write_all(next.as_bytes()).await.unwrap();
        }
    });
    for cut in 0..TRUTH.len() {
        tokio::select! {
            answer = client.get_many(&KEYS) => panic!("only {cut} bytes were sent, and this came: {answer:?}"),
            _ = half.recv() => {}
        }
        go_on.send(()).unwrap();
        let values = client.get_many(&KEYS).await.unwrap();
        let expected: [Option<&[u8]>; 3] = [Some(b"2a"), None, Some(b"2c")];
        assert!(values.iter().map(Option::as_deref).eq(expected), "{cut}: {values:?}");
    }
    server.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_large_batches_that_are_dropped_nothing_reaches_others() {
    let server = Server::start();
    let client = Client::new(&server.address()).unwrap().timeout(Duration::from_secs(20));
    let keys: Vec<String> = (0..300).map(|number| format!("key{number}")).collect();
    // More than a socket's buffer: the reply comes in many pieces.
    let values: Vec<Vec<u8>> = keys.iter().map(|key| key.as_bytes().repeat(1_000)).collect();
    let items: Vec<_> = keys.iter().zip(&values).map(|(key, value)| Item::new(key, value, None)).collect();
    client.set_many(&items).await.unwrap();
    let connections = server.figure("total_connections");
    let mut random = Random::new();
    for _ in 0..60 {
        let mut left = Box::pin(client.get_many(&keys));
        for _ in 0..random.below(20) {
            if futures_util::poll!(left.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(left);
        let at = usize::try_from(random.below(300)).unwrap();
        let kept = client.get_many(&keys[at..]).await.unwrap();
        assert!(kept.iter().map(Option::as_deref).eq(values[at..].iter().map(|value| Some(&**value))));
    }
    assert_eq!(server.figure("total_connections") - connections, 1);
}

#[tokio::test]
async fn of_a_batch_over_two_servers_neither_half_gets_lost_or_swapped() {
    let servers = [Server::start(), Server::start()];
    let builder = servers.iter().fold(Client::builder(), |builder, server| builder.server(&server.address()));
    let client = builder.build().unwrap();
    let keys: Vec<String> = (0..200).map(|number| format!("key{number}")).collect();
    let items: Vec<_> = keys.iter().filter(|key| !key.ends_with('7')).map(|key| Item::new(key, key, None)).collect();
    client.set_many(&items).await.unwrap();
    let expected = |key: &String| (!key.ends_with('7')).then(|| key.as_bytes().to_vec());
    let values = client.get_many(&keys).await.unwrap();
    assert!(values.iter().map(|value| value.as_ref().map(|value| value.to_vec())).eq(keys.iter().map(expected)));
    let found = client.fetch_many(&keys, Want::VALUE_AND_CAS).await.unwrap();
    assert!(found.iter().flatten().all(|found| found.cas > 0));
    assert!(servers.iter().all(|server| server.figure("curr_items") > 50));

    servers[1].pause();
    let error = client.timeout(Duration::from_millis(50)).get_many(&keys).await.unwrap_err();
    assert_eq!((error.kind(), error.server()), (ErrorKind::Timeout, Some(&*servers[1].address())));
    servers[1].resume();
    let values = client.get_many(&keys).await.unwrap();
    assert!(values.iter().map(|value| value.as_ref().map(|value| value.to_vec())).eq(keys.iter().map(expected)));
}
