//! `get_for_update` and `compare_and_set`: writing only what has not changed since it was read.

use scrubjay::{Result, far::Token};
use serde_json::json;

use super::requests::concurrently;
use crate::Subject;

/// Nothing came between: the write happens.
pub async fn compare_and_set_writes_what_has_not_changed(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    let current = cache.get_for_update("key").await?;
    assert_eq!(current.value, Some(json!(1)));
    // Reading is no change.
    cache.get("key").await?;
    cache.exists("key").await?;
    assert!(cache.compare_and_set("key", json!(2), current.token).await?);
    assert_eq!(cache.get("key").await?, Some(json!(2)));
    Ok(())
}

/// Somebody wrote meanwhile: the write does not happen, and the next try with a new token does.
pub async fn compare_and_set_refuses_after_a_change(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    let current = cache.get_for_update("key").await?;
    cache.set("key", json!(2)).await?;
    assert!(!cache.compare_and_set("key", json!(3), current.token).await?);
    assert_eq!(cache.get("key").await?, Some(json!(2)));
    let current = cache.get_for_update("key").await?;
    assert_eq!(current.value, Some(json!(2)));
    assert!(cache.compare_and_set("key", json!(3), current.token).await?);
    assert_eq!(cache.get("key").await?, Some(json!(3)));
    Ok(())
}

/// What was removed is not brought back.
pub async fn compare_and_set_refuses_after_a_delete(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    let current = cache.get_for_update("key").await?;
    cache.delete("key").await?;
    assert!(!cache.compare_and_set("key", json!(2), current.token).await?);
    assert!(!cache.exists("key").await?);
    Ok(())
}

/// Nor is what has expired.
pub async fn compare_and_set_refuses_after_expiry(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).ttl(subject.grain()).await?;
    let current = cache.get_for_update("key").await?;
    subject.advance(subject.grain()).await;
    assert!(!cache.compare_and_set("key", json!(2), current.token).await?);
    assert_eq!(cache.get("key").await?, None);
    Ok(())
}

/// Absence is a state that can be compared: the write is then an `add`.
pub async fn the_token_of_an_absent_entry_creates_it_once(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let first = cache.get_for_update("key").await?;
    assert_eq!((first.value, &first.token), (None, &Token::Absent));
    assert!(cache.compare_and_set("key", json!(1), first.token.clone()).await?);
    assert!(!cache.compare_and_set("key", json!(2), first.token).await?);
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    Ok(())
}

/// A write is a change too.
pub async fn a_token_is_good_for_one_write(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    let current = cache.get_for_update("key").await?;
    assert!(cache.compare_and_set("key", json!(2), current.token.clone()).await?);
    assert!(!cache.compare_and_set("key", json!(3), current.token).await?);
    assert_eq!(cache.get("key").await?, Some(json!(2)));
    Ok(())
}

/// A to B to A is a change to a store that keeps versions, and none to one that compares bytes.
pub async fn a_value_that_went_and_came_back_is_told_by_its_version(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!("a")).await?;
    let current = cache.get_for_update("key").await?;
    cache.set("key", json!("b")).await?;
    cache.set("key", json!("a")).await?;
    let by_bytes = matches!(current.token, Token::Value(_));
    assert_eq!(cache.compare_and_set("key", json!("c"), current.token).await?, by_bytes);

    cache.set("key", json!("a")).await?;
    let current = cache.get_for_update("key").await?;
    cache.delete("key").await?;
    cache.add("key", json!("a")).await?;
    assert_eq!(cache.compare_and_set("key", json!("c"), current.token).await?, by_bytes);
    Ok(())
}

/// A write by comparison has the ttl it was given, not the one that stood there.
pub async fn compare_and_set_takes_the_ttl_of_the_call(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("timed", json!(1)).await?;
    let current = cache.get_for_update("timed").await?;
    assert!(cache.compare_and_set("timed", json!(2), current.token).ttl(subject.grain()).await?);
    cache.set("permanent", json!(1)).ttl(subject.grain()).await?;
    let current = cache.get_for_update("permanent").await?;
    assert!(cache.compare_and_set("permanent", json!(2), current.token).await?);
    assert_eq!(cache.get_many(["timed", "permanent"]).await?, [Some(json!(2)), Some(json!(2))]);
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get_many(["timed", "permanent"]).await?, [None, Some(json!(2))]);
    Ok(())
}

/// Of several writers with one token, one writes.
pub async fn one_of_ten_concurrent_writers_wins(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!("start")).await?;
    let token = cache.get_for_update("key").await?.token;
    let writing = concurrently(10, &cache, |cache, number| {
        let token = token.clone();
        async move { cache.compare_and_set("key", json!(number), token).await }
    });
    let winners: Vec<usize> = writing.await?.into_iter().filter(|(_, won)| *won).map(|(number, _)| number).collect();
    assert_eq!(winners.len(), 1, "these were told that they won: {winners:?}");
    assert_eq!(cache.get("key").await?, Some(json!(winners[0])));
    Ok(())
}
