//! `add`: set if absent.

use scrubjay::Result;
use serde_json::{Value, json};

use super::requests::concurrently;
use crate::Subject;

/// The first `add` writes, the second does not.
pub async fn add_writes_only_where_nothing_stands(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    assert!(cache.add("key", json!(1)).await?);
    assert!(!cache.add("key", json!(2)).await?);
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    assert!(cache.delete("key").await?);
    assert!(cache.add("key", json!(3)).await?);
    assert_eq!(cache.get("key").await?, Some(json!(3)));
    Ok(())
}

/// An `add` that loses changes nothing, the ttl included.
pub async fn add_leaves_the_ttl_of_what_stands_there(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).ttl(subject.grain() * 2).await?;
    assert!(!cache.add("key", json!(2)).ttl(subject.grain() * 50).await?);
    assert!(!cache.add("key", json!(2)).await?);
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get("key").await?, None);
    Ok(())
}

/// An `add` that wins writes with the ttl it was given.
pub async fn add_takes_the_ttl_of_the_call(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    assert!(cache.add("key", json!(1)).ttl(subject.grain() * 2).await?);
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get("key").await?, None);
    Ok(())
}

/// An expired entry does not stand in the way, and its deadline is not inherited.
pub async fn add_wins_over_an_expired_entry(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).ttl(subject.grain()).await?;
    assert!(!cache.add("key", json!(2)).await?);
    subject.advance(subject.grain()).await;
    assert!(cache.add("key", json!(3)).await?);
    subject.advance(subject.grain() * 2).await;
    assert_eq!(cache.get("key").await?, Some(json!(3)));
    Ok(())
}

/// A null is an entry.
pub async fn add_sees_a_stored_null(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    assert!(cache.add("key", Value::Null).await?);
    assert!(!cache.add("key", json!(1)).await?);
    assert_eq!(cache.get("key").await?, Some(Value::Null));
    Ok(())
}

/// However many try at once, one is told that it wrote, and its value stands.
pub async fn one_of_a_hundred_concurrent_adds_wins(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let added = concurrently(100, &cache, |cache, number| async move { cache.add("key", json!(number)).await });
    let winners: Vec<usize> = added.await?.into_iter().filter(|(_, added)| *added).map(|(number, _)| number).collect();
    assert_eq!(winners.len(), 1, "these were told that they won: {winners:?}");
    assert_eq!(cache.get("key").await?, Some(json!(winners[0])));
    Ok(())
}
