//! `ttl` and `expire`: reading a life, and changing it.

use std::time::Duration;

use scrubjay::{Remaining, Result, Ttl};
use serde_json::json;

use crate::Subject;

/// `ttl` has three answers.
pub async fn ttl_tells_absent_never_and_remaining_apart(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    assert_eq!(cache.ttl("key").await?, Remaining::Absent);
    cache.set("key", json!(1)).await?;
    assert_eq!(cache.ttl("key").await?, Remaining::Never);
    cache.set("key", json!(1)).ttl(subject.grain() * 4).await?;
    subject.advance(subject.grain()).await;
    match cache.ttl("key").await? {
        Remaining::For(left) => {
            let grains = |count| subject.grain() * count;
            assert!(grains(2) < left && left <= grains(3), "{left:?} are left of four grains after one");
        }
        other => panic!("expected a remaining ttl, found {other:?}"),
    }
    assert!(cache.delete("key").await?);
    assert_eq!(cache.ttl("key").await?, Remaining::Absent);
    Ok(())
}

/// An expired entry has no ttl left, not one of zero.
pub async fn ttl_of_an_expired_entry_is_absent(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).ttl(subject.grain()).await?;
    subject.advance(subject.grain()).await;
    assert_eq!(cache.ttl("key").await?, Remaining::Absent);
    Ok(())
}

/// `expire` shortens a life, lengthens it, and gives one to a permanent entry; the value stays.
pub async fn expire_changes_the_ttl_and_keeps_the_value(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let grain = subject.grain();
    cache.set("shorter", json!(1)).ttl(grain * 20).await?;
    cache.set("longer", json!(2)).ttl(grain).await?;
    cache.set("permanent", json!(3)).await?;
    let keys = ["shorter", "longer", "permanent"];
    for key in keys {
        // Read once, so that a near tier has to be told too.
        assert!(cache.get(key).await?.is_some());
        assert!(cache.expire(key, grain * 3).await?);
    }
    subject.advance(grain * 2).await;
    assert_eq!(cache.get_many(keys).await?, [Some(json!(1)), Some(json!(2)), Some(json!(3))]);
    subject.advance(grain).await;
    assert_eq!(cache.get_many(keys).await?, [None, None, None]);
    Ok(())
}

/// `expire` with `Ttl::Never` takes the deadline away, although the cache has a ttl.
pub async fn expire_never_makes_an_entry_permanent(subject: &Subject) -> Result<()> {
    let cache = subject.builder().ttl(subject.grain() * 2).build()?;
    cache.set("key", json!(1)).await?;
    assert!(cache.expire("key", Ttl::Never).await?);
    assert_eq!(cache.ttl("key").await?, Remaining::Never);
    subject.advance(subject.a_long_time()).await;
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    Ok(())
}

/// There is nothing to give a ttl to, and nothing is made.
pub async fn expire_of_an_absent_key_is_false(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    assert!(!cache.expire("key", Duration::from_secs(60)).await?);
    assert!(!cache.expire("key", Ttl::Never).await?);
    assert!(!cache.exists("key").await?);
    Ok(())
}

/// What has expired does not come back.
pub async fn expire_of_an_expired_entry_is_false(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).ttl(subject.grain()).await?;
    subject.advance(subject.grain()).await;
    assert!(!cache.expire("key", Duration::from_secs(60)).await?);
    assert_eq!(cache.get("key").await?, None);
    Ok(())
}
