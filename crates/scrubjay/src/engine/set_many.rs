//! `set_many`: puts several values at once.

use super::{Command, Engine, Expiring, Options, command::several_keys};
use crate::{Key, Operation, QualifiedKey, Result, far::Item};

/// The command of [`Cache::set_many`](crate::Cache::set_many).
#[derive(Debug)]
pub struct SetMany<'a, V> {
    keys: Vec<Key<'a>>,
    values: Vec<V>,
}

impl<'a, V> SetMany<'a, V> {
    pub(crate) fn new(entries: impl Iterator<Item = (Key<'a>, V)>) -> Self {
        let (keys, values) = entries.unzip();
        Self { keys, values }
    }
}

impl<V> Expiring for SetMany<'_, V> {}

impl<V: Clone + Send + Sync + 'static> Command<V> for SetMany<'_, V> {
    type Output = ();
    const OPERATION: Operation = Operation::SetMany;
    several_keys!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<()>> {
        let ttl = engine.lifetime(options)?;
        if self.keys.is_empty() {
            return Ok(Some(()));
        }
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        for (key, value) in self.keys.iter().zip(std::mem::take(&mut self.values)) {
            let key = engine.qualify(key, options);
            let _fence = engine.loads.fence(key);
            near.memory.set(key, value, ttl);
        }
        Ok(Some(()))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<()> {
        let Some(far) = &engine.far else { return Ok(()) };
        let ttl = engine.lifetime(options)?;
        let keys: Vec<QualifiedKey<'_>> = self.keys.iter().map(|key| engine.qualify(key, options)).collect();
        let wire = engine.wire(&keys);
        // All are encoded before any is sent: a value without a wire form writes nothing.
        let items = wire.iter().zip(&self.keys).zip(&self.values).map(|((wire, key), value)| {
            let value = engine.encode(far, value).map_err(|error| error.with_key(key.as_str()))?;
            Ok(Item { key: wire, value, ttl })
        });
        let items = items.collect::<Result<Vec<_>>>()?;
        let _change = engine.begin_change(keys);
        far.store.set(engine.call(Operation::SetMany, options), &items).await
    }
}
