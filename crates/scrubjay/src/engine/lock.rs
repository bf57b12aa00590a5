//! `lock`: a lease on a name, waited for.

use std::time::Duration;

use super::{Command, Engine, Options, Request, command::single_key};
use crate::{
    Error, ErrorKind, Key, Operation, QualifiedKey, Result, Ttl,
    far::{AnyStore, Call, Change, timer},
    load::{Claimed, Pauses, Terms},
    lock::Guard,
};

/// The command of [`Cache::lock`](crate::Cache::lock).
#[derive(Debug)]
pub struct Lock<'a> {
    key: Key<'a>,
    hold: Duration,
    patience: Option<Duration>,
}

impl<'a> Lock<'a> {
    /// Waits for `patience` at most; without one, until the lock is free.
    pub(crate) fn new(key: Key<'a>, hold: Duration, patience: Option<Duration>) -> Self {
        Self { key, hold, patience }
    }
}

/// What one call of `lock` may choose beside.
impl<'a, V: Clone + Send + Sync + 'static> Request<'a, V, Lock<'a>> {
    /// Waits no longer than this; zero tries once. Without it the call waits until the lock is free.
    pub fn within(self, patience: Duration) -> Self {
        self.map(|lock| lock.patience = Some(patience))
    }
}

impl<V: Clone + Send + Sync + 'static> Command<V> for Lock<'_> {
    type Output = Guard;
    const OPERATION: Operation = Operation::Lock;
    single_key!();

    fn near(&mut self, _: &Engine<V>, _: &Options<'_>) -> Result<Option<Guard>> {
        Ttl::After(self.hold).lifetime().map(|_| None)
    }

    async fn far(&mut self, engine: &Engine<V>, options: &Options<'_>) -> Result<Guard> {
        let deadline = self.patience.map(|patience| Call::new(Operation::Lock, patience));
        let store = engine.lock_store();
        let key = engine.qualify(&self.key, options);
        let lock = engine.layout.aside("lock", key);
        // One counter serves all locks of a namespace: one for each would stay when its lock is long forgotten.
        let fence = engine.layout.aside("fence", QualifiedKey { key: "tokens", ..key });
        let timeout = engine.timeout(options);
        let terms = Terms { store: &store, key: &lock, operation: Operation::Lock, hold: self.hold, timeout };
        let mut pauses = Pauses::new();
        loop {
            let held_for = match terms.claim().await? {
                Claimed::Held(found) => found.ttl,
                Claimed::Won(mut lease) => {
                    let change = Change { key: &fence, by: 1, ttl: None };
                    let fencing_token = store.increment(engine.call(Operation::Lock, options), change).await?;
                    // Whoever was paused between the two has a number that may be higher than the next holder's.
                    if lease.is_held().await? {
                        return Ok(Guard::new(lease, fencing_token));
                    }
                    None
                }
            };
            let longest = held_for.unwrap_or(self.hold).max(Duration::from_millis(1));
            let mut pause = pauses.next().min(longest);
            if let Some(deadline) = deadline {
                if deadline.remaining().is_zero() {
                    let patience = self.patience.unwrap_or_default();
                    return Err(Error::new(
                        ErrorKind::Timeout,
                        format!("somebody else held the lock for all of the {patience:.0?} that this caller had"),
                    ));
                }
                pause = pause.min(deadline.remaining());
            }
            timer::sleep(pause).await?;
        }
    }
}

impl<V: Clone + Send + Sync + 'static> Engine<V> {
    /// Where locks are kept: the far tier, or a store of this process for a cache without one.
    fn lock_store(&self) -> AnyStore {
        self.far.as_ref().map_or_else(|| self.loads.locks.store(&self.clock), |far| far.store.clone())
    }
}
