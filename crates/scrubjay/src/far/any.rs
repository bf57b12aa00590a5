//! [`AnyStore`]: any store, boxed, as the engine and the layers hold it.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{Call, Capability, Change, Claim, Found, Item, Reply, Scope, Store, StoreInfo, Token, Want};
use crate::Result;

/// A future that owns its place in memory: what every call to an [`AnyStore`] is.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The object-safe twin of [`Store`], implemented for every store here, and for what layers make of stores.
pub(super) trait Boxed: Send + Sync {
    fn info(&self) -> StoreInfo;
    fn capability(&self) -> Capability;
    fn get<'a>(&'a self, call: Call, keys: &'a [&'a str], want: Want) -> Answer<'a, Vec<Option<Found>>>;
    fn set<'a>(&'a self, call: Call, items: &'a [Item<'a>]) -> Answer<'a, ()>;
    fn add<'a>(&'a self, call: Call, item: &'a Item<'a>) -> Answer<'a, bool>;
    fn compare_and_set<'a>(&'a self, call: Call, item: &'a Item<'a>, token: &'a Token) -> Answer<'a, bool>;
    fn claim<'a>(&'a self, call: Call, item: &'a Item<'a>) -> Answer<'a, Claim>;
    fn compare_and_delete<'a>(&'a self, call: Call, key: &'a str, token: &'a Token) -> Answer<'a, bool>;
    fn increment<'a>(&'a self, call: Call, change: Change<'a>) -> Answer<'a, i64>;
    fn expire<'a>(&'a self, call: Call, key: &'a str, ttl: Option<Duration>) -> Answer<'a, bool>;
    fn delete<'a>(&'a self, call: Call, keys: &'a [&'a str]) -> Answer<'a, Vec<bool>>;
    fn clear<'a>(&'a self, call: Call, scope: Scope<'a>) -> Answer<'a, ()>;
    fn raw<'a>(&'a self, call: Call, command: &'a [Bytes]) -> Answer<'a, Reply>;
    fn close(&self) -> Answer<'_, ()>;
}

impl<S: Store> Boxed for S {
    fn info(&self) -> StoreInfo {
        Store::info(self)
    }
    fn capability(&self) -> Capability {
        Store::capability(self)
    }
    fn get<'a>(&'a self, call: Call, keys: &'a [&'a str], want: Want) -> Answer<'a, Vec<Option<Found>>> {
        Box::pin(Store::get(self, call, keys, want))
    }
    fn set<'a>(&'a self, call: Call, items: &'a [Item<'a>]) -> Answer<'a, ()> {
        Box::pin(Store::set(self, call, items))
    }
    fn add<'a>(&'a self, call: Call, item: &'a Item<'a>) -> Answer<'a, bool> {
        Box::pin(Store::add(self, call, item))
    }
    fn compare_and_set<'a>(&'a self, call: Call, item: &'a Item<'a>, token: &'a Token) -> Answer<'a, bool> {
        Box::pin(Store::compare_and_set(self, call, item, token))
    }
    fn claim<'a>(&'a self, call: Call, item: &'a Item<'a>) -> Answer<'a, Claim> {
        Box::pin(Store::claim(self, call, item))
    }
    fn compare_and_delete<'a>(&'a self, call: Call, key: &'a str, token: &'a Token) -> Answer<'a, bool> {
        Box::pin(Store::compare_and_delete(self, call, key, token))
    }
    fn increment<'a>(&'a self, call: Call, change: Change<'a>) -> Answer<'a, i64> {
        Box::pin(Store::increment(self, call, change))
    }
    fn expire<'a>(&'a self, call: Call, key: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        Box::pin(Store::expire(self, call, key, ttl))
    }
    fn delete<'a>(&'a self, call: Call, keys: &'a [&'a str]) -> Answer<'a, Vec<bool>> {
        Box::pin(Store::delete(self, call, keys))
    }
    fn clear<'a>(&'a self, call: Call, scope: Scope<'a>) -> Answer<'a, ()> {
        Box::pin(Store::clear(self, call, scope))
    }
    fn raw<'a>(&'a self, call: Call, command: &'a [Bytes]) -> Answer<'a, Reply> {
        Box::pin(Store::raw(self, call, command))
    }
    fn close(&self) -> Answer<'_, ()> {
        Box::pin(Store::close(self))
    }
}

/// Any store, boxed; clones share it. `Display` prints the stack: `timeout(retry(memory))`.
///
/// Each call boxes its future. That costs little beside a network round trip, and lets layers be stacked by name.
#[derive(Clone)]
pub struct AnyStore(Arc<dyn Boxed>);

impl AnyStore {
    /// Boxes `store`.
    pub fn new(store: impl Store) -> Self {
        Self(Arc::new(store))
    }

    pub(super) fn boxed(store: impl Boxed + 'static) -> Self {
        Self(Arc::new(store))
    }

    /// What the store is, without secrets.
    #[must_use]
    pub fn info(&self) -> StoreInfo {
        self.0.info()
    }

    /// What the store can do.
    #[must_use]
    pub fn capability(&self) -> Capability {
        self.0.capability()
    }

    /// As [`Store::get`].
    #[must_use]
    pub fn get<'a>(&'a self, call: Call, keys: &'a [&'a str], want: Want) -> Answer<'a, Vec<Option<Found>>> {
        self.0.get(call, keys, want)
    }

    /// As [`Store::set`].
    #[must_use]
    pub fn set<'a>(&'a self, call: Call, items: &'a [Item<'a>]) -> Answer<'a, ()> {
        self.0.set(call, items)
    }

    /// As [`Store::add`].
    #[must_use]
    pub fn add<'a>(&'a self, call: Call, item: &'a Item<'a>) -> Answer<'a, bool> {
        self.0.add(call, item)
    }

    /// As [`Store::compare_and_set`].
    #[must_use]
    pub fn compare_and_set<'a>(&'a self, call: Call, item: &'a Item<'a>, token: &'a Token) -> Answer<'a, bool> {
        self.0.compare_and_set(call, item, token)
    }

    /// As [`Store::claim`].
    #[must_use]
    pub fn claim<'a>(&'a self, call: Call, item: &'a Item<'a>) -> Answer<'a, Claim> {
        self.0.claim(call, item)
    }

    /// As [`Store::compare_and_delete`].
    #[must_use]
    pub fn compare_and_delete<'a>(&'a self, call: Call, key: &'a str, token: &'a Token) -> Answer<'a, bool> {
        self.0.compare_and_delete(call, key, token)
    }

    /// As [`Store::increment`].
    #[must_use]
    pub fn increment<'a>(&'a self, call: Call, change: Change<'a>) -> Answer<'a, i64> {
        self.0.increment(call, change)
    }

    /// As [`Store::expire`].
    #[must_use]
    pub fn expire<'a>(&'a self, call: Call, key: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        self.0.expire(call, key, ttl)
    }

    /// As [`Store::delete`].
    #[must_use]
    pub fn delete<'a>(&'a self, call: Call, keys: &'a [&'a str]) -> Answer<'a, Vec<bool>> {
        self.0.delete(call, keys)
    }

    /// As [`Store::clear`].
    #[must_use]
    pub fn clear<'a>(&'a self, call: Call, scope: Scope<'a>) -> Answer<'a, ()> {
        self.0.clear(call, scope)
    }

    /// As [`Store::raw`].
    #[must_use]
    pub fn raw<'a>(&'a self, call: Call, command: &'a [Bytes]) -> Answer<'a, Reply> {
        self.0.raw(call, command)
    }

    /// As [`Store::close`].
    #[must_use]
    pub fn close(&self) -> Answer<'_, ()> {
        self.0.close()
    }
}

impl<S: Store> From<S> for AnyStore {
    fn from(store: S) -> Self {
        Self::new(store)
    }
}

impl fmt::Display for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info().fmt(f)
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyStore({self})")
    }
}
