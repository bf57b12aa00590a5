//! One load: look once more, get the right to load, load, and keep what came of it if nobody wrote meanwhile.

use std::{
    borrow::Cow,
    fmt,
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::atomic::Ordering,
    time::Duration,
};

use bytes::Bytes;

use super::{
    Loader, Outcome, Plan, ancestry,
    approach::Approach,
    conduct::Flown,
    flights::{FlightId, Landed, Lead},
    lease::Lease,
    plan::{Reading, Writing},
    spare::Spare,
    upkeep::{Keeper, keeping},
};
use crate::{
    Error, ErrorKind, Moment, Operation, Result, Source, Ttl,
    engine::{Engine, Far, Near},
    entry::{Content, Entry},
    far::{Call, Item, Token, timer},
    key::NearKey,
    near::{Keep, Standing},
    random,
};

/// What a look into the near tier came to.
pub(super) enum Look<V> {
    Found(Option<V>),
    Load(Option<Spare<V>>),
}

/// What allows a value to be put into the store.
pub(super) enum Right {
    /// Nothing needs to: there is no store, or it compares nothing.
    Free,
    /// The key is held.
    Lease(Box<Lease>),
    /// What stood there must still stand there.
    Unchanged(Token),
    /// Nothing does any more: somebody else has the key.
    Lost,
    /// Nothing does: the store failed.
    None,
}

impl Right {
    /// The lease, if it is one, to be kept while the loader runs; without it, it is lost.
    fn take_lease(&mut self) -> Option<Box<Lease>> {
        match mem::replace(self, Self::Lost) {
            Self::Lease(lease) => Some(lease),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// The end of a load: at once, unless a store is to be told first.
pub(super) enum End<'l, V> {
    Landed(Landed<V>),
    Far(Pin<Box<dyn Future<Output = Landed<V>> + Send + 'l>>),
}

impl<V> End<'_, V> {
    pub(super) async fn landed(self) -> Landed<V> {
        match self {
            Self::Landed(landed) => landed,
            Self::Far(told) => told.await,
        }
    }
}

/// A load about to begin or under way, in the hands of the caller that leads it.
pub struct Loading<'a, V> {
    pub(super) engine: &'a Engine<V>,
    pub(super) plan: &'a Plan<'a>,
    pub(super) lead: Lead<V>,
}

impl<V> fmt::Debug for Loading<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl<V: Clone + Send + Sync + 'static> Loading<'_, V> {
    pub(super) async fn run<L: Loader<V>>(&self, loader: L) -> Flown<V> {
        let mut spare = match self.look_near() {
            Look::Found(value) => return Flown::found(value, Source::Near),
            Look::Load(spare) => spare,
        };
        let mut right = Right::Free;
        if let Some(far) = &self.engine.far {
            // Boxed, as all that only a far tier needs: the future of a near-only load is small to make and to move.
            right = match Box::pin(self.approach(far)).await {
                Ok(Approach::Found(value)) => return Flown::found(value, Source::Far),
                Ok(Approach::Load { right, spare: found }) => {
                    spare = found.or(spare);
                    right
                }
                Ok(Approach::Spare(value)) => return Flown::left_with(value),
                Ok(Approach::Late) => return Flown::loaded(Err(self.plan.timed_out())),
                Ok(Approach::Leased) => Right::Lost,
                Err(error) => return Flown::loaded(Err(error)),
            };
        }
        if let Some(found) = spare {
            spare = match self.serve_at_once(found) {
                Ok(value) => return Flown::loaded(Ok(Some(value))),
                Err(spare) => spare,
            };
        }
        let (answer, cost) = self.call(loader, &mut right, spare.as_ref()).await;
        Flown::loaded(self.end(right, spare.as_ref(), answer, cost).landed().await)
    }

    /// Looks into the near tier once more: somebody may have landed between the caller's look and its boarding.
    pub(super) fn look_near(&self) -> Look<V> {
        let Some(near) = &self.engine.near else { return Look::Load(None) };
        let (key, reads) = (self.near_key(), self.plan.how.reading == Reading::Everywhere);
        let negative = || reads && self.engine.far.is_none() && self.engine.loads.negatives.know(key.pair());
        match near.memory.look_up(key.pair()) {
            Standing::Fresh { value, ttl, .. } if self.plan.how.refreshes => {
                Look::Load(Some(Spare::fresh(value, ttl, &self.engine.clock)))
            }
            Standing::Fresh { value, .. } if reads => Look::Found(Some(value)),
            Standing::Stale { .. } | Standing::Absent if negative() => Look::Found(None),
            Standing::Fresh { value, ttl, .. } => {
                let left = ttl.map(|ttl| ttl.saturating_add(self.plan.policy.grace()));
                Look::Load(Some(Spare::stale(value, left, &self.engine.clock)))
            }
            Standing::Stale { value, left } => Look::Load(Some(Spare::stale(value, Some(left), &self.engine.clock))),
            Standing::Absent => Look::Load(None),
        }
    }

    /// The value of `spare`, if it is to be served without trying; else `spare` as far as it may still be used. Those who wait
    /// may have it.
    pub(super) fn serve_at_once(&self, spare: Spare<V>) -> Result<V, Option<Spare<V>>> {
        if !self.may_serve(&spare) {
            return Err(None);
        }
        if let Some(value) = self.rests_on(&spare) {
            return Ok(value);
        }
        self.lead.offer(spare.clone());
        Err(Some(spare))
    }

    /// Whether the policy lets `spare` be served.
    pub(super) fn may_serve(&self, spare: &Spare<V>) -> bool {
        spare.is_fresh() || !self.plan.policy.grace().is_zero()
    }

    /// The value of `spare`, if it is to be served without trying: loading it anew has failed a moment ago.
    pub(super) fn rests_on(&self, spare: &Spare<V>) -> Option<V> {
        let reads = self.plan.how.reading == Reading::Everywhere;
        let rests = || self.engine.loads.back_offs.rests(self.near_key().pair(), self.engine.clock.precise());
        if reads && self.may_serve(spare) && rests() { spare.value() } else { None }
    }

    /// Calls the loader, while `right` is kept; says what it answered, and how long that took.
    pub(super) async fn call<L: Loader<V>>(
        &self,
        loader: L,
        right: &mut Right,
        spare: Option<&Spare<V>>,
    ) -> (Result<Outcome<V>>, Duration) {
        let Self { engine, plan, lead } = self;
        let started = plan.policy.refreshes_early().then(|| engine.clock.precise());
        let loading = pin!(loader.load(plan.key.key, spare.and_then(Spare::value)));
        let loading = in_loaders([lead], plan.ancestors, loading);
        let answer = match right.take_lease() {
            None => self.in_time(loading).await,
            Some(lease) if L::BLOCKS => {
                let keeper = Keeper::of(Right::Lease(lease), lead.given_up());
                let answer = loading.await;
                *right = Box::pin(keeper.stop()).await;
                answer
            }
            Some(lease) => {
                let kept = Box::pin(self.in_time(async { Ok(keeping(lease, lead.given_up(), loading).await) })).await;
                let (answer, lease) = kept.unwrap_or_else(|error| (Err(error), None));
                *right = lease.map_or(Right::Lost, Right::Lease);
                answer
            }
        };
        let cost = started.map_or(Duration::ZERO, |started| started.until(engine.clock.precise()));
        (answer, cost)
    }

    /// Keeps what the loader answered after `cost`.
    pub(super) fn end(
        &self,
        right: Right,
        spare: Option<&Spare<V>>,
        answer: Result<Outcome<V>>,
        cost: Duration,
    ) -> End<'_, V> {
        match answer {
            Ok(Outcome::Store(value)) => self.keep(right, value, self.plan.how.ttl, cost),
            Ok(Outcome::StoreFor(value, ttl)) => self.keep(right, value, ttl, cost),
            Ok(Outcome::DontStore(value)) => End::Landed(Ok(Some(value))),
            Ok(Outcome::NotFound) => self.keep_negative(right),
            Err(error) => End::Landed(self.fall_back(spare, error)),
        }
    }

    /// What a load that failed comes to: the spare value, if there is one, which is then served without trying for a while.
    fn fall_back(&self, spare: Option<&Spare<V>>, error: Error) -> Landed<V> {
        match spare.and_then(Spare::value) {
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
            Some(deadline) => {
                Box::pin(timer::until(deadline, loading)).await?.unwrap_or_else(|| Err(self.plan.timed_out()))
            }
        }
    }

    /// Keeps `value` in both tiers, if nobody wrote to the key since it was asked for.
    fn keep(&self, right: Right, value: V, ttl: Ttl, cost: Duration) -> End<'_, V> {
        let Self { engine, plan, lead } = self;
        let ttl = match ttl.lifetime() {
            Ok(ttl) => shortened(ttl, plan.policy.jitter),
            Err(error) => return End::Landed(Err(error)),
        };
        if plan.how.writing == Writing::Forget || lead.is_void() {
            return End::Landed(Ok(Some(value)));
        }
        engine.loads.back_offs.end(self.near_key().pair());
        if let Some(far) = &engine.far {
            return End::Far(Box::pin(self.keep_far(far, right, value, ttl, cost)));
        }
        if let Some(near) = &engine.near {
            engine.loads.negatives.forget(self.near_key().pair());
            // Without a ttl nobody asks what it counts from.
            let since = ttl.map_or(Moment::NEVER, |_| self.now());
            let keep = Keep { ttl, grace: plan.policy.grace(), cost, since, void: lead.void() };
            near.memory.keep(self.near_key().pair(), value.clone(), &keep);
        }
        End::Landed(Ok(Some(value)))
    }

    /// Keeps `value` in the far tier, and then before it.
    async fn keep_far(&self, far: &Far<V>, right: Right, value: V, ttl: Option<Duration>, cost: Duration) -> Landed<V> {
        let Self { engine, plan, .. } = self;
        let since = self.now();
        let grace = if ttl.is_some() { plan.policy.grace() } else { Duration::ZERO };
        if !grace.is_zero() {
            engine.loads.leave_remains();
        }
        let kept_for = ttl.map(|ttl| ttl.saturating_add(grace));
        let kept = match engine.encode_with(far, &value, grace, cost) {
            Ok(bytes) => self.put(far, right, bytes, kept_for).await?,
            Err(error) => self.forgive(Err(error))?.unwrap_or(false),
        };
        if let (true, Some(near)) = (kept, &engine.near) {
            engine.loads.negatives.forget(self.near_key().pair());
            self.keep_near(near, &value, ttl, cost, since);
        }
        Ok(Some(value))
    }

    /// Keeps before the far tier what stays fresh there for `ttl`, counted from `since`. Only an entry that ends with the far
    /// one may be refreshed early for its `cost`.
    pub(super) fn keep_near(&self, near: &Near<V>, value: &V, ttl: Option<Duration>, cost: Duration, since: Moment) {
        let lifetime = near.lifetime(ttl);
        let cost = if ttl == Some(lifetime) { cost } else { Duration::ZERO };
        let keep = Keep { ttl: Some(lifetime), grace: Duration::ZERO, cost, since, void: self.lead.void() };
        near.memory.keep(self.near_key().pair(), value.clone(), &keep);
    }

    /// Remembers that there is nothing, if the policy says so.
    fn keep_negative(&self, right: Right) -> End<'_, V> {
        let Self { engine, plan, lead } = self;
        let nothing = End::Landed(Ok(None));
        let Some(ttl) = plan.policy.negative_ttl.filter(|ttl| !ttl.is_zero()) else { return nothing };
        if plan.how.writing == Writing::Forget || lead.is_void() {
            return nothing;
        }
        if engine.far.is_some() && engine.bare {
            return nothing;
        }
        if let Some(near) = &engine.near {
            near.memory.delete_unless(self.near_key().pair(), lead.void());
        }
        if let Some(far) = &engine.far {
            engine.loads.leave_remains();
            let negative = Entry::new(Content::Negative).seal();
            return End::Far(Box::pin(async move { self.put(far, right, negative, Some(ttl)).await.map(|_| None) }));
        }
        let clock = engine.near.as_ref().map_or(&engine.clock, |near| near.memory.clock());
        engine.loads.negatives.remember(self.near_key().pair(), ttl, clock, lead.void());
        nothing
    }

    /// Puts `bytes` into the store, as far as `right` allows; says whether they may be kept nearer, too.
    async fn put(&self, far: &Far<V>, right: Right, bytes: Bytes, ttl: Option<Duration>) -> Result<bool> {
        let wire = self.wire();
        let call = Call::new(Operation::GetOrLoad, self.plan.store_timeout().max(LAST_MOMENT));
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

    /// Now, for the near tier.
    pub(super) fn now(&self) -> Moment {
        self.engine.near.as_ref().map_or(Moment::NEVER, |near| near.memory.clock().precise())
    }

    fn near_key(&self) -> NearKey<'_> {
        self.engine.near_key(self.plan.key)
    }

    pub(super) fn wire(&self) -> Cow<'_, str> {
        self.engine.layout.wire(self.plan.key)
    }
}

/// How long a call to the store may take that keeps what was loaded, though the caller's time is up.
const LAST_MOMENT: Duration = Duration::from_millis(50);

/// `loading`, inside of the caller and of `ancestors` elsewhere. While it is polled all of `leads` are known to be in their
/// loader: a panic leaves them so, and tells whoever lands them.
pub(super) fn in_loaders<'l, V: 'l, F: Future>(
    leads: impl AsRef<[&'l Lead<V>]> + Unpin,
    ancestors: &'l [FlightId],
    mut loading: Pin<&'l mut F>,
) -> impl Future<Output = F::Output> + Unpin {
    let waits = ancestry::waiting_inside(ancestors, &leads.as_ref().iter().map(|lead| lead.id()));
    poll_fn(move |context| {
        // Held as long as this future, not as long as a poll of it.
        let _waits = &waits;
        let leads = leads.as_ref();
        let _left_again = ancestry::enter(ancestors.iter().copied().chain(leads.iter().map(|lead| lead.id())));
        let mark = |inside| leads.iter().for_each(|lead| lead.in_loader().store(inside, Ordering::Relaxed));
        mark(true);
        let answer = loading.as_mut().poll(context);
        mark(false);
        answer
    })
}

/// `ttl`, shorter by a random part of the share that `jitter` allows.
fn shortened(ttl: Option<Duration>, jitter: Option<f64>) -> Option<Duration> {
    let (Some(whole), Some(jitter)) = (ttl, jitter.filter(|jitter| *jitter > 0.0)) else { return ttl };
    let [fraction] = random::shared().fractions();
    Some(whole.mul_f64(1.0 - jitter * fraction).max(Duration::from_millis(1).min(whole)))
}
