//! `get_or_load`: the value under a key, loaded if there is none, once for all who want it.

use super::{Choices, Command, Engine, Expiring, Loading, Options, Request, Source, command::single_key};
use crate::{
    Key, Operation, Result,
    load::{Flown, Loader, Reading, Spawned, fly, is_due},
    near::Standing,
    plugin::Reads,
};

/// The command of [`Cache::get_or_load`](crate::Cache::get_or_load).
#[derive(Debug)]
pub struct GetOrLoad<'a, L> {
    key: Key<'a>,
    loader: Option<L>,
    choices: Choices,
    refreshes: bool,
    source: Option<Source>,
}

impl<'a, L> GetOrLoad<'a, L> {
    pub(crate) fn new(key: Key<'a>, loader: L) -> Self {
        Self { key, loader: Some(loader), choices: Choices::default(), refreshes: false, source: None }
    }

    fn spawned(self) -> GetOrLoad<'a, Spawned<L>> {
        let Self { key, loader, choices, refreshes, source } = self;
        GetOrLoad { key, loader: loader.map(Spawned), choices, refreshes, source }
    }
}

/// What one call of `get_or_load` may choose beside.
impl<'a, V: Clone + Send + Sync + 'static, L: Loader<V>> Request<'a, V, GetOrLoad<'a, L>> {
    /// Loads in a task of its own, on the caller's tokio runtime. The load continues when a caller is cancelled, and is cancelled
    /// itself when all of them are. Callers that have a stale value return it after the policy's `soft-timeout`, and the load
    /// continues in the background.
    pub fn spawned(self) -> Request<'a, V, GetOrLoad<'a, Spawned<L>>>
    where
        L: 'static,
    {
        self.with_command(GetOrLoad::spawned)
    }
}

impl<L> Expiring for GetOrLoad<'_, L> {}

impl<L> Loading for GetOrLoad<'_, L> {
    fn choices(&mut self) -> &mut Choices {
        &mut self.choices
    }
}

impl<V: Clone + Send + Sync + 'static, L: Loader<V>> Command<V> for GetOrLoad<'_, L> {
    type Output = L::Output;
    const OPERATION: Operation = Operation::GetOrLoad;
    single_key!();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as of `get`")]
    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<Self::Output>> {
        let (Some(near), Reading::Everywhere) = (&engine.near, self.choices.reading) else { return Ok(None) };
        let key = engine.qualify(&self.key, options);
        let key = engine.near_key(key);
        let value = match self.choices.policy(&engine.policy).early_refresh {
            None => near.memory.get(key.pair()),
            Some(eagerness) => match near.memory.look_up(key.pair()) {
                Standing::Fresh { value, ttl, cost } => {
                    self.refreshes = is_due(ttl, engine.lifetime(options)?, cost, eagerness);
                    (!self.refreshes).then_some(value)
                }
                Standing::Stale { .. } | Standing::Absent => None,
            },
        };
        let Some(value) = value else { return Ok(None) };
        self.source = Some(Source::Near);
        L::output(Some(value)).map(Some)
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Self::Output> {
        let Some(loader) = self.loader.take() else { return L::output(None) };
        engine.check_call(options, &self.choices)?;
        let mut plan = engine.plan(&self.key, options, &self.choices);
        plan.how.refreshes = self.refreshes;
        let Flown { result, source, .. } = fly(engine, &plan, loader).await;
        self.source = source;
        L::output(result?)
    }

    fn reads(&self) -> Option<Reads> {
        Some(Reads::of(self.source))
    }
}
