//! `set`: puts a value, whatever stood there.

use super::{Command, Engine, Expiring, Options, command::single_key};
use crate::{Key, Operation, Result, far::Item};

/// The command of [`Cache::set`](crate::Cache::set).
#[derive(Debug)]
pub struct Set<'a, V> {
    key: Key<'a>,
    value: Option<V>,
}

impl<'a, V> Set<'a, V> {
    pub(crate) fn new(key: Key<'a>, value: V) -> Self {
        Self { key, value: Some(value) }
    }
}

impl<V> Expiring for Set<'_, V> {}

impl<V: Clone + Send + Sync + 'static> Command<V> for Set<'_, V> {
    type Output = ();
    const OPERATION: Operation = Operation::Set;
    single_key!();

    #[inline]
    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<()>> {
        let ttl = engine.lifetime(options)?;
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        if let Some(value) = self.value.take() {
            let key = engine.qualify(&self.key, options);
            let _fence = engine.loads.fence(key);
            near.memory.set(key, value, ttl);
        }
        Ok(Some(()))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<()> {
        let (Some(far), Some(value)) = (&engine.far, self.value.take()) else { return Ok(()) };
        let ttl = engine.lifetime(options)?;
        let key = engine.qualify(&self.key, options);
        let wire = engine.layout.wire(key);
        let item = Item { key: &wire, value: engine.encode(far, &value)?, ttl };
        let change = engine.begin_change(vec![key]);
        far.store.set(engine.call(Operation::Set, options), &[item]).await?;
        change.succeed(value, ttl);
        Ok(())
    }
}
