//! Who loads: of all calls for a key one leads, in its own future or in a task, and the others wait.

use std::time::Duration;

use tokio::runtime::Handle;

use super::{
    Loader, Plan, ancestry,
    flights::{Arrival, Boarding, Landed, Wait},
    loading::{Loading, Right},
    plan::Reading,
};
use crate::{Error, ErrorKind, Result, Source, clock, engine::Engine, far::timer};

/// What a call came to, and where it was found; nowhere, if it was loaded.
#[derive(Debug)]
pub struct Flown<V> {
    pub(crate) result: Landed<V>,
    pub(crate) source: Option<Source>,
    leader: Leader,
}

/// What a leader's end means to those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leader {
    /// They get what it got.
    Landed,
    /// It had no more patience: one of them takes over.
    Left,
}

impl<V> Flown<V> {
    pub(super) fn found(value: Option<V>, source: Source) -> Self {
        Self { result: Ok(value), source: Some(source), leader: Leader::Landed }
    }

    pub(super) fn loaded(result: Landed<V>) -> Self {
        Self { result, source: None, leader: Leader::Landed }
    }

    /// A leader that takes a stale value rather than waiting for somebody else's load.
    pub(super) fn left_with(stale: V) -> Self {
        Self { result: Ok(Some(stale)), source: None, leader: Leader::Left }
    }
}

/// Carries out `plan`: joins the load under way, or leads one.
pub(crate) async fn fly<V, L>(engine: &Engine<V>, plan: &Plan<'_>, loader: L) -> Flown<V>
where
    V: Clone + Send + Sync + 'static,
    L: Loader<V>,
{
    if plan.how.reading == Reading::Nowhere {
        engine.loads.flights.void(engine.near_key(plan.key).pair());
    }
    let lead = loop {
        let boarding = engine.loads.flights.board(engine.near_key(plan.key).pair());
        match boarding {
            Boarding::Lead(lead) => break lead,
            // Boxed, so that the future of those who lead is small to make and to move.
            Boarding::Wait(wait) => match Box::pin(join(plan, wait)).await {
                Ok(Joined::Landed(landed)) => return Flown::loaded(landed),
                Ok(Joined::Abandoned) => {}
                Ok(Joined::Alone) => return Box::pin(fly_alone(engine, plan, loader)).await,
                Err(error) => return Flown::loaded(Err(error)),
            },
        }
    };
    loader.conduct(Loading { engine, plan, lead }).await
}

/// Loads beside somebody else, and keeps nothing.
pub(super) async fn fly_alone<V, L>(engine: &Engine<V>, plan: &Plan<'_>, loader: L) -> Flown<V>
where
    V: Clone + Send + Sync + 'static,
    L: Loader<V>,
{
    let lead = engine.loads.flights.alone(engine.near_key(plan.key).pair());
    let (alone, mut right) = (Loading { engine, plan, lead }, Right::Lost);
    let (answer, cost) = alone.call(loader, &mut right, None).await;
    Flown::loaded(alone.end(right, None, answer, cost).landed().await)
}

/// How a wait for somebody else's load ended.
pub(super) enum Joined<V> {
    Landed(Landed<V>),
    /// Its leader left: board anew.
    Abandoned,
    /// The caller is to load for itself.
    Alone,
}

/// Waits for somebody else's load, as long as `plan` says.
pub(super) async fn join<V: Clone>(plan: &Plan<'_>, mut wait: Wait<V>) -> Result<Joined<V>> {
    let _edge = ancestry::waiting_for(wait.id())?;
    let arrival = match plan.policy.soft_timeout {
        None => None,
        Some(Duration::ZERO) => {
            wait.take_stale();
            None
        }
        Some(patience) => {
            let arrival = timer::until(clock::now() + patience, &mut wait).await?;
            wait.take_stale();
            arrival
        }
    };
    let end = plan.deadline.into_iter().chain(plan.alone_from).min();
    let arrival = match (arrival, end) {
        (Some(arrival), _) => arrival,
        (None, None) => (&mut wait).await,
        (None, Some(end)) => match timer::until(end, &mut wait).await? {
            Some(arrival) => arrival,
            None if plan.is_late() => {
                wait.give_up();
                return Err(plan.timed_out());
            }
            None => return Ok(Joined::Alone),
        },
    };
    Ok(match arrival {
        Arrival::Landed(landed) => Joined::Landed(landed),
        Arrival::Spare(value) => Joined::Landed(Ok(Some(value))),
        Arrival::Abandoned => Joined::Abandoned,
    })
}

impl<V: Clone + Send + Sync + 'static> Loading<'_, V> {
    /// Loads in the caller's own future.
    #[expect(clippy::manual_async_fn, reason = "an async function would keep room for its arguments twice")]
    pub(super) fn in_place<L: Loader<V>>(self, loader: L) -> impl Future<Output = Flown<V>> + Send {
        async move {
            let flown = self.run(loader).await;
            self.land(&flown);
            flown
        }
    }

    /// Loads in a task, and waits for it as everybody else does.
    pub(super) async fn spawned<L: Loader<V> + 'static>(self, loader: L) -> Flown<V> {
        let Self { engine, plan, lead } = self;
        let Ok(runtime) = Handle::try_current() else {
            return Flown::loaded(Err(Error::unsupported(
                "a load of its own needs a tokio runtime to run on: call from inside one, or leave out `spawned`",
            )));
        };
        let (wait, follow) = (lead.wait(), lead.follow());
        let engine = engine.clone();
        let owned = plan.of_a_task(ancestry::current());
        let task = runtime.spawn(async move {
            drop(Loading { engine: &engine, plan: &owned.plan(), lead }.in_place(loader).await);
        });
        follow.led_by(task.abort_handle());
        match join(plan, wait).await {
            Ok(Joined::Landed(landed)) => Flown::loaded(landed),
            Ok(Joined::Abandoned | Joined::Alone) => {
                Flown::loaded(Err(Error::new(ErrorKind::Load, "the runtime that ran the load was shut down")))
            }
            Err(error) => Flown::loaded(Err(error)),
        }
    }

    /// Ends the flight. A load that its caller had no more time for is not everybody's failure: somebody else takes over.
    pub(super) fn land(self, flown: &Flown<V>) {
        let late = self.plan.is_late() && matches!(&flown.result, Err(error) if error.kind() == ErrorKind::Timeout);
        if !late && flown.leader == Leader::Landed {
            self.lead.land(&flown.result);
        }
    }
}
