//! `clear` and `clear_server`: removes a namespace, or everything.

use super::{Command, Engine, Options, command::no_keys};
use crate::{Error, Key, Operation, QualifiedKey, Result, far::Scope};

/// The command of [`Cache::clear`](crate::Cache::clear).
#[derive(Debug)]
pub struct Clear;

impl<V: Clone + Send + Sync + 'static> Command<V> for Clear {
    type Output = ();
    const OPERATION: Operation = Operation::Clear;
    no_keys!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<()>> {
        if engine.far.is_some() {
            return Ok(None);
        }
        clear_here(engine, engine.namespace(options));
        Ok(Some(()))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<()> {
        let Some(far) = &engine.far else { return Ok(()) };
        let namespace = engine.namespace(options);
        let prefix = engine.layout.exclusive_prefix(namespace);
        let scope = match &prefix {
            _ if namespace.is_empty() && far.capability.private => Scope::Everything,
            _ if namespace.is_empty() => {
                return Err(Error::config(format!(
                    "this cache has no namespace, and {} may hold others' entries: name a namespace, or call clear_server() \
                     to wipe the whole server",
                    far.store
                )));
            }
            None => {
                return Err(Error::unsupported(format!(
                    "with the key layout `{}` a namespace's keys cannot be told from another's: use `namespaced`",
                    engine.layout
                )));
            }
            Some(_) if !far.capability.clear_prefix => return Err(far.store.info().unsupported(Operation::Clear)),
            Some(prefix) => Scope::Prefix(prefix),
        };
        // Before and after, so that a clear cut short leaves no near entry, and no fill that began before survives.
        clear_here(engine, namespace);
        let cleared = far.store.clear(engine.call(Operation::Clear, options), scope).await;
        clear_here(engine, namespace);
        cleared
    }
}

/// Clears what this process holds of `namespace`, and voids its loads, before and after.
fn clear_here<V: Clone + Send + Sync + 'static>(engine: &Engine<V>, namespace: &str) {
    let inside = engine.near_key(QualifiedKey { namespace, key: "" });
    let namespace = inside.pair().namespace;
    engine.loads.void_namespace(namespace);
    match &engine.near {
        Some(near) if namespace.is_empty() => near.memory.clear_all(),
        Some(near) => near.memory.clear(namespace),
        None => {}
    }
    engine.loads.void_namespace(namespace);
}

/// The command of [`Cache::clear_server`](crate::Cache::clear_server).
#[derive(Debug)]
pub struct ClearServer;

impl<V: Clone + Send + Sync + 'static> Command<V> for ClearServer {
    type Output = ();
    const OPERATION: Operation = Operation::ClearServer;
    no_keys!();

    fn near(&mut self, engine: &Engine<V>, _: &Options<'_>) -> Result<Option<()>> {
        clear_here(engine, "");
        Ok(engine.far.is_none().then_some(()))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<()> {
        let Some(far) = &engine.far else { return Ok(()) };
        let call = engine.call(Operation::ClearServer, options);
        let cleared = far.store.clear(call, Scope::Everything).await;
        clear_here(engine, "");
        cleared
    }
}
