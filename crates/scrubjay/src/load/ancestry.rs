//! Loads that wait for themselves, found before they do.
//!
//! Each load knows which loads it runs inside of (in its own task), and each wait of a load for another is an edge in one
//! graph for the process. A wait that would close a ring is an error at once, not a deadlock, through whichever keys, caches
//! and tasks it goes.

use std::{cell::RefCell, collections::HashMap, sync::LazyLock};

use parking_lot::Mutex;

use super::flights::FlightId;
use crate::{Error, ErrorKind, Result};

thread_local! {
    /// The loads whose loaders are being polled on this thread, outermost first.
    static INSIDE: RefCell<Vec<FlightId>> = const { RefCell::new(Vec::new()) };
}

/// Which loads each load waits for.
static WAITS: LazyLock<Mutex<HashMap<FlightId, Vec<FlightId>>>> = LazyLock::new(Mutex::default);

/// The loads that the caller runs inside of, to be passed on to a task of its own.
pub(super) fn current() -> Vec<FlightId> {
    INSIDE.with_borrow(Vec::clone)
}

/// The waits of the loads that the caller runs inside of, and of `ancestors` elsewhere, for the `flights` that it loads: for as
/// long as the answer lives.
pub(super) fn waiting_inside(ancestors: &[FlightId], flights: &(impl Iterator<Item = FlightId> + Clone)) -> Vec<Edge> {
    let mut edges = Vec::new();
    INSIDE.with_borrow(|inside| {
        for from in inside.iter().chain(ancestors) {
            edges.extend(flights.clone().map(|to| Edge::new(*from, to)));
        }
    });
    edges
}

/// The wait of the caller for `flight`, for as long as the answer lives.
///
/// # Errors
/// [`ErrorKind::Recursion`] if `flight` cannot end before the caller does.
pub(super) fn waiting_for(flight: FlightId) -> Result<Option<impl Sized>> {
    let mine = INSIDE.with_borrow(Vec::clone);
    if mine.is_empty() {
        return Ok(None);
    }
    let edges: Vec<Edge> = mine.iter().map(|from| Edge::new(*from, flight)).collect();
    if reaches(flight, &mine) {
        return Err(Error::new(
            ErrorKind::Recursion,
            "the load of this key waits, through its own loader, for itself: load it from a key that does not need it",
        ));
    }
    Ok(Some(edges))
}

fn reaches(from: FlightId, goals: &[FlightId]) -> bool {
    let waits = WAITS.lock();
    let (mut seen, mut ahead) = (vec![from], vec![from]);
    while let Some(flight) = ahead.pop() {
        if goals.contains(&flight) {
            return true;
        }
        for next in waits.get(&flight).into_iter().flatten() {
            if !seen.contains(next) {
                seen.push(*next);
                ahead.push(*next);
            }
        }
    }
    false
}

/// One wait in the graph, until dropped.
pub(super) struct Edge {
    from: FlightId,
    to: FlightId,
}

impl Edge {
    fn new(from: FlightId, to: FlightId) -> Self {
        WAITS.lock().entry(from).or_default().push(to);
        Self { from, to }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let mut waits = WAITS.lock();
        let Some(targets) = waits.get_mut(&self.from) else { return };
        if let Some(place) = targets.iter().position(|target| *target == self.to) {
            targets.swap_remove(place);
        }
        if targets.is_empty() {
            waits.remove(&self.from);
        }
    }
}

/// From now on the loaders of `flights` are being polled on this thread, until the answer is dropped, in a panic too.
pub(super) fn enter(flights: impl Iterator<Item = FlightId>) -> Entered {
    INSIDE.with_borrow_mut(|inside| {
        let before = inside.len();
        inside.extend(flights);
        Entered(before)
    })
}

/// Loads being polled on this thread. Dropped, they are not any more.
#[must_use = "dropped at once it covers nothing"]
pub(super) struct Entered(usize);

impl Drop for Entered {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(|inside| inside.truncate(self.0));
    }
}
