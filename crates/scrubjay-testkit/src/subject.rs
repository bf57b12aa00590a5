//! [`Subject`]: what is tested.

use std::time::Duration;

use scrubjay::{
    Builder, Cache, Clock, Memory, Result,
    far::{AnyStore, Capability},
    serializer::Json,
};
use serde_json::Value;

/// By how much a server's deadlines may lie behind ours, beside a step of its resolution and a quarter of one, by which a
/// clock that steps may be late: a call takes time to reach it.
const LAG: Duration = Duration::from_millis(20);

/// How long the suite really waits where it waits for what never comes.
const LONG: Duration = Duration::from_secs(10);

/// One backend under test, fresh and empty: a near tier, a far tier, or both, and the clock that both read.
///
/// Every cache made from a subject is over the same tiers; another backend is another subject.
#[derive(Clone, Debug)]
pub struct Subject {
    near: Option<Memory<Value>>,
    store: Option<AnyStore>,
    clock: Clock,
}

impl Subject {
    /// Live values in `memory`, whose clock passes the time.
    #[must_use]
    pub fn near(memory: Memory<Value>) -> Self {
        Self { clock: memory.clock().clone(), near: Some(memory), store: None }
    }

    /// JSON in `store`, which reads the time from `clock`: a manual one, or the suite really waits for ttls to pass.
    #[must_use]
    pub fn far(store: impl Into<AnyStore>, clock: Clock) -> Self {
        Self { near: None, store: Some(store.into()), clock }
    }

    /// Live values in `memory` before JSON in `store`; both read the time from the clock of `memory`.
    #[must_use]
    pub fn two_tiers(memory: Memory<Value>, store: impl Into<AnyStore>) -> Self {
        Self { store: Some(store.into()), ..Self::near(memory) }
    }

    /// Starts one more cache over the backend.
    pub fn builder(&self) -> Builder<Value> {
        let mut builder = Cache::builder();
        if let Some(memory) = &self.near {
            builder = builder.near(memory.clone());
        }
        if let Some(store) = &self.store {
            builder = builder.far(store.clone()).serializer(Json);
        }
        builder
    }

    /// One more cache over the backend, with every default.
    pub fn cache(&self) -> Result<Cache<Value>> {
        self.builder().build()
    }

    /// The far tier, where there is one.
    #[must_use]
    pub fn store(&self) -> Option<&AnyStore> {
        self.store.as_ref()
    }

    /// What the backend can do: what the store declares, or everything that needs no commands for a near tier alone.
    #[must_use]
    pub fn capability(&self) -> Capability {
        const NEAR: Capability = Capability {
            expire: true,
            increment: true,
            compare_and_set: true,
            clear_prefix: true,
            clear_everything: true,
            private: true,
            keeps_deadlines: true,
            needs_runtime: false,
            ..Capability::NONE
        };
        self.store.as_ref().map_or(NEAR, AnyStore::capability)
    }

    /// Lets time pass: at once on a manual clock, else by waiting.
    pub async fn advance(&self, by: Duration) {
        match &self.clock {
            Clock::Manual(_) => self.clock.advance(by),
            Clock::System => tokio::time::sleep(by + LAG + self.capability().ttl_resolution * 5 / 4).await,
        }
    }

    /// The shortest time that the suite tells apart here.
    #[must_use]
    pub fn grain(&self) -> Duration {
        let step = self.capability().ttl_resolution;
        match &self.clock {
            Clock::Manual(_) => step.max(Duration::from_millis(1)),
            // Each wait is late by up to a step; what outlives two of them must still live.
            Clock::System => (3 * step).max(Duration::from_millis(200)),
        }
    }

    /// Longer than any ttl that is not meant.
    #[must_use]
    pub fn a_long_time(&self) -> Duration {
        match &self.clock {
            Clock::Manual(_) => self.grain() * 100,
            Clock::System => LONG.max(self.grain() * 2),
        }
    }
}
