//! What may be served instead of what is being loaded: the value that is there already, until its end and no longer.

use std::time::Duration;

use crate::{Clock, Moment};

/// A value to fall back on.
#[derive(Clone)]
pub(super) struct Spare<V> {
    value: V,
    age: Age,
    clock: Clock,
    end: Moment,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    /// Loaded anew before its time: everybody may have it.
    Fresh,
    /// Past its ttl: for those who would rather have it than wait, and for all if the load fails.
    Stale,
}

impl<V: Clone> Spare<V> {
    /// A value that stays fresh for another `left`; without end, if there is none.
    pub(super) fn fresh(value: V, left: Option<Duration>, clock: &Clock) -> Self {
        Self::new(value, Age::Fresh, left, clock)
    }

    /// A value whose ttl has ended, or that its caller does not want, and that is kept for another `left`.
    pub(super) fn stale(value: V, left: Option<Duration>, clock: &Clock) -> Self {
        Self::new(value, Age::Stale, left, clock)
    }

    fn new(value: V, age: Age, left: Option<Duration>, clock: &Clock) -> Self {
        let end = left.map_or(Moment::NEVER, |left| clock.precise().after(left));
        Self { value, age, clock: clock.clone(), end }
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.age == Age::Fresh
    }

    /// The value, if it has not ended since.
    pub(super) fn value(&self) -> Option<V> {
        (self.end == Moment::NEVER || self.clock.precise() < self.end).then(|| self.value.clone())
    }
}
