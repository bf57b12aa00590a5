//! Stores by URL scheme: the built-in ones and users' own.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use super::{AnyStore, DummyStore, MemoryStore, layer};
use crate::{
    Error, Parameters, Result,
    near::Memory,
    registry::Registry,
    url::{Host, Secret, Url},
};

/// More connections than this help nobody.
#[cfg(any(feature = "redis", feature = "memcached"))]
const LARGEST_POOL: usize = 256;

/// What a scheme's factory builds a store from: the parts of a URL, or the same by setters.
///
/// ```
/// use scrubjay::far::StoreConfig;
///
/// let store = StoreConfig::new("memory").option("max-entries", "500").build()?;
/// assert_eq!(store.to_string(), "memory");
/// # Ok::<(), scrubjay::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreConfig {
    /// The URL scheme.
    pub scheme: String,
    /// The servers, in order. Empty for the store's default host.
    pub hosts: Vec<Host>,
    /// The path: a database number, or a socket.
    pub path: String,
    /// The user's name.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The timeout of the cache around the store, `None` for the default of a second. Each call brings its own deadline; this is
    /// for what a store does beside calls, as connecting.
    pub timeout: Option<Duration>,
    /// The store's own options. A factory takes those that it knows.
    pub parameters: Parameters,
}

impl StoreConfig {
    /// The store of `scheme`, with defaults for everything else.
    #[must_use]
    pub fn new(scheme: impl Into<String>) -> Self {
        Self {
            scheme: scheme.into(),
            hosts: Vec::new(),
            path: String::new(),
            user: None,
            password: None,
            timeout: None,
            parameters: Parameters::new(),
        }
    }

    /// Adds a server; without a port it has the store's default port.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>, port: Option<u16>) -> Self {
        self.hosts.push(Host { name: name.into(), port });
        self
    }

    /// Chooses the database.
    #[must_use]
    pub fn db(mut self, db: u32) -> Self {
        self.path = format!("/{db}");
        self
    }

    /// Logs in as `user`.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Logs in with `password`, which is never shown.
    #[must_use]
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Sets one of the store's own options (`pool`, `max-entries`), as in a URL's query.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.insert(name, value);
        self
    }

    /// The store.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for an unknown scheme or option, listing what is known.
    pub fn build(mut self) -> Result<AnyStore> {
        let store = self.build_with_options_left()?;
        self.parameters.finish(&self.scheme)?;
        Ok(store)
    }

    /// The store with its layers; options that it does not know stay in `parameters`, for the cache around it.
    pub(crate) fn build_with_options_left(&mut self) -> Result<AnyStore> {
        let factory = STORES.find(&self.scheme)?;
        let layers = self.parameters.take_text("layers").unwrap_or_default();
        let store = factory(self)?;
        layer::stack(&layers, &mut self.parameters, store)
    }

    /// Takes the option `pool`: how many connections the store is to have, one if it does not say.
    #[cfg(any(feature = "redis", feature = "memcached"))]
    pub(crate) fn take_pool(&mut self) -> Result<usize> {
        let pool = self.parameters.take("pool", "a number of connections, 1 to 256")?.unwrap_or(1);
        if (1..=LARGEST_POOL).contains(&pool) {
            return Ok(pool);
        }
        Err(Error::config(format!("option `pool`: expected 1 to {LARGEST_POOL} connections, found {pool}")))
    }

    /// Refuses what means nothing to a store in this process.
    pub(crate) fn nowhere(&self) -> Result<()> {
        let elsewhere = !self.hosts.is_empty() || self.path.len() > 1 || self.user.is_some() || self.password.is_some();
        if elsewhere {
            return Err(Error::config(format!("{}:// takes no host, path, user or password", self.scheme)));
        }
        Ok(())
    }
}

impl From<Url> for StoreConfig {
    fn from(url: Url) -> Self {
        let Url { scheme, user, password, hosts, path, parameters } = url;
        Self { scheme, hosts, path, user, password, timeout: None, parameters }
    }
}

/// Builds a store alone, with its `layers=`, from a URL: `redis://localhost:6379/1?layers=retry+breaker`.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config), listing what is known where a name is not.
pub fn from_url(url: &str) -> Result<AnyStore> {
    StoreConfig::from(Url::parse(url)?).build()
}

/// Makes `scheme://` build stores by `factory`, which takes its options out of [`StoreConfig::parameters`].
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) if the scheme is taken.
pub fn register(
    scheme: &str,
    factory: impl Fn(&mut StoreConfig) -> Result<AnyStore> + Send + Sync + 'static,
) -> Result<()> {
    STORES.register(scheme, Arc::new(factory))
}

type Factory = dyn Fn(&mut StoreConfig) -> Result<AnyStore> + Send + Sync;

static STORES: LazyLock<Registry<Factory>> = LazyLock::new(|| {
    let here: [(&str, Arc<Factory>); 2] = [("dummy", Arc::new(dummy)), ("memory", Arc::new(memory))];
    #[cfg(not(feature = "redis"))]
    let on_redis = [];
    #[cfg(feature = "redis")]
    let on_redis = super::redis::SCHEMES.map(|scheme| (scheme, Arc::new(super::redis::factory) as Arc<Factory>));
    #[cfg(not(feature = "memcached"))]
    let on_memcached = [];
    #[cfg(feature = "memcached")]
    let on_memcached =
        super::memcached::SCHEMES.map(|scheme| (scheme, Arc::new(super::memcached::factory) as Arc<Factory>));
    Registry::new("scheme", here.into_iter().chain(on_redis).chain(on_memcached))
});

fn dummy(config: &mut StoreConfig) -> Result<AnyStore> {
    config.nowhere()?;
    Ok(AnyStore::new(DummyStore))
}

fn memory(config: &mut StoreConfig) -> Result<AnyStore> {
    config.nowhere()?;
    let memory = Memory::builder().bounded_by(&mut config.parameters, "max-entries")?;
    Ok(AnyStore::new(MemoryStore::new(memory.build())))
}
