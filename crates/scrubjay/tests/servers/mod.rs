//! What the tests on every kind of real server share.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use proptest::{
    strategy::Strategy,
    test_runner::{TestCaseError, TestRunner},
};
use scrubjay::Ttl;
use scrubjay_testkit::{
    Subject,
    behaviour::{self, BEHAVIOURS},
    model::{self, Op},
};

/// Every behaviour, several at a time: most of the suite is waiting for ttls to pass. `subject` gives the one of that number
/// something fresh and empty, and whatever must stay alive meanwhile.
pub(crate) fn behaves<K>(at_a_time: usize, subject: impl Fn(usize) -> (K, Subject) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(behaviour) = BEHAVIOURS.get(number) else { return };
                    let (_kept, subject) = subject(number);
                    let shown = format!("{subject:?}");
                    let run = || behaviour::run(behaviour.name, async { subject });
                    let held = panic::catch_unwind(AssertUnwindSafe(run));
                    assert!(held.is_ok(), "{} does not hold on {shown}", behaviour.name);
                }
            });
        }
    });
}

/// The model's time stands still, and a server's does not: here nothing lives shorter than a day.
fn without_time(ops: Vec<Op>) -> Vec<Op> {
    let day = Duration::from_secs(24 * 60 * 60);
    let long = |ttl: Ttl| match ttl {
        Ttl::After(ttl) if !ttl.is_zero() && ttl < day => Ttl::After(day),
        other => other,
    };
    let steady = |op| match op {
        Op::Advance(_) | Op::ReadTtl(_) => None,
        Op::Set(place, value, ttl) => Some(Op::Set(place, value, ttl.map(long))),
        Op::SetMany(namespace, entries, ttl) => Some(Op::SetMany(namespace, entries, ttl.map(long))),
        Op::Add(place, value, ttl) => Some(Op::Add(place, value, ttl.map(long))),
        Op::Increment(place, by, ttl) => Some(Op::Increment(place, by, ttl.map(long))),
        Op::Expire(place, ttl) => Some(Op::Expire(place, long(ttl))),
        Op::CompareAndSet(value, ttl) => Some(Op::CompareAndSet(value, ttl.map(long))),
        other => Some(other),
    };
    ops.into_iter().filter_map(steady).collect()
}

/// Random sequences of operations against the model; `subject` gives each something empty.
pub(crate) fn agrees_with_the_model(subject: impl Fn() -> Subject) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = model::Config { failure_persistence: None, ..model::Config::default() };
    let cases = config.cases;
    let checked = TestRunner::new(config).run(&model::sequences().prop_map(without_time), |ops| {
        runtime.block_on(model::play(&subject(), &ops)).map_err(TestCaseError::fail)
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    println!("{cases} sequences agree");
}
