//! Keys whose load has failed lately, and whose stale value is served without trying again.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use parking_lot::Mutex;

use crate::{Moment, QualifiedKey};

/// So many keys are remembered; beyond them a failing load is simply tried again.
const MOST: usize = 1_024;

/// The keys that rest, and until when.
#[derive(Debug, Default)]
pub(crate) struct BackOffs {
    resting: Mutex<HashMap<(Box<str>, Box<str>), Moment>>,
    count: AtomicUsize,
}

impl BackOffs {
    /// Lets `key` rest until `end`; `now` tells which others have rested enough.
    pub(super) fn rest(&self, key: QualifiedKey<'_>, now: Moment, end: Moment) {
        let mut resting = self.resting.lock();
        if resting.len() >= MOST {
            resting.retain(|_, end| *end > now);
        }
        if resting.len() < MOST {
            resting.insert(owned(key), end);
        }
        self.count.store(resting.len(), Ordering::Release);
    }

    /// Whether `key` rests at `now`.
    pub(super) fn rests(&self, key: QualifiedKey<'_>, now: Moment) -> bool {
        self.count.load(Ordering::Acquire) > 0 && self.resting.lock().get(&owned(key)).is_some_and(|end| *end > now)
    }

    /// `key` rests no longer.
    #[inline]
    pub(super) fn end(&self, key: QualifiedKey<'_>) {
        if self.count.load(Ordering::Acquire) > 0 {
            self.end_where(|resting| *resting == owned(key));
        }
    }

    /// No key of `namespace` rests any longer; no key at all, if it is empty.
    pub(super) fn end_namespace(&self, namespace: &str) {
        self.end_where(|(resting, _)| namespace.is_empty() || **resting == *namespace);
    }

    #[cold]
    fn end_where(&self, ends: impl Fn(&(Box<str>, Box<str>)) -> bool) {
        let mut resting = self.resting.lock();
        resting.retain(|key, _| !ends(key));
        self.count.store(resting.len(), Ordering::Release);
    }
}

fn owned(key: QualifiedKey<'_>) -> (Box<str>, Box<str>) {
    (key.namespace.into(), key.key.into())
}
