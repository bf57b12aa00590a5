//! `exists`, `delete`, `delete_many`: what stands there, and what stood there.

use scrubjay::Result;
use serde_json::json;

use super::requests::concurrently;
use crate::Subject;

/// `exists` follows what is written and removed.
pub async fn exists_tells_live_entries(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    assert!(!cache.exists("key").await?);
    cache.set("key", json!(1)).await?;
    assert!(cache.exists("key").await?);
    assert!(!cache.exists("other").await?);
    cache.delete("key").await?;
    assert!(!cache.exists("key").await?);
    Ok(())
}

/// The first `delete` found something, the second did not.
pub async fn delete_says_whether_a_live_entry_stood_there(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    assert!(!cache.delete("key").await?);
    cache.set_many([("key", json!(1)), ("other", json!(2))]).await?;
    assert!(cache.delete("key").await?);
    assert!(!cache.delete("key").await?);
    assert_eq!(cache.get_many(["key", "other"]).await?, [None, Some(json!(2))]);
    Ok(())
}

/// What has expired was not there.
pub async fn delete_of_an_expired_entry_is_false(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).ttl(subject.grain()).await?;
    subject.advance(subject.grain()).await;
    assert!(!cache.delete("key").await?);
    Ok(())
}

/// A batch counts each live entry once; absent keys, expired ones and duplicates count nothing.
pub async fn delete_many_counts_live_entries_once(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set_many([("a", json!(1)), ("b", json!(2)), ("kept", json!(3))]).await?;
    cache.set("expired", json!(4)).ttl(subject.grain()).await?;
    subject.advance(subject.grain()).await;
    assert_eq!(cache.delete_many(["a", "b", "a", "absent", "expired"]).await?, 2);
    assert_eq!(cache.get_many(["a", "b", "kept"]).await?, [None, None, Some(json!(3))]);
    assert_eq!(cache.delete_many(["a", "b"]).await?, 0);
    Ok(())
}

/// An empty batch does nothing.
pub async fn delete_many_of_nothing_is_zero(subject: &Subject) -> Result<()> {
    assert_eq!(subject.cache()?.delete_many(Vec::<String>::new()).await?, 0);
    Ok(())
}

/// Of several who remove one entry at once, one did.
pub async fn one_of_ten_concurrent_deletes_is_told_true(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    let deleted = concurrently(10, &cache, |cache, _| async move { cache.delete("key").await }).await?;
    assert_eq!(deleted.iter().filter(|(_, deleted)| *deleted).count(), 1);
    Ok(())
}
