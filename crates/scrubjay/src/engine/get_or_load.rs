//! `get_or_load`: the value under a key, loaded if there is none, once for all who want it.

use super::{Command, Engine, Expiring, Options, Request, Source, command::single_key};
use crate::{
    Key, Operation, Policy, Result,
    load::{Flown, Loader, Plan, Reading, Spawned, Writing, fly, is_due},
    near::Standing,
    plugin::Reads,
};

/// The command of [`Cache::get_or_load`](crate::Cache::get_or_load).
#[derive(Debug)]
pub struct GetOrLoad<'a, L> {
    key: Key<'a>,
    loader: Option<L>,
    choices: Choices<'a>,
    refreshes: bool,
    source: Option<Source>,
}

/// How one call loads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Choices<'a> {
    pub(crate) policy: Option<&'a Policy>,
    pub(crate) reading: Reading,
    pub(crate) writing: Writing,
}

impl<'a> Choices<'a> {
    /// `command`, with these choices.
    pub(crate) fn choose<L>(self, command: GetOrLoad<'a, L>) -> GetOrLoad<'a, L> {
        GetOrLoad { choices: self, ..command }
    }

    /// Whether they may make a call wait with a timer, in a cache of `policy`.
    pub(crate) fn need_timer(&self, policy: &Policy) -> bool {
        let policy = self.policy.map_or(*policy, |own| own.over(policy));
        policy.load_timeout.is_some() || policy.soft_timeout.is_some_and(|patience| !patience.is_zero())
    }
}

impl<'a, L> GetOrLoad<'a, L> {
    pub(crate) fn new(key: Key<'a>, loader: L) -> Self {
        Self { key, loader: Some(loader), choices: Choices::default(), refreshes: false, source: None }
    }

    /// Whether it may have to wait with a timer, in a cache of `policy`.
    pub(crate) fn needs_timer(&self, policy: &Policy) -> bool {
        self.choices.need_timer(policy)
    }

    fn spawned(self) -> GetOrLoad<'a, Spawned<L>> {
        let Self { key, loader, choices, refreshes, source } = self;
        GetOrLoad { key, loader: loader.map(Spawned), choices, refreshes, source }
    }
}

/// What one call of `get_or_load` may choose.
impl<'a, V: Clone + Send + Sync + 'static, L: Loader<V>> Request<'a, V, GetOrLoad<'a, L>> {
    /// Uses `policy` for this call; the cache's policy applies where it leaves a field unset.
    pub fn policy(self, policy: &'a Policy) -> Self {
        self.map(|command| command.choices.policy = Some(policy))
    }

    /// Loads even if there is a value, and stores what it loads. A load of the key that is already under way is not joined, and
    /// its value is not stored.
    pub fn force_refresh(self) -> Self {
        self.map(|command| command.choices.reading = Reading::Nowhere)
    }

    /// Does not read the cache, but joins a load of the key that is under way.
    pub fn skip_read(self) -> Self {
        self.map(|command| command.choices.reading = Reading::Flights)
    }

    /// Does not store what it loads.
    pub fn skip_write(self) -> Self {
        self.map(|command| command.choices.writing = Writing::Forget)
    }

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

impl<V: Clone + Send + Sync + 'static, L: Loader<V>> Command<V> for GetOrLoad<'_, L> {
    type Output = L::Output;
    const OPERATION: Operation = Operation::GetOrLoad;
    single_key!();

    #[inline]
    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<Self::Output>> {
        let (Some(near), Reading::Everywhere) = (&engine.near, self.choices.reading) else { return Ok(None) };
        let policy = self.choices.policy.unwrap_or(&engine.policy);
        let key = engine.qualify(&self.key, options);
        let key = engine.near_key(key);
        let value = match policy.early_refresh.or(engine.policy.early_refresh) {
            None => near.memory.get(key.pair()),
            Some(eagerness) => match near.memory.look_up(key.pair()) {
                Standing::Fresh { value, ttl, cost } => {
                    self.refreshes = is_due(ttl, engine.lifetime(options)?, cost, eagerness);
                    (!self.refreshes).then_some(value)
                }
                Standing::Stale(_) | Standing::Absent => None,
            },
        };
        let Some(value) = value else { return Ok(None) };
        self.source = Some(Source::Near);
        L::output(Some(value)).map(Some)
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Self::Output> {
        let Some(loader) = self.loader.take() else { return L::output(None) };
        let policy = self.choices.policy.map_or(engine.policy, |own| own.over(&engine.policy));
        engine.check(&policy)?;
        let ttl = options.ttl.unwrap_or(engine.ttl);
        ttl.lifetime()?;
        let timeout = options.timeout.unwrap_or(engine.timeout);
        let plan = Plan::new(engine.namespace(options), self.key.as_str(), ttl, timeout, policy);
        let plan = plan.choosing(self.choices.reading, self.choices.writing, self.refreshes);
        let Flown { result, source } = fly(engine, plan, loader).await;
        self.source = source;
        L::output(result?)
    }

    fn reads(&self) -> Option<Reads> {
        Some(Reads::of(self.source))
    }
}
