//! A Redis master and its replica, watched by a sentinel.

use std::time::Duration;

use super::{RedisServer, redis::Role};
use crate::{ports, wait::until};

/// What the sentinel calls the two servers.
const NAME: &str = "mymaster";

/// How long a replica may take to follow, or the sentinel to act.
const LIMIT: Duration = Duration::from_secs(30);

/// A master, its replica, and one sentinel that decides alone, on this machine. All are ended when this is dropped.
#[derive(Debug)]
pub struct RedisSentinel {
    servers: [RedisServer; 2],
    sentinel: RedisServer,
}

impl RedisSentinel {
    /// Starts the three, and waits until the sentinel could replace the master.
    pub fn start() -> Result<Self, String> {
        let master = start_server(&[])?;
        let replica = start_server(&[format!("replicaof 127.0.0.1 {}", master.port())])?;
        until(LIMIT, || master.is_replicated())?;
        // Only now: a sentinel asks a master for its replicas when it starts, and then every 10 s.
        let sentinel = start_sentinel(master.port())?;
        until(LIMIT, || {
            sentinel.says(&["SENTINEL", "REPLICAS", NAME], "master-link-status\nok")?;
            sentinel.says(&["SENTINEL", "CKQUORUM", NAME], "OK")
        })?;
        Ok(Self { servers: [master, replica], sentinel })
    }

    /// Where the sentinel is, and whom to ask it for: `redis-sentinel://host:port/mymaster/0`.
    pub fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/{NAME}/0", self.sentinel.port())
    }

    /// The two servers, the one that was the master at the start first.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The sentinel itself, which speaks Redis's protocol, too.
    pub fn sentinel(&self) -> &RedisServer {
        &self.sentinel
    }

    /// The server that the sentinel announces as the master.
    ///
    /// # Panics
    ///
    /// When the sentinel does not answer.
    pub fn master(&self) -> &RedisServer {
        self.announced().unwrap_or_else(|error| panic!("no master: {error}"))
    }

    /// Kills the master, and waits until the sentinel announces the other server and that takes writes.
    ///
    /// # Panics
    ///
    /// When that takes more than 30 s.
    pub fn failover(&self) {
        let old = self.master();
        old.kill();
        until(LIMIT, || {
            let new = self.announced()?;
            if new.port() == old.port() {
                return Err(format!("the sentinel still announces {}", old.port()));
            }
            new.says(&["ROLE"], "master")
        })
        .unwrap_or_else(|error| panic!("no failover: {error}"));
    }

    fn announced(&self) -> Result<&RedisServer, String> {
        let address = self.sentinel.try_command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
        let port = address.lines().last().unwrap_or_default();
        let announced = self.servers.iter().find(|server| server.port().to_string() == port);
        announced.ok_or_else(|| format!("the sentinel announces a stranger: {address:?}"))
    }
}

fn start_server(lines: &[String]) -> Result<RedisServer, String> {
    let builder = RedisServer::builder().setting("repl-diskless-sync-delay", "0");
    lines.iter().cloned().fold(builder, super::RedisBuilder::line).start()
}

fn start_sentinel(master: u16) -> Result<RedisServer, String> {
    ports::with_free(|port| {
        RedisServer::builder()
            .role(Role::Sentinel)
            .line(format!("sentinel monitor {NAME} 127.0.0.1 {master} 1"))
            .line(format!("sentinel down-after-milliseconds {NAME} 500"))
            .line(format!("sentinel failover-timeout {NAME} 5000"))
            .start_on(port)
    })
}
