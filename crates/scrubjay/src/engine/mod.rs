//! The engine: the one room for everything that must interact. Tiers, namespaces, ttls, keys, serializers and plugins meet
//! here, once for every face.
//!
//! A verb is a [`Command`] (one file each, or a pair of twins): its synchronous part answers from the near tier, its
//! asynchronous part from the far tier. A face runs a command: [`Request`] as a future, `blocking` on the calling thread.

mod add;
mod clear;
mod close;
mod command;
mod compare_and_set;
mod counter;
mod delete;
mod exists;
mod expire;
mod get;
mod get_for_update;
mod get_many;
mod get_or_load;
mod get_or_load_many;
mod increment;
mod inspect;
mod loading;
mod lock;
mod lookup;
mod raw;
mod request;
mod set;
mod set_many;
mod tiers;
mod ttl;

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

pub(crate) use self::{
    add::Add,
    clear::{Clear, ClearServer},
    close::Close,
    command::{Command, Expiring, Options},
    compare_and_set::CompareAndSet,
    delete::{Delete, DeleteMany},
    exists::Exists,
    expire::Expire,
    get::Get,
    get_for_update::GetForUpdate,
    get_many::GetMany,
    get_or_load::GetOrLoad,
    get_or_load_many::GetOrLoadMany,
    increment::Increment,
    loading::{Choices, Loading, Thread},
    lock::Lock,
    lookup::LookupKey,
    raw::Raw,
    set::Set,
    set_many::SetMany,
    tiers::{Far, Near, Received},
    ttl::ReadTtl,
};
pub use self::{
    counter::Counter,
    get_for_update::Current,
    lookup::{Lookup, MissReason, Source},
    request::Request,
};
use crate::{
    Clock, Error, Key, KeyBuilder, KeyLayout, Memory, Operation, Policy, QualifiedKey, Result, Ttl,
    config::EffectivePolicy,
    far::{Call, Capability},
    load::Loads,
    plugin::{self, Observation, Plugins},
};

/// One cache: its tiers and all that is decided about them.
pub struct Engine<V> {
    pub(crate) near: Option<Near<V>>,
    pub(crate) far: Option<Far<V>>,
    pub(crate) namespace: Box<str>,
    pub(crate) layout: KeyLayout,
    pub(crate) key_builder: Option<KeyBuilder>,
    pub(crate) ttl: Ttl,
    pub(crate) timeout: Duration,
    pub(crate) plugins: Plugins,
    pub(crate) undecodable: Arc<AtomicU64>,
    /// Whether bytes are never wrapped, nor looked at for a wrapping.
    pub(crate) bare: bool,
    pub(crate) policy: EffectivePolicy,
    pub(crate) clock: Clock,
    pub(crate) loads: Arc<Loads<V>>,
}

impl<V> Clone for Engine<V> {
    fn clone(&self) -> Self {
        Self {
            near: self.near.clone(),
            far: self.far.clone(),
            namespace: self.namespace.clone(),
            layout: self.layout,
            key_builder: self.key_builder.clone(),
            ttl: self.ttl,
            timeout: self.timeout,
            plugins: self.plugins.clone(),
            undecodable: Arc::clone(&self.undecodable),
            bare: self.bare,
            policy: self.policy,
            clock: self.clock.clone(),
            loads: Arc::clone(&self.loads),
        }
    }
}

impl<V> fmt::Debug for Engine<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// How long a far call may take that does not say so itself.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the near tier keeps what the far tier holds: the bound on staleness where nobody says otherwise.
const DEFAULT_NEAR_TTL: Duration = Duration::from_secs(5);

impl<V: Clone + Send + Sync + 'static> Engine<V> {
    /// A cache of these tiers, with every default.
    pub(crate) fn new(near: Option<Memory<V>>, far: Option<Far<V>>) -> Self {
        let clock = near.as_ref().map_or_else(Clock::default, |memory| memory.clock().clone());
        let policy = EffectivePolicy::from(Policy::new());
        Self {
            near: near.map(|memory| Near { memory, ttl: DEFAULT_NEAR_TTL }),
            far,
            namespace: Box::default(),
            layout: KeyLayout::default(),
            key_builder: None,
            ttl: Ttl::Never,
            timeout: DEFAULT_TIMEOUT,
            plugins: Plugins::default(),
            undecodable: Arc::default(),
            loads: Arc::new(Loads::new(policy.detached_loads())),
            bare: false,
            policy,
            clock,
        }
    }

    /// Keeps what the far tier holds no longer than `ttl` in the near one.
    pub(crate) fn set_near_ttl(&mut self, ttl: Duration) -> Result<()> {
        Ttl::After(ttl).lifetime()?;
        match (&mut self.near, &self.far) {
            (Some(near), Some(_)) => near.ttl = ttl,
            _ => return Err(Error::config("option `near-ttl`: it bounds a near tier before a far one; give both")),
        }
        Ok(())
    }

    /// The synchronous part of a command, which every face runs first: the answer, or nothing and what is needed to
    /// [`finish`](Self::finish) in the far tier.
    ///
    /// The answer is handed on as the near tier gave it and the rest goes by reference: moving either costs more than it does.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the answer's way through memory costs a hit more than all else here")]
    pub(crate) fn try_near<'a, C: Command<V>>(
        &'a self,
        command: &mut C,
        options: &Options<'a>,
        observation: &mut Option<Box<Observation<'a>>>,
    ) -> Result<Option<C::Output>> {
        if self.plugins.is_empty() && self.key_builder.is_none() {
            return command.near(self, options).map_err(|error| describe(error, command));
        }
        self.try_near_observed(command, options, observation)
    }

    #[inline(never)]
    fn try_near_observed<'a, C: Command<V>>(
        &'a self,
        command: &mut C,
        options: &Options<'a>,
        observation: &mut Option<Box<Observation<'a>>>,
    ) -> Result<Option<C::Output>> {
        let namespace = self.namespace(options);
        let started = self.plugins.before(&told(command.keys(), C::OPERATION, namespace, options));
        let given = self.key_builder.as_ref().map(|builder| rebuild(command, builder));
        let answer = command.near(self, options).map_err(|error| describe(error, command));
        if !matches!(answer, Ok(None)) {
            let command_told = told(given.as_deref().unwrap_or(command.keys()), C::OPERATION, namespace, options);
            let completion = plugin::Completion::of(&answer, command.reads(), Plugins::took(started));
            self.plugins.after(&command_told, &completion);
        } else if !self.plugins.is_empty() {
            *observation = Some(Box::new(Observation {
                plugins: &self.plugins,
                started,
                operation: C::OPERATION,
                namespace,
                keys: given.unwrap_or_else(|| owned(command.keys())),
                ttl: options.ttl,
                ended: false,
            }));
        }
        answer
    }

    /// The asynchronous part of a command, after [`try_near`](Self::try_near).
    #[expect(clippy::manual_async_fn, reason = "an async function would keep room for its arguments twice")]
    pub(crate) fn finish<'a, C: Command<V> + 'a>(
        &'a self,
        mut command: C,
        options: Options<'a>,
        observation: Option<Box<Observation<'a>>>,
    ) -> impl Future<Output = Result<C::Output>> + Send + 'a {
        async move {
            let far = command.far(self, &options);
            #[cfg(feature = "tracing")]
            let far = {
                use tracing::Instrument;
                far.instrument(tracing::debug_span!(target: "scrubjay", "far", operation = C::OPERATION.name()))
            };
            let answer = far.await.map_err(|error| describe(error, &command));
            if let Some(observation) = observation {
                observation.end(&answer, command.reads());
            }
            answer
        }
    }

    /// The namespace that a call means: its own, or the cache's.
    #[inline]
    pub(crate) fn namespace<'a>(&'a self, options: &Options<'a>) -> &'a str {
        options.namespace.unwrap_or(&self.namespace)
    }

    #[inline]
    pub(crate) fn qualify<'k>(&'k self, key: &'k Key<'_>, options: &Options<'k>) -> QualifiedKey<'k> {
        QualifiedKey { namespace: self.namespace(options), key: key.as_str() }
    }

    /// The ttl that a call means: its own, or the cache's.
    fn ttl(&self, options: &Options<'_>) -> Ttl {
        options.ttl.unwrap_or(self.ttl)
    }

    /// The timeout that a call means: its own, or the cache's.
    fn timeout(&self, options: &Options<'_>) -> Duration {
        options.timeout.unwrap_or(self.timeout)
    }

    /// How long an entry written by a call lives.
    pub(crate) fn lifetime(&self, options: &Options<'_>) -> Result<Option<Duration>> {
        self.ttl(options).lifetime()
    }

    pub(crate) fn call(&self, operation: Operation, options: &Options<'_>) -> Call {
        Call::new(operation, self.timeout(options))
    }

    pub(crate) fn capability(&self) -> Option<Capability> {
        self.far.as_ref().map(|far| far.capability)
    }
}

/// Puts the keys through the builder; answers what they were before.
#[inline(never)]
fn rebuild<V, C: Command<V>>(command: &mut C, builder: &KeyBuilder) -> Vec<Key<'static>> {
    let given = owned(command.keys());
    command.build_keys(builder);
    given
}

/// What plugins are told of a command.
fn told<'t>(
    keys: &'t [Key<'_>],
    operation: Operation,
    namespace: &'t str,
    options: &Options<'_>,
) -> plugin::Command<'t> {
    plugin::Command { operation, namespace, keys, ttl: options.ttl }
}

/// The keys, for plugins to be told of once the command has been moved.
fn owned(keys: &[Key<'_>]) -> Vec<Key<'static>> {
    keys.iter().map(|key| key.as_str().to_owned().into()).collect()
}

/// Adds to an error which command it was, and on which key if there is just one.
#[cold]
fn describe<V, C: Command<V>>(error: Error, command: &C) -> Error {
    let error = error.with_operation(C::OPERATION);
    match command.keys() {
        [key] => error.with_key(key.as_str()),
        _ => error,
    }
}
