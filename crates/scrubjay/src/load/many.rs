//! A batch of loads: one look for all keys, one call of the loader for those that nobody else is loading, and a wait for those
//! that somebody is.
//!
//! A batch waits for nobody before it has landed all that it leads, so two batches that lead what the other wants do not
//! wait for each other.

use std::{pin::pin, time::Duration};

use super::{
    BatchLoader, Outcome, Plan, Reading,
    approach::{Approach, Leased},
    conduct::{Flown, Joined, fly_alone, join},
    flights::{Boarding, Lead},
    loader::Single,
    loading::{Loading, Look, Right, in_loaders},
    spare::Spare,
    together::all,
    upkeep::Keeper,
};
use crate::{
    Operation, Source,
    engine::{Engine, Far},
    far::Call,
};

/// Carries out `plans`, which are for different keys and alike in all else; answers in their order.
pub(crate) async fn fly_many<V, L>(engine: &Engine<V>, plans: Vec<Plan<'_>>, mut loader: L) -> Vec<Flown<V>>
where
    V: Clone + Send + Sync + 'static,
    L: BatchLoader<V>,
{
    for plan in plans.iter().filter(|plan| plan.how.reading == Reading::Nowhere) {
        engine.loads.flights.void(engine.near_key(plan.key).pair());
    }
    let mut flown: Vec<Option<Flown<V>>> = plans.iter().map(|_| None).collect();
    while flown.iter().any(Option::is_none) {
        let (mut leads, mut waits) = (Vec::new(), Vec::new());
        for (index, plan) in plans.iter().enumerate().filter(|(index, _)| flown[*index].is_none()) {
            match engine.loads.flights.board(engine.near_key(plan.key).pair()) {
                Boarding::Lead(lead) => leads.push(Led { index, loading: Loading { engine, plan, lead } }),
                Boarding::Wait(wait) => waits.push((index, wait)),
            }
        }
        for (index, outcome) in fly_led(engine, leads, &mut loader).await {
            flown[index] = Some(outcome);
        }
        for (index, wait) in waits {
            flown[index] = match join(&plans[index], wait).await {
                Ok(Joined::Landed(landed)) => Some(Flown::loaded(landed)),
                Ok(Joined::Abandoned) => None,
                Ok(Joined::Alone) => Some(fly_alone(engine, &plans[index], Single(&mut loader)).await),
                Err(error) => Some(Flown::loaded(Err(error))),
            };
        }
    }
    flown.into_iter().flatten().collect()
}

/// A key that this batch leads.
struct Led<'p, V> {
    index: usize,
    loading: Loading<'p, V>,
}

impl<V: Clone + Send + Sync + 'static> Led<'_, V> {
    fn late(self) -> (usize, Flown<V>) {
        let flown = Flown::loaded(Err(self.loading.plan.timed_out()));
        self.land(flown)
    }

    fn land(self, flown: Flown<V>) -> (usize, Flown<V>) {
        self.loading.land(&flown);
        (self.index, flown)
    }
}

async fn fly_led<V, L>(engine: &Engine<V>, leads: Vec<Led<'_, V>>, loader: &mut L) -> Vec<(usize, Flown<V>)>
where
    V: Clone + Send + Sync + 'static,
    L: BatchLoader<V>,
{
    let mut landed = Vec::new();
    let mut missing = Vec::new();
    for led in leads {
        match led.loading.look_near() {
            Look::Found(value) => landed.push(led.land(Flown::found(value, Source::Near))),
            Look::Load(spare) => missing.push((led, spare)),
        }
    }
    let approaches = match &engine.far {
        None => missing.iter().map(|_| Ok(Approach::Load { right: Right::Free, spare: None })).collect(),
        Some(far) => approach_all(engine, far, &missing).await,
    };
    let (mut absent, mut elsewhere) = (Vec::new(), Vec::new());
    for ((led, near_spare), approach) in missing.into_iter().zip(approaches) {
        match approach {
            Err(error) => landed.push(led.land(Flown::loaded(Err(error)))),
            Ok(Approach::Found(value)) => landed.push(led.land(Flown::found(value, Source::Far))),
            Ok(Approach::Late) => landed.push(led.late()),
            Ok(Approach::Spare(value)) => landed.push(led.land(Flown::left_with(value))),
            Ok(Approach::Leased) => elsewhere.push(led),
            Ok(Approach::Load { right, spare }) => {
                match spare.or(near_spare).map(|spare| led.loading.serve_at_once(spare)) {
                    Some(Ok(value)) => landed.push(led.land(Flown::loaded(Ok(Some(value))))),
                    Some(Err(spare)) => absent.push((led, right, spare)),
                    None => absent.push((led, right, None)),
                }
            }
        }
    }
    if !absent.is_empty() {
        landed.extend(load_all(engine, absent, loader).await);
    }
    for led in elsewhere {
        landed.push((led.index, led.loading.in_place(Single(loader)).await));
    }
    landed
}

/// Asks the store for all keys at once, and then, at once, for the right to load each that it has not.
async fn approach_all<V: Clone + Send + Sync + 'static>(
    engine: &Engine<V>,
    far: &Far<V>,
    missing: &[(Led<'_, V>, Option<Spare<V>>)],
) -> Vec<crate::Result<Approach<V>>> {
    let Some((first, _)) = missing.first() else { return Vec::new() };
    let nothing = || Approach::Load { right: Right::None, spare: None };
    let wires: Vec<_> = missing.iter().map(|(led, _)| engine.layout.wire(led.loading.plan.key)).collect();
    let keys: Vec<&str> = wires.iter().map(|wire| &**wire).collect();
    if first.loading.leaves_store_alone(far, keys[0]) {
        return missing.iter().map(|_| Ok(nothing())).collect();
    }
    let asked = first.loading.now();
    let call = Call::new(Operation::GetMany, first.loading.plan.store_timeout());
    let found = far.store.get(call, &keys, Loading::want(far)).await;
    engine.loads.outage.observe(&found);
    match first.loading.forgive(found) {
        Err(error) => missing.iter().map(|_| Err(error.clone())).collect(),
        Ok(None) => missing.iter().map(|_| Ok(nothing())).collect(),
        Ok(Some(found)) => {
            let each = missing.iter().zip(&keys).zip(found).map(async |(((led, _), wire), found)| {
                let loading = &led.loading;
                let approach = loading.approach_from(far, wire, found, asked, Leased::Leave).await;
                engine.loads.outage.observe(&approach);
                Ok(loading.forgive(approach)?.unwrap_or_else(nothing))
            });
            all(each).await
        }
    }
}

/// Calls the loader once for all that is `absent`, and keeps what it answers.
async fn load_all<V, L>(
    engine: &Engine<V>,
    absent: Vec<(Led<'_, V>, Right, Option<Spare<V>>)>,
    loader: &mut L,
) -> Vec<(usize, Flown<V>)>
where
    V: Clone + Send + Sync + 'static,
    L: BatchLoader<V>,
{
    let (mut leads, mut keepers, mut spares) = (Vec::new(), Vec::new(), Vec::new());
    for (led, right, spare) in absent {
        keepers.push(Keeper::of(right, led.loading.lead.given_up()));
        leads.push(led);
        spares.push(spare);
    }
    let started = leads[0].loading.plan.policy.refreshes_early().then(|| engine.clock.precise());
    let keys = leads.iter().map(|led| led.loading.plan.key.key.to_owned()).collect();
    let answer = {
        let all_leads: Vec<&Lead<V>> = leads.iter().map(|led| &led.loading.lead).collect();
        let loading = pin!(loader.load(keys));
        let loading = in_loaders(all_leads, &[], loading);
        if L::BLOCKS { loading.await } else { leads[0].loading.in_time(loading).await }
    };
    let cost = started.map_or(Duration::ZERO, |started| started.until(engine.clock.precise()));
    let rights = all(keepers.into_iter().map(Keeper::stop)).await;
    let mut answer = answer;
    let results = leads.iter().zip(rights).zip(spares).map(|((led, right), spare)| {
        let answered = match &mut answer {
            Ok(outcomes) => Ok(outcomes.remove(led.loading.plan.key.key).unwrap_or(Outcome::NotFound)),
            Err(error) => Err(error.clone()),
        };
        let end = led.loading.end(right, spare.as_ref(), answered, cost);
        end.landed()
    });
    let results = all(results).await;
    leads.into_iter().zip(results).map(|(led, result)| led.land(Flown::loaded(result))).collect()
}
