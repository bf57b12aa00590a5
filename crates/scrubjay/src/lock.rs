//! Locks for programs: a lease on a name, across processes, and an optimistic lock on an entry.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    time::Duration,
};

use crate::{
    Cache, Current, Error, ErrorKind, Key, Operation, QualifiedKey, Result, Ttl,
    engine::Engine,
    far::{AnyStore, Call, Change, Token, timer},
    load::{Claimed, Lease, Pauses},
};

/// Locking.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// Waits for the lock called `key` and holds it for `hold`, or as long as it is [renewed](Guard::renew).
    ///
    /// Of all programs that share the store and the namespace one holds it at a time; on a near-only cache, of all clones of
    /// this cache. It is a name of its own: the entry under `key` is not touched, and clearing a namespace does not free it.
    /// (What empties the whole store does: `clear_server`, and on a store in this process a `clear` without a namespace.)
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
    /// [`ErrorKind::Timeout`] if it did not become free [in time](Acquire::within), [`ErrorKind::Unsupported`] on stores that
    /// cannot compare and set or count, and where there is no tokio runtime to wait on.
    pub fn lock<'a>(&'a self, key: impl Into<Key<'a>>, hold: Duration) -> Acquire<'a, V> {
        Acquire { engine: self.engine(), key: key.into(), hold, patience: None }
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
    pub async fn optimistic_lock<'a>(&'a self, key: impl Into<Key<'a>>) -> Result<OptimisticLock<'a, V>> {
        let key = key.into();
        let Current { value, token } = self.get_for_update(&key).await?;
        Ok(OptimisticLock { cache: self, key, value, token, ttl: None })
    }
}

/// The wait for a lock, as a future that does nothing until awaited.
#[must_use = "nothing is locked until it is awaited"]
pub struct Acquire<'a, V> {
    engine: &'a Engine<V>,
    key: Key<'a>,
    hold: Duration,
    patience: Option<Duration>,
}

impl<V> Acquire<'_, V> {
    /// Waits no longer than this; zero tries once. Without it the wait has no end but the lock.
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }
}

impl<V: Clone + Send + Sync + 'static> Acquire<'_, V> {
    pub(crate) async fn acquire(self) -> Result<Guard> {
        let Self { engine, key, hold, patience } = self;
        let described = |error: Error| error.with_operation(Operation::Lock).with_key(key.as_str());
        Ttl::After(hold).lifetime().map_err(described)?;
        let deadline = patience.map(|patience| Call::new(Operation::Lock, patience));
        let store = engine.lock_store();
        let [lock, fence] = ["lock", "fence"].map(|kind| {
            let namespace = format!("{}~{kind}", engine.namespace);
            engine.layout.wire(QualifiedKey { namespace: &namespace, key: key.as_str() }).into_owned()
        });
        let mut pauses = Pauses::new();
        loop {
            let held_for = match Lease::claim(&store, &lock, hold, engine.timeout).await.map_err(described)? {
                Claimed::Held(found) => found.ttl,
                Claimed::Won(mut lease) => {
                    let change = Change { key: &fence, by: 1, ttl: None };
                    let counted = store.increment(Call::new(Operation::Increment, engine.timeout), change).await;
                    let fencing_token = counted.map_err(described)?;
                    // Whoever was paused between the two has a number that may be higher than the next holder's.
                    if lease.is_held().await.map_err(described)? {
                        return Ok(Guard { lease, fencing_token });
                    }
                    None
                }
            };
            let longest = held_for.unwrap_or(hold).max(Duration::from_millis(1));
            let mut pause = pauses.next().min(longest);
            if let Some(deadline) = deadline {
                if deadline.remaining().is_zero() {
                    let patience = patience.unwrap_or_default();
                    return Err(described(Error::new(
                        ErrorKind::Timeout,
                        format!("somebody else held the lock for all of the {patience:.0?} that this caller had"),
                    )));
                }
                pause = pause.min(deadline.remaining());
            }
            timer::sleep(pause).await.map_err(described)?;
        }
    }
}

impl<'a, V: Clone + Send + Sync + 'static> IntoFuture for Acquire<'a, V> {
    type Output = Result<Guard>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Guard>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.acquire())
    }
}

impl<V> fmt::Debug for Acquire<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").field("key", &self.key).field("hold", &self.hold).finish_non_exhaustive()
    }
}

/// A lock that this program holds. Dropping it releases it, on the side; [`release`](Self::release) also tells how that went.
#[must_use = "dropped at once it locks nothing"]
pub struct Guard {
    lease: Lease,
    fencing_token: i64,
}

impl Guard {
    /// A number that is higher with every holder of this lock, for as long as the store keeps its counters.
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

/// An entry as it was read, to be changed only if it still is.
#[must_use = "nothing is written until `cas`"]
pub struct OptimisticLock<'a, V> {
    cache: &'a Cache<V>,
    key: Key<'a>,
    value: Option<V>,
    token: Token,
    ttl: Option<Ttl>,
}

impl<V: Clone + Send + Sync + 'static> OptimisticLock<'_, V> {
    /// The value as it was read.
    pub fn value(&self) -> Option<&V> {
        self.value.as_ref()
    }

    /// Lets what is written live this long, instead of the cache's ttl.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = Some(ttl.into());
        self
    }

    /// Puts `value`, if nobody has changed the entry since it was read.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if somebody has: read again, and decide again.
    pub async fn cas(self, value: V) -> Result<()> {
        let Self { cache, key, token, ttl, .. } = self;
        let mut request = cache.compare_and_set(&key, value, token);
        if let Some(ttl) = ttl {
            request = request.ttl(ttl);
        }
        if request.await? {
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

impl<V: Clone + Send + Sync + 'static> Engine<V> {
    /// Where locks are kept: the far tier, or a store of this process for a cache without one.
    fn lock_store(&self) -> AnyStore {
        self.far.as_ref().map_or_else(|| self.loads.locks.store(&self.clock), |far| far.store.clone())
    }
}
