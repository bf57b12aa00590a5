//! The right to load a key, held on the store, so that of all processes one loads.
//!
//! A lease is an entry of its own kind under the key itself. Whoever writes the key, or deletes it, thereby voids the lease:
//! the holder's value is put by compare-and-set against the lease, and refused. Nothing here reads a clock of another
//! machine; the store lets go of a lease that nobody renews.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::flights::FlightId;
use crate::{
    Operation, Result,
    entry::{Content, Entry},
    far::{AnyStore, Call, Claim, Found, Item, Token, Want, timer},
};

/// A lease that this process holds. Dropped unfilled, it is given up.
pub(crate) struct Lease {
    store: AnyStore,
    key: String,
    hold: Duration,
    timeout: Duration,
    bytes: Bytes,
    token: Token,
    /// Whether that is its token, or was before a renewal that was cut short.
    certain: bool,
    /// Whether there is nothing left to give up.
    settled: bool,
}

/// The flights of this process that hold a lease, by its bytes: through two caches over one store a load may come to wait for
/// itself, too.
static HOLDERS: LazyLock<Mutex<HashMap<Bytes, FlightId>>> = LazyLock::new(Mutex::default);

/// Whose lease `bytes` are, if it is a load of this process.
pub(super) fn holder(bytes: &Bytes) -> Option<FlightId> {
    HOLDERS.lock().get(bytes).copied()
}

/// What came of asking for a lease.
pub(crate) enum Claimed {
    Won(Lease),
    /// Somebody else holds it, or an entry stands there.
    Held(Found),
}

impl Lease {
    /// Asks for the lease of `key`, which must be absent.
    pub(crate) async fn claim(store: &AnyStore, key: &str, hold: Duration, timeout: Duration) -> Result<Claimed> {
        let bytes = Entry::new(Content::Lease(name())).seal();
        let item = Item { key, value: bytes.clone(), ttl: Some(hold) };
        let token = match store.claim(Call::new(Operation::GetOrLoad, timeout), &item).await? {
            Claim::Won(token) => token,
            Claim::Held(found) => match found.token {
                // A claim that was repeated on the way, after its answer was lost, finds itself.
                Some(token) if found.value == bytes => token,
                token => return Ok(Claimed::Held(Found { token, ..found })),
            },
        };
        let (store, key) = (store.clone(), key.to_owned());
        Ok(Claimed::Won(Self { store, key, hold, timeout, bytes, token, certain: true, settled: false }))
    }

    /// Lets other loads of this process know that it is held for `flight`.
    pub(super) fn held_for(self, flight: FlightId) -> Self {
        HOLDERS.lock().insert(self.bytes.clone(), flight);
        self
    }

    /// Renews it for as long as it is polled; ends when it is lost, or there is no runtime to wait on.
    pub(super) async fn keep(&mut self) {
        while timer::sleep(self.hold / 3).await.is_ok() {
            if let Ok(false) = self.renew().await {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Holds it for another while; says whether it was still held.
    pub(crate) async fn renew(&mut self) -> Result<bool> {
        let item = Item { key: &self.key, value: self.bytes.clone(), ttl: Some(self.hold) };
        // Whoever cuts this short does not know which token the entry has now.
        self.certain = false;
        let call = Call::new(Operation::GetOrLoad, self.timeout);
        Ok(self.store.compare_and_set(call, &item, &self.token).await? && self.make_certain().await?)
    }

    /// Whether it is held at this moment.
    pub(crate) async fn is_held(&mut self) -> Result<bool> {
        if !self.store.capability().retains {
            return Ok(true);
        }
        self.certain = false;
        self.make_certain().await
    }

    /// Gives it up; says whether it was still held.
    pub(crate) async fn release(mut self) -> Result<bool> {
        let held = self.make_certain().await?;
        self.settled = true;
        let call = Call::new(Operation::GetOrLoad, self.timeout);
        Ok(held && self.store.compare_and_delete(call, &self.key, &self.token).await?)
    }

    /// Finds out under which token it is held; says whether it is.
    async fn make_certain(&mut self) -> Result<bool> {
        if !self.certain {
            let call = Call::new(Operation::Get, self.timeout);
            let found = self.store.get(call, &[&*self.key], Want::VALUE_AND_TOKEN).await?.pop().flatten();
            let Some(token) = found.filter(|found| found.value == self.bytes).and_then(|found| found.token) else {
                return Ok(false);
            };
            self.token = token;
            self.certain = true;
        }
        Ok(true)
    }

    /// Puts `bytes` in its place, if it is still held; says whether it was.
    pub(super) async fn fill(mut self, bytes: Bytes, ttl: Option<Duration>) -> Result<bool> {
        if !self.make_certain().await? {
            return Ok(false);
        }
        let item = Item { key: &self.key, value: bytes, ttl };
        let call = Call::new(Operation::GetOrLoad, self.timeout);
        let filled = self.store.compare_and_set(call, &item, &self.token).await?;
        self.settled = filled;
        Ok(filled)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        HOLDERS.lock().remove(&self.bytes);
        if self.settled {
            return;
        }
        let (store, key, timeout) = (self.store.clone(), std::mem::take(&mut self.key), self.timeout);
        let token = std::mem::replace(&mut self.token, Token::Absent);
        let mut release = Box::pin(async move {
            // If it fails the store lets go of the lease when its time is over.
            let _ = store.compare_and_delete(Call::new(Operation::GetOrLoad, timeout), &key, &token).await;
        });
        // A store in this process answers at the first poll, runtime or not.
        let released = release.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let (Poll::Pending, Ok(runtime)) = (released, Handle::try_current()) {
            drop(runtime.spawn(release));
        }
    }
}

/// Sixteen bytes that no other lease has: a process draws its seeds from the operating system.
fn name() -> Bytes {
    let half = || RandomState::new().hash_one(std::process::id()).to_le_bytes();
    [half(), half()].concat().into()
}
