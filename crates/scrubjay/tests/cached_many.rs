//! `#[cached_many]`: the function sees what is missing, once each, and its callers see everything.

#![cfg(feature = "macros")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use scrubjay::{Cache, Error, ErrorKind, cached, cached_many};

/// What each call of a function was asked for.
static ASKED: Mutex<Vec<(&str, Vec<u64>)>> = Mutex::new(Vec::new());

fn asked(function: &'static str, ids: &[u64]) {
    ASKED.lock().push((function, ids.to_vec()));
}

fn asked_of(function: &str) -> Vec<Vec<u64>> {
    ASKED.lock().iter().filter(|(name, _)| *name == function).map(|(_, ids)| ids.clone()).collect()
}

#[cached_many(ttl = "10s", key = "name:{id}")]
async fn names(ids: &[u64]) -> Result<HashMap<u64, String>, Error> {
    asked("names", ids);
    Ok(ids.iter().filter(|id| **id < 100).map(|id| (*id, format!("name {id}"))).collect())
}

#[cached_many(key = "shared:{id}")]
async fn shared_names(ids: &[u64]) -> Result<HashMap<u64, String>, Error> {
    Ok(ids.iter().map(|id| (*id, format!("name {id}"))).collect())
}

#[cached(key = "shared:{number}")]
async fn name(number: u64) -> Result<String, Error> {
    asked("name", &[number]);
    Ok(String::new())
}

#[cached_many(keys = "ids", skip(pool))]
fn squares(pool: &str, ids: Vec<u64>, power: u32) -> BTreeMap<u64, u64> {
    asked("squares", &ids);
    let _ = pool;
    ids.into_iter().map(|id| (id, id.pow(power))).collect()
}

#[cached_many]
async fn failing(ids: &[u64]) -> Result<HashMap<u64, u64>, Error> {
    asked("failing", ids);
    Err(Error::new(ErrorKind::Server, "no origin"))
}

struct Service(Cache<u64>);

impl Service {
    #[cached_many(cache = self.0)]
    async fn doubles(&self, ids: &[u64]) -> HashMap<u64, u64> {
        asked("doubles", ids);
        ids.iter().map(|id| (*id, id * 2)).collect()
    }
}

#[tokio::test]
async fn only_what_is_missing_is_asked_for_once_each() {
    let found = names(&[1, 2, 2, 200]).await.unwrap();
    assert_eq!(found, HashMap::from([(1, "name 1".to_owned()), (2, "name 2".to_owned())]));
    let found = names(&[3, 1, 2]).await.unwrap();
    assert_eq!(found.len(), 3);
    assert_eq!(asked_of("names"), [vec![1, 2, 200], vec![3]]);
    assert_eq!(names::purge(&[1, 5]).await.unwrap(), 1);
    names(&[1, 2]).await.unwrap();
    assert_eq!(asked_of("names")[2], [1]);
}

#[tokio::test]
async fn a_key_of_the_same_form_is_the_same_entry() {
    shared_names(&[77]).await.unwrap();
    assert_eq!(name(77).await.unwrap(), "name 77");
    assert_eq!(asked_of("name"), Vec::<Vec<u64>>::new());
}

#[test]
fn other_arguments_are_part_of_the_key() {
    assert_eq!(squares("pool", vec![2, 3], 2), BTreeMap::from([(2, 4), (3, 9)]));
    assert_eq!(squares("other", vec![2, 3, 4], 2), BTreeMap::from([(2, 4), (3, 9), (4, 16)]));
    assert_eq!(squares("pool", vec![2], 3), BTreeMap::from([(2, 8)]));
    assert_eq!(asked_of("squares"), [vec![2, 3], vec![4], vec![2]]);
    assert_eq!(squares("pool", Vec::new(), 2), BTreeMap::new());
}

#[tokio::test]
async fn a_failure_is_the_callers() {
    assert_eq!(failing(&[1, 2]).await.unwrap_err().kind(), ErrorKind::Server);
    assert_eq!(asked_of("failing"), [[1, 2]]);
}

#[tokio::test]
async fn methods_of_many_keep_values_where_the_object_says() {
    let service = Service(Cache::memory());
    for _ in 0..2 {
        assert_eq!(service.doubles(&[4, 5]).await, HashMap::from([(4, 8), (5, 10)]));
    }
    assert_eq!(asked_of("doubles"), [[4, 5]]);
    assert_eq!(service.doubles_purge(&[4, 5, 6]).await.unwrap(), 2);
}

/// Every option of `#[cached]`, each id for itself.
mod options {
    use std::{
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use scrubjay::{Clock, Memory};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    static HELD: LazyLock<(Clock, Cache<u64>)> = LazyLock::new(|| {
        let clock = Clock::manual();
        let near = Memory::builder().clock(clock.clone()).build();
        (clock.clone(), Cache::builder().near(near).clock(clock).build().unwrap())
    });

    fn same(function: &'static str, ids: &[u64]) -> HashMap<u64, u64> {
        asked(function, ids);
        ids.iter().map(|id| (*id, *id)).collect()
    }

    #[cached_many(unless = |value| *value == 0, when = |value| *value < 10)]
    fn conditional(ids: &[u64]) -> HashMap<u64, u64> {
        same("conditional", ids)
    }

    #[cached_many(single_flight = false, unless = |value| *value == 0)]
    async fn each_for_itself(ids: &[u64]) -> HashMap<u64, u64> {
        same("each_for_itself", ids)
    }

    #[tokio::test]
    async fn conditions_look_at_each_value() {
        for _ in 0..2 {
            assert_eq!(conditional(&[0, 1, 10]).len(), 3);
            assert_eq!(each_for_itself(&[0, 1, 1, 10]).await, HashMap::from([(0, 0), (1, 1), (10, 10)]));
        }
        assert_eq!(asked_of("conditional"), [vec![0, 1, 10], vec![0, 10]]);
        assert_eq!(asked_of("each_for_itself"), [vec![0, 1, 10], vec![0]]);
    }

    #[cached_many(cache = HELD.1, ttl = |value| SECOND * u32::try_from(*value).unwrap(), namespace = "lasting")]
    async fn lasting(ids: &[u64]) -> HashMap<u64, u64> {
        same("lasting", ids)
    }

    #[cached_many(cache = HELD.1, negative_ttl = "7s")]
    async fn remembered(ids: &[u64]) -> HashMap<u64, u64> {
        asked("remembered", ids);
        HashMap::new()
    }

    #[cached_many]
    async fn maybe(ids: &[u64]) -> Result<HashMap<u64, Option<u64>>, Error> {
        asked("maybe", ids);
        Ok(ids.iter().map(|id| (*id, id.checked_sub(5))).collect())
    }

    #[cached_many(none = "value")]
    async fn maybe_a_value(ids: &[u64]) -> Result<HashMap<u64, Option<u64>>, Error> {
        asked("maybe_a_value", ids);
        Ok(ids.iter().map(|id| (*id, id.checked_sub(5))).collect())
    }

    // One test, since they share a clock.
    #[tokio::test]
    async fn each_id_has_a_ttl_and_an_absence_of_its_own() {
        for (round, pause) in [0, 6, 6].into_iter().enumerate() {
            HELD.0.advance(SECOND * pause);
            assert_eq!(lasting(&[5, 10]).await.len(), 2, "round {round}");
            assert_eq!(remembered(&[1]).await.len(), 0, "round {round}");
        }
        assert_eq!(asked_of("lasting"), [vec![5, 10], vec![5], vec![5, 10]]);
        assert_eq!(asked_of("remembered"), [[1], [1]]);
        lasting::clear().await.unwrap();
        assert_eq!(lasting::peek(&[5, 10]).await.unwrap(), HashMap::new());
    }

    #[tokio::test]
    async fn none_is_no_value_or_one() {
        for _ in 0..2 {
            assert_eq!(maybe(&[1, 6]).await.unwrap(), HashMap::from([(1, None), (6, Some(1))]));
            assert_eq!(maybe_a_value(&[1, 6]).await.unwrap(), HashMap::from([(1, None), (6, Some(1))]));
        }
        assert_eq!(asked_of("maybe"), [vec![1, 6], vec![1]]);
        assert_eq!(asked_of("maybe_a_value"), [vec![1, 6]]);
        assert_eq!(maybe::peek(&[1, 6, 7]).await.unwrap(), HashMap::from([(6, Some(1))]));
    }

    static VERSION: AtomicU64 = AtomicU64::new(1);

    #[cached_many(keys = "ids", skip(anew), refresh = anew)]
    async fn versioned(ids: &[u64], anew: bool) -> BTreeMap<u64, u64> {
        asked("versioned", ids);
        ids.iter().map(|id| (*id, id * 10 + VERSION.load(Ordering::SeqCst))).collect()
    }

    #[cached_many(keys = "ids", skip(anew), refresh = anew, if_absent)]
    fn first_stays(ids: &[u64], anew: bool) -> BTreeMap<u64, u64> {
        asked("first_stays", ids);
        ids.iter().map(|id| (*id, id * 10 + VERSION.load(Ordering::SeqCst))).collect()
    }

    #[tokio::test]
    async fn a_refresh_calls_for_all_and_if_absent_keeps_what_stands() {
        assert_eq!(versioned(&[1, 2], false).await, BTreeMap::from([(1, 11), (2, 21)]));
        assert_eq!(first_stays(&[1], false), BTreeMap::from([(1, 11)]));
        VERSION.store(2, Ordering::SeqCst);
        assert_eq!(versioned(&[1, 2], false).await, BTreeMap::from([(1, 11), (2, 21)]));
        assert_eq!(versioned(&[1], true).await, BTreeMap::from([(1, 12)]));
        assert_eq!(versioned::refresh(&[2, 3], false).await, BTreeMap::from([(2, 22), (3, 32)]));
        assert_eq!(versioned::peek(&[1, 2, 3, 4], false).await.unwrap(), BTreeMap::from([(1, 12), (2, 22), (3, 32)]));
        assert_eq!(versioned::uncached(&[1], false).await, BTreeMap::from([(1, 12)]));
        assert_eq!(first_stays(&[1, 2], true), BTreeMap::from([(1, 12), (2, 22)]));
        assert_eq!(first_stays::peek(&[1, 2], false).unwrap(), BTreeMap::from([(1, 11), (2, 22)]));
        assert_eq!(versioned::key(&3, false).unwrap(), "cached_many::options::versioned(3u64)");
        assert_eq!(names::key(&3).unwrap(), "name:3");
    }

    struct Loose;

    impl Loose {
        #[cached_many(companions = none, skip(self), keys = "ids")]
        async fn alone(&self, mut ids: Vec<u64>, by: u64) -> Result<HashMap<u64, u64>, Error> {
            asked("alone", &ids);
            ids.retain(|id| *id > 0);
            if ids.is_empty() {
                return Ok(HashMap::new());
            }
            Ok(ids.into_iter().map(|id| (id, id * by)).collect())
        }
    }

    #[tokio::test]
    async fn a_function_of_many_may_stand_alone() {
        for _ in 0..2 {
            assert_eq!(Loose.alone(vec![0, 2], 3).await.unwrap(), HashMap::from([(2, 6)]));
        }
        assert_eq!(asked_of("alone"), [vec![0, 2], vec![0]]);
    }
}
