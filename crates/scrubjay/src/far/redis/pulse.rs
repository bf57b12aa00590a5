//! What a connection's owner can see of it while others drive it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use super::order::Strictness;

/// Counts what goes over a connection, and says whether it is over.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    received: AtomicU64,
    written: AtomicU64,
    over: AtomicBool,
    strictness: AtomicU8,
}

impl Pulse {
    /// Notes that something came.
    pub(super) fn receive(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that something went out.
    pub(super) fn write(&self) {
        self.written.fetch_add(1, Ordering::Release);
    }

    /// Notes that the connection must not be used any more.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether the connection is of no use any more.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// How often something came so far.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How often something went out so far.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// How strictly replies are to be matched from now on.
    pub(super) fn set_strictness(&self, strictness: Strictness) {
        self.strictness.store(strictness as u8, Ordering::Release);
    }

    /// How strictly replies are to be matched: by count, until somebody says otherwise.
    pub(super) fn strictness(&self) -> Strictness {
        match self.strictness.load(Ordering::Acquire) {
            form if form == Strictness::Form as u8 => Strictness::Form,
            proof if proof == Strictness::Proof as u8 => Strictness::Proof,
            _ => Strictness::Count,
        }
    }
}
