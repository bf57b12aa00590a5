//! Locks without async.

use std::{fmt, mem, time::Duration};

use super::{Cache, drive};
use crate::{Key, Result, Ttl, lock};

/// Locking.
impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// As [`Cache::lock`](crate::Cache::lock), waiting no longer than `within`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use scrubjay::Cache;
    ///
    /// # fn main() -> scrubjay::Result<()> {
    /// let cache = Cache::<String>::memory().blocking();
    /// let guard = cache.lock("import", Duration::from_secs(30), Duration::from_secs(5))?;
    /// assert!(guard.release()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lock<'a>(&'a self, key: impl Into<Key<'a>>, hold: Duration, within: Duration) -> Result<Guard> {
        let guard = drive::run(self.0.lock(key, hold).within(within).acquire())?;
        Ok(Guard(Some(guard)))
    }

    /// As [`Cache::optimistic_lock`](crate::Cache::optimistic_lock).
    pub fn optimistic_lock<'a>(&'a self, key: impl Into<Key<'a>>) -> Result<OptimisticLock<'a, V>> {
        drive::run(self.0.optimistic_lock(key)).map(OptimisticLock)
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
    pub fn renew(&mut self) -> Result<()> {
        self.0.as_mut().map_or(Ok(()), |guard| drive::run(guard.renew()))
    }

    /// As [`lock::Guard::release`].
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
    pub fn cas(self, value: V) -> Result<()> {
        drive::run(self.0.cas(value))
    }
}
