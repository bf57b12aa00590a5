//! What the commands that load have in common: what one call may choose, and the policy that comes of it.

use super::{Command, Engine, Request};
use crate::{
    Error, Policy, Result,
    config::EffectivePolicy,
    load::{Plan, Reading, Writing},
};

/// How one call loads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choices {
    pub(crate) policy: Option<Policy>,
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
    /// `plan`, as they say.
    pub(super) fn apply_to<'p>(&self, plan: Plan<'p>, refreshes: bool) -> Plan<'p> {
        let plan = plan.choosing(self.reading, self.writing, refreshes);
        if self.thread == Thread::Kept { plan.keeping_a_thread() } else { plan }
    }

    /// What holds for a call that chose this, in a cache of `policy`.
    pub(crate) fn over(&self, policy: Policy) -> EffectivePolicy {
        self.policy.map_or(policy, |own| own.over(policy)).into()
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
        self.map(|command| command.choices().policy = Some(policy))
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
    /// The policy of a call that chose this; an error if it cannot be meant, or the far tier cannot keep what it asks for.
    pub(super) fn policy_of(&self, choices: &Choices) -> Result<EffectivePolicy> {
        let policy = choices.over(self.policy);
        // The cache's own was checked when it was built.
        if choices.policy.is_some() {
            self.check(&policy)?;
        }
        Ok(policy)
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
