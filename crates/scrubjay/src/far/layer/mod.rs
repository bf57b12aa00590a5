//! Layers: what is orthogonal to storing, wrapped around a store.
//!
//! A layer that treats every command alike implements [`Intercept`], one function around "carry out this call". One that
//! treats commands differently implements [`Layer`], with a [`Store`](super::Store) of its own. A layer never asks which
//! store it wraps. What must know of other features (single flight, freshness, back-fill) is no layer: it lives in the engine.
//!
//! By URL: `layers=retry+breaker`, outermost first.

mod intercept;
mod registry;

pub(crate) use self::registry::stack;
pub use self::{
    intercept::{Intercept, Intercepted},
    registry::register,
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
        AnyStore::new(Intercepted::new(self, inner))
    }
}
