//! The same caches without async: verbs are eager, options come first.
//!
//! A near tier, or a store in this process, needs no runtime. Calls to other stores run on the calling thread. On a thread of a
//! tokio runtime the sockets belong to a helper thread instead: this works, within the deadline, but is slower.

mod drive;
mod lock;

use self::drive::Driver;
pub use self::lock::{Guard, OptimisticLock};
use std::{fmt, mem, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    CacheInfo, Counter, Current, Key, Load, Lookup, Outcome, Policy, Remaining, Result, Ttl,
    engine::{self, Choices, Command, Engine, Loading, Options, Thread},
    far::{Reply, Token},
    load::{BatchBlocking, PlainBlocking, Reading, ToldBlocking, Writing},
    plugin::Plugin,
};

/// A [`Cache`](crate::Cache) without async: its verbs return when they are done.
///
/// ```
/// use std::time::Duration;
/// use scrubjay::Cache;
///
/// # fn main() -> scrubjay::Result<()> {
/// let cache = Cache::<String>::memory().blocking();
/// cache.set("a", "one".into())?;
/// cache.with().ttl(Duration::from_secs(5)).namespace("other").set("a", "two".into())?;
/// assert_eq!(cache.get("a")?.as_deref(), Some("one"));
/// # Ok(())
/// # }
/// ```
pub struct Cache<V>(crate::Cache<V>);

/// The verbs of a [`Cache`], with options for one call.
#[must_use = "options do nothing until a verb follows"]
pub struct With<'a, V> {
    engine: &'a Engine<V>,
    options: Options<'a>,
    loading: Choices,
    patience: Option<Duration>,
}

impl<V> Cache<V> {
    /// The async cache inside.
    #[cfg(feature = "macros")]
    pub(crate) fn as_asynchronous(&self) -> &crate::Cache<V> {
        &self.0
    }
}

impl<V: Clone + Send + Sync + 'static> Cache<V> {
    pub(crate) fn new(cache: crate::Cache<V>) -> Self {
        Self(cache)
    }

    /// The same cache with async.
    #[must_use]
    pub fn asynchronous(&self) -> crate::Cache<V> {
        self.0.clone()
    }

    /// Chooses options for one call.
    #[inline]
    pub fn with(&self) -> With<'_, V> {
        With::new(self.0.engine())
    }

    /// As [`Cache::ttl`](crate::Cache::ttl).
    ///
    /// # Errors
    /// As there.
    pub fn ttl<'a>(&'a self, key: impl Into<Key<'a>>) -> Result<Remaining> {
        self.with().remaining_ttl(key)
    }

    /// As [`Cache::with_plugin`](crate::Cache::with_plugin).
    #[must_use]
    pub fn with_plugin(&self, plugin: impl Plugin) -> Self {
        Self(self.0.with_plugin(plugin))
    }

    /// As [`Cache::plugin`](crate::Cache::plugin).
    #[must_use]
    pub fn plugin<P: Plugin>(&self) -> Option<Arc<P>> {
        self.0.plugin()
    }

    /// As [`Cache::undecodable`](crate::Cache::undecodable).
    #[must_use]
    pub fn undecodable(&self) -> u64 {
        self.0.undecodable()
    }

    /// As [`Cache::failures_ignored`](crate::Cache::failures_ignored).
    #[must_use]
    pub fn failures_ignored(&self) -> u64 {
        self.0.failures_ignored()
    }

    /// As [`Cache::info`](crate::Cache::info).
    #[must_use]
    pub fn info(&self) -> CacheInfo {
        self.0.info()
    }
}

impl<'a, V: Clone + Send + Sync + 'static> With<'a, V> {
    #[inline]
    fn new(engine: &'a Engine<V>) -> Self {
        Self { engine, options: Options::default(), loading: Choices::default(), patience: None }
    }

    /// The verbs of a cache, with these options.
    #[cfg(feature = "macros")]
    pub(crate) fn of(engine: &'a Engine<V>, options: Options<'a>, loading: Choices) -> Self {
        Self { options, loading, ..Self::new(engine) }
    }

    /// Uses `namespace` instead of the cache's; an empty one means none.
    pub fn namespace(mut self, namespace: &'a str) -> Self {
        self.options.namespace = Some(namespace);
        self
    }

    /// Sets the timeout of the far tier for this call, instead of the cache's timeout.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Sets the ttl of what is written, instead of the cache's ttl. A verb that writes nothing ignores it.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.options.ttl = Some(ttl.into());
        self
    }

    /// Uses `policy` for this call. A verb that loads nothing ignores it, and the three options below.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.loading.choose_policy(policy, self.engine.policy);
        self
    }

    /// As [`Request::force_refresh`](crate::requests::Request::force_refresh).
    pub fn force_refresh(mut self) -> Self {
        self.loading.reading = Reading::Nowhere;
        self
    }

    /// As [`Request::skip_read`](crate::requests::Request::skip_read).
    pub fn skip_read(mut self) -> Self {
        self.loading.reading = Reading::Flights;
        self
    }

    /// As [`Request::skip_write`](crate::requests::Request::skip_write).
    pub fn skip_write(mut self) -> Self {
        self.loading.writing = Writing::Forget;
        self
    }

    /// Waits no longer than this for a [lock](Self::lock); zero tries once. Without it the wait has no end but the lock.
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// The verb `ttl`, whose name the option has here: as [`Cache::ttl`](crate::Cache::ttl).
    ///
    /// # Errors
    /// As there.
    pub fn remaining_ttl(self, key: impl Into<Key<'a>>) -> Result<Remaining> {
        self.run(engine::ReadTtl { key: key.into() })
    }

    #[inline]
    pub(crate) fn run<C: Command<V>>(self, command: C) -> Result<C::Output> {
        self.run_by(command, |engine, _| match engine.capability() {
            Some(capability) if capability.needs_runtime => Driver::Runtime,
            _ => Driver::Thread,
        })
    }

    /// Runs `command`, whose far part is driven by what `driver` says.
    #[inline]
    fn run_by<C: Command<V>>(
        self,
        mut command: C,
        driver: impl FnOnce(&Engine<V>, &mut C) -> Driver,
    ) -> Result<C::Output> {
        let Self { engine, options, .. } = self;
        let mut observation = None;
        if let Some(answer) = engine.try_near(&mut command, &options, &mut observation).transpose() {
            return answer;
        }
        let driver = driver(engine, &mut command);
        driver.run(engine.finish(command, options, observation))
    }
}

/// Loading.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// As [`Cache::get_or_load`](crate::Cache::get_or_load), with a loader that is not async. It runs on the calling thread;
    /// the other threads, and futures, that want the key wait.
    ///
    /// # Errors
    /// As there.
    pub fn get_or_load<'a, E>(
        &'a self,
        key: impl Into<Key<'a>>,
        loader: impl FnOnce() -> Result<V, E> + Send,
    ) -> Result<V>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.with().get_or_load(key, loader)
    }

    /// As [`Cache::get_or_load_with`](crate::Cache::get_or_load_with), with a loader that is not async.
    ///
    /// # Errors
    /// As there.
    pub fn get_or_load_with<'a, E>(
        &'a self,
        key: impl Into<Key<'a>>,
        loader: impl FnOnce(Load<V>) -> Result<Outcome<V>, E> + Send,
    ) -> Result<Option<V>>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.with().get_or_load_with(key, loader)
    }

    /// As [`Cache::get_or_load_many`](crate::Cache::get_or_load_many), with a loader that is not async.
    ///
    /// # Errors
    /// As there.
    pub fn get_or_load_many<'a, Pairs, E>(
        &'a self,
        keys: impl IntoIterator<Item = impl Into<Key<'a>>>,
        loader: impl FnMut(Vec<String>) -> Result<Pairs, E> + Send,
    ) -> Result<Vec<Option<V>>>
    where
        Pairs: IntoIterator<Item = (String, V)>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.with().get_or_load_many(keys, loader)
    }
}

/// Loading.
impl<'a, V: Clone + Send + Sync + 'static> With<'a, V> {
    /// As [`Cache::get_or_load`](crate::Cache::get_or_load), with a loader that is not async.
    ///
    /// # Errors
    /// As there.
    pub fn get_or_load<E>(self, key: impl Into<Key<'a>>, loader: impl FnOnce() -> Result<V, E> + Send) -> Result<V>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.load(engine::GetOrLoad::new(key.into(), PlainBlocking(loader)))
    }

    /// As [`Cache::get_or_load_with`](crate::Cache::get_or_load_with), with a loader that is not async.
    ///
    /// # Errors
    /// As there.
    pub fn get_or_load_with<E>(
        self,
        key: impl Into<Key<'a>>,
        loader: impl FnOnce(Load<V>) -> Result<Outcome<V>, E> + Send,
    ) -> Result<Option<V>>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.load(engine::GetOrLoad::new(key.into(), ToldBlocking(loader)))
    }

    /// As [`Cache::get_or_load_many`](crate::Cache::get_or_load_many), with a loader that is not async.
    ///
    /// # Errors
    /// As there.
    pub fn get_or_load_many<Pairs, E>(
        self,
        keys: impl IntoIterator<Item = impl Into<Key<'a>>>,
        loader: impl FnMut(Vec<String>) -> Result<Pairs, E> + Send,
    ) -> Result<Vec<Option<V>>>
    where
        Pairs: IntoIterator<Item = (String, V)>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let keys = keys.into_iter().map(Into::into).collect();
        self.load(engine::GetOrLoadMany::new(keys, BatchBlocking(loader)))
    }

    /// The loader must not run inside a runtime, where it could not start one itself: the sockets and timers that a load needs
    /// are the helper's.
    #[inline]
    pub(crate) fn load<C: Command<V> + Loading>(mut self, command: C) -> Result<C::Output> {
        let command = command.choosing(mem::take(&mut self.loading));
        self.run_by(command, |engine, command| {
            let inside_runtime = drive::is_inside_runtime();
            let choices = command.choices();
            if inside_runtime {
                choices.thread = Thread::Kept;
            }
            match engine.capability() {
                Some(capability) if capability.needs_runtime => Driver::Helper,
                // The runtime that this thread keeps from running must not be asked for a timer, or to renew a lease.
                _ if inside_runtime || choices.policy(&engine.policy).needs_timer() => Driver::Helper,
                _ => Driver::Thread,
            }
        })
    }
}

/// Writes each verb twice: on [`Cache`], and on [`With`] after options. The two differ in nothing but where options come from.
macro_rules! verbs {
    ($(
        $(#[doc = $doc:literal])+
        fn $verb:ident($($name:ident: $type:ty),*) -> $output:ty
        $(where $where_type:ident: $where_bound:ident)? { $command:expr }
    )*) => {
        #[expect(clippy::needless_lifetimes, reason = "most verbs name it in their keys")]
        impl<V: Clone + Send + Sync + 'static> Cache<V> {
            $(
                $(#[doc = $doc])+
                ///
                /// # Errors
                /// As there; those [of every verb](crate::Cache#errors-of-every-verb) beside.
                #[inline]
                pub fn $verb<'a>(&'a self, $($name: $type),*) -> Result<$output>
                $(where $where_type: $where_bound)?
                {
                    self.with().$verb($($name),*)
                }
            )*
        }

        impl<'a, V: Clone + Send + Sync + 'static> With<'a, V> {
            $(
                $(#[doc = $doc])+
                ///
                /// # Errors
                /// As there; those [of every verb](crate::Cache#errors-of-every-verb) beside.
                #[inline]
                pub fn $verb(self, $($name: $type),*) -> Result<$output>
                $(where $where_type: $where_bound)?
                {
                    self.run($command)
                }
            )*
        }
    };
}

verbs! {
    /// As [`Cache::get`](crate::Cache::get).
    fn get(key: impl Into<Key<'a>>) -> Option<V> { engine::Get::new(key.into()) }

    /// As [`Cache::get_many`](crate::Cache::get_many).
    fn get_many(keys: impl IntoIterator<Item = impl Into<Key<'a>>>) -> Vec<Option<V>> {
        engine::GetMany::new(keys.into_iter().map(Into::into).collect())
    }

    /// As [`Cache::lookup`](crate::Cache::lookup).
    fn lookup(key: impl Into<Key<'a>>) -> Lookup<V> { engine::LookupKey::new(key.into()) }

    /// As [`Cache::get_for_update`](crate::Cache::get_for_update).
    fn get_for_update(key: impl Into<Key<'a>>) -> Current<V> { engine::GetForUpdate::new(key.into()) }

    /// As [`Cache::exists`](crate::Cache::exists).
    fn exists(key: impl Into<Key<'a>>) -> bool { engine::Exists { key: key.into() } }

    /// As [`Cache::set`](crate::Cache::set).
    fn set(key: impl Into<Key<'a>>, value: V) -> () { engine::Set::new(key.into(), value) }

    /// As [`Cache::set_many`](crate::Cache::set_many).
    fn set_many(entries: impl IntoIterator<Item = (impl Into<Key<'a>>, V)>) -> () {
        engine::SetMany::new(entries.into_iter().map(|(key, value)| (key.into(), value)))
    }

    /// As [`Cache::add`](crate::Cache::add).
    fn add(key: impl Into<Key<'a>>, value: V) -> bool { engine::Add::new(key.into(), value) }

    /// As [`Cache::compare_and_set`](crate::Cache::compare_and_set).
    fn compare_and_set(key: impl Into<Key<'a>>, value: V, token: Token) -> bool {
        engine::CompareAndSet::new(key.into(), value, token)
    }

    /// As [`Cache::increment`](crate::Cache::increment).
    fn increment(key: impl Into<Key<'a>>, by: i64) -> i64 where V: Counter {
        engine::Increment::new(key.into(), by)
    }

    /// As [`Cache::expire`](crate::Cache::expire).
    fn expire(key: impl Into<Key<'a>>, ttl: impl Into<Ttl>) -> bool {
        engine::Expire { key: key.into(), ttl: ttl.into() }
    }

    /// As [`Cache::delete`](crate::Cache::delete).
    fn delete(key: impl Into<Key<'a>>) -> bool { engine::Delete { key: key.into() } }

    /// As [`Cache::delete_many`](crate::Cache::delete_many).
    fn delete_many(keys: impl IntoIterator<Item = impl Into<Key<'a>>>) -> usize {
        engine::DeleteMany { keys: keys.into_iter().map(Into::into).collect() }
    }

    /// As [`Cache::clear`](crate::Cache::clear).
    fn clear() -> () { engine::Clear }

    /// As [`Cache::clear_server`](crate::Cache::clear_server).
    fn clear_server() -> () { engine::ClearServer }

    /// As [`Cache::raw`](crate::Cache::raw).
    fn raw(command: impl IntoIterator<Item = impl Into<Bytes>>) -> Reply {
        engine::Raw { words: command.into_iter().map(Into::into).collect() }
    }

    /// As [`Cache::close`](crate::Cache::close).
    fn close() -> () { engine::Close }
}

impl<V> Clone for Cache<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V: Clone + Send + Sync + 'static> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blocking::Cache({})", self.info())
    }
}

impl<V> fmt::Debug for With<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}
