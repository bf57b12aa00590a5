//! Keys of a near-only cache for which a loader has found that there is nothing. (A far tier keeps that under the key itself.)

use std::{
    sync::{OnceLock, atomic::AtomicBool},
    time::Duration,
};

use crate::{
    Clock, QualifiedKey,
    near::{Keep, Memory},
};

/// The keys known to have no value, each with a ttl of its own. Nothing is allocated before the first.
#[derive(Debug, Default)]
pub(crate) struct Negatives(OnceLock<Memory<()>>);

impl Negatives {
    /// Remembers that there is nothing under `key`, unless `void` says that somebody wrote there meanwhile.
    pub(super) fn remember(&self, key: QualifiedKey<'_>, ttl: Duration, clock: &Clock, void: &AtomicBool) {
        let keys = self.0.get_or_init(|| Memory::builder().clock(clock.clone()).build());
        let (grace, cost, since) = (Duration::ZERO, Duration::ZERO, keys.clock().precise());
        keys.keep(key, (), &Keep { ttl: Some(ttl), grace, cost, since, void });
    }

    /// Whether it is known that there is nothing under `key`.
    #[inline]
    pub(crate) fn know(&self, key: QualifiedKey<'_>) -> bool {
        self.0.get().is_some_and(|keys| keys.exists(key))
    }

    /// There is something under `key` now, or may be.
    #[inline]
    pub(super) fn forget(&self, key: QualifiedKey<'_>) {
        if let Some(keys) = self.0.get() {
            keys.delete(key);
        }
    }

    /// The same of every key of `namespace`; of all keys, if it is empty.
    pub(super) fn forget_namespace(&self, namespace: &str) {
        match self.0.get() {
            None => {}
            Some(keys) if namespace.is_empty() => keys.clear_all(),
            Some(keys) => keys.clear(namespace),
        }
    }
}
