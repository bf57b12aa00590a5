//! `compare_and_set`: puts a value if the entry is still what it was when it was read.

use super::{Command, Engine, Expiring, Options, command::single_key};
use crate::{
    Error, Key, Operation, Result,
    far::{Item, Token},
};

/// The command of [`Cache::compare_and_set`](crate::Cache::compare_and_set).
#[derive(Debug)]
pub struct CompareAndSet<'a, V> {
    key: Key<'a>,
    value: Option<V>,
    token: Token,
}

impl<'a, V> CompareAndSet<'a, V> {
    pub(crate) fn new(key: Key<'a>, value: V, token: Token) -> Self {
        Self { key, value: Some(value), token }
    }
}

impl<V> Expiring for CompareAndSet<'_, V> {}

impl<V: Clone + Send + Sync + 'static> Command<V> for CompareAndSet<'_, V> {
    type Output = bool;
    const OPERATION: Operation = Operation::CompareAndSet;
    single_key!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<bool>> {
        let ttl = engine.lifetime(options)?;
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        let key = engine.qualify(&self.key, options);
        let Some(value) = self.value.take() else { return Ok(None) };
        let _fence = engine.loads.fence(key);
        match &self.token {
            Token::Absent => Ok(Some(near.memory.add(key, value, ttl))),
            Token::Version(version) => Ok(Some(near.memory.compare_and_set(key, *version, value, ttl))),
            Token::Value(_) => Err(Error::unsupported("this token was read from another cache")),
        }
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<bool> {
        let (Some(far), Some(value)) = (&engine.far, self.value.take()) else { return Ok(false) };
        let ttl = engine.lifetime(options)?;
        let key = engine.qualify(&self.key, options);
        let wire = engine.layout.wire(key);
        let item = Item { key: &wire, value: engine.encode(far, &value)?, ttl };
        let change = engine.begin_change(vec![key]);
        let call = engine.call(Operation::CompareAndSet, options);
        let written = far.store.compare_and_set(call, &item, &self.token).await?
            // What only stands in an entry's place is no entry.
            || (self.token == Token::Absent && engine.put_over_the_dead(far, call, &item).await?);
        if written {
            change.succeed(value, ttl);
        }
        Ok(written)
    }
}
