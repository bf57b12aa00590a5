//! The locks and counters of the near tier: the real ones, or those of `shuttle`, which tries interleavings.

#[cfg(not(shuttle))]
pub(super) use self::real::{AtomicU64, RwLock};
#[cfg(shuttle)]
pub(super) use self::tried::{AtomicU64, RwLock};

#[cfg(not(shuttle))]
mod real {
    pub(in super::super) use std::sync::atomic::AtomicU64;

    pub(in super::super) use parking_lot::RwLock;
}

#[cfg(shuttle)]
mod tried {
    pub(in super::super) use shuttle::sync::atomic::AtomicU64;
    use shuttle::sync::{RwLockReadGuard, RwLockWriteGuard};

    /// `shuttle`'s lock, without the poison that the real one has not.
    #[derive(Debug, Default)]
    pub(in super::super) struct RwLock<T>(shuttle::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(in super::super) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        pub(in super::super) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}
