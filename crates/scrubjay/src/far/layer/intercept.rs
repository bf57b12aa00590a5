//! The layer that treats every command alike: one function around "carry out this call".

use std::time::Duration;

use bytes::Bytes;

use crate::{
    Result,
    far::{
        AnyStore, Call, Capability, Change, Claim, Found, Item, Reply, Scope, StoreInfo, Token, Want,
        any::{Answer, Boxed},
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
struct Intercepted<I> {
    interceptor: I,
    inner: AnyStore,
}

/// `inner`, every call of which goes through `interceptor`.
pub(super) fn intercepted(interceptor: impl Intercept, inner: AnyStore) -> AnyStore {
    AnyStore::boxed(Intercepted { interceptor, inner })
}

impl<I: Intercept> Boxed for Intercepted<I> {
    fn info(&self) -> StoreInfo {
        self.inner.info().inside(self.interceptor.name())
    }

    fn capability(&self) -> Capability {
        self.interceptor.capability(self.inner.capability())
    }

    fn get<'a>(&'a self, call: Call, keys: &'a [&'a str], want: Want) -> Answer<'a, Vec<Option<Found>>> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.get(call, keys, want)))
    }

    fn set<'a>(&'a self, call: Call, items: &'a [Item<'a>]) -> Answer<'a, ()> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.set(call, items)))
    }

    fn add<'a>(&'a self, call: Call, item: &'a Item<'a>) -> Answer<'a, bool> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.add(call, item)))
    }

    fn compare_and_set<'a>(&'a self, call: Call, item: &'a Item<'a>, token: &'a Token) -> Answer<'a, bool> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.compare_and_set(call, item, token)))
    }

    fn claim<'a>(&'a self, call: Call, item: &'a Item<'a>) -> Answer<'a, Claim> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.claim(call, item)))
    }

    fn compare_and_delete<'a>(&'a self, call: Call, key: &'a str, token: &'a Token) -> Answer<'a, bool> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.compare_and_delete(call, key, token)))
    }

    fn increment<'a>(&'a self, call: Call, change: Change<'a>) -> Answer<'a, i64> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.increment(call, change)))
    }

    fn expire<'a>(&'a self, call: Call, key: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.expire(call, key, ttl)))
    }

    fn delete<'a>(&'a self, call: Call, keys: &'a [&'a str]) -> Answer<'a, Vec<bool>> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.delete(call, keys)))
    }

    fn clear<'a>(&'a self, call: Call, scope: Scope<'a>) -> Answer<'a, ()> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.clear(call, scope)))
    }

    fn raw<'a>(&'a self, call: Call, command: &'a [Bytes]) -> Answer<'a, Reply> {
        Box::pin(self.interceptor.intercept(call, move |call| self.inner.raw(call, command)))
    }

    fn close(&self) -> Answer<'_, ()> {
        self.inner.close()
    }
}
