//! memcached: one server, or several that share the keys.
//!
//! The client is our own, `scrubjay-memcached`, which keeps connections and proves replies. `commands` gives its verbs the
//! port's meaning, `counter` makes signed counters of its unsigned ones, which `together` lets many change at once, `raw` takes
//! the server's own language.

mod commands;
mod config;
mod counter;
mod failure;
mod raw;
mod together;

use std::fmt;

use scrubjay_memcached::{Address, Client};

pub(super) use self::config::SCHEMES;
use self::together::Together;
use super::{AnyStore, StoreConfig, StoreInfo};
use crate::{Error, Result, url::Url};

/// A memcached server, or several that share the keys.
///
/// | URL | what it is |
/// |---|---|
/// | `memcached://host:11211` | one server; host and port can be left out |
/// | `memcached://a:11211,b:11211/?hash=ketama` | several |
/// | `memcached://user:password@host` | one that wants a login (ASCII authentication, its option `-Y`) |
/// | `memcached+unix:///run/memcached.sock` | one server, by its socket |
/// | `memcacheds://host?ca=authority.pem` | over verified TLS (Cargo feature `tls`) |
///
/// Options: `hash`, how several servers share the keys: `ketama` (as libmemcached does, the default) or `rendezvous` (more
/// even); `pool`, the number of connections to each server (default 1, which any number of callers share; several help with
/// large values); `ca`, a PEM file of the authorities to trust instead of the public ones.
///
/// - **Construction** connects to nothing. It fails only if the URL or an option cannot be read.
/// - **Deadline**: connecting, queueing, sending, receiving and repeating all end by the call's deadline.
/// - **Repetition**: a call whose connection turns out to be lost is repeated once, if that is harmless or none of it was sent.
/// - **Runtimes and processes** each have connections of their own. When a runtime has ended, the next call from another one
///   reconnects. A forked child makes its own connections.
/// - **Order**: each reply must repeat its request's token, and a batch of reads is enclosed by two; a surplus, foreign or
///   missing one closes the connection.
/// - **Several servers**: keys stay where they are when a server is down; its keys fail until it is back.
/// - **Ttls** are whole seconds, rounded up. memcached's clock ticks once a second, so an entry is given one second more than
///   asked: it never expires early, and up to a second late. `ttl` returns the time that is certainly left. An entry that would
///   outlive memcached's clock (January 2038) has no deadline.
/// - **Keys** that memcached cannot hold (over 250 bytes, with spaces or control characters) are sent in base64, or as a readable
///   beginning and 192 bits of hash.
/// - **Batches** are pipelined to all servers at once, and are not atomic.
/// - **Counters** cost two round trips: the first reads whether memcached's own arithmetic, which has no signs and no overflow,
///   is safe. If not (a decrement, a negative number), the number is changed by compare-and-set, once for all callers of this
///   process that come while a change is under way. If a second begins meanwhile, the counter's ttl is prolonged by it.
/// - **`clear`** of a namespace is unsupported: memcached cannot list its keys. **`clear_server`** empties every server.
/// - **`compare_and_set`** compares versions, which a restarted server counts from the beginning.
/// - **`raw`** carries out any command, given in words; a data block is the last word: `["set", "key", "0", "0", "5", "value"]`. It
///   goes to the server of its key, on a connection of its own, and returns the lines that come back. A command without a key
///   is unsupported if there are several servers.
/// - **Size**: by default a server takes items of up to one mebibyte (its option `-I`). A larger one is an
///   [`ErrorKind::Server`](crate::ErrorKind::Server) that says so, and the entry it should replace is removed.
/// - **Servers before 1.6** are used with the older text protocol, in which replies are matched by order only and ttls cannot be
///   read: what needs a ttl is [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
///
/// ```
/// use scrubjay::{Cache, far::Memcached, serializer::Json};
///
/// let store = Memcached::new("memcached://localhost:11211")?;
/// let cache = Cache::<String>::builder().far(store).serializer(Json).namespace("main").build()?;
/// assert_eq!(cache.info().to_string(), "memcached://localhost:11211 serializer=json timeout=1s namespace=main");
/// # Ok::<(), scrubjay::Error>(())
/// ```
#[derive(Clone)]
pub struct Memcached {
    client: Client,
    together: Together,
    info: StoreInfo,
}

impl Memcached {
    /// The store at `url`. Nothing is connected to yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it cannot be read, or an option is not known.
    pub fn new(url: &str) -> Result<Self> {
        Self::from_config(StoreConfig::from(Url::parse(url)?))
    }

    /// The store that `config` describes, setter by setter. Nothing is connected to yet.
    ///
    /// ```
    /// use scrubjay::far::{Memcached, StoreConfig};
    ///
    /// let config = StoreConfig::new("memcached").host("a", None).host("b", None).option("hash", "rendezvous");
    /// let store = Memcached::from_config(config)?;
    /// # Ok::<(), scrubjay::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it cannot work, or an option is not known.
    pub fn from_config(mut config: StoreConfig) -> Result<Self> {
        if !SCHEMES.contains(&&*config.scheme) {
            let known = SCHEMES.join(", ");
            return Err(Error::config(format!("unknown scheme `{}` of a memcached; known: {known}", config.scheme)));
        }
        let store = config::build(&mut config)?;
        config.parameters.finish(&config.scheme)?;
        Ok(store)
    }

    /// The servers of `client`, which the program already has; its connections are shared.
    #[must_use]
    pub fn from_client(client: Client) -> Self {
        let info = StoreInfo::new("memcached");
        let info = match client.servers().next() {
            Some(Address::Tcp { host, port }) => info.at(host, Some(*port), None),
            Some(Address::Unix(path)) => info.at(path.display().to_string(), None, None),
            _ => info,
        };
        Self { client, together: Together::default(), info }
    }
}

/// The factory of every scheme in [`SCHEMES`].
pub(super) fn factory(config: &mut StoreConfig) -> Result<AnyStore> {
    config::build(config).map(AnyStore::new)
}

impl fmt::Debug for Memcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memcached({})", self.info)
    }
}
