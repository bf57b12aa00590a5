//! One memcached server, in each of its ways to start and to fail.

#![cfg(unix)]

mod clients;

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

use scrubjay_testkit::servers::MemcachedServer;

use self::clients::{ask, ask_to_the_end, connect, tls};

const SET: &str = "set key 0 0 5\r\nvalue\r\n";

#[test]
fn it_starts_and_answers() {
    let server = MemcachedServer::start().unwrap();
    assert_eq!(server.url(), format!("memcached://127.0.0.1:{}", server.port()));
    assert_eq!(ask(connect(server.port()), SET), "STORED\r\n");
    assert_eq!(server.stats()["cmd_set"], "1");
    assert_eq!(server.stats()["pid"], server.pid().to_string());
}

#[test]
fn it_asks_for_a_user() {
    let server = MemcachedServer::builder().auth("jay", "acorn!").start().unwrap();
    assert_eq!(server.url(), format!("memcached://jay:acorn%21@127.0.0.1:{}", server.port()));
    assert!(ask(connect(server.port()), "get key\r\n").starts_with("CLIENT_ERROR unauthenticated"));
    assert!(ask(connect(server.port()), "set x 0 0 9\r\njay wrong\r\n").starts_with("CLIENT_ERROR"));
    assert_eq!(ask(connect(server.port()), "set x 0 0 10\r\njay acorn!\r\n"), "STORED\r\n");
    assert!(server.stats().contains_key("uptime"));
}

#[test]
fn it_listens_on_a_unix_socket() {
    let server = MemcachedServer::builder().unix_socket().start().unwrap();
    let path = server.url().strip_prefix("memcached+unix://").unwrap().to_owned();
    assert_eq!(ask(UnixStream::connect(path).unwrap(), SET), "STORED\r\n");
    assert_eq!(server.stats()["cmd_set"], "1");
    server.restart();
    assert_eq!(server.stats()["cmd_set"], "0");
}

#[test]
fn it_speaks_tls_or_says_that_it_cannot() {
    let server = match MemcachedServer::builder().tls().start() {
        Ok(server) => server,
        Err(error) => return assert!(error.contains("built without TLS"), "{error}"),
    };
    assert_eq!(server.url(), format!("memcacheds://127.0.0.1:{}", server.port()));
    assert_eq!(ask(tls(server.port(), "localhost", &server.ca_certificate()), SET), "STORED\r\n");
    assert_eq!(server.stats()["cmd_set"], "1");

    assert!(!ask_to_the_end(connect(server.port()), SET).contains("STORED"));
}

#[test]
fn items_have_a_largest_size() {
    let server = MemcachedServer::builder().item_size_max("512k").start().unwrap();
    let set = format!("set key 0 0 700000\r\n{}\r\n", "x".repeat(700_000));
    assert!(ask(connect(server.port()), &set).starts_with("SERVER_ERROR object too large"));
}

#[test]
fn a_paused_server_keeps_its_connections_and_says_nothing() {
    let server = MemcachedServer::start().unwrap();
    let mut client = connect(server.port());
    server.pause();
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    client.write_all(SET.as_bytes()).unwrap();
    assert!(client.read(&mut [0; 8]).is_err(), "a paused server answered");

    server.resume();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(ask(client, ""), "STORED\r\n");
}

#[test]
fn a_killed_server_is_gone_until_it_is_restarted() {
    let server = MemcachedServer::start().unwrap();
    let (port, pid) = (server.port(), server.pid());
    ask(connect(port), SET);
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());

    server.restart();
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    assert_eq!(ask(connect(port), "get key\r\n"), "END\r\n");
}

#[test]
fn several_run_side_by_side() {
    let servers = [(); 3].map(|()| MemcachedServer::start().unwrap());
    for server in &servers {
        assert_eq!(ask(connect(server.port()), SET), "STORED\r\n");
        assert_eq!(server.stats()["cmd_set"], "1");
    }
}
