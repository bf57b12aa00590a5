//! `ttl`: how long an entry still lives. The far tier decides, where there is one.

use super::{Command, Engine, Options, command::single_key, inspect::Inspected};
use crate::{Key, Operation, Remaining, Result, far::Want};

/// The command of [`Cache::ttl`](crate::Cache::ttl).
#[derive(Debug)]
pub struct ReadTtl<'a> {
    pub(crate) key: Key<'a>,
}

impl<V: Clone + Send + Sync + 'static> Command<V> for ReadTtl<'_> {
    type Output = Remaining;
    const OPERATION: Operation = Operation::Ttl;
    single_key!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<Remaining>> {
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        Ok(Some(near.memory.ttl(engine.qualify(&self.key, options))))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Remaining> {
        let Some(far) = &engine.far else { return Ok(Remaining::Absent) };
        if !far.capability.expire {
            return Err(far.store.info().unsupported(Operation::Ttl));
        }
        let wire = engine.layout.wire(engine.qualify(&self.key, options));
        let call = engine.call(Operation::Ttl, options);
        if engine.bare {
            let found = far.store.get(call, &[&*wire], Want::TTL).await?.pop().flatten();
            return Ok(found.map_or(Remaining::Absent, |found| found.ttl.map_or(Remaining::Never, Remaining::For)));
        }
        Ok(match engine.inspect(far, call, &wire).await? {
            Inspected::Live { left, .. } => left.map_or(Remaining::Never, Remaining::For),
            Inspected::Absent | Inspected::Dead { .. } => Remaining::Absent,
        })
    }
}
