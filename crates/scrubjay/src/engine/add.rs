//! `add`: puts a value where there is none.

use super::{Command, Engine, Expiring, Options, command::single_key};
use crate::{Key, Operation, Result, far::Item};

/// The command of [`Cache::add`](crate::Cache::add).
#[derive(Debug)]
pub struct Add<'a, V> {
    key: Key<'a>,
    value: Option<V>,
}

impl<'a, V> Add<'a, V> {
    pub(crate) fn new(key: Key<'a>, value: V) -> Self {
        Self { key, value: Some(value) }
    }
}

impl<V> Expiring for Add<'_, V> {}

impl<V: Clone + Send + Sync + 'static> Command<V> for Add<'_, V> {
    type Output = bool;
    const OPERATION: Operation = Operation::Add;
    single_key!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<bool>> {
        let ttl = engine.lifetime(options)?;
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        let key = engine.qualify(&self.key, options);
        let _fence = engine.loads.fence(key);
        Ok(self.value.take().map(|value| near.memory.add(key, value, ttl)))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<bool> {
        let (Some(far), Some(value)) = (&engine.far, self.value.take()) else { return Ok(false) };
        let ttl = engine.lifetime(options)?;
        let key = engine.qualify(&self.key, options);
        let wire = engine.layout.wire(key);
        let item = Item { key: &wire, value: engine.encode(far, &value)?, ttl };
        let change = engine.begin_change(vec![key]);
        let call = engine.call(Operation::Add, options);
        let added = far.store.add(call, &item).await? || engine.put_over_the_dead(far, call, &item).await?;
        if added {
            change.succeed(value, ttl);
        }
        Ok(added)
    }
}
