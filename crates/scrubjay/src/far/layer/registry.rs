//! Layers by name: the built-in ones and users' own.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use parking_lot::RwLock;

use crate::{Error, Parameters, Result, far::AnyStore};

type Factory = Arc<dyn Fn(&mut Parameters, AnyStore) -> Result<AnyStore> + Send + Sync>;

static FACTORIES: LazyLock<RwLock<BTreeMap<String, Factory>>> = LazyLock::new(|| {
    let built_in: [(&str, Factory); 0] = [];
    RwLock::new(built_in.map(|(name, factory)| (name.to_owned(), factory)).into())
});

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
