//! The right to load a key, held on the store, so that of all processes one loads.
//!
//! A lease stands under the key itself: alone where there is nothing, else beside the entry that is loaded anew, which may be
//! served meanwhile. Whoever writes the key, or deletes it, thereby voids the lease: the holder's value is put by
//! compare-and-set against it, and refused. Nothing here reads a clock of another machine; the store lets go of a lease that
//! nobody renews, or of the entry that says how long before its own end the lease ends.

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
    Clock, Moment, Operation, Result,
    entry::{Content, Entry, Reload},
    far::{AnyStore, Call, Claim, Found, Item, Token, Want, timer},
};

/// On what terms a lease is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) store: &'a AnyStore,
    pub(crate) key: &'a str,
    /// The command that it serves.
    pub(crate) operation: Operation,
    /// How long it is held if nobody renews it.
    pub(crate) hold: Duration,
    /// How long a call to the store may take.
    pub(crate) timeout: Duration,
}

/// What came of asking for a lease.
pub(crate) enum Claimed {
    Won(Lease),
    /// Somebody else holds it, or an entry stands there.
    Held(Found),
}

impl Terms<'_> {
    /// Asks for the lease of a key under which nothing stands.
    pub(crate) async fn claim(self) -> Result<Claimed> {
        let mut lease = self.lease(Token::Absent, None);
        let (value, ttl) = lease.posture();
        let item = Item { key: self.key, value, ttl: Some(ttl) };
        let token = match self.store.claim(Call::new(self.operation, self.timeout), &item).await? {
            Claim::Won(token) => token,
            Claim::Held(found) => match found.token {
                // A claim that was repeated on the way, after its answer was lost, finds itself.
                Some(token) if lease.is_in(&found.value) => token,
                token => {
                    lease.settled = true;
                    return Ok(Claimed::Held(Found { token, ..found }));
                }
            },
        };
        (lease.token, lease.certain) = (token, true);
        Ok(Claimed::Won(lease))
    }

    /// Takes the key over from what stands there under `token`, and lets the entry `beside` stay; nothing if it has changed.
    pub(super) async fn take(self, token: Token, beside: Option<Beside>) -> Result<Option<Lease>> {
        let mut lease = self.lease(token, beside);
        if lease.put().await? {
            return Ok(Some(lease));
        }
        lease.settled = true;
        Ok(None)
    }

    /// A lease that may be held already when asking for it fails or is cut short: dropped, it is looked for and given up.
    fn lease(self, token: Token, beside: Option<Beside>) -> Lease {
        let Self { store, key, operation, hold, timeout } = self;
        let (store, key) = (store.clone(), key.to_owned());
        Lease { store, key, operation, hold, timeout, name: name(), beside, token, certain: false, settled: false }
    }
}

/// An entry that may be served while it is loaded anew, and when it ends.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    pub(super) entry: Entry,
    pub(super) clock: Clock,
    pub(super) end: Moment,
}

/// An entry that ends sooner than this is not worth a renewal.
const LAST: Duration = Duration::from_millis(100);

impl Beside {
    fn left(&self) -> Duration {
        self.clock.precise().until(self.end)
    }
}

/// A lease that this process holds. Dropped unfilled, it is given up.
#[derive(Clone)]
pub(crate) struct Lease {
    store: AnyStore,
    key: String,
    operation: Operation,
    hold: Duration,
    timeout: Duration,
    name: Bytes,
    beside: Option<Beside>,
    token: Token,
    /// Whether that is its token, or was before a change that was cut short.
    certain: bool,
    /// Whether there is nothing left to give up.
    settled: bool,
}

/// The flights of this process that hold a lease, by its name: through two caches over one store a load may come to wait for
/// itself, too.
static HOLDERS: LazyLock<Mutex<HashMap<Bytes, FlightId>>> = LazyLock::new(Mutex::default);

/// Whose lease `name` is, if it is a load of this process.
pub(super) fn holder(name: &Bytes) -> Option<FlightId> {
    HOLDERS.lock().get(name).copied()
}

impl Lease {
    /// Lets other loads of this process know that it is held for `flight`.
    pub(super) fn held_for(self, flight: FlightId) -> Box<Self> {
        HOLDERS.lock().insert(self.name.clone(), flight);
        Box::new(self)
    }

    /// Renews it for as long as it is polled; ends when it is lost, or there is no runtime to wait on.
    pub(super) async fn keep(&mut self) {
        while timer::sleep(self.pause()).await.is_ok() {
            if let Ok(false) = self.renew().await {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// How long it needs no renewal.
    fn pause(&self) -> Duration {
        let third = self.hold / 3;
        self.beside.as_ref().map_or(third, |beside| third.min(beside.left() / 2))
    }

    /// Holds it for another while; says whether it was still held.
    pub(crate) async fn renew(&mut self) -> Result<bool> {
        Ok(self.make_certain().await? && self.put().await?)
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
        Ok(held && self.remove().await?)
    }

    /// Puts `bytes` in its place, if it is still held; says whether it was.
    pub(super) async fn fill(mut self, bytes: Bytes, ttl: Option<Duration>) -> Result<bool> {
        let filled = self.make_certain().await? && self.replace(bytes, ttl).await?;
        self.settled = true;
        Ok(filled)
    }

    /// What is to stand under the key from now on, and how long the store is to keep it.
    fn posture(&mut self) -> (Bytes, Duration) {
        match self.beside.as_ref().map(|beside| (beside, beside.left())) {
            Some((Beside { entry, .. }, left)) if left > LAST => {
                let reload = Reload { name: self.name.clone(), until: left.saturating_sub(self.hold) };
                (Entry { reload: Some(reload), ..entry.clone() }.seal(), left)
            }
            _ => {
                self.beside = None;
                (Entry::new(Content::Lease(self.name.clone())).seal(), self.hold)
            }
        }
    }

    /// Puts it where its token still stands; says whether it did.
    async fn put(&mut self) -> Result<bool> {
        let (bytes, ttl) = self.posture();
        // Whoever cuts this short does not know which token the entry has now.
        self.certain = false;
        let put = self.replace(bytes.clone(), Some(ttl)).await?;
        if let (true, Token::Value(_)) = (put, &self.token) {
            (self.token, self.certain) = (Token::Value(bytes), true);
        }
        Ok(put)
    }

    /// Finds out under which token it is held; says whether it is.
    async fn make_certain(&mut self) -> Result<bool> {
        if !self.certain {
            let call = self.call();
            let found = self.store.get(call, &[&*self.key], Want::VALUE_AND_TOKEN).await?.pop().flatten();
            let Some(token) = found.filter(|found| self.is_in(&found.value)).and_then(|found| found.token) else {
                return Ok(false);
            };
            self.token = token;
            self.certain = true;
        }
        Ok(true)
    }

    fn is_in(&self, bytes: &Bytes) -> bool {
        Entry::open(bytes).holder(Some(Duration::MAX)) == Some(&self.name)
    }

    /// Takes it away from what its token says, and leaves the entry beside it; says whether it was still there.
    async fn remove(&self) -> Result<bool> {
        match self.beside.as_ref().map(|beside| (beside, beside.left())) {
            Some((Beside { entry, .. }, left)) if !left.is_zero() => {
                self.replace(Entry { reload: None, ..entry.clone() }.seal(), Some(left)).await
            }
            _ => {
                let call = self.call();
                self.store.compare_and_delete(call, &self.key, &self.token).await
            }
        }
    }

    fn call(&self) -> Call {
        Call::new(self.operation, self.timeout)
    }

    async fn replace(&self, value: Bytes, ttl: Option<Duration>) -> Result<bool> {
        let call = self.call();
        self.store.compare_and_set(call, &Item { key: &self.key, value, ttl }, &self.token).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        HOLDERS.lock().remove(&self.name);
        if self.settled {
            return;
        }
        let mut rest = self.clone();
        rest.settled = true;
        let mut release = Box::pin(async move {
            // If it fails the store lets go of the lease when its time is over.
            if let Ok(true) = rest.make_certain().await {
                let _ = rest.remove().await;
            }
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
