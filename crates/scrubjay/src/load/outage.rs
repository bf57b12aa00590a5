//! What loads know of a store that fails: while it does they leave it alone.
//!
//! One failure is enough: the first load pays the deadline, those after it nothing. When a pause is over one load asks the
//! store whether it works again, on the side, and waits for no answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::{
    Error, ErrorKind, Operation, Result, clock,
    far::{AnyStore, Call, Want},
};

/// How long a store that failed is left alone before it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// The state of one cache's store, as its loads see it.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    down: AtomicBool,
    /// When it was last found down.
    since: Mutex<Option<Instant>>,
    failures: AtomicU64,
}

impl Outage {
    /// Whether the store is to be left alone. Once its pause is over, one caller finds out how it does.
    pub(super) fn is_down(self: &Arc<Self>, store: &AnyStore, probed_key: &str, timeout: Duration) -> bool {
        if !self.down.load(Ordering::Acquire) {
            return false;
        }
        let over = {
            let mut since = self.since.lock();
            let over = since.is_none_or(|since| clock::now().saturating_duration_since(since) >= PAUSE);
            if over {
                // Whoever comes next waits for another pause.
                *since = Some(clock::now());
            }
            over
        };
        if !over {
            return true;
        }
        // Without a runtime to ask on, the caller asks, and waits.
        let Ok(runtime) = Handle::try_current() else { return false };
        let (this, store, key) = (Arc::clone(self), store.clone(), probed_key.to_owned());
        drop(runtime.spawn(async move {
            let answer = store.get(Call::new(Operation::Get, timeout), &[&key], Want::PRESENCE).await;
            this.observe(&answer);
        }));
        true
    }

    /// Draws the consequences of a call to the store.
    pub(super) fn observe<T>(&self, answer: &Result<T>) {
        match answer {
            Ok(_) => {
                if self.down.swap(false, Ordering::AcqRel) {
                    report_back();
                }
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                if shows_an_outage(error) {
                    *self.since.lock() = Some(clock::now());
                    if !self.down.swap(true, Ordering::AcqRel) {
                        report_down(error);
                    }
                }
            }
        }
    }

    /// How often the store failed a load, which then went on without it.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

/// Whether the store could not be asked at all, rather than answering with an error.
fn shows_an_outage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Connection | ErrorKind::Overloaded)
}

/// Whether a load goes on without the store after `error`. What the program got wrong is told, not hidden.
pub(super) fn may_be_ignored(error: &Error) -> bool {
    shows_an_outage(error) || matches!(error.kind(), ErrorKind::Server | ErrorKind::Decode | ErrorKind::Encode)
}

#[cfg(feature = "tracing")]
fn report_down(error: &Error) {
    tracing::warn!(target: "scrubjay", %error, "the store does not answer: loads go on without it");
}

#[cfg(feature = "tracing")]
fn report_back() {
    tracing::info!(target: "scrubjay", "the store answers again");
}

#[cfg(not(feature = "tracing"))]
fn report_down(_: &Error) {}

#[cfg(not(feature = "tracing"))]
fn report_back() {}
