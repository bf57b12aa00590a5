//! The locks and flags of the flights: the real ones, or those of `shuttle`, which tries interleavings.

#[cfg(not(shuttle))]
pub(super) use self::real::{AtomicUsize, Mutex};
#[cfg(shuttle)]
pub(super) use self::tried::{AtomicUsize, Mutex};

#[cfg(not(shuttle))]
mod real {
    pub(in super::super) use std::sync::atomic::AtomicUsize;

    pub(in super::super) use parking_lot::Mutex;
}

#[cfg(shuttle)]
mod tried {
    use shuttle::sync::MutexGuard;
    pub(in super::super) use shuttle::sync::atomic::AtomicUsize;

    /// `shuttle`'s lock, without the poison that the real one has not.
    #[derive(Debug, Default)]
    pub(in super::super) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(in super::super) fn new(held: T) -> Self {
            Self(shuttle::sync::Mutex::new(held))
        }

        pub(in super::super) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}
