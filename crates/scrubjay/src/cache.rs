//! [`Cache`]: the verbs, as lazy futures. The engine does the work.

use std::{collections::HashMap, fmt, sync::Arc};

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
/// Clones share everything. Each verb answers a [request](crate::requests): a future that does nothing until awaited, on which
/// options chain first. [`blocking`](Self::blocking) gives the same cache without async.
///
/// A value that comes from the near tier is a clone; an `Arc` is therefore shared, not copied. With two tiers the far one
/// decides everything but `get`, `get_many` and `lookup`, which the near one may answer for as long as its own ttl says.
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
/// A cache for the life of the program is a `static`; its connections are made, and made anew, by whichever runtime uses it:
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

/// Making one.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// A near tier of 10,000 entries: the embedded default.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Engine::new(Some(Memory::builder().build()), None))
    }

    /// Chooses tiers, serializer, namespace, ttl and the rest.
    pub fn builder() -> Builder<V> {
        Builder::new()
    }

    /// A cache as a URL tells it: `memory://?max-entries=500&ttl=60s`, `memory://?serializer=json+zstd&namespace=main`.
    ///
    /// A type without serde goes through [`Builder::url`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), listing what is known where a scheme, name or option is not.
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

    /// The values under `keys`, in their order, duplicates included; one round trip for those that the near tier has not.
    pub fn get_many<'a, K: Into<Key<'a>>>(&'a self, keys: impl IntoIterator<Item = K>) -> GetMany<'a, V> {
        engine::Request::new(&self.0, engine::GetMany::new(keys.into_iter().map(Into::into).collect()))
    }

    /// The value under `key` with the tier that answered and its remaining ttl, or why there is none.
    pub fn lookup<'a>(&'a self, key: impl Into<Key<'a>>) -> LookupKey<'a, V> {
        engine::Request::new(&self.0, engine::LookupKey::new(key.into()))
    }

    /// The value under `key`, and a token for [`compare_and_set`](Self::compare_and_set). Never answered by a near tier that
    /// has a far one behind it.
    pub fn get_for_update<'a>(&'a self, key: impl Into<Key<'a>>) -> GetForUpdate<'a, V> {
        engine::Request::new(&self.0, engine::GetForUpdate::new(key.into()))
    }

    /// Whether a live entry stands under `key`.
    pub fn exists<'a>(&'a self, key: impl Into<Key<'a>>) -> Exists<'a, V> {
        engine::Request::new(&self.0, engine::Exists { key: key.into() })
    }

    /// How long the entry under `key` still lives: absent, never and remaining are told apart.
    pub fn ttl<'a>(&'a self, key: impl Into<Key<'a>>) -> ReadTtl<'a, V> {
        engine::Request::new(&self.0, engine::ReadTtl { key: key.into() })
    }
}

/// Loading.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// The value under `key`; if there is none `loader` is called, once for all who want the key, and its value kept.
    ///
    /// Of all callers in this process one loads, in its own future, and the others wait; if it leaves one of them takes over.
    /// Of all processes that share a store one loads, too, where the store can compare and set. Whoever writes to the key
    /// meanwhile wins: the value of the load goes to its callers, and is not kept. The cache's [`Policy`](crate::Policy), or
    /// [the call's](crate::requests::Request::policy), says how long to wait, what may be served stale and what happens when
    /// the store fails: by default the loader answers as if there were no store.
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
    /// [`ErrorKind::Load`](crate::ErrorKind::Load) with the loader's [error](crate::Error::loader_error), which is never
    /// stored; [`ErrorKind::Recursion`](crate::ErrorKind::Recursion) if the loader waits for this key;
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) after the policy's `load-timeout`.
    pub fn get_or_load<'a, F, Loading, E>(&'a self, key: impl Into<Key<'a>>, loader: F) -> GetOrLoad<'a, V, Plain<F>>
    where
        F: FnOnce() -> Loading + Send + 'a,
        Loading: Future<Output = Result<V, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        engine::Request::new(&self.0, engine::GetOrLoad::new(key.into(), Plain(loader)))
    }

    /// As [`get_or_load`](Self::get_or_load), with a loader that is told of the load (the stale value, if one is kept) and may
    /// answer more than a value: a ttl, a value not to be kept, or that there is [none](Outcome::NotFound), which is `None` here.
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
    /// The values under `keys`, in their order, duplicates included; `loader` is called with the keys that are missing, once
    /// each, and answers the values of those it finds. The others are `None`, and remembered as such for the policy's
    /// `negative-ttl`.
    ///
    /// Keys that somebody else is loading are waited for, after the loader has answered; should whoever loads them leave, the
    /// loader is called again with those.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use scrubjay::{Cache, Error};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> scrubjay::Result<()> {
    /// let lengths: Cache<usize> = Cache::memory();
    /// lengths.set("jay", 3).await?;
    /// let load = |missing: Vec<String>| async move {
    ///     assert_eq!(missing, ["scrub"]);
    ///     Ok::<_, Error>(missing.into_iter().map(|word| (word.clone(), word.len())).collect::<HashMap<_, _>>())
    /// };
    /// assert_eq!(lengths.get_or_load_many(["scrub", "jay"], load).await?, [Some(5), Some(3)]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get_or_load`](Self::get_or_load), if any key could neither be found nor loaded; what was loaded is kept.
    pub fn get_or_load_many<'a, K, F, Loading, E>(
        &'a self,
        keys: impl IntoIterator<Item = K>,
        loader: F,
    ) -> GetOrLoadMany<'a, V, Batch<F>>
    where
        K: Into<Key<'a>>,
        F: FnMut(Vec<String>) -> Loading + Send + 'a,
        Loading: Future<Output = Result<HashMap<String, V>, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let keys = keys.into_iter().map(Into::into).collect();
        engine::Request::new(&self.0, engine::GetOrLoadMany::new(keys, Batch(loader)))
    }
}

/// Writing. Without a ttl on the call the cache's applies; without either an entry lives until it is evicted.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// Puts `value` under `key`, whatever stood there.
    #[inline]
    pub fn set<'a>(&'a self, key: impl Into<Key<'a>>, value: V) -> Set<'a, V> {
        engine::Request::new(&self.0, engine::Set::new(key.into(), value))
    }

    /// Puts all `entries`; of two under one key the later stays. If a value cannot be encoded nothing is written.
    pub fn set_many<'a, K: Into<Key<'a>>>(&'a self, entries: impl IntoIterator<Item = (K, V)>) -> SetMany<'a, V> {
        engine::Request::new(&self.0, engine::SetMany::new(entries.into_iter().map(|(key, value)| (key.into(), value))))
    }

    /// Puts `value` under `key` unless a live entry stands there, atomically; says whether it did.
    pub fn add<'a>(&'a self, key: impl Into<Key<'a>>, value: V) -> Add<'a, V> {
        engine::Request::new(&self.0, engine::Add::new(key.into(), value))
    }

    /// Puts `value` under `key` if the entry is still what [`get_for_update`](Self::get_for_update) read; says whether it did.
    pub fn compare_and_set<'a>(&'a self, key: impl Into<Key<'a>>, value: V, token: Token) -> CompareAndSet<'a, V> {
        engine::Request::new(&self.0, engine::CompareAndSet::new(key.into(), value, token))
    }

    /// Adds one, or [`by`](Increment::by) another number, to the counter under `key`, atomically; answers its new value.
    ///
    /// An absent counter is zero, and is created with the ttl of the call or the cache; one that exists keeps its own. In a
    /// store counters are decimal text, so the serializer must be one that reads it back: json, text or null.
    ///
    /// # Errors
    /// [`ErrorKind::NotANumber`](crate::ErrorKind::NotANumber) if something else stands there or the serializer cannot read
    /// counters, [`ErrorKind::Overflow`](crate::ErrorKind::Overflow) if the result does not fit; the counter keeps its value.
    pub fn increment<'a>(&'a self, key: impl Into<Key<'a>>) -> Increment<'a, V>
    where
        V: Counter,
    {
        engine::Request::new(&self.0, engine::Increment::new(key.into(), 1))
    }

    /// Gives the live entry under `key` a new ttl, [`Ttl::Never`] for none; says whether there was one.
    pub fn expire<'a>(&'a self, key: impl Into<Key<'a>>, ttl: impl Into<Ttl>) -> Expire<'a, V> {
        engine::Request::new(&self.0, engine::Expire { key: key.into(), ttl: ttl.into() })
    }

    /// Removes the entry under `key`; says whether a live one stood there.
    ///
    /// A cache whose loads leave more than live entries in a store (its policy has a `grace` or a `negative-ttl`, or a call's had)
    /// reads before it removes, which is another round trip. Any other takes for an entry what the loads of *other* caches
    /// leave there, and the lease of a load under way.
    pub fn delete<'a>(&'a self, key: impl Into<Key<'a>>) -> Delete<'a, V> {
        engine::Request::new(&self.0, engine::Delete { key: key.into() })
    }

    /// Removes the entries under `keys`; answers how many live ones stood there.
    pub fn delete_many<'a, K: Into<Key<'a>>>(&'a self, keys: impl IntoIterator<Item = K>) -> DeleteMany<'a, V> {
        engine::Request::new(&self.0, engine::DeleteMany { keys: keys.into_iter().map(Into::into).collect() })
    }

    /// Removes every entry of the namespace, and no other. Without a namespace a cache in this process is emptied; on a server
    /// that is an error, and [`clear_server`](Self::clear_server) the way to mean it.
    pub fn clear(&self) -> Clear<'_, V> {
        engine::Request::new(&self.0, engine::Clear)
    }

    /// Removes everything that the store holds, other programs' entries too.
    pub fn clear_server(&self) -> ClearServer<'_, V> {
        engine::Request::new(&self.0, engine::ClearServer)
    }

    /// Sends a command to the store as it is: no namespace, no serializer. What a store answers is told in its own docs.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) on a near-only cache and on stores without commands.
    pub fn raw<W: Into<Bytes>>(&self, command: impl IntoIterator<Item = W>) -> Raw<'_, V> {
        engine::Request::new(&self.0, engine::Raw { words: command.into_iter().map(Into::into).collect() })
    }

    /// Lets go of the store's connections. A later call makes new ones; closing twice is fine, and dropping the last clone
    /// does as much.
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

    /// A cache over the same tiers, observed by one more plugin. This one is not: add plugins before cloning.
    #[must_use]
    pub fn with_plugin(&self, plugin: impl Plugin) -> Self {
        let mut engine = Engine::clone(&self.0);
        engine.plugins.push(Arc::new(plugin));
        Self::new(engine)
    }

    /// The first plugin of type `P`, to read what it has gathered.
    #[must_use]
    pub fn plugin<P: Plugin>(&self) -> Option<Arc<P>> {
        self.0.plugins.find()
    }

    /// How often stored bytes could not be decoded, and so read as a miss.
    #[must_use]
    pub fn undecodable(&self) -> u64 {
        self.0.undecodable.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// How often the store failed a load, which then went on without it.
    #[must_use]
    pub fn failures_ignored(&self) -> u64 {
        self.0.loads.outage.failures()
    }

    /// What this cache is, as data, without secrets. `Display` prints it.
    #[must_use]
    pub fn info(&self) -> CacheInfo {
        CacheInfo::of(&self.0)
    }
}

impl<V: Counter + Clone + Send + Sync + 'static> Increment<'_, V> {
    /// What to add; may be negative.
    pub fn by(self, by: i64) -> Self {
        self.map(|increment| increment.set_by(by))
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
