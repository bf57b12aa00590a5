//! Two tiers stay coherent in one process: whatever races, fails or is dropped, the near tier holds nothing older than the
//! far one, and nothing for longer. Calls stop at gates of the store, so every interleaving here is chosen and none waits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/scripted.rs"]
mod scripted;

use std::time::Duration;

use scripted::{Act, Gate, Scripted};
use scrubjay::{
    Cache, Clock, ErrorKind, KeyLayout, Lookup, Memory, Operation, QualifiedKey, Result, Source, far::MemoryStore,
    serializer::Json,
};
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);

struct Tiers {
    clock: Clock,
    store: Scripted,
    near: Memory<u32>,
    cache: Cache<u32>,
    /// Over the same store, as another process sees it.
    elsewhere: Cache<u32>,
}

fn tiers() -> Tiers {
    let clock = Clock::manual();
    let near = Memory::builder().clock(clock.clone()).build();
    let store = Scripted::new(MemoryStore::new(Memory::builder().clock(clock.clone()).build()));
    let far = || Cache::builder().far(store.clone()).serializer(Json);
    let cache = far().near(near.clone()).near_ttl(SECOND * 5).build().unwrap();
    let elsewhere = far().build().unwrap();
    Tiers { clock, store, near, cache, elsewhere }
}

impl Tiers {
    /// A `get` that has read the store and stops with the answer in hand.
    async fn get_with_answer_in_hand(&self, operation: Operation) -> (Gate, Reading) {
        let gate = Gate::new();
        self.store.next(operation, Act::StopAfter(gate.clone()));
        let reading = Reading::start(self.cache.clone(), operation);
        gate.reached().await;
        (gate, reading)
    }

    fn held(&self) -> Option<u32> {
        self.near.get("key")
    }
}

struct Reading(JoinSet<Option<u32>>);

impl Reading {
    fn start(cache: Cache<u32>, operation: Operation) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            match operation {
                Operation::Get => cache.get("key").await.unwrap(),
                Operation::Lookup => cache.lookup("key").await.unwrap().into_value(),
                _ => cache.get_many(["key", "other"]).await.unwrap().remove(0),
            }
        });
        Self(tasks)
    }

    async fn end(mut self) -> Option<u32> {
        self.0.join_next().await.unwrap().unwrap()
    }
}

/// Every verb that changes an entry, as something to be raced against.
type Change = fn(Cache<u32>) -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>>;

macro_rules! changes {
    ($($verb:ident => |$cache:ident| $request:expr;)*) => {
        [$((Operation::$verb, (|$cache| Box::pin(async move { $request.await.map(drop) })) as Change)),*]
    };
}

fn changes() -> [(Operation, Change); 8] {
    changes! {
        Set => |cache| cache.set("key", 2);
        SetMany => |cache| cache.set_many([("key", 2), ("other", 3)]);
        Increment => |cache| cache.increment("key", 1);
        Expire => |cache| cache.expire("key", SECOND);
        Delete => |cache| cache.delete("key");
        DeleteMany => |cache| cache.delete_many(["other", "key"]);
        Clear => |cache| cache.clear();
        ClearServer => |cache| cache.clear_server();
    }
}

#[tokio::test]
async fn a_read_that_raced_a_change_does_not_fill_the_near_tier() {
    for reading_verb in [Operation::Get, Operation::Lookup, Operation::GetMany] {
        for (changing_verb, change) in changes() {
            let tiers = tiers();
            tiers.elsewhere.set("key", 1).await.unwrap();
            let (gate, reading) = tiers.get_with_answer_in_hand(reading_verb).await;
            change(tiers.cache.clone()).await.unwrap();
            let after = tiers.held();
            gate.open();
            assert_eq!(reading.end().await, Some(1), "the reader gets what it read");
            assert_eq!(tiers.held(), after, "{reading_verb} filled in what it read before {changing_verb}");
            assert_eq!(tiers.cache.get("key").await.unwrap(), tiers.elsewhere.get("key").await.unwrap());
        }
    }
}

#[tokio::test]
async fn a_read_during_a_change_leaves_nothing_older_behind() {
    for (changing_verb, change) in changes() {
        let tiers = tiers();
        tiers.elsewhere.set("key", 1).await.unwrap();
        let before_store = Gate::new();
        tiers.store.next(changing_verb, Act::StopBefore(before_store.clone()));
        let mut changing = JoinSet::new();
        changing.spawn(change(tiers.cache.clone()));
        before_store.reached().await;
        // One read ends while the change is under way, another has its answer in hand when the change ends.
        assert_eq!(tiers.cache.get("key").await.unwrap(), Some(1));
        tiers.near.delete("key");
        let (in_hand, reading) = tiers.get_with_answer_in_hand(Operation::Get).await;
        before_store.open();
        changing.join_next().await.unwrap().unwrap().unwrap();
        in_hand.open();
        reading.end().await;
        let (near, far) = (tiers.cache.get("key").await.unwrap(), tiers.elsewhere.get("key").await.unwrap());
        assert_eq!(near, far, "after {changing_verb}");
    }
}

#[tokio::test]
async fn a_change_that_is_dropped_leaves_nothing_stale() {
    for (changing_verb, change) in changes() {
        for stops_after in [false, true] {
            let tiers = tiers();
            tiers.cache.set("key", 1).await.unwrap();
            assert_eq!(tiers.held(), Some(1));
            let gate = Gate::new();
            let act = if stops_after { Act::StopAfter(gate.clone()) } else { Act::StopBefore(gate.clone()) };
            tiers.store.next(changing_verb, act);
            let mut changing = JoinSet::new();
            changing.spawn(change(tiers.cache.clone()));
            gate.reached().await;
            changing.shutdown().await;
            assert_eq!(tiers.held(), None, "{changing_verb} was dropped, and may have been carried out");
            let (near, far) = (tiers.cache.get("key").await.unwrap(), tiers.elsewhere.get("key").await.unwrap());
            assert_eq!(near, far, "after a dropped {changing_verb}");
        }
    }
}

#[tokio::test]
async fn a_change_that_fails_removes_the_near_entry() {
    for (changing_verb, change) in changes() {
        for act in [Act::Fail, Act::LoseAnswer] {
            let tiers = tiers();
            tiers.cache.set("key", 1).await.unwrap();
            tiers.store.next(changing_verb, act);
            let error = change(tiers.cache.clone()).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout), "{error}");
            assert_eq!(tiers.held(), None, "{changing_verb} failed, and may have been carried out");
            let (near, far) = (tiers.cache.get("key").await.unwrap(), tiers.elsewhere.get("key").await.unwrap());
            assert_eq!(near, far, "after a failed {changing_verb}");
        }
    }
}

#[tokio::test]
async fn two_sets_that_race_leave_what_the_store_has() {
    for first_ends_first in [true, false] {
        let tiers = tiers();
        let (one, two) = (Gate::new(), Gate::new());
        // The first is carried out before the second; their answers come in either order.
        tiers.store.next(Operation::Set, Act::StopAfter(one.clone()));
        tiers.store.next(Operation::Set, Act::StopAfter(two.clone()));
        let mut setting = JoinSet::new();
        for (gate, value) in [(&one, 1), (&two, 2)] {
            let cache = tiers.cache.clone();
            setting.spawn(async move { cache.set("key", value).await });
            gate.reached().await;
        }
        let order = if first_ends_first { [one, two] } else { [two, one] };
        for gate in order {
            gate.open();
            setting.join_next().await.unwrap().unwrap().unwrap();
        }
        assert_eq!(tiers.cache.get("key").await.unwrap(), Some(2));
        assert_eq!(tiers.elsewhere.get("key").await.unwrap(), Some(2));
    }
}

#[tokio::test]
async fn the_near_ttl_bounds_what_others_wrote() {
    let tiers = tiers();
    tiers.cache.set("key", 1).await.unwrap();
    tiers.elsewhere.set("key", 2).await.unwrap();
    assert_eq!(tiers.cache.get("key").await.unwrap(), Some(1), "stale within the near ttl");
    assert!(tiers.cache.exists("key").await.unwrap());
    assert_eq!(tiers.cache.get_for_update("key").await.unwrap().value, Some(2), "but no decision is made on it");
    assert_eq!(tiers.cache.increment("key", 1).await.unwrap(), 3);
    tiers.elsewhere.set("key", 4).await.unwrap();
    assert_eq!(tiers.cache.get("key").await.unwrap(), Some(4), "an increment leaves no near entry");
    tiers.elsewhere.set("key", 5).await.unwrap();
    tiers.clock.advance(SECOND * 5);
    assert_eq!(tiers.cache.get("key").await.unwrap(), Some(5), "no longer than the near ttl");
}

#[tokio::test]
async fn a_back_fill_keeps_the_remaining_ttl_and_no_fresh_one() {
    let tiers = tiers();
    tiers.elsewhere.set("key", 1).ttl(SECOND * 3).await.unwrap();
    tiers.clock.advance(SECOND * 2);
    assert_eq!(tiers.cache.get("key").await.unwrap(), Some(1));
    match tiers.cache.lookup("key").await.unwrap() {
        Lookup::Fresh { source, ttl, .. } => assert_eq!((source, ttl), (Source::Near, Some(SECOND))),
        other => panic!("expected a near hit, found {other:?}"),
    }
    tiers.clock.advance(SECOND);
    assert_eq!(tiers.cache.get("key").await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_that_took_long_does_not_prolong_a_life() {
    let tiers = tiers();
    tiers.elsewhere.set("key", 1).ttl(SECOND * 3).await.unwrap();
    for verb in [Operation::Get, Operation::GetMany] {
        tiers.elsewhere.set("key", 1).ttl(SECOND * 3).await.unwrap();
        let (gate, reading) = tiers.get_with_answer_in_hand(verb).await;
        tiers.clock.advance(SECOND * 2);
        gate.open();
        assert_eq!(reading.end().await, Some(1));
        tiers.clock.advance(SECOND);
        assert_eq!(tiers.cache.get("key").await.unwrap(), None, "{verb} filled in a life counted from its answer");
    }

    let gate = Gate::new();
    tiers.store.next(Operation::Set, Act::StopAfter(gate.clone()));
    let cache = tiers.cache.clone();
    let mut setting = JoinSet::new();
    setting.spawn(async move { cache.set("key", 1).ttl(SECOND * 3).await });
    gate.reached().await;
    tiers.clock.advance(SECOND * 2);
    gate.open();
    setting.join_next().await.unwrap().unwrap().unwrap();
    tiers.clock.advance(SECOND);
    assert_eq!(tiers.cache.get("key").await.unwrap(), None, "set counted the near life from its answer");
}

/// Without a namespace a cache sees the store's keys, those of others' namespaces too.
#[tokio::test]
async fn a_change_under_another_name_of_the_same_wire_key_is_seen() {
    for namespace in ["main", "a:b", "é"] {
        let tiers = tiers();
        let wire = KeyLayout::Namespaced.wire(QualifiedKey { namespace, key: "b:key" }).into_owned();
        let named = || tiers.cache.get("b:key").namespace(namespace);
        tiers.cache.set(&wire, 1).await.unwrap();
        assert_eq!((named().await.unwrap(), tiers.cache.get(&wire).await.unwrap()), (Some(1), Some(1)));
        tiers.cache.set("b:key", 2).namespace(namespace).await.unwrap();
        assert_eq!((named().await.unwrap(), tiers.cache.get(&wire).await.unwrap()), (Some(2), Some(2)));
        assert!(tiers.cache.delete(&wire).await.unwrap());
        assert_eq!((named().await.unwrap(), tiers.cache.get(&wire).await.unwrap()), (None, None));
        tiers.cache.set(&wire, 3).await.unwrap();
        tiers.cache.clear().namespace(namespace).await.unwrap();
        assert_eq!((named().await.unwrap(), tiers.cache.get(&wire).await.unwrap()), (None, None));
    }
}

#[tokio::test]
async fn a_batch_asks_the_store_for_what_the_near_tier_has_not() {
    let tiers = tiers();
    tiers.cache.set("near", 1).await.unwrap();
    tiers.elsewhere.set_many([("near", 9), ("far", 2)]).await.unwrap();
    assert_eq!(
        tiers.cache.get_many(["far", "near", "absent", "far"]).await.unwrap(),
        [Some(2), Some(1), None, Some(2)]
    );
    tiers.store.next(Operation::GetMany, Act::Fail);
    assert_eq!(tiers.cache.get_many(["near", "far"]).await.unwrap(), [Some(1), Some(2)], "both are near now");
}

/// A load that has found a value in the store and stops with it in hand.
async fn load_with_answer_in_hand(tiers: &Tiers) -> (Gate, JoinSet<u32>) {
    let (gate, cache, mut tasks) = (Gate::new(), tiers.cache.clone(), JoinSet::new());
    tiers.store.next(Operation::Get, Act::StopAfter(gate.clone()));
    tasks.spawn(async move { cache.get_or_load("key", || async { Ok::<_, scrubjay::Error>(9) }).await.unwrap() });
    gate.reached().await;
    (gate, tasks)
}

#[tokio::test]
async fn what_a_load_found_before_or_during_a_change_does_not_fill_the_near_tier() {
    let tiers = tiers();
    tiers.elsewhere.set("key", 1).await.unwrap();
    let (gate, mut load) = load_with_answer_in_hand(&tiers).await;
    tiers.cache.set("key", 2).await.unwrap();
    gate.open();
    assert_eq!(load.join_next().await.unwrap().unwrap(), 1, "it was asked for before");
    assert_eq!(tiers.held(), Some(2));

    let (writing, cache, mut change) = (Gate::new(), tiers.cache.clone(), JoinSet::new());
    tiers.store.next(Operation::Set, Act::StopBefore(writing.clone()));
    change.spawn(async move { cache.set("key", 3).await.unwrap() });
    writing.reached().await;
    let (gate, mut load) = load_with_answer_in_hand(&tiers).await;
    writing.open();
    change.join_next().await.unwrap().unwrap();
    gate.open();
    assert_eq!(load.join_next().await.unwrap().unwrap(), 2, "the change was not over");
    assert_eq!(tiers.held(), Some(3));
}
