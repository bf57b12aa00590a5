//! `get_for_update`: a value, and the token with which `compare_and_set` detects a change.

use super::{Command, Engine, Options, Source, command::single_key};
use crate::{
    Key, Operation, Result,
    far::{Token, Want},
    plugin::Reads,
};

/// A value, and the token with which [`compare_and_set`](crate::Cache::compare_and_set) detects a change.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Current<V> {
    /// The value; `None` if there is none, or it cannot be decoded.
    pub value: Option<V>,
    /// What the entry was when it was read.
    pub token: Token,
}

/// The command of [`Cache::get_for_update`](crate::Cache::get_for_update).
#[derive(Debug)]
pub struct GetForUpdate<'a> {
    key: Key<'a>,
    source: Option<Source>,
}

impl<'a> GetForUpdate<'a> {
    pub(crate) fn new(key: Key<'a>) -> Self {
        Self { key, source: None }
    }
}

impl<V: Clone + Send + Sync + 'static> Command<V> for GetForUpdate<'_> {
    type Output = Current<V>;
    const OPERATION: Operation = Operation::GetForUpdate;
    single_key!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<Self::Output>> {
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        Ok(Some(match near.memory.read(engine.qualify(&self.key, options)) {
            Some(held) => {
                self.source = Some(Source::Near);
                Current { value: Some(held.value), token: Token::Version(held.version) }
            }
            None => Current { value: None, token: Token::Absent },
        }))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Self::Output> {
        let absent = Current { value: None, token: Token::Absent };
        let Some(far) = &engine.far else { return Ok(absent) };
        if !far.capability.compare_and_set {
            return Err(far.store.info().unsupported(Operation::GetForUpdate));
        }
        let key = engine.qualify(&self.key, options);
        let wire = engine.layout.wire(key);
        let call = engine.call(Operation::GetForUpdate, options);
        let found = engine.read(far, call, &[&*wire], Want::VALUE_AND_TOKEN).await?.pop().flatten();
        let Some(mut found) = found else { return Ok(absent) };
        let token = found.token.take().ok_or_else(|| far.store.info().unsupported(Operation::GetForUpdate))?;
        let value = engine.receive(far, key, &found, None).fresh();
        self.source = value.is_some().then_some(Source::Far);
        Ok(Current { value, token })
    }

    fn reads(&self) -> Option<Reads> {
        Some(Reads::of(self.source))
    }
}
