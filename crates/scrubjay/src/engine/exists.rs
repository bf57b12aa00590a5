//! `exists`: whether a live entry stands under a key. The far tier decides, where there is one.

use super::{Command, Engine, Options, command::single_key};
use crate::{Key, Operation, Result, far::Want};

/// The command of [`Cache::exists`](crate::Cache::exists).
#[derive(Debug)]
pub struct Exists<'a> {
    pub(crate) key: Key<'a>,
}

impl<V: Clone + Send + Sync + 'static> Command<V> for Exists<'_> {
    type Output = bool;
    const OPERATION: Operation = Operation::Exists;
    single_key!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<bool>> {
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        Ok(Some(near.memory.exists(engine.qualify(&self.key, options))))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<bool> {
        let Some(far) = &engine.far else { return Ok(false) };
        let wire = engine.layout.wire(engine.qualify(&self.key, options));
        let call = engine.call(Operation::Exists, options);
        if engine.bare {
            let found = far.store.get(call, &[&*wire], Want::PRESENCE).await?;
            return Ok(found.first().is_some_and(Option::is_some));
        }
        Ok(engine.inspect(far, call, &wire).await?.is_alive())
    }
}
