//! What holds for one load: the call's policy over the cache's, and the defaults of what neither says.

use std::{ops::Deref, time::Duration};

use super::{Lease, OnFailure, Policy};

/// The back-off of a policy that does not say.
const BACK_OFF: Duration = Duration::from_secs(10);
/// The lease of a policy that does not say.
const LEASE: Duration = Duration::from_secs(2);
/// The detached loads of a policy that does not say.
const DETACHED_LOADS: u32 = 64;

/// A policy that nothing is over: what it does not say is decided here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EffectivePolicy(Policy);

impl From<Policy> for EffectivePolicy {
    fn from(policy: Policy) -> Self {
        Self(policy)
    }
}

impl EffectivePolicy {
    pub(crate) fn grace(&self) -> Duration {
        self.grace.unwrap_or_default()
    }

    pub(crate) fn back_off(&self) -> Duration {
        self.back_off.unwrap_or(BACK_OFF)
    }

    pub(crate) fn lease(&self) -> Lease {
        self.lease.unwrap_or(Lease::For(LEASE))
    }

    pub(crate) fn on_failure(&self) -> OnFailure {
        self.on_failure.unwrap_or_default()
    }

    pub(crate) fn detached_loads(&self) -> u32 {
        self.detached_loads.unwrap_or(DETACHED_LOADS)
    }

    pub(crate) fn refreshes_early(&self) -> bool {
        self.early_refresh.is_some_and(|beta| beta > 0.0)
    }

    /// Whether a call may have to wait with a timer.
    pub(crate) fn needs_timer(&self) -> bool {
        self.load_timeout.is_some() || self.soft_timeout.is_some_and(|patience| !patience.is_zero())
    }

    /// Whether what it loads may leave something in the store that is no live entry.
    pub(crate) fn leaves_remains(&self) -> bool {
        !self.grace().is_zero() || self.negative_ttl.is_some_and(|ttl| !ttl.is_zero())
    }

    /// The first field, if there is one, by which entries have more to tell than their value.
    pub(crate) fn field_that_needs_more_than_values(&self) -> Option<&'static str> {
        let fields = [
            ("grace", !self.grace().is_zero()),
            ("negative-ttl", self.negative_ttl.is_some_and(|ttl| !ttl.is_zero())),
            ("early-refresh", self.refreshes_early()),
        ];
        fields.into_iter().find_map(|(field, needs)| needs.then_some(field))
    }
}

/// What it says, where it says something.
impl Deref for EffectivePolicy {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.0
    }
}
