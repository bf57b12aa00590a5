//! [`at_once`]: futures that do not wait, without a runtime.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What `future` answers at its first poll.
///
/// # Panics
/// If it waits for something.
#[inline]
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("what is measured waits for nothing"),
    }
}
