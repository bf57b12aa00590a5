//! One Redis server, in each of its ways to start and to fail.

#![cfg(unix)]

mod clients;

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

use scrubjay_testkit::servers::RedisServer;

use self::clients::{ask, ask_to_the_end, connect, tls};

const PING: &str = "PING\r\n";

#[test]
fn it_starts_and_answers() {
    let server = RedisServer::start().unwrap();
    assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
    assert_eq!(ask(connect(server.port()), PING), "+PONG\r\n");
    assert_eq!(server.command(&["SET", "key", "a value"]), "OK");
    assert_eq!(server.command(&["GET", "key"]), "a value");
    assert!(server.command(&["INFO", "commandstats"]).contains("cmdstat_set:calls=1,"));
}

#[test]
fn it_asks_for_a_password() {
    let server = RedisServer::builder().password("a \"word\" of\\3").start().unwrap();
    assert!(server.url().starts_with("redis://:a%20%22word%22%20of%5C3@127.0.0.1:"), "{}", server.url());
    assert!(ask(connect(server.port()), PING).starts_with("-NOAUTH"));
    assert_eq!(server.command(&["PING"]), "PONG");
}

#[test]
fn it_asks_for_a_user() {
    let server = RedisServer::builder().user("jay", "acorn 1").start().unwrap();
    assert!(server.url().starts_with("redis://jay:acorn%201@127.0.0.1:"), "{}", server.url());
    assert!(ask(connect(server.port()), PING).starts_with("-NOAUTH"));
    assert_eq!(ask(connect(server.port()), "AUTH jay \"acorn 1\"\r\n"), "+OK\r\n");
    assert_eq!(server.command(&["ACL", "WHOAMI"]), "jay");
}

#[test]
fn it_listens_on_a_unix_socket() {
    let server = RedisServer::builder().unix_socket().start().unwrap();
    let path = server.url().strip_prefix("redis+unix://").unwrap().to_owned();
    assert_eq!(ask(UnixStream::connect(path).unwrap(), PING), "+PONG\r\n");
}

#[test]
fn it_speaks_tls_and_nothing_else() {
    let server = RedisServer::builder().tls().start().unwrap();
    assert!(server.url().starts_with("rediss://127.0.0.1:"), "{}", server.url());
    let trusted = server.ca_certificate();
    for name in ["127.0.0.1", "localhost"] {
        assert_eq!(ask(tls(server.port(), name, &trusted), PING), "+PONG\r\n");
    }
    assert_eq!(server.command(&["PING"]), "PONG");

    assert!(!ask_to_the_end(connect(server.port()), PING).contains("PONG"));
}

#[test]
fn no_server_vouches_for_another() {
    let [server, other] = [(); 2].map(|()| RedisServer::builder().tls().start().unwrap());
    let mut stranger = tls(server.port(), "localhost", &other.ca_certificate());
    assert!(stranger.write_all(PING.as_bytes()).is_err());
}

#[test]
fn a_setting_reaches_the_server() {
    let server = RedisServer::builder().setting("maxclients", "10").start().unwrap();
    assert_eq!(server.command(&["CONFIG", "GET", "maxclients"]), "maxclients\n10");
}

#[test]
fn a_wrong_setting_shows_what_the_server_says() {
    let error = RedisServer::builder().setting("maxclients", "many").start().unwrap_err();
    assert!(error.contains("maxclients \"many\""), "{error}");
}

#[test]
fn a_paused_server_keeps_its_connections_and_says_nothing() {
    let server = RedisServer::start().unwrap();
    let mut client = connect(server.port());
    server.pause();
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    client.write_all(PING.as_bytes()).unwrap();
    assert!(client.read(&mut [0; 8]).is_err(), "a paused server answered");

    server.resume();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(ask(client, ""), "+PONG\r\n");
}

#[test]
fn a_killed_server_is_gone_until_it_is_restarted() {
    let server = RedisServer::start().unwrap();
    let (port, pid) = (server.port(), server.pid());
    server.command(&["SET", "key", "value"]);
    server.kill();
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());

    server.restart();
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    assert_eq!(ask(connect(port), PING), "+PONG\r\n");
    assert_eq!(server.command(&["GET", "key"]), "(nil)");
}

#[test]
fn what_a_server_wrote_to_its_folder_survives_a_restart() {
    let server = RedisServer::builder().setting("appendonly", "yes").setting("appendfsync", "always").start().unwrap();
    server.command(&["SET", "key", "value"]);
    server.restart();
    assert_eq!(server.command(&["GET", "key"]), "value");
}

#[test]
fn a_paused_server_can_be_killed_and_dropped() {
    let server = RedisServer::start().unwrap();
    server.pause();
    server.restart();
    server.pause();
    let port = server.port();
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
#[should_panic(expected = "ERR unknown command")]
fn an_error_fails_the_test_that_asked() {
    RedisServer::start().unwrap().command(&["NOSUCH"]);
}
