//! `get_many`: several values, in the order asked, with one round trip for those that the near tier has not.

use super::{Command, Engine, Options, Source, command::several_keys};
use crate::{Key, Operation, QualifiedKey, Result, far::Want, plugin::Reads};

/// The command of [`Cache::get_many`](crate::Cache::get_many).
#[derive(Debug)]
pub struct GetMany<'a, V> {
    keys: Vec<Key<'a>>,
    values: Vec<Option<V>>,
    reads: Reads,
}

impl<'a, V> GetMany<'a, V> {
    pub(crate) fn new(keys: Vec<Key<'a>>) -> Self {
        Self { keys, values: Vec::new(), reads: Reads::default() }
    }
}

impl<V: Clone + Send + Sync + 'static> Command<V> for GetMany<'_, V> {
    type Output = Vec<Option<V>>;
    const OPERATION: Operation = Operation::GetMany;
    several_keys!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<Self::Output>> {
        let values = self.keys.iter().map(|key| {
            let near = engine.near.as_ref()?;
            near.memory.get(engine.near_key(engine.qualify(key, options)).pair())
        });
        self.values = values.collect();
        let complete = engine.far.is_none() || self.values.iter().all(Option::is_some);
        Ok(complete.then(|| {
            self.values.iter().for_each(|value| self.reads.add(value.as_ref().map(|_| Source::Near)));
            std::mem::take(&mut self.values)
        }))
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Self::Output> {
        let mut values = std::mem::take(&mut self.values);
        let Some(far) = &engine.far else { return Ok(values) };
        let missing: Vec<usize> = (0..values.len()).filter(|&index| values[index].is_none()).collect();
        let keys: Vec<QualifiedKey<'_>> =
            missing.iter().map(|&index| engine.qualify(&self.keys[index], options)).collect();
        let wire = engine.wire(&keys);
        let wire: Vec<&str> = wire.iter().map(|key| &**key).collect();
        let tickets: Option<Vec<_>> = keys.iter().map(|key| engine.fill_ticket(*key)).collect();
        let want = if tickets.is_some() { Want::VALUE_AND_TTL } else { Want::VALUE };
        let found = engine.read(far, engine.call(Operation::GetMany, options), &wire, want).await?;

        self.reads.near_hits += (values.len() - missing.len()) as u64;
        for (position, found) in found.into_iter().enumerate() {
            let Some(found) = found else { continue };
            let ticket = tickets.as_ref().map(|tickets| tickets[position]);
            values[missing[position]] = engine.receive(far, keys[position], &found, ticket).fresh();
        }
        for index in missing {
            self.reads.add(values[index].as_ref().map(|_| Source::Far));
        }
        Ok(values)
    }

    fn reads(&self) -> Option<Reads> {
        Some(self.reads)
    }
}
