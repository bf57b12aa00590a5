//! `moka`, blocking and async: without ttl, with one for all entries, with one for each.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use super::{Engine, LONG, Race, Value, value};

type Sync = moka::sync::Cache<String, Value>;
type Async = moka::future::Cache<String, Value>;

pub(super) fn sync(capacity: usize) -> Box<dyn Race> {
    Box::new(Sync::new(capacity as u64))
}

pub(super) fn sync_with_ttl(capacity: usize) -> Box<dyn Race> {
    Box::new(Sync::builder().max_capacity(capacity as u64).time_to_live(LONG).build())
}

pub(super) fn sync_with_ttl_each(capacity: usize) -> Box<dyn Race> {
    Box::new(Sync::builder().max_capacity(capacity as u64).expire_after(Each).build())
}

pub(super) fn future(capacity: usize) -> Box<dyn Race> {
    Box::new(Async::new(capacity as u64))
}

/// A ttl that is asked for entry by entry, which is what `scrubjay` and the one in `quick_cache`'s values are.
struct Each;

impl moka::Expiry<String, Value> for Each {
    fn expire_after_create(&self, _: &String, _: &Value, _: Instant) -> Option<Duration> {
        Some(LONG)
    }
}

impl Engine for Sync {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        Sync::get(self, key)
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        self.insert(key.to_owned(), value);
    }

    #[inline]
    fn load(&self, key: &str) -> Option<Value> {
        Some(self.get_with_by_ref(key, value))
    }

    fn settle(&self) {
        self.run_pending_tasks();
    }
}

impl Engine for Async {
    #[inline]
    fn get(&self, key: &str) -> Option<Value> {
        wait(Async::get(self, key))
    }

    #[inline]
    fn set(&self, key: &str, value: Value) {
        wait(self.insert(key.to_owned(), value));
    }

    #[inline]
    fn load(&self, key: &str) -> Option<Value> {
        Some(wait(self.get_with_by_ref(key, async { value() })))
    }

    fn settle(&self) {
        wait(self.run_pending_tasks());
    }
}

/// Polls by hand, since nearly all answers are there at the first poll; a runtime would cost more than they do.
#[inline]
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return answer;
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return answer;
        }
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
