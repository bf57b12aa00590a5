//! Loads that wait for themselves, found before they do.
//!
//! Each load knows which loads it runs inside of (in its own task), and each wait of a load for another is an edge in one
//! graph for the process. A wait that would close a ring is an error at once, not a deadlock, through whichever keys, caches
//! and tasks it goes.

use std::{
    cell::RefCell,
    collections::HashMap,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};

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

/// `future`, which loads `flights`, inside of the caller and of `ancestors` elsewhere.
pub(super) fn inside<'f, I: AsRef<[FlightId]> + Unpin, F: Future>(
    flights: I,
    ancestors: &'f [FlightId],
    future: Pin<&'f mut F>,
) -> Inside<'f, I, F> {
    let edges = |from: &FlightId| flights.as_ref().iter().map(|to| Edge::new(*from, *to)).collect::<Vec<_>>();
    let waits = INSIDE.with_borrow(|inside| inside.iter().chain(ancestors).flat_map(edges).collect());
    Inside { flights, ancestors, _waits: waits, future }
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
struct Edge {
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

/// A load as a future that makes itself known while it is polled.
pub(super) struct Inside<'f, I, F> {
    flights: I,
    ancestors: &'f [FlightId],
    _waits: Vec<Edge>,
    future: Pin<&'f mut F>,
}

impl<I: AsRef<[FlightId]> + Unpin, F: Future> Future for Inside<'_, I, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _left_again = Entered::new(this.ancestors.iter().chain(this.flights.as_ref()));
        this.future.as_mut().poll(context)
    }
}

/// A load being polled on this thread. Dropped, in a panic too, it is not any more.
struct Entered(usize);

impl Entered {
    fn new<'i>(flights: impl Iterator<Item = &'i FlightId>) -> Self {
        INSIDE.with_borrow_mut(|inside| {
            let before = inside.len();
            inside.extend(flights);
            Self(before)
        })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(|inside| inside.truncate(self.0));
    }
}
