//! The layer that treats every command alike: one function around "carry out this call".

use std::time::Duration;

use bytes::Bytes;

use crate::{
    Result,
    far::{
        AnyStore, Call, Capability, Change, Claim, Found, Item, Reply, Scope, Store, StoreInfo, Token, Want,
        any::Answer,
    },
};

/// A policy around every call of a store.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use scrubjay::{Result, far::{Answer, Call, layer::Intercept}};
///
/// /// Counts the calls that reach the store.
/// #[derive(Default)]
/// struct Count(AtomicU64);
///
/// impl Intercept for Count {
///     fn name(&self) -> &str {
///         "count"
///     }
///
///     async fn intercept<'a, T, A>(&'a self, call: Call, attempt: A) -> Result<T>
///     where
///         T: Send + 'a,
///         A: Fn(Call) -> Answer<'a, T> + Send + Sync + 'a,
///     {
///         self.0.fetch_add(1, Ordering::Relaxed);
///         attempt(call).await
///     }
/// }
/// ```
pub trait Intercept: Send + Sync + 'static {
    /// The layer's name, as `info` and `Display` show it.
    fn name(&self) -> &str;

    /// What a store of capability `inner` can do inside this layer.
    fn capability(&self, inner: Capability) -> Capability {
        inner
    }

    /// Carries out `call` by calling `attempt` never, once or several times.
    ///
    /// `attempt` may be given another deadline. It only starts when its answer is awaited, and dropping the answer cancels it.
    fn intercept<'a, T, A>(&'a self, call: Call, attempt: A) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'a,
        A: Fn(Call) -> Answer<'a, T> + Send + Sync + 'a;
}

/// A store inside an [`Intercept`]or.
#[derive(Debug)]
pub struct Intercepted<I> {
    interceptor: I,
    inner: AnyStore,
}

impl<I: Intercept> Intercepted<I> {
    /// `inner`, every call of which goes through `interceptor`.
    #[must_use]
    pub fn new(interceptor: I, inner: AnyStore) -> Self {
        Self { interceptor, inner }
    }
}

impl<I: Intercept> Store for Intercepted<I> {
    fn info(&self) -> StoreInfo {
        self.inner.info().inside(self.interceptor.name())
    }

    fn capability(&self) -> Capability {
        self.interceptor.capability(self.inner.capability())
    }

    async fn get(&self, call: Call, keys: &[&str], want: Want) -> Result<Vec<Option<Found>>> {
        self.interceptor.intercept(call, |call| self.inner.get(call, keys, want)).await
    }

    async fn set(&self, call: Call, items: &[Item<'_>]) -> Result<()> {
        self.interceptor.intercept(call, |call| self.inner.set(call, items)).await
    }

    async fn add(&self, call: Call, item: &Item<'_>) -> Result<bool> {
        self.interceptor.intercept(call, |call| self.inner.add(call, item)).await
    }

    async fn compare_and_set(&self, call: Call, item: &Item<'_>, token: &Token) -> Result<bool> {
        self.interceptor.intercept(call, |call| self.inner.compare_and_set(call, item, token)).await
    }

    async fn claim(&self, call: Call, item: &Item<'_>) -> Result<Claim> {
        self.interceptor.intercept(call, |call| self.inner.claim(call, item)).await
    }

    async fn compare_and_delete(&self, call: Call, key: &str, token: &Token) -> Result<bool> {
        self.interceptor.intercept(call, |call| self.inner.compare_and_delete(call, key, token)).await
    }

    async fn increment(&self, call: Call, change: Change<'_>) -> Result<i64> {
        self.interceptor.intercept(call, |call| self.inner.increment(call, change)).await
    }

    async fn expire(&self, call: Call, key: &str, ttl: Option<Duration>) -> Result<bool> {
        self.interceptor.intercept(call, |call| self.inner.expire(call, key, ttl)).await
    }

    async fn delete(&self, call: Call, keys: &[&str]) -> Result<Vec<bool>> {
        self.interceptor.intercept(call, |call| self.inner.delete(call, keys)).await
    }

    async fn clear(&self, call: Call, scope: Scope<'_>) -> Result<()> {
        self.interceptor.intercept(call, |call| self.inner.clear(call, scope)).await
    }

    async fn raw(&self, call: Call, command: &[Bytes]) -> Result<Reply> {
        self.interceptor.intercept(call, |call| self.inner.raw(call, command)).await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
