//! Layers: wrappers around a store, for timeouts, retries and the like.
//!
//! A layer that treats every command alike implements [`Intercept`], one function around "carry out this call". One that
//! treats commands differently implements [`Layer`], with a [`Store`](super::Store) of its own. A layer never asks which
//! store it wraps. Features that depend on each other (single flight, freshness, back-fill) are no layers but part of the engine.
//!
//! By URL: `layers=retry+breaker`, outermost first.
//!
//! | layer | name | options |
//! |---|---|---|
//! | [`Retry`] | `retry` | `retries` `retry-backoff` |
//! | [`Breaker`] | `breaker` | `breaker-window` `breaker-failures` `breaker-cooldown` |
//! | [`Limit`] | `limit` | `concurrency` |
//! | [`Timeout`] | `timeout` | `attempt-timeout` |
//! | [`Chaos`] | `chaos` | `chaos-errors` `chaos-delays` `chaos-delay` `chaos-lost-replies` `chaos-seed` |
//!
//! This is also the recommended order: each try is counted, an open circuit refuses before the queue, and
//! the timeout bounds one try.
//!
//! ```
//! let store = scrubjay::far::from_url("memory://?layers=retry+breaker+limit+timeout&retries=3&attempt-timeout=200ms")?;
//! assert_eq!(store.to_string(), "retry(breaker(limit(timeout(memory))))");
//! # Ok::<(), scrubjay::Error>(())
//! ```

mod breaker;
mod chaos;
mod intercept;
mod limit;
mod ratio;
mod registry;
mod retry;
mod timeout;

pub(crate) use self::registry::stack;
pub use self::{
    breaker::{Breaker, Circuit},
    chaos::Chaos,
    intercept::Intercept,
    limit::Limit,
    registry::register,
    retry::Retry,
    timeout::Timeout,
};
use super::AnyStore;

/// Wraps a store into a store.
pub trait Layer: Send + Sync + 'static {
    /// `inner`, wrapped.
    fn wrap(self, inner: AnyStore) -> AnyStore
    where
        Self: Sized;
}

impl<I: Intercept> Layer for I {
    fn wrap(self, inner: AnyStore) -> AnyStore {
        intercept::intercepted(self, inner)
    }
}
