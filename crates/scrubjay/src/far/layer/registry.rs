//! Layers by name: the built-in ones and users' own.

use std::sync::{Arc, LazyLock};

use super::{Breaker, Chaos, Layer, Limit, Retry, Timeout};
use crate::{Parameters, Result, far::AnyStore, registry::Registry};

type Factory = dyn Fn(&mut Parameters, AnyStore) -> Result<AnyStore> + Send + Sync;

static LAYERS: LazyLock<Registry<Factory>> = LazyLock::new(|| {
    let built_in = [
        ("breaker", factory(Breaker::from_parameters)),
        ("chaos", factory(Chaos::from_parameters)),
        ("limit", factory(Limit::from_parameters)),
        ("retry", factory(Retry::from_parameters)),
        ("timeout", factory(Timeout::from_parameters)),
    ];
    Registry::new("layer", built_in)
});

fn factory<L: Layer>(build: fn(&mut Parameters) -> Result<L>) -> Arc<Factory> {
    Arc::new(move |parameters, inner| Ok(build(parameters)?.wrap(inner)))
}

/// Makes `layers=name` wrap a store by `factory`, which takes its options out of the parameters.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) if the name is taken.
pub fn register(
    name: &str,
    factory: impl Fn(&mut Parameters, AnyStore) -> Result<AnyStore> + Send + Sync + 'static,
) -> Result<()> {
    LAYERS.register(name, Arc::new(factory))
}

/// Wraps `store` in the layers that `names` tells, outermost first: `retry+breaker`.
///
/// Each takes its options as it is wrapped around, so of two layers of one name the inner one gets them.
pub(crate) fn stack(names: &str, parameters: &mut Parameters, store: AnyStore) -> Result<AnyStore> {
    let names = names.split('+').filter(|name| !name.is_empty());
    names.rev().try_fold(store, |inner, name| LAYERS.find(name)?(parameters, inner))
}
