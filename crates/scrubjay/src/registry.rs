//! A table from names to factories: one each for stores, layers, serializers and plugins, open to users' own.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;

use crate::{Error, Result};

/// Factories by name. `F` is a `dyn Fn`; it is called after the table's lock is free, so a factory may look up others.
pub(crate) struct Registry<F: ?Sized> {
    /// What is registered here, for errors: `scheme`, `layer`.
    kind: &'static str,
    entries: RwLock<BTreeMap<String, Arc<F>>>,
}

impl<F: ?Sized> Registry<F> {
    pub(crate) fn new(kind: &'static str, built_in: impl IntoIterator<Item = (&'static str, Arc<F>)>) -> Self {
        let entries = built_in.into_iter().map(|(name, entry)| (name.to_owned(), entry)).collect();
        Self { kind, entries: RwLock::new(entries) }
    }

    /// Adds an entry; a name is taken once and for all.
    pub(crate) fn register(&self, name: &str, entry: Arc<F>) -> Result<()> {
        let mut entries = self.entries.write();
        if entries.contains_key(name) {
            return Err(Error::config(format!("the {} `{name}` is registered already", self.kind)));
        }
        entries.insert(name.to_owned(), entry);
        Ok(())
    }

    /// The entry called `name`; an unknown name's error lists the known ones.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<F>> {
        self.get(name)
            .ok_or_else(|| Error::config(format!("unknown {} `{name}`; known: {}", self.kind, self.names().join(", "))))
    }

    /// The entry called `name`, if there is one.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<F>> {
        self.entries.read().get(name).map(Arc::clone)
    }

    /// Every name, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.entries.read().keys().cloned().collect()
    }
}
