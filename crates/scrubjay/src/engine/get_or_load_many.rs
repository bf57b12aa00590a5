//! `get_or_load_many`: the values under several keys, those that are missing loaded by one call of the loader.

use std::collections::{HashMap, hash_map::Entry};

use super::{Choices, Command, Engine, Expiring, Loading, Options, Source, command::several_keys};
use crate::{
    Key, Operation, Result,
    load::{BatchLoader, Reading, fly_many},
    plugin::Reads,
};

/// The command of [`Cache::get_or_load_many`](crate::Cache::get_or_load_many).
#[derive(Debug)]
pub struct GetOrLoadMany<'a, V, L> {
    keys: Vec<Key<'a>>,
    values: Vec<Option<V>>,
    loader: Option<L>,
    choices: Choices,
    reads: Reads,
}

impl<'a, V, L> GetOrLoadMany<'a, V, L> {
    pub(crate) fn new(keys: Vec<Key<'a>>, loader: L) -> Self {
        Self { keys, values: Vec::new(), loader: Some(loader), choices: Choices::default(), reads: Reads::default() }
    }
}

impl<V, L> Expiring for GetOrLoadMany<'_, V, L> {}

impl<V, L> Loading for GetOrLoadMany<'_, V, L> {
    fn choices(&mut self) -> &mut Choices {
        &mut self.choices
    }
}

impl<V: Clone + Send + Sync + 'static, L: BatchLoader<V>> Command<V> for GetOrLoadMany<'_, V, L> {
    type Output = Vec<Option<V>>;
    const OPERATION: Operation = Operation::GetOrLoadMany;
    several_keys!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<Self::Output>> {
        let near = engine.near.as_ref().filter(|_| self.choices.reading == Reading::Everywhere);
        let value = |key| near.and_then(|near| near.memory.get(engine.near_key(engine.qualify(key, options)).pair()));
        self.values = self.keys.iter().map(value).collect();
        let complete = self.values.iter().all(Option::is_some);
        Ok(complete.then(|| {
            self.reads.near_hits = self.keys.len() as u64;
            std::mem::take(&mut self.values)
        }))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Self::Output> {
        let mut values = std::mem::take(&mut self.values);
        let Some(loader) = self.loader.take() else { return Ok(values) };
        engine.check_call(options, &self.choices)?;
        // Each missing key once, in the order in which they come.
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut plans = Vec::new();
        for (key, _) in self.keys.iter().zip(&values).filter(|(_, value)| value.is_none()) {
            if let Entry::Vacant(place) = places.entry(key.as_str()) {
                place.insert(plans.len());
                plans.push(engine.plan(key, options, &self.choices));
            }
        }
        let flown = fly_many(engine, plans, loader).await;
        for (value, key) in values.iter_mut().zip(&self.keys) {
            if value.is_some() {
                self.reads.add(Some(Source::Near));
            } else if let Some(flown) = places.get(key.as_str()).and_then(|place| flown.get(*place)) {
                self.reads.add(flown.source);
                *value = flown.result.clone()?;
            }
        }
        Ok(values)
    }

    fn reads(&self) -> Option<Reads> {
        Some(self.reads)
    }
}
