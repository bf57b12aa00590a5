//! memcached: one server, or several that share the keys.
//!
//! The client is our own, `scrubjay-memcached`, which keeps connections and proves replies. `commands` gives its verbs the
//! port's meaning, `counter` makes signed counters of its unsigned ones, `raw` takes the server's own language.

mod commands;
mod config;
mod counter;
mod failure;
mod raw;

use std::fmt;

use scrubjay_memcached::{Address, Client};

pub(super) use self::config::SCHEMES;
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
/// evenly); `pool`, the number of connections to each server (1, which any number of callers share; several help large values);
/// `ca`, a PEM file of the authorities to trust instead of the web's.
///
/// - **Construction** connects to nothing, and fails only if it cannot be read.
/// - **Deadline**: connecting, queueing, sending, receiving and repeating all end by the call's.
/// - **Repetition**: a call whose connection turns out to be lost is repeated once, if that is harmless or none of it was sent.
/// - **Runtimes and processes** each have connections of their own; those of a finished runtime cost the next call a
///   reconnect. A forked child makes its own.
/// - **Order**: each reply must repeat its request's token, and a batch of reads stands between two; a surplus, foreign or
///   missing one closes the connection.
/// - **Several servers**: keys stay where they are when one is down; its keys fail until it is back.
/// - **Ttls** are whole seconds, rounded up. memcached's clock ticks once a second, so an entry is given one second more than
///   asked, is never early, and goes up to a second late; what `ttl` tells is what is certain to be left. An entry that would
///   outlive memcached's clock (January 2038) has no deadline.
/// - **Keys** that memcached cannot hold (over 250 bytes, spaces, controls) are sent in base64, or as a readable beginning and
///   192 bits of hash.
/// - **Batches** are pipelined to all servers at once, and are not atomic.
/// - **Counters** cost two round trips: one looks whether memcached's own arithmetic, which has neither signs nor an end, will
///   do; if not (a decrement, a negative number), the number is compared and set. Many who decrement one counter at once wait for
///   each other, and a second that begins meanwhile prolongs its ttl by that second.
/// - **`clear`** of a namespace is unsupported: memcached does not tell its keys. **`clear_server`** empties every server.
/// - **`compare_and_set`** compares versions, which a restarted server counts from the beginning.
/// - **`raw`** carries out any command, in words; a block of data is the last one: `["set", "key", "0", "0", "5", "value"]`. It
///   goes to the server of its key, on a connection of its own, and is answered by the lines that come back. A command
///   without a key is unsupported where there are several servers.
/// - **Size**: a server takes items of up to a mebibyte unless told otherwise (its option `-I`). A larger one is an
///   [`ErrorKind::Server`](crate::ErrorKind::Server) that says so, and the entry it should replace is gone.
/// - **Servers before 1.6** are spoken to in the older text protocol, which proves a reply by its order only and cannot tell a
///   ttl: what needs one is [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
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
        Self { client, info }
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
