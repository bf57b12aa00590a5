//! The function's own run: a load begins it, and its caller ends it if the load does not.

use std::{future::poll_fn, mem, pin::Pin};

use parking_lot::Mutex;

use super::{Answer, Sharing};
use crate::Result;

/// One run of a function, at most.
pub(super) struct Own<A: Answer, F, R>(Mutex<Progress<A, F, R>>);

enum Progress<A: Answer, F, R> {
    Ahead(F),
    UnderWay(Pin<Box<R>>),
    Returned(A::Returned),
    Failed(A::Error),
    /// Being polled, or taken away.
    Gone,
}

impl<A, F, R> Own<A, F, R>
where
    A: Answer<Value: Clone>,
    F: FnOnce() -> R,
    R: Future<Output = A::Returned>,
{
    pub(super) fn new(run: F) -> Self {
        Self(Mutex::new(Progress::Ahead(run)))
    }

    /// Whether it has not begun.
    pub(super) fn is_ahead(&self) -> bool {
        matches!(*self.0.lock(), Progress::Ahead(_))
    }

    /// Runs the function. What it returns stays here too, for a caller who does not get it from the cache.
    ///
    /// # Errors
    /// What those who wait are told of the function's own error.
    pub(super) async fn run<S: Sharing<A::Error>>(&self, sharing: S) -> Result<Option<A::Value>> {
        let returned = poll_fn(|context| {
            // Neither starting the function nor polling it may happen under the lock.
            let mut running = match self.take() {
                Progress::Ahead(run) => Box::pin(run()),
                Progress::UnderWay(running) => running,
                _ => gone(),
            };
            let returned = running.as_mut().poll(context);
            if returned.is_pending() {
                *self.0.lock() = Progress::UnderWay(running);
            }
            returned
        });
        match A::open(returned.await) {
            Ok(value) => {
                let returned = A::close(value.clone());
                *self.0.lock() = returned.map_or(Progress::Gone, Progress::Returned);
                Ok(value)
            }
            Err(error) => {
                let cause = sharing.cause(&error);
                *self.0.lock() = Progress::Failed(error);
                Err(cause)
            }
        }
    }

    /// What the function returned, if that was an error.
    pub(super) fn failure(&self) -> Option<A::Returned> {
        let mut progress = self.0.lock();
        match mem::replace(&mut *progress, Progress::Gone) {
            Progress::Failed(error) => Some(A::fail(error)),
            other => {
                *progress = other;
                None
            }
        }
    }

    /// What the function returned, or returns when it has run to its end.
    pub(super) async fn finish(&self) -> A::Returned {
        match self.take() {
            Progress::Ahead(run) => run().await,
            Progress::UnderWay(running) => running.await,
            Progress::Returned(returned) => returned,
            Progress::Failed(error) => A::fail(error),
            Progress::Gone => gone(),
        }
    }

    fn take(&self) -> Progress<A, F, R> {
        mem::replace(&mut *self.0.lock(), Progress::Gone)
    }
}

#[cold]
fn gone() -> ! {
    panic!("a cached function was run again after it had panicked")
}
