//! Layers by name: the built-in ones and users' own.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use parking_lot::RwLock;

use super::{Breaker, Chaos, Layer, Limit, Retry, Timeout};
use crate::{Error, Parameters, Result, far::AnyStore};

type Factory = Arc<dyn Fn(&mut Parameters, AnyStore) -> Result<AnyStore> + Send + Sync>;

static FACTORIES: LazyLock<RwLock<BTreeMap<String, Factory>>> = LazyLock::new(|| {
    let built_in: [(&str, Factory); 5] = [
        ("breaker", factory(Breaker::from_parameters)),
        ("chaos", factory(Chaos::from_parameters)),
        ("limit", factory(Limit::from_parameters)),
        ("retry", factory(Retry::from_parameters)),
        ("timeout", factory(Timeout::from_parameters)),
    ];
    RwLock::new(built_in.map(|(name, factory)| (name.to_owned(), factory)).into())
});

fn factory<L: Layer>(build: fn(&mut Parameters) -> Result<L>) -> Factory {
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
    let mut factories = FACTORIES.write();
    if factories.contains_key(name) {
        return Err(Error::config(format!("the layer `{name}` is registered already")));
    }
    factories.insert(name.to_owned(), Arc::new(factory));
    Ok(())
}

/// Wraps `store` in the layers that `names` tells, outermost first: `retry+breaker`.
///
/// Each takes its options as it is wrapped around, so of two layers of one name the inner one gets them.
pub(crate) fn stack(names: &str, parameters: &mut Parameters, store: AnyStore) -> Result<AnyStore> {
    let names = names.split('+').filter(|name| !name.is_empty());
    names.rev().try_fold(store, |inner, name| find(name)?(parameters, inner))
}

fn find(name: &str) -> Result<Factory> {
    let factories = FACTORIES.read();
    factories.get(name).map(Arc::clone).ok_or_else(|| {
        let known = factories.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        Error::config(format!("unknown layer `{name}`; known: {known}"))
    })
}
