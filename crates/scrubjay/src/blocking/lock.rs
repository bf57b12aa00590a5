//! Locks without async.

use std::{fmt, mem, time::Duration};

use super::{
    Cache, With,
    drive::{self, Driver},
};
use crate::{Key, Result, Ttl, engine, lock};

/// Locking.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// As [`Cache::lock`](crate::Cache::lock): waits until the lock is free, or as long as [`With::within`] says.
    ///
    /// ```
    /// use std::time::Duration;
    /// use scrubjay::Cache;
    ///
    /// # fn main() -> scrubjay::Result<()> {
    /// let cache = Cache::<String>::memory().blocking();
    /// let guard = cache.with().within(Duration::from_secs(5)).lock("import", Duration::from_secs(30))?;
    /// assert!(guard.release()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn lock<'a>(&'a self, key: impl Into<Key<'a>>, hold: Duration) -> Result<Guard> {
        self.with().lock(key, hold)
    }

    /// As [`Cache::optimistic_lock`](crate::Cache::optimistic_lock).
    ///
    /// # Errors
    /// As there.
    pub fn optimistic_lock<'a>(&'a self, key: impl Into<Key<'a>>) -> Result<OptimisticLock<'a, V>> {
        self.with().optimistic_lock(key)
    }
}

/// Locking.
impl<'a, V: Clone + Send + Sync + 'static> With<'a, V> {
    /// As [`Cache::lock`](crate::Cache::lock).
    ///
    /// # Errors
    /// As there.
    pub fn lock(self, key: impl Into<Key<'a>>, hold: Duration) -> Result<Guard> {
        let patience = self.patience;
        let guard = self.run_by(engine::Lock::new(key.into(), hold, patience), |_, _| Driver::Runtime)?;
        Ok(Guard(Some(guard)))
    }

    /// As [`Cache::optimistic_lock`](crate::Cache::optimistic_lock).
    ///
    /// # Errors
    /// As there.
    pub fn optimistic_lock(self, key: impl Into<Key<'a>>) -> Result<OptimisticLock<'a, V>> {
        let Self { engine, options, .. } = self;
        drive::run(lock::ReadForChange::new(engine, key.into(), options).read()).map(OptimisticLock)
    }
}

/// As [`lock::Guard`]. Dropping it releases the lock, and waits until that is done.
#[must_use = "dropped at once it locks nothing"]
pub struct Guard(Option<lock::Guard>);

impl Guard {
    /// As [`lock::Guard::fencing_token`].
    #[must_use]
    pub fn fencing_token(&self) -> i64 {
        self.0.as_ref().map_or(0, lock::Guard::fencing_token)
    }

    /// As [`lock::Guard::renew`].
    ///
    /// # Errors
    /// As there.
    pub fn renew(&mut self) -> Result<()> {
        self.0.as_mut().map_or(Ok(()), |guard| drive::run(guard.renew()))
    }

    /// As [`lock::Guard::release`].
    ///
    /// # Errors
    /// As there.
    pub fn release(mut self) -> Result<bool> {
        mem::take(&mut self.0).map_or(Ok(false), |guard| drive::run(guard.release()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(guard) = mem::take(&mut self.0) {
            // If it fails, the lock is free once its time is over.
            let _ = drive::run(guard.release());
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As [`lock::OptimisticLock`].
#[derive(Debug)]
#[must_use = "nothing is written until `cas`"]
pub struct OptimisticLock<'a, V>(lock::OptimisticLock<'a, V>);

impl<V: Clone + Send + Sync + 'static> OptimisticLock<'_, V> {
    /// As [`lock::OptimisticLock::value`].
    pub fn value(&self) -> Option<&V> {
        self.0.value()
    }

    /// As [`lock::OptimisticLock::ttl`].
    pub fn ttl(self, ttl: impl Into<Ttl>) -> Self {
        Self(self.0.ttl(ttl))
    }

    /// As [`lock::OptimisticLock::cas`].
    ///
    /// # Errors
    /// As there.
    pub fn cas(self, value: V) -> Result<()> {
        drive::run(self.0.cas(value))
    }
}
