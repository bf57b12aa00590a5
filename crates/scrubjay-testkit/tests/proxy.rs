//! Each fault of the proxy, as a plain client sees it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "the helpers belong to tests, too")]

mod clients;

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use scrubjay_testkit::{
    proxy::{Fault, FaultProxy, HostileServer, Stroke},
    servers::RedisServer,
    wait::until,
};

use self::clients::{ask, ask_to_the_end, connect};

const PING: &str = "PING\r\n";
const PONG: &str = "+PONG\r\n";

/// A server, and a proxy in front of it.
struct Pair {
    server: RedisServer,
    proxy: FaultProxy,
}

impl Pair {
    fn start() -> Self {
        let server = RedisServer::start().unwrap();
        let proxy = FaultProxy::start(([127, 0, 0, 1], server.port()).into()).unwrap();
        Self { server, proxy }
    }

    /// A connection through the proxy that has worked.
    fn client(&self) -> TcpStream {
        let client = connect(self.proxy.port());
        assert_eq!(ask(&client, PING), PONG);
        client
    }

    /// How many pings the server has seen.
    fn pings(&self) -> usize {
        let counts = self.server.command(&["INFO", "commandstats"]);
        let ping = counts.split_once("cmdstat_ping:calls=").unwrap().1;
        ping.split_once(',').unwrap().0.parse().unwrap()
    }
}

/// Whether nothing arrives for a while.
fn is_silent(client: &TcpStream) -> bool {
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let silent = (&mut &*client).read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    silent
}

/// Reads exactly as much as `expected`, and compares.
fn expect(mut client: &TcpStream, expected: &str) {
    let mut bytes = vec![0; expected.len()];
    client.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
}

#[expect(clippy::disallowed_methods, reason = "measures how late a real reply is")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn a_healthy_proxy_passes_everything_on_and_counts() {
    let pair = Pair::start();
    assert_eq!((pair.proxy.connections(), pair.proxy.open()), (0, 0));
    let (first, second) = (pair.client(), pair.client());
    assert_eq!((pair.proxy.connections(), pair.proxy.open()), (2, 2));

    drop((first, second));
    until(Duration::from_secs(5), || if pair.proxy.open() == 0 { Ok(()) } else { Err("still open".into()) }).unwrap();
    assert_eq!(pair.proxy.connections(), 2);
}

#[test]
fn large_values_pass_whole() {
    let pair = Pair::start();
    let client = connect(pair.proxy.port());
    let big = "x".repeat(1_000_000);
    assert_eq!(ask(&client, &format!("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$1000000\r\n{big}\r\n")), "+OK\r\n");
    (&client).write_all(b"GET big\r\n").unwrap();
    expect(&client, &format!("$1000000\r\n{big}\r\n"));
}

#[test]
fn latency_delays_each_reply_and_does_not_add_up() {
    let pair = Pair::start();
    let client = pair.client();
    let (base, jitter) = (Duration::from_millis(100), Duration::from_millis(40));
    pair.proxy.inject(Fault::Latency { base, jitter, seed: 1 });

    let start = now();
    for _ in 0..20 {
        (&client).write_all(PING.as_bytes()).unwrap();
        // Long enough for each to be answered on its own.
        thread::park_timeout(Duration::from_millis(3));
    }
    expect(&client, &PONG.repeat(20));
    let taken = start.elapsed();
    assert!(taken >= base && taken < 15 * base, "{taken:?}");
}

#[test]
fn a_black_hole_accepts_and_says_nothing_until_it_ends() {
    let pair = Pair::start();
    let open = pair.client();
    pair.proxy.inject(Fault::BlackHole);
    let new = connect(pair.proxy.port());
    for mut client in [&open, &new] {
        client.write_all(PING.as_bytes()).unwrap();
        assert!(is_silent(client));
    }
    assert_eq!(pair.pings(), 2, "only the launcher's and the first may have arrived");

    pair.proxy.heal();
    for client in [&open, &new] {
        expect(client, PONG);
    }
}

#[test]
fn a_reset_breaks_open_connections_off_and_spares_new_ones() {
    let pair = Pair::start();
    let mut client = pair.client();
    pair.proxy.strike(Stroke::Reset);
    assert_eq!(pair.proxy.open(), 0);
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    pair.client();
}

#[test]
fn a_cut_lets_so_many_bytes_pass_and_closes() {
    let pair = Pair::start();
    let open = pair.client();
    pair.proxy.inject(Fault::CutAfter { bytes: 10 });
    assert_eq!(ask(&open, PING), PONG);
    assert_eq!(ask_to_the_end(&open, PING), &PONG[..3]);
    assert_eq!(ask_to_the_end(connect(pair.proxy.port()), &PING.repeat(2)), format!("{PONG}{}", &PONG[..3]));
    pair.proxy.heal();
    pair.client();
}

#[test]
fn a_dribble_is_read_byte_by_byte() {
    let pair = Pair::start();
    let mut client = pair.client();
    pair.proxy.inject(Fault::Dribble { pause: Duration::from_millis(10) });
    client.write_all(PING.as_bytes()).unwrap();
    let mut reads = Vec::<String>::new();
    while !reads.concat().ends_with('\n') {
        let mut bytes = [0; 64];
        let read = client.read(&mut bytes).unwrap();
        reads.push(String::from_utf8_lossy(&bytes[..read]).into_owned());
    }
    assert_eq!(reads.concat(), PONG);
    assert!(reads.len() > 3, "{reads:?}");
}

#[test]
fn a_surplus_comes_with_each_reply() {
    let pair = Pair::start();
    let client = pair.client();
    pair.proxy.inject(Fault::Surplus { bytes: Bytes::from_static(b"+FOREIGN\r\n") });
    assert_eq!(ask(&client, PING), format!("{PONG}+FOREIGN\r\n"));
    pair.proxy.heal();
    assert_eq!(ask(&client, PING), PONG);
}

#[test]
fn a_surplus_comes_to_the_idle_too() {
    let pair = Pair::start();
    let client = pair.client();
    pair.proxy.strike(Stroke::Surplus(Bytes::from_static(b"+FOREIGN\r\n")));
    expect(&client, "+FOREIGN\r\n");
    assert_eq!(ask(&client, PING), PONG);
}

#[test]
fn a_swallowed_reply_never_comes() {
    let pair = Pair::start();
    let client = pair.client();
    pair.proxy.inject(Fault::Swallow);
    (&client).write_all(PING.as_bytes()).unwrap();
    assert!(is_silent(&client));
    assert_eq!(pair.pings(), 3, "the request arrives");
    pair.proxy.heal();
    assert_eq!(ask(&client, "ECHO next\r\n"), "$4\r\nnext\r\n");
}

#[test]
fn a_forged_reply_takes_the_place_of_the_real_one() {
    let pair = Pair::start();
    let client = pair.client();
    pair.proxy.inject(Fault::Forge { reply: Bytes::from_static(b"$-5\r\n") });
    assert_eq!(ask(&client, PING), "$-5\r\n");
}

#[test]
fn a_half_closed_connection_takes_requests_and_ends_replies() {
    let pair = Pair::start();
    let mut client = pair.client();
    pair.proxy.strike(Stroke::HalfClose);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    client.write_all(PING.as_bytes()).unwrap();
    let seen = || if pair.pings() == 3 { Ok(()) } else { Err("the request does not arrive".to_owned()) };
    until(Duration::from_secs(5), seen).unwrap();
    assert_eq!(pair.proxy.open(), 1);
    pair.client();
}

#[test]
fn who_is_refused_can_come_back_later() {
    let pair = Pair::start();
    let open = pair.client();
    pair.proxy.inject(Fault::Refuse);
    let refused = TcpStream::connect(("127.0.0.1", pair.proxy.port())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ask(&open, PING), PONG);
    pair.proxy.heal();
    pair.client();
}

#[test]
fn a_lost_server_closes_connections_and_a_restarted_one_is_reached_again() {
    let pair = Pair::start();
    let client = pair.client();
    pair.server.kill();
    assert_eq!(ask_to_the_end(&client, ""), "");
    assert_eq!(ask_to_the_end(connect(pair.proxy.port()), ""), "");
    pair.server.restart();
    pair.client();
}

#[test]
fn a_dropped_proxy_is_gone() {
    let pair = Pair::start();
    let mut client = pair.client();
    let port = pair.proxy.port();
    drop(pair.proxy);
    assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_hostile_server_answers_everything_alike() {
    let server = HostileServer::start("*1\r\n".repeat(1000)).unwrap();
    let client = connect(server.port());
    for _ in 0..2 {
        (&client).write_all(PING.as_bytes()).unwrap();
        expect(&client, &"*1\r\n".repeat(1000));
    }
}

#[test]
fn an_endless_reply_does_not_end() {
    let server = HostileServer::endless("x".repeat(1000)).unwrap();
    let client = connect(server.port());
    (&client).write_all(PING.as_bytes()).unwrap();
    expect(&client, &"x".repeat(5_000_000));
}
