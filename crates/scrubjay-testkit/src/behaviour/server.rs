//! The backend itself: `clear_server`, `raw`, `close`.

use scrubjay::Result;
use serde_json::json;

use crate::Subject;

/// Whatever the namespace, nothing is left.
pub async fn clear_server_removes_everything(subject: &Subject) -> Result<()> {
    let cache = subject.builder().namespace("main").build()?;
    cache.set("key", json!(1)).await?;
    cache.set("key", json!(2)).namespace("").await?;
    cache.set("key", json!(3)).namespace("other").await?;
    cache.clear_server().await?;
    for namespace in ["main", "", "other"] {
        assert_eq!(cache.get("key").namespace(namespace).await?, None);
        assert!(!cache.exists("key").namespace(namespace).await?);
    }
    cache.set("key", json!(4)).await?;
    assert_eq!(cache.get("key").await?, Some(json!(4)));
    Ok(())
}

/// What the backend does not know is its error, and harms nobody.
pub async fn an_unknown_command_is_an_error(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    assert!(cache.raw(["no-such-command", "key"]).await.is_err());
    cache.set("key", json!(1)).await?;
    assert!(cache.raw(["no-such-command", "key"]).await.is_err());
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    Ok(())
}

/// `close` twice is fine, and a call after it finds what was there.
pub async fn close_is_idempotent_and_a_later_call_works(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.close().await?;
    cache.set("key", json!(1)).await?;
    cache.close().await?;
    cache.close().await?;
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    assert!(cache.exists("key").await?);
    Ok(())
}

/// Dropping or closing one clone takes nothing from another.
pub async fn a_dropped_cache_leaves_its_clones_working(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let clone = cache.clone();
    cache.set("key", json!(1)).await?;
    drop(cache);
    assert_eq!(clone.get("key").await?, Some(json!(1)));
    clone.clone().close().await?;
    assert_eq!(clone.get("key").await?, Some(json!(1)));
    Ok(())
}
