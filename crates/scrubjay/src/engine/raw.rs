//! `raw`: a command of the store, without namespace, serializer or key layout.

use bytes::Bytes;

use super::{Command, Engine, Options, command::no_keys};
use crate::{Error, Key, Operation, Result, far::Reply};

/// The command of [`Cache::raw`](crate::Cache::raw).
#[derive(Debug)]
pub struct Raw {
    pub(crate) words: Vec<Bytes>,
}

impl<V: Clone + Send + Sync + 'static> Command<V> for Raw {
    type Output = Reply;
    const OPERATION: Operation = Operation::Raw;
    no_keys!();

    fn near(&mut self, engine: &Engine<V>, _: &Options<'_>) -> Result<Option<Reply>> {
        match &engine.far {
            None => Err(Error::unsupported("a near tier of live values has no commands: raw needs a far tier")),
            Some(far) if !far.capability.raw => Err(far.store.info().unsupported(Operation::Raw)),
            Some(_) => Ok(None),
        }
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Reply> {
        let Some(far) = &engine.far else { return Ok(Reply::Nil) };
        far.store.raw(engine.call(Operation::Raw, options), &self.words).await
    }
}
