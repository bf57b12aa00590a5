//! [`Cache`]: the verbs, as lazy futures. The engine does the work.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::{
    Builder, CacheInfo, Key, Memory, Result, Ttl, blocking,
    engine::{self, Counter, Engine},
    far::Token,
    load::{Batch, Load, Outcome, Plain, Told},
    plugin::Plugin,
    requests::{
        Add, Clear, ClearServer, Close, CompareAndSet, Delete, DeleteMany, Exists, Expire, Get, GetForUpdate, GetMany,
        GetOrLoad, GetOrLoadMany, Increment, LookupKey, Raw, ReadTtl, Set, SetMany,
    },
    serializer::Codecs,
};

/// A cache of `V`s: live values in this process, bytes in a store, or both.
///
/// Clones share everything. Each verb returns a [request](crate::requests): a future that does nothing until it is awaited. Options
/// are chained on it before that. [`blocking`](Self::blocking) gives the same cache without async.
///
/// A value from the near tier is a clone, so an `Arc` is shared and not copied. With two tiers the far tier decides; the near tier
/// only answers `get`, `get_many`, `lookup` and the reads of loads, for at most its own ttl. It never answers with a value older
/// than the last write through this cache or its clones. Writes by other processes, and by other `Cache`s over the same store,
/// show after at most that ttl.
///
/// ```
/// use std::time::Duration;
/// use scrubjay::Cache;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> scrubjay::Result<()> {
/// let cache: Cache<String> = Cache::memory();
/// cache.set("greeting", "hello".into()).ttl(Duration::from_secs(60)).await?;
/// assert_eq!(cache.get("greeting").await?.as_deref(), Some("hello"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors of every verb
///
/// | kind | when |
/// |---|---|
/// | [`Timeout`](crate::ErrorKind::Timeout) | the store did not answer within the call's timeout; the command may have been carried out |
/// | [`Connection`](crate::ErrorKind::Connection), [`Server`](crate::ErrorKind::Server) | the store cannot be reached, or answers with an error |
/// | [`Overloaded`](crate::ErrorKind::Overloaded) | a layer (`limit`, `breaker`) refused the call before it was sent |
/// | [`InvalidKey`](crate::ErrorKind::InvalidKey) | a store of your own cannot hold the key; the built-in ones hold every key |
/// | [`InvalidTtl`](crate::ErrorKind::InvalidTtl) | a ttl of zero, or of more than a hundred years |
/// | [`Encode`](crate::ErrorKind::Encode) | the serializer has no form for a value that is to be written to the far tier |
/// | [`Unsupported`](crate::ErrorKind::Unsupported) | the store cannot do this (see its [`Capability`](crate::far::Capability)), or there is no tokio runtime to wait on |
///
/// A cache without a far tier has only `InvalidTtl`, and `Unsupported` if it would have to wait. Other errors are listed at the
/// verbs that return them. Bytes that cannot be decoded are no error but a miss, [counted](Self::undecodable).
///
/// # For the life of the program
///
/// A cache for the life of the program is a `static`. Each runtime that uses it makes connections of its own:
///
/// ```
/// use std::sync::LazyLock;
/// use scrubjay::Cache;
///
/// static SESSIONS: LazyLock<Cache<String>> = LazyLock::new(Cache::memory);
///
/// # fn main() -> scrubjay::Result<()> {
/// SESSIONS.blocking().set("42", "admin".into())?;
/// # Ok(())
/// # }
/// ```
pub struct Cache<V>(Arc<Engine<V>>);

/// Construction.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// A cache in this process that holds up to 10,000 live values.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Engine::new(Some(Memory::builder().build()), None))
    }

    /// A builder, to choose tiers, serializer, namespace, ttl and the rest.
    ///
    /// A weigher and an eviction listener belong to the near tier: give them to [`Memory::builder`], and the `Memory` to
    /// [`Builder::near`].
    pub fn builder() -> Builder<V> {
        Builder::new()
    }

    /// The cache that a URL describes: `memory://?max-entries=500&ttl=60s`, `redis://localhost?namespace=main`.
    ///
    /// For a type without serde use [`Builder::url`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config). For an unknown scheme, name or option it lists the known ones.
    pub fn from_url(url: &str) -> Result<Self>
    where
        V: serde::Serialize + serde::de::DeserializeOwned,
    {
        Self::builder().codecs(Codecs::serde()).url(url)?.build()
    }

    pub(crate) fn new(engine: Engine<V>) -> Self {
        Self(Arc::new(engine))
    }

    pub(crate) fn engine(&self) -> &Engine<V> {
        &self.0
    }
}

/// Reading.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// The value under `key`. Bytes that cannot be decoded are a miss, [counted](Self::undecodable).
    #[inline]
    pub fn get<'a>(&'a self, key: impl Into<Key<'a>>) -> Get<'a, V> {
        engine::Request::new(&self.0, engine::Get::new(key.into()))
    }

    /// The values under `keys`, in their order, duplicates included. Those that the near tier lacks cost one round trip.
    pub fn get_many<'a, K: Into<Key<'a>>>(&'a self, keys: impl IntoIterator<Item = K>) -> GetMany<'a, V> {
        engine::Request::new(&self.0, engine::GetMany::new(keys.into_iter().map(Into::into).collect()))
    }

    /// The value under `key` with the tier that answered and its remaining ttl, or why there is none.
    pub fn lookup<'a>(&'a self, key: impl Into<Key<'a>>) -> LookupKey<'a, V> {
        engine::Request::new(&self.0, engine::LookupKey::new(key.into()))
    }

    /// The value under `key`, and a token for [`compare_and_set`](Self::compare_and_set). It comes from the far tier, if there
    /// is one.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) on a store that cannot compare and set.
    pub fn get_for_update<'a>(&'a self, key: impl Into<Key<'a>>) -> GetForUpdate<'a, V> {
        engine::Request::new(&self.0, engine::GetForUpdate::new(key.into()))
    }

    /// Whether there is a live entry under `key`.
    ///
    /// A store sends the whole value for that, unless the cache is [bare](crate::Wire::Bare): only its bytes tell a live entry
    /// from a stale one or a lease.
    pub fn exists<'a>(&'a self, key: impl Into<Key<'a>>) -> Exists<'a, V> {
        engine::Request::new(&self.0, engine::Exists { key: key.into() })
    }

    /// How long the entry under `key` still lives; whether it is absent, or has no deadline.
    ///
    /// A store sends the whole value for that, unless the cache is [bare](crate::Wire::Bare).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) on a store that cannot read ttls.
    pub fn ttl<'a>(&'a self, key: impl Into<Key<'a>>) -> ReadTtl<'a, V> {
        engine::Request::new(&self.0, engine::ReadTtl { key: key.into() })
    }
}

/// Loading.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// The value under `key`. If there is none, `loader` is called, once for all callers who want the key, and its value is
    /// stored.
    ///
    /// - Of all callers on this cache and its clones one loads, in its own future, and the others wait. If that one is
    ///   cancelled, one of the others takes over.
    /// - Of all processes and caches that share a store one loads, too, where the store can compare and set.
    /// - If the key is written or deleted meanwhile, callers still get the loaded value, but it is not stored.
    /// - The cache's [`Policy`](crate::Policy), or [the call's](crate::requests::Request::policy), says how long to wait, what
    ///   may be served stale, and what happens when the store fails: by default the load goes on without the store.
    ///
    /// ```
    /// use scrubjay::Cache;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> scrubjay::Result<()> {
    /// let cache: Cache<String> = Cache::memory();
    /// let page = cache.get_or_load("page", || async { std::fs::read_to_string("Cargo.toml") }).await?;
    /// assert_eq!(cache.get("page").await?, Some(page));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::Load`](crate::ErrorKind::Load) with the loader's [error](crate::Error::loader_error), which is never stored.
    ///   A loader's own [`Error`](crate::Error) is returned as it is.
    /// - [`ErrorKind::Recursion`](crate::ErrorKind::Recursion) if the loader waits for this key.
    /// - [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) after the policy's `load-timeout`.
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if a loader of [`get_or_load_with`](Self::get_or_load_with) has found
    ///   nothing for this key, and this call joined its load or that is still remembered.
    /// - [`ErrorKind::Config`](crate::ErrorKind::Config) if the policy contradicts itself, or the store cannot keep what it needs.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if there is something to wait for and no tokio runtime.
    ///
    /// Failures of the store are only returned if the policy's `on-failure` says so.
    pub fn get_or_load<'a, F, Loading, E>(&'a self, key: impl Into<Key<'a>>, loader: F) -> GetOrLoad<'a, V, Plain<F>>
    where
        F: FnOnce() -> Loading + Send + 'a,
        Loading: Future<Output = Result<V, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        engine::Request::new(&self.0, engine::GetOrLoad::new(key.into(), Plain(loader)))
    }

    /// As [`get_or_load`](Self::get_or_load), with a loader that gets a [`Load`] (the key, and the stale value if there is one) and
    /// returns an [`Outcome`]: a value, a value with a ttl of its own, a value that is not to be stored, or that there is
    /// [none](Outcome::NotFound), for which this returns `None`.
    ///
    /// # Errors
    /// As [`get_or_load`](Self::get_or_load), without `NotFound`.
    pub fn get_or_load_with<'a, F, Loading, E>(
        &'a self,
        key: impl Into<Key<'a>>,
        loader: F,
    ) -> GetOrLoad<'a, V, Told<F>>
    where
        F: FnOnce(Load<V>) -> Loading + Send + 'a,
        Loading: Future<Output = Result<Outcome<V>, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        engine::Request::new(&self.0, engine::GetOrLoad::new(key.into(), Told(loader)))
    }
}

/// Loading several.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// The values under `keys`, in their order, duplicates included. `loader` is called with the missing keys, each of them once,
    /// and returns those that it finds with their values: a map, a `Vec` of pairs or an iterator. The others are `None`, and are
    /// remembered as such for the policy's `negative-ttl`.
    ///
    /// The loader gets the keys as the cache's [key builder](crate::KeyBuilder) has made them, if there is one. Keys that another
    /// caller is loading are not passed to it: their values are awaited after the loader has returned. If that caller is
    /// cancelled, the loader is called again, with those keys.
    ///
    /// ```
    /// use scrubjay::{Cache, Error};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> scrubjay::Result<()> {
    /// let lengths: Cache<usize> = Cache::memory();
    /// lengths.set("jay", 3).await?;
    /// let load = |missing: Vec<String>| async move {
    ///     assert_eq!(missing, ["scrub"]);
    ///     Ok::<_, Error>(missing.into_iter().map(|word| (word.clone(), word.len())))
    /// };
    /// assert_eq!(lengths.get_or_load_many(["scrub", "jay"], load).await?, [Some(5), Some(3)]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get_or_load`](Self::get_or_load), if any key could neither be found nor loaded. What was loaded is stored even then.
    pub fn get_or_load_many<'a, K, F, Loading, Pairs, E>(
        &'a self,
        keys: impl IntoIterator<Item = K>,
        loader: F,
    ) -> GetOrLoadMany<'a, V, Batch<F>>
    where
        K: Into<Key<'a>>,
        F: FnMut(Vec<String>) -> Loading + Send + 'a,
        Loading: Future<Output = Result<Pairs, E>> + Send,
        Pairs: IntoIterator<Item = (String, V)>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let keys = keys.into_iter().map(Into::into).collect();
        engine::Request::new(&self.0, engine::GetOrLoadMany::new(keys, Batch(loader)))
    }
}

/// Writing. Without a ttl on the call the cache's ttl applies; without either an entry lives until it is evicted.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// Stores `value` under `key`, in place of any other.
    #[inline]
    pub fn set<'a>(&'a self, key: impl Into<Key<'a>>, value: V) -> Set<'a, V> {
        engine::Request::new(&self.0, engine::Set::new(key.into(), value))
    }

    /// Stores all `entries`; of two under one key the later stays. If a value cannot be encoded, nothing is written.
    ///
    /// Only a store that says so ([`Capability::atomic_batches`](crate::far::Capability::atomic_batches)) applies them as a whole.
    pub fn set_many<'a, K: Into<Key<'a>>>(&'a self, entries: impl IntoIterator<Item = (K, V)>) -> SetMany<'a, V> {
        engine::Request::new(&self.0, engine::SetMany::new(entries.into_iter().map(|(key, value)| (key.into(), value))))
    }

    /// Stores `value` under `key` unless there is a live entry, atomically. Returns whether it did.
    ///
    /// On a store this is one round trip; a second if something is there, which may be stale or a lease.
    pub fn add<'a>(&'a self, key: impl Into<Key<'a>>, value: V) -> Add<'a, V> {
        engine::Request::new(&self.0, engine::Add::new(key.into(), value))
    }

    /// Stores `value` under `key` if the entry is still what [`get_for_update`](Self::get_for_update) read. Returns whether it did.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) on a store that cannot compare and set, and for a token of
    /// another kind of store.
    pub fn compare_and_set<'a>(&'a self, key: impl Into<Key<'a>>, value: V, token: Token) -> CompareAndSet<'a, V> {
        engine::Request::new(&self.0, engine::CompareAndSet::new(key.into(), value, token))
    }

    /// Adds `by`, which may be negative, to the counter under `key`, atomically. Returns the new value.
    ///
    /// An absent counter counts as zero and is created with the ttl of the call or the cache; an existing one keeps its ttl. In a
    /// store counters are decimal text, so the serializer must be one that can read it: json, text or null.
    ///
    /// # Errors
    /// [`ErrorKind::NotANumber`](crate::ErrorKind::NotANumber) if the entry is not a number or the serializer cannot read counters,
    /// [`ErrorKind::Overflow`](crate::ErrorKind::Overflow) if the result does not fit. The entry keeps its value.
    pub fn increment<'a>(&'a self, key: impl Into<Key<'a>>, by: i64) -> Increment<'a, V>
    where
        V: Counter,
    {
        engine::Request::new(&self.0, engine::Increment::new(key.into(), by))
    }

    /// Gives the live entry under `key` a new ttl, [`Ttl::Never`] for none. Returns whether there was an entry.
    ///
    /// On a store this reads the entry with its value and then changes it: two round trips, or one if the cache is
    /// [bare](crate::Wire::Bare).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) on a store that cannot change ttls.
    pub fn expire<'a>(&'a self, key: impl Into<Key<'a>>, ttl: impl Into<Ttl>) -> Expire<'a, V> {
        engine::Request::new(&self.0, engine::Expire { key: key.into(), ttl: ttl.into() })
    }

    /// Removes the entry under `key`. Returns whether there was a live one.
    ///
    /// A cache whose loads put more than live entries into a store (its policy has a `grace` or a `negative-ttl`, or a call's had)
    /// reads before it removes, which is another round trip. Any other cache counts as an entry what the loads of *other* caches
    /// put there, and the lease of a load under way.
    pub fn delete<'a>(&'a self, key: impl Into<Key<'a>>) -> Delete<'a, V> {
        engine::Request::new(&self.0, engine::Delete { key: key.into() })
    }

    /// Removes the entries under `keys`. Returns how many there were, counted as by [`delete`](Self::delete).
    pub fn delete_many<'a, K: Into<Key<'a>>>(&'a self, keys: impl IntoIterator<Item = K>) -> DeleteMany<'a, V> {
        engine::Request::new(&self.0, engine::DeleteMany { keys: keys.into_iter().map(Into::into).collect() })
    }

    /// Removes every entry of the namespace, and no other. A cache in this process without a namespace is emptied.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) without a namespace on a store that others may share: to empty that use
    /// [`clear_server`](Self::clear_server). [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) on memcached, and in a store
    /// with a [key layout](crate::KeyLayout) that does not keep namespaces apart (all but `namespaced`).
    pub fn clear(&self) -> Clear<'_, V> {
        engine::Request::new(&self.0, engine::Clear)
    }

    /// Removes everything that the store holds, including other programs' entries.
    pub fn clear_server(&self) -> ClearServer<'_, V> {
        engine::Request::new(&self.0, engine::ClearServer)
    }

    /// Sends a command to the store as it is, without namespace and serializer. The store's own documentation says which commands
    /// it takes and what it returns.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) on a near-only cache and on stores without commands.
    pub fn raw<W: Into<Bytes>>(&self, command: impl IntoIterator<Item = W>) -> Raw<'_, V> {
        engine::Request::new(&self.0, engine::Raw { words: command.into_iter().map(Into::into).collect() })
    }

    /// Closes the store's connections. A later call makes new ones. Closing twice is fine; dropping the last clone closes them,
    /// too.
    pub fn close(&self) -> Close<'_, V> {
        engine::Request::new(&self.0, engine::Close)
    }
}

/// The cache itself.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// The same cache without async.
    #[must_use]
    pub fn blocking(&self) -> blocking::Cache<V> {
        blocking::Cache::new(self.clone())
    }

    /// A cache over the same tiers, observed by one more plugin. This cache and its clones are not observed by it.
    #[must_use]
    pub fn with_plugin(&self, plugin: impl Plugin) -> Self {
        let mut engine = Engine::clone(&self.0);
        engine.plugins.push(Arc::new(plugin));
        Self::new(engine)
    }

    /// The first plugin of type `P`, to read what it has recorded.
    #[must_use]
    pub fn plugin<P: Plugin>(&self) -> Option<Arc<P>> {
        self.0.plugins.find()
    }

    /// How often stored bytes could not be decoded, and so read as a miss.
    #[must_use]
    pub fn undecodable(&self) -> u64 {
        self.0.undecodable.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Number of store failures during loads; the loads continued without the store.
    #[must_use]
    pub fn failures_ignored(&self) -> u64 {
        self.0.loads.outage.failures()
    }

    /// The cache's tiers, names and defaults, without secrets. `Display` prints them in one line.
    #[must_use]
    pub fn info(&self) -> CacheInfo {
        CacheInfo::of(&self.0)
    }
}

impl<V> Clone for Cache<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: Clone + Send + Sync + 'static> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({})", self.info())
    }
}
