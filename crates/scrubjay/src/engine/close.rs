//! `close`: lets go of the store's connections.

use super::{Command, Engine, Options, command::no_keys};
use crate::{Key, Operation, Result};

/// The command of [`Cache::close`](crate::Cache::close).
#[derive(Debug)]
pub struct Close;

impl<V: Clone + Send + Sync + 'static> Command<V> for Close {
    type Output = ();
    const OPERATION: Operation = Operation::Close;
    no_keys!();

    fn near(&mut self, engine: &Engine<V>, _: &Options<'_>) -> Result<Option<()>> {
        Ok(engine.far.is_none().then_some(()))
    }

    async fn far(&mut self, engine: &Engine<V>, _: &Options<'_>) -> Result<()> {
        match &engine.far {
            Some(far) => far.store.close().await,
            None => Ok(()),
        }
    }
}
