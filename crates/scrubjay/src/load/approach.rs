//! How a load comes to its right: it asks the store for the value; if that is not there, for the lease; and if somebody else
//! holds that, it waits for what they bring.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::{
    ancestry,
    early::is_due,
    lease::{self, Beside, Claimed, Terms},
    loading::{Loading, Right},
    outage,
    plan::{Reading, Writing},
    spare::Spare,
};
use crate::{
    Moment, Operation, Result, clock,
    config::{Lease as LeaseChoice, OnFailure},
    engine::{Far, Received},
    entry::{Content, Entry},
    far::{Call, Found, Want, timer},
};

/// What to do once the store has been asked.
pub(super) enum Approach<V> {
    Found(Option<V>),
    Load {
        right: Right,
        spare: Option<Spare<V>>,
    },
    /// Somebody else is loading it, and the caller would rather have this stale value than wait.
    Spare(V),
    /// Somebody else is loading it.
    Leased,
    /// The caller's time was up while somebody else was loading it.
    Late,
}

/// What to do about a key that somebody else is loading.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leased {
    Wait,
    Leave,
}

impl<V: Clone + Send + Sync + 'static> Loading<'_, V> {
    /// Asks the store for the value, else for the right to put one.
    pub(super) async fn approach(&self, far: &Far<V>) -> Result<Approach<V>> {
        let wire = self.wire();
        let nothing = || Approach::Load { right: Right::None, spare: None };
        if self.plan.is_late() {
            return Ok(Approach::Late);
        }
        if self.leaves_store_alone(far, &wire) {
            return Ok(nothing());
        }
        let asked = self.now();
        let approached = match self.ask(far, &wire).await {
            Ok(found) => self.approach_from(far, &wire, found, asked, Leased::Wait).await,
            Err(error) => Err(error),
        };
        self.engine.loads.outage.observe(&approached);
        Ok(self.forgive(approached)?.unwrap_or_else(nothing))
    }

    /// Whether the store is known not to answer, so that asking would only cost time.
    pub(super) fn leaves_store_alone(&self, far: &Far<V>, wire: &str) -> bool {
        let plan = self.plan;
        plan.policy.on_failure() == OnFailure::Load
            && self.engine.loads.outage.is_down(&far.store, wire, plan.how.timeout)
    }

    /// `answer` as it is, or nothing where the policy lets loads go on without the store.
    pub(super) fn forgive<T>(&self, answer: Result<T>) -> Result<Option<T>> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if self.plan.policy.on_failure() == OnFailure::Load && outage::may_be_ignored(&error) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What a load wants to know of an entry.
    pub(super) fn want(far: &Far<V>) -> Want {
        if far.capability.compare_and_set { Want::EVERYTHING } else { Want::VALUE_AND_TTL }
    }

    async fn ask(&self, far: &Far<V>, wire: &str) -> Result<Option<Found>> {
        let call = Call::new(Operation::Get, self.plan.store_timeout());
        Ok(far.store.get(call, &[wire], Self::want(far)).await?.pop().flatten())
    }

    /// Goes on from what was `found` when the store was `asked`, until there is a value or the right to put one.
    pub(super) async fn approach_from(
        &self,
        far: &Far<V>,
        wire: &str,
        mut found: Option<Found>,
        mut asked: Moment,
        leased: Leased,
    ) -> Result<Approach<V>> {
        let Self { engine, plan, lead } = self;
        let reads = plan.how.reading == Reading::Everywhere;
        let mut waiting = Waiting::new(plan.policy.soft_timeout);
        loop {
            let Some(there) = found else {
                let Some(terms) = self.terms(far, wire) else {
                    return Ok(Approach::Load { right: Right::Free, spare: None });
                };
                asked = self.now();
                match terms.claim().await? {
                    Claimed::Won(lease) => {
                        let right = Right::Lease(lease.held_for(lead.id()));
                        return Ok(Approach::Load { right, spare: None });
                    }
                    Claimed::Held(there) => found = Some(there),
                }
                continue;
            };
            let entry = engine.entry(&there.value);
            let spare = match engine.decode(far, &entry, there.ttl) {
                Received::Fresh { value, ttl, cost } if reads => {
                    if !plan.how.refreshes && !self.is_refreshed_early(ttl, cost)? {
                        // What a store does not tell the end of might outlive it here.
                        if let Some(near) = engine.near.as_ref().filter(|_| far.capability.expire) {
                            self.keep_near(near, &value, ttl, cost, asked);
                        }
                        return Ok(Approach::Found(Some(value)));
                    }
                    Some(Spare::fresh(value, ttl, &engine.clock))
                }
                Received::Negative if reads => return Ok(Approach::Found(None)),
                Received::Fresh { value, .. } | Received::Stale(value) => {
                    Some(Spare::stale(value, there.ttl, &engine.clock))
                }
                Received::Negative | Received::Undecodable(_) | Received::Leased => None,
            };
            let holder = entry.holder(there.ttl).filter(|_| plan.how.reading != Reading::Nowhere);
            let served = spare.as_ref().filter(|spare| self.may_serve(spare));
            if let (Some(_), Some(fresh)) = (holder, served.filter(|spare| spare.is_fresh()).and_then(Spare::value)) {
                return Ok(Approach::Found(Some(fresh)));
            }
            match holder {
                Some(_) if leased == Leased::Leave => return Ok(Approach::Leased),
                // Nothing to wait with: load beside whoever holds it, and keep nothing.
                Some(_) if Handle::try_current().is_err() => return Ok(Approach::Load { right: Right::Lost, spare }),
                Some(_) if plan.is_late() => return Ok(Approach::Late),
                Some(_) if plan.is_alone() => return Ok(Approach::Load { right: Right::Lost, spare }),
                Some(holder) => {
                    if let Some(spare) = served {
                        if let (true, Some(value)) = (waiting.is_enough(), spare.value()) {
                            return Ok(Approach::Spare(value));
                        }
                        lead.offer(spare.clone());
                    }
                    waiting.on(holder).await?;
                }
                None if served.is_some_and(|spare| self.rests_on(spare).is_some()) => {
                    let right = there.token.map_or(Right::Free, Right::Unchanged);
                    return Ok(Approach::Load { right, spare });
                }
                None => {
                    if let Some(right) = self.take_over(far, wire, there, entry).await? {
                        return Ok(Approach::Load { right, spare });
                    }
                }
            }
            asked = self.now();
            found = self.ask(far, wire).await?;
        }
    }

    /// The right to put a value over what stands there; nothing if that has changed since.
    async fn take_over(&self, far: &Far<V>, wire: &str, there: Found, entry: Entry) -> Result<Option<Right>> {
        let Some(token) = there.token else { return Ok(Some(Right::Free)) };
        let Some(terms) = self.terms(far, wire) else { return Ok(Some(Right::Unchanged(token))) };
        let beside = match (&entry.content, there.ttl) {
            (Content::Lease(_), _) => None,
            // Other programs read it, or there is no end to count a lease from.
            _ if !entry.is_wrapped() => return Ok(Some(Right::Unchanged(token))),
            (_, None | Some(Duration::ZERO)) => return Ok(Some(Right::Unchanged(token))),
            (_, Some(left)) => {
                let clock = self.engine.clock.clone();
                let end = clock.precise().after(left);
                Some(Beside { entry, clock, end })
            }
        };
        let lease = terms.take(token, beside).await?;
        Ok(lease.map(|lease| Right::Lease(lease.held_for(self.lead.id()))))
    }

    /// On what terms this load asks for a lease, if it does.
    fn terms<'t>(&self, far: &'t Far<V>, wire: &'t str) -> Option<Terms<'t>> {
        let plan = self.plan;
        let LeaseChoice::For(hold) = plan.policy.lease() else { return None };
        let may = far.capability.compare_and_set && !self.engine.bare && plan.how.writing == Writing::Keep;
        // What this process has in its own memory nobody else can hold and die, and no answer is lost.
        let hold = if far.capability.private && !far.capability.needs_runtime { FOREVER } else { hold };
        may.then_some(Terms {
            store: &far.store,
            key: wire,
            operation: Operation::GetOrLoad,
            hold,
            timeout: plan.store_timeout(),
        })
    }

    fn is_refreshed_early(&self, left: Option<Duration>, cost: Duration) -> Result<bool> {
        let Some(eagerness) = self.plan.policy.early_refresh else { return Ok(false) };
        Ok(is_due(left, self.plan.how.ttl.lifetime()?, cost, eagerness))
    }
}

/// As long as a lease needs to be held that nobody else can ask for.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A wait for what somebody else loads.
struct Waiting {
    pauses: Pauses,
    patience: Option<Duration>,
    enough: Option<Instant>,
}

impl Waiting {
    fn new(patience: Option<Duration>) -> Self {
        Self { pauses: Pauses::new(), patience, enough: None }
    }

    /// Whether it has lasted longer than a caller waits who has a stale value at hand.
    fn is_enough(&mut self) -> bool {
        let Some(patience) = self.patience else { return false };
        let now = clock::now();
        now >= *self.enough.get_or_insert(now + patience)
    }

    /// Waits a while for the holder of the lease called `name`; an error if that is itself waiting for this load.
    async fn on(&mut self, name: &Bytes) -> Result<()> {
        let _edge = lease::holder(name).map(ancestry::waiting_for).transpose()?;
        timer::sleep(self.pauses.next()).await
    }
}

/// The times between looks at what somebody else holds: short at first, as most loads are.
pub(crate) struct Pauses(Duration);

impl Pauses {
    const LONGEST: Duration = Duration::from_millis(25);

    pub(crate) fn new() -> Self {
        Self(Duration::from_millis(1))
    }

    /// The next, half as long again as the one before.
    pub(crate) fn next(&mut self) -> Duration {
        self.0 = (self.0 * 3 / 2).min(Self::LONGEST);
        self.0
    }
}
