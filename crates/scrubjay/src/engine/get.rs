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

    #[inline]
    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<Self::Output>> {
        let Some(near) = &engine.near else { return Ok(None) };
        let value = near.memory.get(engine.near_key(engine.qualify(&self.key, options)).pair());
        if value.is_some() {
            self.source = Some(Source::Near);
        } else if engine.far.is_some() {
            return Ok(None);
        }
        Ok(Some(value))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Self::Output> {
        let found = look_up(engine, &self.key, options, Operation::Get).await?;
        Ok(match found {
            Lookup::Fresh { value, source, .. } => {
                self.source = Some(source);
                Some(value)
            }
            Lookup::Miss(_) => None,
        })
    }

    fn reads(&self) -> Option<Reads> {
        Some(Reads::of(self.source))
    }
}
