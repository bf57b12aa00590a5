//! What one call of `get_or_load` wants, with everything decided.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use super::flights::FlightId;
use crate::{Error, ErrorKind, QualifiedKey, Ttl, clock, config::EffectivePolicy};

/// What a call of `get_or_load` wants.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'p> {
    pub(super) namespace: Cow<'p, str>,
    pub(super) key: Cow<'p, str>,
    pub(super) ttl: Ttl,
    pub(super) timeout: Duration,
    pub(super) policy: EffectivePolicy,
    pub(super) reading: Reading,
    pub(super) writing: Writing,
    /// Whether a fresh value is to be loaded anew, because its time is nearly over.
    pub(super) refreshes: bool,
    /// What a load in a task of its own runs inside of.
    pub(super) ancestors: Vec<FlightId>,
    /// When the caller stops waiting.
    pub(super) deadline: Option<Instant>,
    /// When the caller loads for itself instead of waiting for somebody who may need the very thread that it keeps.
    pub(super) alone_from: Option<Instant>,
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
    pub(crate) fn new(namespace: &'p str, key: &'p str, ttl: Ttl, timeout: Duration, policy: EffectivePolicy) -> Self {
        let deadline = policy.load_timeout.and_then(|timeout| clock::now().checked_add(timeout));
        Self {
            namespace: Cow::Borrowed(namespace),
            key: Cow::Borrowed(key),
            ttl,
            timeout,
            policy,
            reading: Reading::default(),
            writing: Writing::default(),
            refreshes: false,
            ancestors: Vec::new(),
            deadline,
            alone_from: None,
        }
    }

    /// The same plan, of a task of its own that runs inside of `ancestors` and has all the time it needs.
    pub(super) fn of_a_task(&self, ancestors: Vec<FlightId>) -> Plan<'static> {
        let owned = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
        let (namespace, key) = (owned(&self.namespace), owned(&self.key));
        Plan { namespace, key, ancestors, deadline: None, ..*self }
    }

    pub(super) fn qualified(&self) -> QualifiedKey<'_> {
        QualifiedKey { namespace: &self.namespace, key: &self.key }
    }

    /// The same plan, with what a call chose.
    pub(crate) fn choosing(self, reading: Reading, writing: Writing, refreshes: bool) -> Self {
        Self { reading, writing, refreshes, ..self }
    }

    /// The same plan, of a caller that keeps a thread of a runtime from running others.
    pub(crate) fn keeping_a_thread(self) -> Self {
        Self { alone_from: clock::now().checked_add(self.timeout), ..self }
    }

    /// Whether the caller has waited long enough for somebody who may need its thread.
    pub(super) fn is_alone(&self) -> bool {
        self.alone_from.is_some_and(|moment| moment <= clock::now())
    }

    /// How long a call to the store may take: half of the time that is left, so that the other half is the loader's.
    pub(super) fn store_timeout(&self) -> Duration {
        let half = |deadline: Instant| deadline.saturating_duration_since(clock::now()) / 2;
        self.deadline.map_or(self.timeout, |deadline| self.timeout.min(half(deadline)))
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
