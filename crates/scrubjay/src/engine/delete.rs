//! `delete` and `delete_many`: removes entries, and says what was there.

use super::{
    Command, Engine, Options,
    command::{several_keys, single_key},
};
use crate::{Key, Operation, QualifiedKey, Result};

/// The command of [`Cache::delete`](crate::Cache::delete).
#[derive(Debug)]
pub struct Delete<'a> {
    pub(crate) key: Key<'a>,
}

impl<V: Clone + Send + Sync + 'static> Command<V> for Delete<'_> {
    type Output = bool;
    const OPERATION: Operation = Operation::Delete;
    single_key!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<bool>> {
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        let key = engine.qualify(&self.key, options);
        let _fence = engine.loads.fence(key);
        Ok(Some(near.memory.delete(key)))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<bool> {
        let deleted = delete(engine, std::slice::from_ref(&self.key), options, Operation::Delete).await?;
        Ok(deleted.first() == Some(&true))
    }
}

/// The command of [`Cache::delete_many`](crate::Cache::delete_many).
#[derive(Debug)]
pub struct DeleteMany<'a> {
    pub(crate) keys: Vec<Key<'a>>,
}

impl<V: Clone + Send + Sync + 'static> Command<V> for DeleteMany<'_> {
    type Output = usize;
    const OPERATION: Operation = Operation::DeleteMany;
    several_keys!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<usize>> {
        if self.keys.is_empty() {
            return Ok(Some(0));
        }
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        let delete = |key: &&Key<'_>| {
            let key = engine.qualify(key, options);
            let _fence = engine.loads.fence(key);
            near.memory.delete(key)
        };
        Ok(Some(self.keys.iter().filter(delete).count()))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<usize> {
        let deleted = delete(engine, &self.keys, options, Operation::DeleteMany).await?;
        Ok(deleted.into_iter().filter(|deleted| *deleted).count())
    }
}

async fn delete<V: Clone + Send + Sync + 'static>(
    engine: &Engine<V>,
    keys: &[Key<'_>],
    options: &Options<'_>,
    operation: Operation,
) -> Result<Vec<bool>> {
    let Some(far) = &engine.far else { return Ok(Vec::new()) };
    let keys: Vec<QualifiedKey<'_>> = keys.iter().map(|key| engine.qualify(key, options)).collect();
    let wire = engine.wire(&keys);
    let wire: Vec<&str> = wire.iter().map(|key| &**key).collect();
    let _change = engine.begin_change(keys);
    let call = engine.call(operation, options);
    let alive = engine.alive(far, call, &wire).await?;
    let mut deleted = far.store.delete(call, &wire).await?;
    for (deleted, alive) in deleted.iter_mut().zip(alive.into_iter().flatten()) {
        *deleted &= alive;
    }
    Ok(deleted)
}
