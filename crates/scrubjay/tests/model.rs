//! Every kind of cache against the reference model, and the sequences that once told them apart.

mod common;

use common::Shelf;
use proptest::test_runner::FileFailurePersistence;
use scrubjay::{Clock, Memory, far::MemoryStore};
use scrubjay_testkit::{
    Subject,
    model::{self, Config},
};

/// More sequences: `PROPTEST_CASES=10000 cargo test -p scrubjay --test model`.
fn config() -> Config {
    let persistence = FileFailurePersistence::WithSource("regressions");
    let cases = Config::default().cases.max(256);
    Config { cases, failure_persistence: Some(Box::new(persistence)), source_file: Some(file!()), ..Config::default() }
}

#[test]
fn near() {
    model::check(|| Subject::near(memory(Clock::manual())), config());
}

#[test]
fn far() {
    model::check(|| with_clock(|clock| Subject::far(store(clock.clone()), clock)), config());
}

#[test]
fn two_tiers() {
    model::check(|| with_clock(|clock| Subject::two_tiers(memory(clock.clone()), store(clock))), config());
}

#[test]
fn foreign() {
    model::check(|| with_clock(|clock| Subject::far(Shelf::shared(clock.clone()), clock)), config());
}

#[test]
fn least_foreign() {
    model::check(|| with_clock(|clock| Subject::far(Shelf::least(clock.clone()), clock)), config());
}

#[test]
fn near_and_foreign() {
    model::check(|| with_clock(|clock| Subject::two_tiers(memory(clock.clone()), Shelf::shared(clock))), config());
}

#[test]
fn near_and_least_foreign() {
    model::check(|| with_clock(|clock| Subject::two_tiers(memory(clock.clone()), Shelf::least(clock))), config());
}

fn with_clock(subject: impl FnOnce(Clock) -> Subject) -> Subject {
    subject(Clock::manual())
}

/// Unbounded: what is evicted is no part of the model.
fn memory<V: Send + Sync + 'static>(clock: Clock) -> Memory<V> {
    Memory::builder().unbounded().clock(clock).build()
}

fn store(clock: Clock) -> MemoryStore {
    MemoryStore::new(memory(clock))
}
