//! `lookup`: a value with what is known of it, or why there is none.

use std::time::Duration;

use super::{Command, Engine, Options, command::single_key, tiers::Received};
use crate::{Error, Key, Operation, Result, far::Want, near::Standing, plugin::Reads};

/// The whole truth about a key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Lookup<V> {
    /// A live entry.
    #[non_exhaustive]
    Fresh {
        /// The value.
        value: V,
        /// The tier that answered.
        source: Source,
        /// How long that tier keeps it, `None` for no deadline.
        ttl: Option<Duration>,
    },
    /// A value whose ttl has ended, kept for the policy's `grace`: only loads may serve it.
    #[non_exhaustive]
    Stale {
        /// The value.
        value: V,
        /// The tier that answered.
        source: Source,
    },
    /// A loader has found, not long ago, that there is no value.
    #[non_exhaustive]
    Negative {
        /// The tier that answered.
        source: Source,
    },
    /// No value to be had.
    Miss(MissReason),
}

impl<V> Lookup<V> {
    /// The value, if there is a live one.
    pub fn into_value(self) -> Option<V> {
        match self {
            Self::Fresh { value, .. } => Some(value),
            Self::Stale { .. } | Self::Negative { .. } | Self::Miss(_) => None,
        }
    }
}

/// The tier that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The near tier: a live value.
    Near,
    /// The far tier: decoded bytes.
    Far,
}

/// Why there is no value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MissReason {
    /// No live entry stands there.
    Absent,
    /// Bytes stand there that the serializer cannot decode into this type. They are counted, and overwritten by the next `set`.
    Undecodable(Error),
}

/// Reads `key` in the far tier and fills the near one, if no write came between.
pub(super) async fn look_up<V: Clone + Send + Sync + 'static>(
    engine: &Engine<V>,
    key: &Key<'_>,
    options: &Options<'_>,
    operation: Operation,
) -> Result<Lookup<V>> {
    let Some(far) = &engine.far else { return Ok(Lookup::Miss(MissReason::Absent)) };
    let key = engine.qualify(key, options);
    let wire = engine.layout.wire(key);
    let ticket = engine.fill_ticket(key);
    let want = if ticket.is_some() || operation == Operation::Lookup { Want::VALUE_AND_TTL } else { Want::VALUE };
    let found = far.store.get(engine.call(operation, options), &[&*wire], want).await?.pop().flatten();
    let Some(found) = found else { return Ok(Lookup::Miss(MissReason::Absent)) };
    Ok(match engine.receive(far, key, &found, ticket) {
        Received::Fresh { value, ttl, .. } => Lookup::Fresh { value, source: Source::Far, ttl },
        Received::Stale(value) => Lookup::Stale { value, source: Source::Far },
        Received::Negative => Lookup::Negative { source: Source::Far },
        Received::Leased => Lookup::Miss(MissReason::Absent),
        Received::Undecodable(error) => Lookup::Miss(MissReason::Undecodable(error)),
    })
}

/// The command of [`Cache::lookup`](crate::Cache::lookup).
#[derive(Debug)]
pub struct LookupKey<'a> {
    key: Key<'a>,
    source: Option<Source>,
}

impl<'a> LookupKey<'a> {
    pub(crate) fn new(key: Key<'a>) -> Self {
        Self { key, source: None }
    }
}

impl<V: Clone + Send + Sync + 'static> Command<V> for LookupKey<'_> {
    type Output = Lookup<V>;
    const OPERATION: Operation = Operation::Lookup;
    single_key!();

    fn near(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Option<Self::Output>> {
        let Some(near) = &engine.near else { return Ok(None) };
        let key = engine.near_key(engine.qualify(&self.key, options));
        let source = Source::Near;
        Ok(match near.memory.look_up(key.pair()) {
            Standing::Fresh { value, ttl, .. } => {
                self.source = Some(source);
                Some(Lookup::Fresh { value, source, ttl })
            }
            _ if engine.far.is_some() => None,
            Standing::Stale { .. } | Standing::Absent if engine.loads.negatives.know(key.pair()) => {
                Some(Lookup::Negative { source })
            }
            Standing::Stale { value, .. } => Some(Lookup::Stale { value, source }),
            Standing::Absent => Some(Lookup::Miss(MissReason::Absent)),
        })
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Self::Output> {
        let found = look_up(engine, &self.key, options, Operation::Lookup).await?;
        if let Lookup::Fresh { source, .. } = &found {
            self.source = Some(*source);
        }
        Ok(found)
    }

    fn reads(&self) -> Option<Reads> {
        Some(Reads::of(self.source))
    }
}
