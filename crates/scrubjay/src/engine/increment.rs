//! `increment`: changes a counter atomically.

use super::{Command, Counter, Engine, Expiring, Options, command::single_key};
use crate::{
    Error, ErrorKind, Key, Operation, Result,
    far::{Change, Item, overflow},
    near::Memory,
};

/// The command of [`Cache::increment`](crate::Cache::increment).
#[derive(Debug)]
pub struct Increment<'a> {
    key: Key<'a>,
    by: i64,
}

impl<'a> Increment<'a> {
    pub(crate) fn new(key: Key<'a>, by: i64) -> Self {
        Self { key, by }
    }
}

impl Expiring for Increment<'_> {}

impl<V: Counter + Clone + Send + Sync + 'static> Command<V> for Increment<'_> {
    type Output = i64;
    const OPERATION: Operation = Operation::Increment;
    single_key!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<i64>> {
        let ttl = engine.lifetime(options)?;
        if engine.far.as_ref().is_some_and(|far| !far.serializer.reads_counters()) {
            return Err(Error::new(
                ErrorKind::NotANumber,
                "a counter is decimal text, which this cache's serializer would not read back: use json, text or null",
            ));
        }
        let (Some(near), None) = (&engine.near, &engine.far) else { return Ok(None) };
        let key = engine.qualify(&self.key, options);
        let _fence = engine.loads.fence(key);
        increment(&near.memory, key, self.by, ttl).map(Some)
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<i64> {
        let Some(far) = &engine.far else { return Ok(self.by) };
        let ttl = engine.lifetime(options)?;
        let key = engine.qualify(&self.key, options);
        let wire = engine.layout.wire(key);
        let _change = engine.begin_change(vec![key]);
        let change = Change { key: &wire, by: self.by, ttl };
        let call = engine.call(Operation::Increment, options);
        match far.store.increment(call, change).await {
            Err(error) if error.kind() == ErrorKind::NotANumber => {
                // It may be something that only stands in a counter's place.
                let item = Item { key: &wire, value: self.by.to_string().into(), ttl };
                if engine.put_over_the_dead(far, call, &item).await? { Ok(self.by) } else { Err(error) }
            }
            answer => answer,
        }
    }
}

/// Reads, computes and compares until nobody came between, so that no user code runs under the near tier's lock.
fn increment<V: Counter + Clone + Send + Sync + 'static>(
    memory: &Memory<V>,
    key: crate::QualifiedKey<'_>,
    by: i64,
    ttl: Option<std::time::Duration>,
) -> Result<i64> {
    loop {
        let held = memory.read(key);
        let before = match &held {
            None => 0,
            Some(held) => held.value.to_count().ok_or_else(|| {
                Error::new(ErrorKind::NotANumber, "the value there is not a whole number that fits 64 signed bits")
            })?,
        };
        let after = before.checked_add(by).ok_or_else(overflow)?;
        let value = V::from_count(after).ok_or_else(overflow)?;
        let written = match held {
            None => memory.add(key, value, ttl),
            Some(held) => memory.compare_and_set(key, value, held.ttl, held.version),
        };
        if written {
            return Ok(after);
        }
    }
}
