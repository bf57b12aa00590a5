//! `expire`: a new ttl for an entry that is there.

use super::{Command, Engine, Options, command::single_key};
use crate::{Key, Operation, Result, Ttl};

/// The command of [`Cache::expire`](crate::Cache::expire).
#[derive(Debug)]
pub struct Expire<'a> {
    pub(crate) key: Key<'a>,
    pub(crate) ttl: Ttl,
}

impl<V: Clone + Send + Sync + 'static> Command<V> for Expire<'_> {
    type Output = bool;
    const OPERATION: Operation = Operation::Expire;
    single_key!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<bool>> {
        let ttl = self.ttl.lifetime()?;
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        let key = engine.qualify(&self.key, options);
        let _fence = engine.loads.fence(key);
        Ok(Some(near.memory.expire(key, ttl)))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<bool> {
        let Some(far) = &engine.far else { return Ok(false) };
        let ttl = self.ttl.lifetime()?;
        let key = engine.qualify(&self.key, options);
        let wire = engine.layout.wire(key);
        let _change = engine.begin_change(vec![key]);
        engine.expire_far(far, engine.call(Operation::Expire, options), &wire, ttl).await
    }
}
