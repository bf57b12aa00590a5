//! What must not happen however the network, the server or the caller fails. Each test prints its figure.
#![cfg(all(feature = "redis", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

mod faults;

use scrubjay_testkit::servers::RedisServer;

use self::faults::Target;

impl Target for RedisServer {
    const SCHEME: &'static str = "redis";
    const SURPLUS: &'static str = "$4\r\n\"no\"\r\n";

    fn start() -> Self {
        Self::start().unwrap()
    }

    fn url(&self) -> String {
        self.url()
    }

    fn port(&self) -> u16 {
        self.port()
    }

    /// Our question comes by a socket.
    fn clients(&self) -> usize {
        self.command(&["CLIENT", "LIST"]).lines().filter(|line| line.contains("addr=127.0.0.1")).count()
    }

    fn pause(&self) {
        self.pause();
    }

    fn resume(&self) {
        self.resume();
    }

    fn kill(&self) {
        self.kill();
    }

    fn restart(&self) {
        self.restart();
    }
}

faults::fault_tests!(RedisServer);

#[tokio::test]
async fn hostile_replies_are_errors() {
    faults::hostile_replies_are_errors::<RedisServer>(&[
        ("deep nesting", "*1\r\n".repeat(100_000)),
        ("huge length", "$8000000000\r\n".into()),
        ("negative length", "$-7\r\n".into()),
        ("huge array", "*2000000000\r\n:1\r\n$-7\r\n".into()),
        ("garbage", "HTTP/1.1 400 Bad Request\r\n\r\n".into()),
        ("wrong type", ":5\r\n".into()),
    ])
    .await;
    faults::endless_replies_are_errors::<RedisServer>(&["x".repeat(1 << 16), "+x".repeat(1 << 16)]).await;
}
