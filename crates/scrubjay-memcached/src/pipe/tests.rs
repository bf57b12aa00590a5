//! The connection, under a protocol that answers a word with a word.

use std::{pin::pin, time::Duration};

use futures_util::future::{join_all, join3};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    runtime::Handle,
    time::Instant,
};

use super::*;

struct Words;

impl Protocol for Words {
    type Request<'a> = &'a str;
    type Pending = ();
    type Reply = String;
    type Error = String;
    type Encoder = ();
    type Decoder = ();

    fn size(request: &&str) -> usize {
        request.len()
    }

    fn encode((): &mut (), request: &&str, out: &mut bytes::BytesMut) -> Result<(), String> {
        out.extend_from_slice(request.as_bytes());
        out.extend_from_slice(b"\n");
        if request.contains('!') { Err("unsayable".to_owned()) } else { Ok(()) }
    }

    fn decode((): &mut (), (): &mut (), input: &mut bytes::BytesMut) -> Result<Option<String>, String> {
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
        let line = input.split_to(end + 1);
        Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()))
    }
}

impl From<Break> for String {
    fn from(end: Break) -> Self {
        end.to_string()
    }
}

fn limits() -> Limits {
    Limits { bytes_in_flight: 4 * 1024, timeouts: 2, silence: Duration::ZERO }
}

fn connected(buffer: usize) -> (Connection<Words>, DuplexStream) {
    let (near, far) = duplex(buffer);
    (Connection::open(&Handle::current(), limits(), async { Ok((near, (), ())) }), far)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn shortly() -> Instant {
    Instant::now() + Duration::from_millis(20)
}

/// Answers with what it reads until the other side leaves.
async fn echo(mut far: DuplexStream) {
    let mut bytes = [0; 100];
    while let Ok(count @ 1..) = far.read(&mut bytes).await {
        far.write_all(&bytes[..count]).await.unwrap();
    }
}

#[tokio::test]
async fn each_caller_gets_its_own_reply_though_others_leave() {
    let (connection, far) = connected(7);
    let server = echo(far);
    let calls = async {
        for round in 0..200 {
            let kept = connection.call(soon(), &"kept");
            let left = tokio::time::timeout(Duration::from_micros(round), connection.call(soon(), &"left"));
            let (kept, _) = tokio::join!(kept, left);
            assert_eq!(kept.unwrap(), "kept");
        }
        assert_eq!(connection.call_many(soon(), &["a", "b", "c"]).await.unwrap(), ["a", "b", "c"]);
        assert!(connection.call_many(soon(), &[]).await.unwrap().is_empty());
        drop(connection);
    };
    tokio::join!(server, calls);
}

#[tokio::test]
async fn a_surplus_reply_ends_the_connection() {
    let (connection, mut far) = connected(1000);
    far.write_all(b"unasked\n").await.unwrap();
    let failure = connection.call(soon(), &"word").await.unwrap_err();
    assert_eq!(failure.error, Break::Surplus.to_string());
    assert!(connection.is_ended());
    assert!(matches!(connection.ended(), Some(Ended::Lost { .. })));
    assert!(connection.call(soon(), &"word").await.unwrap_err().unsent);
}

#[tokio::test]
async fn who_finds_a_lie_ends_the_connection_for_all() {
    let (connection, _far) = connected(1000);
    let mut waits = pin!(connection.call(soon(), &"waits"));
    assert!(futures_util::poll!(waits.as_mut()).is_pending());
    tokio::task::yield_now().await;
    connection.fail("a lie".to_owned());
    assert!(connection.is_ended());
    assert_eq!(waits.await.unwrap_err().error, "a lie");
    let failure = connection.call(soon(), &"late").await.unwrap_err();
    assert_eq!((&*failure.error, failure.unsent), ("a lie", true));
}

#[tokio::test]
async fn what_left_no_byte_behind_is_known_to_be_unsent() {
    // The server takes four bytes: the first word goes, the second does not.
    let (connection, mut far) = connected(4);
    let leave = async {
        assert_eq!(far.read(&mut [0]).await.unwrap(), 1);
        drop(far);
    };
    let (first, second, ()) = join3(connection.call(soon(), &"one"), connection.call(soon(), &"two"), leave).await;
    let first = first.unwrap_err();
    assert!(!first.unsent, "{first:?}");
    assert!(second.unwrap_err().unsent);
}

#[tokio::test]
async fn a_full_queue_is_waited_for_within_the_deadline() {
    let (connection, far) = connected(10_000);
    let mut full = pin!(join_all(["a"; 4].iter().map(|word| connection.call(soon(), word))));
    let failure = tokio::select! {
        biased;
        _ = &mut full => panic!("nobody answers yet"),
        late = connection.call(shortly(), &"late") => late.unwrap_err(),
    };
    assert_eq!((failure.error, failure.unsent), (Break::Timeout.to_string(), true));
    let calls = async {
        let (replies, reply) = tokio::join!(full, connection.call(soon(), &"room"));
        assert!(replies.into_iter().all(|reply| reply.unwrap() == "a"));
        assert_eq!(reply.unwrap(), "room");
    };
    tokio::select! {
        () = calls => {}
        () = echo(far) => panic!("the connection ended"),
    }
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let (connection, _far) = connected(10_000);
    for _ in 0..2 {
        let failure = connection.call(shortly(), &"word").await.unwrap_err();
        assert_eq!((failure.error, failure.unsent), (Break::Timeout.to_string(), false));
    }
    let failure = connection.call(soon(), &"word").await.unwrap_err();
    assert_eq!(failure.error, Break::Silent.to_string());
}

#[tokio::test]
async fn a_request_without_words_costs_only_itself() {
    let (connection, far) = connected(1000);
    let calls = async {
        assert!(connection.call_many(soon(), &["fine", "wrong!"]).await.unwrap_err().unsent);
        assert_eq!(connection.call(soon(), &"next").await.unwrap(), "next");
        drop(connection);
    };
    tokio::join!(echo(far), calls);
}

#[tokio::test]
async fn a_connection_that_cannot_open_says_why() {
    let opening = async { Err::<(DuplexStream, (), ()), _>("refused".to_owned()) };
    let connection = Connection::<Words>::open(&Handle::current(), limits(), opening);
    let failure = connection.call(soon(), &"word").await.unwrap_err();
    assert_eq!((&*failure.error, failure.unsent), ("refused", true));
    assert!(matches!(connection.ended(), Some(Ended::Unopened { .. })));
}

#[test]
fn a_runtime_that_goes_away_ends_its_connections() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (connection, far) = runtime.block_on(async { connected(1000) });
    drop(runtime);
    assert!(connection.is_ended());
    drop(far);
}
