//! Redis and Valkey: one server, the master that sentinels name, or a cluster.
//!
//! Commands, values and clusters are redis-rs's; connections are our own, to keep the port's promises. `supervisor` makes
//! and replaces them; `login` says who we are; `pipe` shares each among its callers; `order` proves that each reply belongs
//! to its request; `values` reads it; `commands` speaks the verbs.

mod commands;
mod config;
mod failure;
mod frames;
mod glob;
mod login;
mod node;
mod order;
mod pipe;
mod pulse;
mod reply;
mod scripts;
mod server;
mod supervisor;
mod tls;
mod topology;
mod values;

use std::{fmt, sync::Arc};

pub(super) use self::config::SCHEMES;
use self::{server::Server, supervisor::Supervisor, topology::Topology};
use super::{AnyStore, StoreConfig, StoreInfo};
use crate::{Error, Result, url::Url};

/// A Redis or Valkey server, a sentinels' master, or a cluster.
///
/// | URL | what it is |
/// |---|---|
/// | `redis://user:password@host:6379/1` | one server, database 1; everything but the scheme can be left out |
/// | `rediss://host:6380?ca=authority.pem` | the same over verified TLS (Cargo feature `tls`) |
/// | `redis+unix:///run/redis.sock?db=1` | one server, by its socket |
/// | `redis-cluster://a:7000,b:7000` | a cluster, found through some of its nodes; `rediss-cluster` over TLS |
/// | `redis-sentinel://a:26379,b/mymaster/0` | the master of that name, looked up again after a failure; `rediss-sentinel` over TLS |
///
/// `valkey` can be written for `redis` (`valkeys` for `rediss`).
///
/// Options: `pool`, the number of connections (default 1, which any number of callers share; several help with large values);
/// `protocol`, 2 or 3 (default 2); `ca`, a PEM file of the authorities to trust instead of the public ones; `sentinel-user` and
/// `sentinel-password`.
///
/// - **Construction** connects to nothing. It fails only if the URL or an option cannot be read.
/// - **Deadline**: connecting, queueing, sending, receiving and repeating all end by the call's deadline. If the server refuses
///   the connection, the call fails at once.
/// - **Repetition**: a call whose connection turns out to be lost is repeated once, if that is harmless or none of it was sent.
/// - **Runtimes and processes** each have connections of their own. When a runtime has ended, the next call from another one
///   reconnects. A forked child makes its own connections.
/// - **Order**: on one server and behind sentinels every batch of replies is proven to belong to its requests before a
///   caller sees any, at the price of one `ECHO` per batch; a surplus or a missing reply closes the connection. On a
///   cluster's nodes, and where an ACL forbids `ECHO`, replies are matched by order only: a surplus one is noticed once no
///   request is waiting. On connections that redis-rs makes itself (a TLS cluster, [`Redis::from_client`] with TLS) neither a
///   surplus nor a missing one is noticed.
/// - **Batches**: `set_many` is atomic, except on a cluster. A `get` that wants a ttl reads the ttl first and then the value, in
///   one round trip but not atomically.
/// - **`clear`** scans the keys and unlinks those of its namespace. For millions of keys give it a longer timeout.
///   **`clear_server`** empties the one database (`FLUSHDB`), or the whole cluster.
/// - **`compare_and_set`** compares bytes: an entry that was changed and changed back counts as unchanged.
/// - **`raw`** carries out any command. A command that changes or blocks its connection (`SELECT`, `SUBSCRIBE`, `BLPOP`,
///   `CLIENT`…) gets a connection of its own for that call, and returns its first reply; on a cluster it is refused.
///
/// ```
/// use scrubjay::{Cache, far::Redis, serializer::Json};
///
/// let store = Redis::new("redis://localhost:6379/1")?;
/// let cache = Cache::<String>::builder().far(store).serializer(Json).namespace("main").build()?;
/// assert_eq!(cache.info().to_string(), "redis://localhost:6379/1 serializer=json timeout=1s namespace=main");
/// # Ok::<(), scrubjay::Error>(())
/// ```
#[derive(Clone)]
pub struct Redis {
    connections: Arc<Supervisor>,
    info: StoreInfo,
}

impl Redis {
    /// The store at `url`. Nothing is connected to yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the URL cannot be read, or an option is unknown.
    pub fn new(url: &str) -> Result<Self> {
        Self::from_config(StoreConfig::from(Url::parse(url)?))
    }

    /// The store that `config` describes. Nothing is connected to yet.
    ///
    /// ```
    /// use scrubjay::far::{Redis, StoreConfig};
    ///
    /// let config = StoreConfig::new("redis").host("localhost", Some(6379)).db(1).option("pool", "4");
    /// let store = Redis::from_config(config)?;
    /// # Ok::<(), scrubjay::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the parts do not fit together, or an option is unknown.
    pub fn from_config(mut config: StoreConfig) -> Result<Self> {
        if !SCHEMES.contains(&&*config.scheme) {
            let known = SCHEMES.join(", ");
            return Err(Error::config(format!("unknown scheme `{}` of a Redis; known: {known}", config.scheme)));
        }
        let store = config::build(&mut config)?;
        config.parameters.finish(&config.scheme)?;
        Ok(store)
    }

    /// The server that `client` connects to. Only its address and login are used; the store makes its own connections.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if redis-rs cannot use the address.
    pub fn from_client(client: &redis::Client) -> Result<Self> {
        let info = client.get_connection_info();
        let server = Server::from_info(info);
        let server = server.map_err(|error| failure::from_redis(&error, crate::Operation::Get))?;
        let db = u32::try_from(info.redis_settings().db()).ok();
        let told = StoreInfo::new("redis");
        let told = match info.addr() {
            redis::ConnectionAddr::Tcp(host, port) | redis::ConnectionAddr::TcpTls { host, port, .. } => {
                told.at(host, Some(*port), db)
            }
            redis::ConnectionAddr::Unix(path) => told.at(path.display().to_string(), None, db),
            _ => told,
        };
        Ok(Self::new_over(Topology::Single(server), told, 1))
    }

    fn new_over(topology: Topology, info: StoreInfo, pool: usize) -> Self {
        Self { connections: Arc::new(Supervisor::new(topology, pool)), info }
    }
}

/// The factory of every scheme in [`SCHEMES`].
pub(super) fn factory(config: &mut StoreConfig) -> Result<AnyStore> {
    config::build(config).map(AnyStore::new)
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.info)
    }
}
