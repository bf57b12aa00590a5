//! Locks for programs: a lease on a name, across processes, and an optimistic lock on an entry.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    time::Duration,
};

use crate::{
    Cache, Current, Error, ErrorKind, Key, Operation, Result, Ttl,
    engine::{self, Engine, Options, Request},
    far::Token,
    load::Lease,
    requests::Lock,
};

/// Locking.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// Waits for the lock called `key` and holds it for `hold`, or as long as it is [renewed](Guard::renew).
    ///
    /// Of all programs that share the store and the namespace one holds it at a time; on a near-only cache, of all clones of
    /// this cache. It is a name of its own: the entry under `key` is not touched, and `clear` does not free it.
    ///
    /// **What it is not.** A lease ends when its time is over, whatever its holder is doing: a process that was paused for
    /// longer goes on believing that it holds it. Where two holders at once would do harm, hand the
    /// [fencing token](Guard::fencing_token) to what is being changed, and let that refuse a token lower than one it has
    /// seen. A store that loses its data, or fails over to a replica that lags, forgets locks. It suits work that should not
    /// be done twice; it does not replace a transaction.
    ///
    /// ```
    /// use std::time::Duration;
    /// use scrubjay::Cache;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> scrubjay::Result<()> {
    /// let cache: Cache<String> = Cache::memory();
    /// let guard = cache.lock("import", Duration::from_secs(30)).within(Duration::from_secs(5)).await?;
    /// // … work that nobody else does at the same time …
    /// assert!(guard.fencing_token() > 0);
    /// assert!(guard.release().await?, "it was held to the end");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if it did not become free [in time](Request::within), [`ErrorKind::Unsupported`] on stores that
    /// cannot compare and set or count, and where there is no tokio runtime to wait on.
    pub fn lock<'a>(&'a self, key: impl Into<Key<'a>>, hold: Duration) -> Lock<'a, V> {
        Request::new(self.engine(), engine::Lock::new(key.into(), hold, None))
    }

    /// Reads the entry under `key` for a change that must not overwrite anybody else's.
    ///
    /// ```
    /// use scrubjay::{Cache, ErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> scrubjay::Result<()> {
    /// let cache: Cache<u32> = Cache::memory();
    /// let (mine, yours) = (cache.optimistic_lock("stock").await?, cache.optimistic_lock("stock").await?);
    /// yours.cas(1).await?;
    /// assert_eq!(mine.cas(2).await.unwrap_err().kind(), ErrorKind::Conflict);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get_for_update`](Self::get_for_update).
    pub fn optimistic_lock<'a>(&'a self, key: impl Into<Key<'a>>) -> ReadForChange<'a, V> {
        ReadForChange::new(self.engine(), key.into(), Options::default())
    }
}

/// A lock that this program holds. Dropping it releases it, on the side; [`release`](Self::release) also tells how that went.
#[must_use = "dropped at once it locks nothing"]
pub struct Guard {
    lease: Lease,
    fencing_token: i64,
}

impl Guard {
    pub(crate) fn new(lease: Lease, fencing_token: i64) -> Self {
        Self { lease, fencing_token }
    }

    /// A number that is higher with every holder of a lock of this namespace, for as long as the store keeps its counter.
    #[must_use]
    pub fn fencing_token(&self) -> i64 {
        self.fencing_token
    }

    /// Holds the lock for another while, counted from now.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if its time was over and somebody else may hold it.
    pub async fn renew(&mut self) -> Result<()> {
        if self.lease.renew().await? { Ok(()) } else { Err(lost()) }
    }

    /// Lets go of the lock; says whether it was still held.
    ///
    /// # Errors
    /// Those of the store. The lock is free once its time is over.
    pub async fn release(self) -> Result<bool> {
        self.lease.release().await
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("fencing_token", &self.fencing_token).finish_non_exhaustive()
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Conflict, "the lock's time was over before it was renewed: somebody else may hold it")
        .with_operation(Operation::Lock)
}

/// The reading of an entry for [`Cache::optimistic_lock`], as a future that does nothing until awaited.
#[must_use = "nothing is read until it is awaited"]
pub struct ReadForChange<'a, V> {
    engine: &'a Engine<V>,
    key: Key<'a>,
    options: Options<'a>,
}

impl<'a, V> ReadForChange<'a, V> {
    pub(crate) fn new(engine: &'a Engine<V>, key: Key<'a>, options: Options<'a>) -> Self {
        Self { engine, key, options }
    }

    /// Uses `namespace` instead of the cache's, for the change too; the empty one is none.
    pub fn namespace(mut self, namespace: &'a str) -> Self {
        self.options.namespace = Some(namespace);
        self
    }

    /// Gives the far tier this long instead of the cache's timeout, for the change too.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }
}

impl<'a, V: Clone + Send + Sync + 'static> ReadForChange<'a, V> {
    pub(crate) async fn read(self) -> Result<OptimisticLock<'a, V>> {
        let Self { engine, key, options } = self;
        let reading = engine::GetForUpdate::new(Key::from(&key));
        let Current { value, token } = Request::with_options(engine, reading, options).await?;
        Ok(OptimisticLock { engine, key, options, value, token })
    }
}

impl<'a, V: Clone + Send + Sync + 'static> IntoFuture for ReadForChange<'a, V> {
    type Output = Result<OptimisticLock<'a, V>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.read())
    }
}

impl<V> fmt::Debug for ReadForChange<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadForChange").field("key", &self.key).finish_non_exhaustive()
    }
}

/// An entry as it was read, to be changed only if it still is.
#[must_use = "nothing is written until `cas`"]
pub struct OptimisticLock<'a, V> {
    engine: &'a Engine<V>,
    key: Key<'a>,
    options: Options<'a>,
    value: Option<V>,
    token: Token,
}

impl<V: Clone + Send + Sync + 'static> OptimisticLock<'_, V> {
    /// The value as it was read.
    pub fn value(&self) -> Option<&V> {
        self.value.as_ref()
    }

    /// Lets what is written live this long, instead of the cache's ttl.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.options.ttl = Some(ttl.into());
        self
    }

    /// Puts `value`, if nobody has changed the entry since it was read.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if somebody has: read again, and decide again.
    pub async fn cas(self, value: V) -> Result<()> {
        let Self { engine, key, options, token, .. } = self;
        let change = engine::CompareAndSet::new(Key::from(&key), value, token);
        if Request::with_options(engine, change, options).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, "somebody has changed the entry since it was read: read it again")
            .with_operation(Operation::CompareAndSet)
            .with_key(key.as_str()))
    }
}

impl<V> fmt::Debug for OptimisticLock<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OptimisticLock").field("key", &self.key).finish_non_exhaustive()
    }
}
