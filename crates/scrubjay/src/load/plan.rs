//! What one call of `get_or_load` wants, with everything decided.

use std::time::{Duration, Instant};

use super::flights::FlightId;
use crate::{Error, ErrorKind, QualifiedKey, Ttl, clock, config::EffectivePolicy};

/// What a call of `get_or_load` wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'p> {
    pub(super) key: QualifiedKey<'p>,
    pub(crate) how: How,
    pub(super) policy: &'p EffectivePolicy,
    /// What a load in a task of its own runs inside of.
    pub(super) ancestors: &'p [FlightId],
    /// When the caller stops waiting.
    pub(super) deadline: Option<Instant>,
    /// When the caller loads for itself instead of waiting for somebody who may need the very thread that it keeps.
    pub(super) alone_from: Option<Instant>,
}

/// What a call chose, or the cache for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) ttl: Ttl,
    pub(crate) timeout: Duration,
    pub(crate) reading: Reading,
    pub(crate) writing: Writing,
    /// Whether a fresh value is to be loaded anew, because its time is nearly over.
    pub(crate) refreshes: bool,
}

/// A plan for a task of its own, which has nobody to borrow from.
pub(super) struct TaskPlan {
    namespace: String,
    key: String,
    how: How,
    policy: EffectivePolicy,
    ancestors: Vec<FlightId>,
}

impl TaskPlan {
    /// The plan, of a task that has all the time it needs.
    pub(super) fn plan(&self) -> Plan<'_> {
        let Self { namespace, key, how, policy, ancestors } = self;
        Plan { ancestors, ..Plan::timeless(QualifiedKey { namespace, key }, *how, policy) }
    }
}

/// Whether a load looks before it loads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    /// In the cache, and among the loads under way.
    #[default]
    Everywhere,
    /// Only among the loads under way.
    Flights,
    /// Nowhere: it begins after the call did.
    Nowhere,
}

/// Whether what was loaded is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Writing {
    #[default]
    Keep,
    Forget,
}

impl<'p> Plan<'p> {
    pub(crate) fn new(key: QualifiedKey<'p>, how: How, policy: &'p EffectivePolicy) -> Self {
        let deadline = policy.load_timeout.and_then(|timeout| clock::now().checked_add(timeout));
        Self { deadline, ..Self::timeless(key, how, policy) }
    }

    fn timeless(key: QualifiedKey<'p>, how: How, policy: &'p EffectivePolicy) -> Self {
        Self { key, how, policy, ancestors: &[], deadline: None, alone_from: None }
    }

    /// The same plan, for a task of its own that runs inside of `ancestors`.
    pub(super) fn of_a_task(&self, ancestors: Vec<FlightId>) -> TaskPlan {
        let (namespace, key) = (self.key.namespace.to_owned(), self.key.key.to_owned());
        TaskPlan { namespace, key, how: self.how, policy: *self.policy, ancestors }
    }

    /// The same plan, of a caller that keeps a thread of a runtime from running others.
    pub(crate) fn keeping_a_thread(self) -> Self {
        Self { alone_from: clock::now().checked_add(self.how.timeout), ..self }
    }

    /// Whether the caller has waited long enough for somebody who may need its thread.
    pub(super) fn is_alone(&self) -> bool {
        self.alone_from.is_some_and(|moment| moment <= clock::now())
    }

    /// How long a call to the store may take: half of the time that is left, so that the other half is the loader's.
    pub(super) fn store_timeout(&self) -> Duration {
        let half = |deadline: Instant| deadline.saturating_duration_since(clock::now()) / 2;
        self.deadline.map_or(self.how.timeout, |deadline| self.how.timeout.min(half(deadline)))
    }

    /// Whether the caller's time is up.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= clock::now())
    }

    /// The error of a caller whose time is up.
    pub(super) fn timed_out(&self) -> Error {
        let patience = self.policy.load_timeout.unwrap_or_default();
        Error::new(ErrorKind::Timeout, format!("not loaded within {patience:.0?} (`load-timeout`)"))
    }
}
