//! One load: look once more, get the right to load, load, and keep what came of it if nobody wrote meanwhile.

use std::{borrow::Cow, future::poll_fn, pin::pin, sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::{
    Loader, Outcome, Plan, ancestry,
    conduct::Flown,
    early::is_due,
    flights::{Landed, Lead, Takers},
    lease::{self, Claimed, Lease},
    outage,
    plan::{Reading, Writing},
    upkeep::{Keeper, keeping},
};
use crate::{
    Error, ErrorKind, Moment, Operation, Result, Source, Ttl,
    config::{Lease as LeaseChoice, OnFailure},
    engine::{Engine, Far, Near, Received},
    entry::{Content, Entry},
    far::{Call, Found, Item, Token, Want, timer},
    key::NearKey,
    near::{Keep, Standing},
    random,
};

/// What to do once the store has been asked.
pub(super) enum Approach<V> {
    Found(Option<V>),
    Load {
        right: Right,
        spare: Option<Spare<V>>,
    },
    /// Somebody else is loading it.
    Leased,
}

/// What to do about a key that somebody else is loading.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leased {
    Wait,
    Leave,
}

/// What a look into the near tier came to.
pub(super) enum Look<V> {
    Found(Option<V>),
    Load(Option<Spare<V>>),
}

/// What may be served instead of what is being loaded.
pub(super) enum Spare<V> {
    /// A value whose ttl has ended, if the policy has a grace.
    Stale(V),
    /// A fresh one, that is loaded anew before its time.
    Fresh(V),
}

/// What allows a value to be put into the store.
pub(super) enum Right {
    /// Nothing needs to: there is no store, or it compares nothing.
    Free,
    /// The key is held.
    Lease(Lease),
    /// What stood there must still stand there.
    Unchanged(Token),
    /// Nothing does any more: somebody else has the key.
    Lost,
    /// Nothing does: the store failed.
    None,
}

/// A load under way.
pub(super) struct Loading<'a, V> {
    pub(super) engine: &'a Engine<V>,
    pub(super) plan: &'a Plan,
    pub(super) lead: &'a Lead<V>,
}

impl<V: Clone + Send + Sync + 'static> Loading<'_, V> {
    pub(super) async fn run<L: Loader<V>>(&self, loader: L) -> Flown<V> {
        let mut spare = match self.look_near() {
            Look::Found(value) => return Flown::found(value, Source::Near),
            Look::Load(spare) => spare,
        };
        let right = match &self.engine.far {
            None => Right::Free,
            Some(far) => match self.approach(far).await {
                Ok(Approach::Found(value)) => return Flown::found(value, Source::Far),
                Ok(Approach::Load { right, spare: found }) => {
                    spare = found.or(spare);
                    right
                }
                Ok(Approach::Leased) => Right::Lost,
                Err(error) => return Flown::loaded(Err(error)),
            },
        };
        match self.serve_at_once(spare) {
            Ok(value) => Flown::loaded(Ok(Some(value))),
            Err(spare) => Flown::loaded(self.load(loader, right, spare).await),
        }
    }

    /// Looks into the near tier once more: somebody may have landed between the caller's look and its boarding.
    pub(super) fn look_near(&self) -> Look<V> {
        let Some(near) = &self.engine.near else { return Look::Load(None) };
        let (key, reads) = (self.near_key(), self.plan.reading == Reading::Everywhere);
        let negative = || reads && self.engine.far.is_none() && self.engine.loads.negatives.know(key.pair());
        match near.memory.look_up(key.pair()) {
            Standing::Fresh { value, .. } if self.plan.refreshes => Look::Load(Some(Spare::Fresh(value))),
            Standing::Fresh { value, .. } if reads => Look::Found(Some(value)),
            Standing::Stale(_) | Standing::Absent if negative() => Look::Found(None),
            Standing::Fresh { value, .. } | Standing::Stale(value) => Look::Load(Some(Spare::Stale(value))),
            Standing::Absent => Look::Load(None),
        }
    }

    /// The spare value, if it is to be served without trying; else as what it may still be used. Those who wait may have it.
    pub(super) fn serve_at_once(&self, spare: Option<Spare<V>>) -> Result<V, Option<V>> {
        let (value, takers) = match spare {
            Some(Spare::Fresh(value)) => (value, Takers::Everybody),
            Some(Spare::Stale(value)) if !self.plan.policy.grace().is_zero() => (value, Takers::TheImpatient),
            Some(Spare::Stale(_)) | None => return Err(None),
        };
        let reads = self.plan.reading == Reading::Everywhere;
        if reads && self.engine.loads.back_offs.rests(self.near_key().pair(), self.engine.clock.precise()) {
            return Ok(value);
        }
        self.lead.offer(value.clone(), takers);
        Err(Some(value))
    }

    /// Calls the loader, and keeps what it answers.
    async fn load<L: Loader<V>>(&self, loader: L, mut right: Right, spare: Option<V>) -> Landed<V> {
        let Self { engine, plan, lead } = self;
        let started = plan.policy.refreshes_early().then(|| engine.clock.precise());
        let told = spare.clone();
        let loading = pin!(in_loaders([*lead], async move { loader.load(&plan.key, told).await }));
        let loading = ancestry::inside([lead.id()], &plan.ancestors, loading);
        let answer = match right {
            held @ Right::Lease(_) if L::BLOCKS => {
                let keeper = Keeper::of(held);
                let answer = loading.await;
                right = keeper.stop().await;
                answer
            }
            Right::Lease(lease) => {
                let kept = self.in_time(async { Ok(keeping(lease, lead.given_up(), loading).await) }).await;
                let (answer, lease) = kept.unwrap_or_else(|error| (Err(error), None));
                right = lease.map_or(Right::Lost, Right::Lease);
                answer
            }
            _ => self.in_time(loading).await,
        };
        let cost = started.map_or(Duration::ZERO, |started| started.until(engine.clock.precise()));
        match answer {
            Ok(Outcome::Store(value)) => self.keep(right, value, plan.ttl, cost).await,
            Ok(Outcome::StoreFor(value, ttl)) => self.keep(right, value, ttl, cost).await,
            Ok(Outcome::DontStore(value)) => Ok(Some(value)),
            Ok(Outcome::NotFound) => self.keep_negative(right).await,
            Err(error) => self.fall_back(spare, error),
        }
    }

    /// What a load that failed comes to: the spare value, if there is one, which is then served without trying for a while.
    pub(super) fn fall_back(&self, spare: Option<V>, error: Error) -> Landed<V> {
        match spare {
            Some(value) if !matches!(error.kind(), ErrorKind::Recursion | ErrorKind::Unsupported) => {
                let now = self.engine.clock.precise();
                let end = now.after(self.plan.policy.back_off());
                self.engine.loads.back_offs.rest(self.near_key().pair(), now, end);
                Ok(Some(value))
            }
            _ => Err(error),
        }
    }

    /// `loading`, for as long as the caller has time.
    pub(super) async fn in_time<T>(&self, loading: impl Future<Output = Result<T>>) -> Result<T> {
        match self.plan.deadline {
            None => loading.await,
            Some(deadline) => timer::until(deadline, loading).await?.unwrap_or_else(|| Err(self.plan.timed_out())),
        }
    }

    /// Keeps `value` in both tiers, if nobody wrote to the key since it was asked for.
    pub(super) async fn keep(&self, right: Right, value: V, ttl: Ttl, cost: Duration) -> Landed<V> {
        let Self { engine, plan, lead } = self;
        let ttl = shortened(ttl.lifetime()?, plan.policy.jitter);
        if plan.writing == Writing::Forget || lead.is_void() {
            return Ok(Some(value));
        }
        engine.loads.back_offs.end(self.near_key().pair());
        let (grace, since) = (plan.policy.grace(), self.now());
        let mut kept = true;
        if let Some(far) = &engine.far {
            let grace = if ttl.is_some() { grace } else { Duration::ZERO };
            if !grace.is_zero() {
                engine.loads.leave_remains();
            }
            let kept_for = ttl.map(|ttl| ttl.saturating_add(grace));
            kept = match engine.encode_with(far, &value, grace, cost) {
                Ok(bytes) => self.put(far, right, bytes, kept_for).await?,
                Err(error) => self.forgive(Err(error))?.unwrap_or(false),
            };
        }
        if let (true, Some(near)) = (kept, &engine.near) {
            engine.loads.negatives.forget(self.near_key().pair());
            if engine.far.is_some() {
                self.keep_near(near, &value, ttl, cost, since);
            } else {
                let keep = Keep { ttl, grace, cost, since, void: lead.void() };
                near.memory.keep(self.near_key().pair(), value.clone(), &keep);
            }
        }
        Ok(Some(value))
    }

    /// Keeps before the far tier what stays fresh there for `ttl`, counted from `since`. Only an entry that ends with the far
    /// one may be refreshed early for its `cost`.
    fn keep_near(&self, near: &Near<V>, value: &V, ttl: Option<Duration>, cost: Duration, since: Moment) {
        let lifetime = near.lifetime(ttl);
        let cost = if ttl == Some(lifetime) { cost } else { Duration::ZERO };
        let keep = Keep { ttl: Some(lifetime), grace: Duration::ZERO, cost, since, void: self.lead.void() };
        near.memory.keep(self.near_key().pair(), value.clone(), &keep);
    }

    /// Remembers that there is nothing, if the policy says so.
    pub(super) async fn keep_negative(&self, right: Right) -> Landed<V> {
        let Self { engine, plan, lead } = self;
        let Some(ttl) = plan.policy.negative_ttl.filter(|ttl| !ttl.is_zero()) else { return Ok(None) };
        if plan.writing == Writing::Forget || lead.is_void() {
            return Ok(None);
        }
        if engine.far.is_some() && engine.bare {
            return Ok(None);
        }
        if let Some(near) = &engine.near {
            near.memory.delete_unless(self.near_key().pair(), lead.void());
        }
        if let Some(far) = &engine.far {
            engine.loads.leave_remains();
            self.put(far, right, Entry::new(Content::Negative).seal(), Some(ttl)).await?;
        } else {
            let clock = engine.near.as_ref().map_or(&engine.clock, |near| near.memory.clock());
            engine.loads.negatives.remember(self.near_key().pair(), ttl, clock, lead.void());
        }
        Ok(None)
    }

    /// Puts `bytes` into the store, as far as `right` allows; says whether they may be kept nearer, too.
    async fn put(&self, far: &Far<V>, right: Right, bytes: Bytes, ttl: Option<Duration>) -> Result<bool> {
        let wire = self.wire();
        let call = Call::new(Operation::GetOrLoad, self.plan.timeout);
        let item = Item { key: &wire, value: bytes, ttl };
        let answer = match right {
            // The store failed a moment ago, and others see no more of it than we do.
            Right::None => return Ok(true),
            Right::Lost => return Ok(false),
            Right::Lease(lease) => lease.fill(item.value, ttl).await,
            Right::Unchanged(token) => far.store.compare_and_set(call, &item, &token).await,
            Right::Free => match far.store.set(call, &[item]).await {
                Ok(()) if self.lead.is_void() => {
                    // Somebody wrote while this was on its way, and nobody knows which of the two arrived last.
                    far.store.delete(call, &[&wire]).await.map(|_| false)
                }
                Ok(()) => Ok(true),
                Err(error) => Err(error),
            },
        };
        self.engine.loads.outage.observe(&answer);
        Ok(self.forgive(answer)?.unwrap_or(true))
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

    /// Asks the store for the value, else for the right to put one.
    async fn approach(&self, far: &Far<V>) -> Result<Approach<V>> {
        let wire = self.wire();
        let nothing = || Approach::Load { right: Right::None, spare: None };
        if self.leaves_store_alone(far, &wire) {
            return Ok(nothing());
        }
        let asked = self.now();
        let approached = match self.ask(far, &wire).await {
            Ok(found) => self.approach_from(far, &wire, found, asked, Leased::Wait).await,
            Err(error) => Err(error),
        };
        if !matches!(&approached, Err(error) if error.kind() == ErrorKind::Timeout && self.plan.is_late()) {
            self.engine.loads.outage.observe(&approached);
        }
        Ok(self.forgive(approached)?.unwrap_or_else(nothing))
    }

    /// Whether the store is known not to answer, so that asking would only cost time.
    pub(super) fn leaves_store_alone(&self, far: &Far<V>, wire: &str) -> bool {
        let plan = self.plan;
        plan.policy.on_failure() == OnFailure::Load && self.engine.loads.outage.is_down(&far.store, wire, plan.timeout)
    }

    /// What a load wants to know of an entry.
    pub(super) fn want(far: &Far<V>) -> Want {
        if far.capability.compare_and_set { Want::EVERYTHING } else { Want::VALUE_AND_TTL }
    }

    async fn ask(&self, far: &Far<V>, wire: &str) -> Result<Option<Found>> {
        let call = Call::new(Operation::Get, self.plan.timeout);
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
        let Self { engine, plan, .. } = self;
        let mut pauses = Pauses::new();
        loop {
            let Some(there) = found else {
                let hold = match plan.policy.lease() {
                    LeaseChoice::For(hold)
                        if far.capability.compare_and_set && !engine.bare && plan.writing == Writing::Keep =>
                    {
                        hold
                    }
                    _ => return Ok(Approach::Load { right: Right::Free, spare: None }),
                };
                // Nobody else can die while holding what belongs to this process alone.
                let hold = if far.capability.private { FOREVER } else { hold };
                asked = self.now();
                match Lease::claim(&far.store, wire, hold, plan.timeout).await? {
                    Claimed::Won(lease) => {
                        let right = Right::Lease(lease.held_for(self.lead.id()));
                        return Ok(Approach::Load { right, spare: None });
                    }
                    Claimed::Held(there) => found = Some(there),
                }
                continue;
            };
            let reads = plan.reading == Reading::Everywhere;
            let overwrite = |spare| {
                let right = there.token.clone().map_or(Right::Free, Right::Unchanged);
                Ok(Approach::Load { right, spare })
            };
            match engine.open(far, &there) {
                Received::Fresh { value, ttl, cost } if reads => {
                    if plan.refreshes || self.is_refreshed_early(ttl, cost)? {
                        return overwrite(Some(Spare::Fresh(value)));
                    }
                    // What a store does not tell the end of might outlive it here.
                    if let Some(near) = engine.near.as_ref().filter(|_| far.capability.expire) {
                        self.keep_near(near, &value, ttl, cost, asked);
                    }
                    return Ok(Approach::Found(Some(value)));
                }
                Received::Negative if reads => return Ok(Approach::Found(None)),
                Received::Fresh { value, .. } | Received::Stale(value) => return overwrite(Some(Spare::Stale(value))),
                Received::Negative | Received::Undecodable(_) => return overwrite(None),
                Received::Leased if plan.reading == Reading::Nowhere => return overwrite(None),
                Received::Leased if leased == Leased::Leave => return Ok(Approach::Leased),
                Received::Leased if Handle::try_current().is_err() => {
                    // Nothing to wait with: load beside whoever holds it, and keep nothing.
                    return Ok(Approach::Load { right: Right::Lost, spare: None });
                }
                Received::Leased if self.plan.is_late() => return Err(plan.timed_out()),
                Received::Leased => {
                    let _edge = lease::holder(&there.value).map(ancestry::waiting_for).transpose()?;
                    timer::sleep(pauses.next()).await?;
                    asked = self.now();
                    found = self.ask(far, wire).await?;
                }
            }
        }
    }

    fn is_refreshed_early(&self, left: Option<Duration>, cost: Duration) -> Result<bool> {
        let Some(eagerness) = self.plan.policy.early_refresh else { return Ok(false) };
        Ok(is_due(left, self.plan.ttl.lifetime()?, cost, eagerness))
    }

    /// Now, for the near tier.
    pub(super) fn now(&self) -> Moment {
        self.engine.near.as_ref().map_or(Moment::NEVER, |near| near.memory.clock().precise())
    }

    fn near_key(&self) -> NearKey<'_> {
        self.engine.near_key(self.plan.qualified())
    }

    fn wire(&self) -> Cow<'_, str> {
        self.engine.layout.wire(self.plan.qualified())
    }
}

/// As long as a lease needs to be held that nobody else can ask for.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

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

/// `loading`, while which all of `leads` are known to be in their loader: a panic leaves them so, and tells whoever lands them.
pub(super) async fn in_loaders<'l, V: 'l, T>(leads: impl AsRef<[&'l Lead<V>]>, loading: impl Future<Output = T>) -> T {
    let mark = |inside| leads.as_ref().iter().for_each(|lead| lead.in_loader().store(inside, Ordering::Relaxed));
    let mut loading = pin!(loading);
    poll_fn(|context| {
        mark(true);
        let answer = loading.as_mut().poll(context);
        mark(false);
        answer
    })
    .await
}

/// `ttl`, shorter by a random part of the share that `jitter` allows.
fn shortened(ttl: Option<Duration>, jitter: Option<f64>) -> Option<Duration> {
    let (Some(whole), Some(jitter)) = (ttl, jitter.filter(|jitter| *jitter > 0.0)) else { return ttl };
    let [fraction] = random::shared().fractions();
    Some(whole.mul_f64(1.0 - jitter * fraction).max(Duration::from_millis(1).min(whole)))
}
