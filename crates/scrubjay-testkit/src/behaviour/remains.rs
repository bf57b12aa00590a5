//! What loads leave that is no live entry: a value past its ttl, the knowledge that there is none, a lease. To every verb but a
//! load, nothing stands there.

use std::{sync::Arc, time::Duration};

use scrubjay::{Cache, Error, Lookup, Outcome, Policy, Remaining, Result, far::Token};
use serde_json::{Value, json};
use tokio::{
    sync::{Barrier, Semaphore},
    task::JoinSet,
};

use crate::Subject;

/// Longer than any of these takes.
const LONG: Duration = Duration::from_secs(600);

/// One key for each verb, since some of them change what stands there.
const KEYS: [&str; 12] = [
    "exists",
    "ttl",
    "get",
    "get_many",
    "lookup",
    "expire",
    "delete",
    "delete_many",
    "add",
    "increment",
    "get_for_update",
    "compare_and_set",
];

/// A value that is kept beyond its ttl, for loads that fail.
pub async fn a_stale_value_is_gone_to_every_verb(subject: &Subject) -> Result<()> {
    let policy = Policy { grace: Some(LONG), ..Policy::default() };
    let cache = subject.builder().policy(policy).ttl(subject.grain()).build()?;
    for key in KEYS {
        cache.get_or_load(key, || async { Ok::<_, Error>(json!("stale")) }).await?;
    }
    subject.advance(subject.grain()).await;
    assert!(matches!(cache.lookup("lookup").await?, Lookup::Stale { .. }), "it is still there");
    reads_find_nothing(&subject.cache()?).await?;
    nothing_stands_there(&cache).await?;
    nothing_is_deleted(&cache).await
}

/// What a load has found not to be there.
pub async fn a_negative_entry_is_none_to_every_verb(subject: &Subject) -> Result<()> {
    let policy = Policy { negative_ttl: Some(LONG), ..Policy::default() };
    let cache = subject.builder().policy(policy).build()?;
    for key in KEYS {
        let found = cache.get_or_load_with(key, |_| async { Ok::<_, Error>(Outcome::NotFound) }).await?;
        assert_eq!(found, None);
    }
    assert!(matches!(cache.lookup("lookup").await?, Lookup::Negative { .. }), "it is known");
    reads_find_nothing(&subject.cache()?).await?;
    nothing_stands_there(&cache).await?;
    nothing_is_deleted(&cache).await
}

/// What somebody is loading is not there yet; and what is written meanwhile stays.
pub async fn a_lease_is_no_entry_to_any_verb(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    // Another cache over the same store, where there is one.
    let loader = if subject.store().is_some() { subject.cache()? } else { cache.clone() };
    let (begun, end) = (Arc::new(Barrier::new(KEYS.len() + 1)), Arc::new(Semaphore::new(0)));
    let mut loads = JoinSet::new();
    for key in KEYS {
        let (loader, begun, end) = (loader.clone(), Arc::clone(&begun), Arc::clone(&end));
        loads.spawn(async move {
            let load = async {
                begun.wait().await;
                // Closed when it may end.
                let _ = end.acquire().await;
                Ok::<_, Error>(json!("loaded"))
            };
            loader.get_or_load(key, || load).await
        });
    }
    begun.wait().await;
    nothing_stands_there(&cache).await?;
    let written = cache.get_many(KEYS).await?;
    cache.delete("delete").await?;
    cache.delete_many(["delete_many"]).await?;
    end.close();
    for loaded in loads.join_all().await {
        assert_eq!(loaded?, json!("loaded"));
    }
    for (key, written) in KEYS.into_iter().zip(written) {
        let untouched = ["exists", "ttl", "get", "get_many", "lookup"].contains(&key);
        let expected = if untouched { Some(json!("loaded")) } else { written };
        assert_eq!(cache.get(key).await?, expected, "{key}");
    }
    Ok(())
}

/// Whether or not the cache itself leaves such things.
async fn reads_find_nothing(cache: &Cache<Value>) -> Result<()> {
    assert!(!cache.exists("exists").await?);
    assert_eq!(cache.ttl("ttl").await?, Remaining::Absent);
    assert_eq!(cache.get("get").await?, None);
    assert_eq!(cache.get_many(["get_many", "absent", "get_many"]).await?, [None, None, None]);
    assert_eq!(cache.lookup("lookup").await?.into_value(), None);
    assert_eq!(cache.get_for_update("get_for_update").await?.value, None);
    Ok(())
}

async fn nothing_stands_there(cache: &Cache<Value>) -> Result<()> {
    reads_find_nothing(cache).await?;
    assert!(!cache.expire("expire", LONG).await?);
    assert_eq!(cache.get("expire").await?, None);
    assert!(cache.add("add", json!(1)).ttl(LONG).await?);
    assert_eq!(cache.get("add").await?, Some(json!(1)));
    assert_eq!(cache.increment("increment").by(5).ttl(LONG).await?, 5);
    assert_eq!(cache.get("increment").await?, Some(json!(5)));
    let current = cache.get_for_update("get_for_update").await?;
    assert_eq!(current.value, None);
    assert!(cache.compare_and_set("get_for_update", json!(1), current.token).ttl(LONG).await?);
    assert_eq!(cache.get("get_for_update").await?, Some(json!(1)));
    assert!(cache.compare_and_set("compare_and_set", json!(1), Token::Absent).ttl(LONG).await?);
    assert!(!cache.compare_and_set("compare_and_set", json!(2), Token::Absent).ttl(LONG).await?);
    assert_eq!(cache.get("compare_and_set").await?, Some(json!(1)));
    Ok(())
}

/// A cache that leaves such things tells them from entries when it deletes.
async fn nothing_is_deleted(cache: &Cache<Value>) -> Result<()> {
    assert!(!cache.delete("delete").await?);
    assert_eq!(cache.delete_many(["delete_many", "add", "delete_many", "add"]).await?, 1);
    assert!(cache.delete("increment").await?);
    for key in ["delete", "delete_many", "add", "increment"] {
        assert!(cache.lookup(key).await?.into_value().is_none());
        assert!(!cache.delete(key).await?);
    }
    Ok(())
}
