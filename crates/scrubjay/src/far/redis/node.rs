//! A node of a cluster, as redis-rs's cluster client connects to and speaks with it.

use std::{
    io,
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, IntoConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult, Value,
    aio::ConnectionLike, cluster_async::Connect,
};

use super::{
    order::Strictness,
    pulse::Pulse,
    server::{Connection, Server, is_lost},
};
use crate::clock;

/// A node that says nothing at all for so long to somebody who then leaves may be gone without a word.
const SILENCE: Duration = Duration::from_millis(500);

/// A connection to one node. redis-rs finds the right one, follows redirections and makes new ones.
#[derive(Clone)]
pub(super) struct Node(Connection);

impl Connect for Node {
    fn connect_with_config<'a, T>(info: T, _: AsyncConnectionConfig) -> RedisFuture<'a, Self>
    where
        T: IntoConnectionInfo + Send + 'a,
    {
        Box::pin(async move {
            let server = Server::from_info(&info.into_connection_info()?)?;
            server.connect(Strictness::Count).await.map(Self)
        })
    }
}

impl ConnectionLike for Node {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let Connection { commands, pulse, .. } = &self.0;
            let watch = Watch::new(pulse)?;
            let answer = commands.one(command).await;
            watch.end(answer, || may_be_repeated(command))
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let Connection { commands, pulse, .. } = &self.0;
            let watch = Watch::new(pulse)?;
            let answer = commands.several(pipeline, offset, count).await;
            watch.end(answer, || pipeline.cmd_iter().all(may_be_repeated))
        })
    }

    fn get_db(&self) -> i64 {
        // A cluster has no other.
        0
    }
}

/// Looks after one request to a node.
struct Watch<'a> {
    pulse: &'a Pulse,
    received: u64,
    written: u64,
    since: Instant,
    answered: bool,
}

impl<'a> Watch<'a> {
    fn new(pulse: &'a Pulse) -> RedisResult<Self> {
        if pulse.is_over() {
            // Not sent, which redis-rs takes as a reason to connect again and repeat.
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        }
        Ok(Self { pulse, received: pulse.received(), written: pulse.written(), since: clock::now(), answered: false })
    }

    /// Lets redis-rs repeat after a loss only what may be repeated, or was never sent.
    fn end<T>(mut self, answer: RedisResult<T>, may_be_repeated: impl FnOnce() -> bool) -> RedisResult<T> {
        self.answered = true;
        let error = match answer {
            Err(error) if is_lost(&error) => error,
            other => return other,
        };
        self.pulse.end();
        let unsent = self.pulse.written() == self.written;
        if unsent || may_be_repeated() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, error).into());
        }
        Err(RedisError::from((ErrorKind::Client, LOST, error.to_string())))
    }
}

/// What an error says of a command that may or may not have been carried out.
pub(super) const LOST: &str = "the connection was lost after the command was sent";

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let silent = !self.answered && self.pulse.received() == self.received;
        if silent && clock::now().duration_since(self.since) >= SILENCE {
            self.pulse.end();
        }
    }
}

/// Whether repeating `command` leaves things as sending it once does.
fn may_be_repeated(command: &Cmd) -> bool {
    const HARMLESS: [&[u8]; 13] = [
        b"GET", b"MGET", b"PTTL", b"EXISTS", b"PEXPIRE", b"PERSIST", b"UNLINK", b"SCAN", b"FLUSHDB", b"CLUSTER",
        b"PING", b"ASKING", b"SET",
    ];
    let mut words = command.args_iter().map(|word| match word {
        redis::Arg::Simple(word) => word,
        _ => b"",
    });
    let name = words.next().unwrap_or_default();
    HARMLESS.iter().any(|harmless| name.eq_ignore_ascii_case(harmless)) && !words.any(|word| word == b"NX")
}
