//! `#[cached_many]`: the function sees what is missing, once each, and its callers see everything.

#![cfg(feature = "macros")]

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
