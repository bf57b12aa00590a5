//! `lookup` and `get_for_update`: a value with what is known of it.

use std::time::Duration;

use super::{Command, Engine, Options, command::single_key, tiers::Received};
use crate::{
    Error, Key, Operation, Result,
    far::{Token, Want},
    near::Standing,
    plugin::Reads,
};

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

/// A value, and the token by which [`compare_and_set`](crate::Cache::compare_and_set) tells whether it has changed since.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Current<V> {
    /// The value; `None` if there is none, or it cannot be decoded.
    pub value: Option<V>,
    /// What the entry was when it was read.
    pub token: Token,
}

impl Reads {
    /// What reading one key came to.
    pub(crate) fn of(source: Option<Source>) -> Self {
        let mut reads = Self::default();
        reads.add(source);
        reads
    }

    pub(crate) fn add(&mut self, source: Option<Source>) {
        match source {
            Some(Source::Near) => self.near_hits += 1,
            Some(Source::Far) => self.far_hits += 1,
            None => self.misses += 1,
        }
    }
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
    let found = engine.read(far, engine.call(operation, options), &[&*wire], want).await?.pop().flatten();
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
            Standing::Stale(_) | Standing::Absent if engine.loads.negatives.know(key.pair()) => {
                Some(Lookup::Negative { source })
            }
            Standing::Stale(value) => Some(Lookup::Stale { value, source }),
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
