//! What the commands that load have in common: what one call may choose, and the policy that comes of it.

use super::{Command, Engine, Options, Request};
use crate::{
    Error, Key, Policy, Result,
    config::EffectivePolicy,
    load::{How, Plan, Reading, Writing},
};

/// How one call loads.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// The call's own policy over the cache's. Boxed: few calls have one, and all are moved.
    pub(crate) policy: Option<Box<EffectivePolicy>>,
    pub(crate) reading: Reading,
    pub(crate) writing: Writing,
    pub(crate) thread: Thread,
}

/// What a call does to the thread that it runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Thread {
    /// Nothing, or nobody else needs it.
    #[default]
    Free,
    /// It keeps it from running a runtime's other tasks.
    Kept,
}

impl Choices {
    /// Uses `own` for this call; what it does not say is taken from the `cache`'s.
    pub(crate) fn choose_policy(&mut self, own: Policy, cache: EffectivePolicy) {
        self.policy = Some(Box::new(own.over(*cache).into()));
    }

    /// What holds for a call that chose this, in a cache of that policy.
    #[inline]
    pub(crate) fn policy<'p>(&'p self, cache: &'p EffectivePolicy) -> &'p EffectivePolicy {
        self.policy.as_deref().unwrap_or(cache)
    }
}

/// A command that loads what is not there.
pub trait Loading {
    /// What its call chose.
    fn choices(&mut self) -> &mut Choices;

    /// The same, with these choices.
    fn choosing(mut self, choices: Choices) -> Self
    where
        Self: Sized,
    {
        *self.choices() = choices;
        self
    }
}

/// What one call of `get_or_load` or `get_or_load_many` may choose.
impl<V: Clone + Send + Sync + 'static, C: Command<V> + Loading> Request<'_, V, C> {
    /// Uses `policy` for this call; the cache's policy applies where it leaves a field unset.
    pub fn policy(self, policy: Policy) -> Self {
        let cache = self.engine().policy;
        self.map(|command| command.choices().choose_policy(policy, cache))
    }

    /// Loads even if there is a value, and stores what it loads. A load of the key that is already under way is not joined, and
    /// its value is not stored.
    pub fn force_refresh(self) -> Self {
        self.map(|command| command.choices().reading = Reading::Nowhere)
    }

    /// Does not read the cache, but joins a load of the key that is under way.
    pub fn skip_read(self) -> Self {
        self.map(|command| command.choices().reading = Reading::Flights)
    }

    /// Does not store what it loads.
    pub fn skip_write(self) -> Self {
        self.map(|command| command.choices().writing = Writing::Forget)
    }
}

impl<V: Clone + Send + Sync + 'static> Engine<V> {
    /// An error if a call that chose this cannot be meant, or the far tier cannot keep what it asks for.
    pub(super) fn check_call(&self, options: &Options<'_>, choices: &Choices) -> Result<()> {
        // The cache's own policy was checked when it was built.
        if let Some(own) = &choices.policy {
            self.check(own)?;
        }
        self.lifetime(options).map(drop)
    }

    /// What a call wants for `key` that chose this.
    #[inline]
    pub(super) fn plan<'p>(&'p self, key: &'p Key<'_>, options: &Options<'p>, choices: &'p Choices) -> Plan<'p> {
        let Choices { reading, writing, thread, .. } = *choices;
        let (ttl, timeout) = (self.ttl(options), self.timeout(options));
        let how = How { ttl, timeout, reading, writing, refreshes: false };
        let plan = Plan::new(self.qualify(key, options), how, choices.policy(&self.policy));
        if thread == Thread::Kept { plan.keeping_a_thread() } else { plan }
    }

    /// An error if `policy` cannot be meant, or the far tier cannot keep what it asks for.
    pub(crate) fn check(&self, policy: &EffectivePolicy) -> Result<()> {
        policy.validate()?;
        let (Some(far), Some(field)) = (&self.far, policy.field_that_needs_more_than_values()) else {
            return Ok(());
        };
        let why = if self.bare {
            "it is kept in an envelope, which `wire=bare` switches off"
        } else if !far.capability.expire {
            "this store does not tell how long an entry still lives"
        } else {
            return Ok(());
        };
        Err(Error::config(format!("option `{field}`: {why}")))
    }
}
