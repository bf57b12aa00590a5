//! `get`: the value under a key, from the nearest tier that has it.

use super::{
    Command, Engine, Options,
    command::single_key,
    lookup::{Lookup, Source, look_up},
};
use crate::{Key, Operation, Result, plugin::Reads};

/// The command of [`Cache::get`](crate::Cache::get).
#[derive(Debug)]
pub struct Get<'a> {
    key: Key<'a>,
    source: Option<Source>,
}

impl<'a> Get<'a> {
    pub(crate) fn new(key: Key<'a>) -> Self {
        Self { key, source: None }
    }
}

impl<V: Clone + Send + Sync + 'static> Command<V> for Get<'_> {
    type Output = Option<V>;
    const OPERATION: Operation = Operation::Get;
    single_key!();

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the call and its answer on the stack cost more than half of what a cache adds to a hit"
    )]
    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<Self::Output>> {
        let Some(near) = &engine.near else { return Ok(None) };
        let key = engine.qualify(&self.key, options);
        if engine.far.is_none() {
            let value = near.memory.get(key);
            self.source = value.as_ref().map(|_| Source::Near);
            return Ok(Some(value));
        }
        let value = near.memory.get(engine.near_key(key).pair());
        self.source = value.as_ref().map(|_| Source::Near);
        Ok(value.map(Some))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Self::Output> {
        let found = look_up(engine, &self.key, options, Operation::Get).await?;
        Ok(match found {
            Lookup::Fresh { value, source, .. } => {
                self.source = Some(source);
                Some(value)
            }
            Lookup::Stale { .. } | Lookup::Negative { .. } | Lookup::Miss(_) => None,
        })
    }

    fn reads(&self) -> Option<Reads> {
        Some(Reads::of(self.source))
    }
}
