//! The behaviour suite on every backend that needs no server, and on one that somebody else might have written.

mod common;

use std::time::Duration;

use common::Shelf;
use scrubjay::{
    Cache, Clock, Memory,
    far::{
        AnyStore, DummyStore, MemoryStore,
        layer::{Breaker, Layer, Limit, Retry, Timeout},
    },
};
use scrubjay_testkit::{Subject, behaviour_tests};

behaviour_tests!(near, Subject::near(memory(Clock::manual())));
behaviour_tests!(far, with_clock(|clock| Subject::far(store(clock.clone()), clock)));
behaviour_tests!(two_tiers, with_clock(|clock| Subject::two_tiers(memory(clock.clone()), store(clock))));
behaviour_tests!(layered, with_clock(|clock| Subject::far(layered(store(clock.clone())), clock)));
behaviour_tests!(dummy, Subject::far(DummyStore, Clock::manual()));
behaviour_tests!(foreign, with_clock(|clock| Subject::far(Shelf::shared(clock.clone()), clock)));
behaviour_tests!(least_foreign, with_clock(|clock| Subject::far(Shelf::least(clock.clone()), clock)));
behaviour_tests!(near_and_foreign, with_clock(|clock| Subject::two_tiers(memory(clock.clone()), Shelf::shared(clock))));
behaviour_tests!(
    near_and_least_foreign,
    with_clock(|clock| { Subject::two_tiers(memory(clock.clone()), Shelf::least(clock)) })
);

fn with_clock(subject: impl FnOnce(Clock) -> Subject) -> Subject {
    subject(Clock::manual())
}

fn memory<V: Send + Sync + 'static>(clock: Clock) -> Memory<V> {
    Memory::builder().clock(clock).build()
}

fn store(clock: Clock) -> MemoryStore {
    MemoryStore::new(memory(clock))
}

/// In the order in which they do most good.
fn layered(store: MemoryStore) -> AnyStore {
    let store = Timeout::new().wrap(store.into());
    let store = Limit::new().wrap(store);
    Retry::default().wrap(Breaker::default().wrap(store))
}

/// The suite's values are JSON, which has a null of its own; a type without one has `Option`.
#[tokio::test]
async fn a_stored_none_is_not_a_miss() {
    for url in ["memory://", "memory://?serializer=json", "memory://?serializer=json&near=100"] {
        let cache = Cache::<Option<String>>::from_url(url).unwrap();
        cache.set("none", None).await.unwrap();
        cache.set("some", Some("text".to_owned())).ttl(Duration::from_secs(60)).await.unwrap();
        assert_eq!(cache.get("none").await.unwrap(), Some(None), "{url}");
        assert_eq!(
            cache.get_many(["some", "none", "absent"]).await.unwrap(),
            [Some(Some("text".to_owned())), Some(None), None]
        );
    }
}
