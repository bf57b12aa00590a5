//! Ttls: how long an entry lives, and where that is said.

use std::time::Duration;

use scrubjay::{ErrorKind, Lookup, MissReason, Result, Ttl, far::Token};
use serde_json::json;

use super::fails_as;
use crate::Subject;

/// Nobody said how long: the entry outlives a year.
pub async fn without_a_ttl_an_entry_lives_on(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    cache.add("added", json!(2)).await?;
    cache.set_many([("batched", json!(3))]).await?;
    subject.advance(subject.a_long_time()).await;
    assert_eq!(cache.get_many(["key", "added", "batched"]).await?, [Some(json!(1)), Some(json!(2)), Some(json!(3))]);
    Ok(())
}

/// Live until the deadline, gone with it.
pub async fn an_entry_expires_at_its_deadline_and_not_before(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    for grains in [1, 3] {
        cache.set("key", json!(1)).ttl(subject.grain() * (grains + 1)).await?;
        subject.advance(subject.grain() * grains).await;
        assert_eq!(cache.get("key").await?, Some(json!(1)), "live before the deadline");
        subject.advance(subject.grain()).await;
        assert_eq!(cache.get("key").await?, None, "gone at the deadline");
    }
    Ok(())
}

/// No reading verb sees an entry past its deadline.
pub async fn an_expired_entry_is_absent_to_every_reading_verb(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).ttl(subject.grain()).await?;
    subject.advance(subject.grain()).await;
    assert!(!cache.exists("key").await?);
    assert_eq!(cache.get("key").await?, None);
    assert_eq!(cache.get_many(["key", "key"]).await?, [None, None]);
    let found = cache.lookup("key").await?;
    assert!(matches!(found, Lookup::Miss(MissReason::Absent)), "{found:?}");
    Ok(())
}

/// A ttl between two steps of the store's resolution lives to the later one.
pub async fn a_ttl_is_rounded_up_and_never_down(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let step = subject.grain();
    // Late in the second step, so that on a real clock there is time to look after the first.
    cache.set("key", json!(1)).ttl(step + step * 3 / 4).await?;
    subject.advance(step).await;
    assert_eq!(cache.get("key").await?, Some(json!(1)), "not cut to one step");
    subject.advance(step).await;
    assert_eq!(cache.get("key").await?, None, "not kept beyond the second step");
    Ok(())
}

/// A nanosecond is rounded up or kept, but it does not mean for ever.
pub async fn the_shortest_ttl_is_a_ttl(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).ttl(Duration::from_nanos(1)).await?;
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get("key").await?, None);
    Ok(())
}

/// A hundred years do not overflow into the past, nor do the 30 days over which a ttl is a date to some servers.
pub async fn the_longest_ttl_is_a_ttl(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    for days in [25, 31, 100 * 365] {
        let ttl = Duration::from_secs(days * 24 * 60 * 60);
        cache.set("key", json!(days)).ttl(ttl).await?;
        subject.advance(subject.grain()).await;
        assert_eq!(cache.get("key").await?, Some(json!(days)));
        assert!(cache.exists("key").await?);
    }
    Ok(())
}

/// A cache's ttl is for the calls that bring none, of every writing verb.
pub async fn the_cache_s_ttl_applies_where_the_call_has_none(subject: &Subject) -> Result<()> {
    let cache = subject.builder().ttl(subject.grain() * 2).build()?;
    cache.set("set", json!(1)).await?;
    cache.add("add", json!(1)).await?;
    cache.set_many([("set_many", json!(1))]).await?;
    let keys = ["set", "add", "set_many"];
    subject.advance(subject.grain()).await;
    assert!(cache.get_many(keys).await?.iter().all(Option::is_some));
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get_many(keys).await?, [None, None, None]);
    Ok(())
}

/// A call's ttl may be shorter or longer than the cache's.
pub async fn the_call_s_ttl_wins_over_the_cache_s(subject: &Subject) -> Result<()> {
    let cache = subject.builder().ttl(subject.grain() * 2).build()?;
    cache.set("shorter", json!(1)).ttl(subject.grain()).await?;
    cache.set("longer", json!(1)).ttl(subject.grain() * 3).await?;
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get("shorter").await?, None);
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get("longer").await?, Some(json!(1)));
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get("longer").await?, None);
    Ok(())
}

/// `Ttl::Never` says it although the cache has a ttl.
pub async fn never_on_a_call_overrides_the_cache_s_ttl(subject: &Subject) -> Result<()> {
    let cache = subject.builder().ttl(subject.grain()).build()?;
    cache.set("set", json!(1)).ttl(Ttl::Never).await?;
    cache.add("add", json!(1)).ttl(Ttl::Never).await?;
    cache.set_many([("set_many", json!(1))]).ttl(Ttl::Never).await?;
    subject.advance(subject.a_long_time()).await;
    assert!(cache.get_many(["set", "add", "set_many"]).await?.iter().all(Option::is_some));
    Ok(())
}

/// What is set anew has the new ttl, or none.
pub async fn a_second_set_starts_a_new_life(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("kept", json!(1)).ttl(subject.grain()).await?;
    cache.set("kept", json!(2)).await?;
    cache.set("timed", json!(1)).await?;
    cache.set("timed", json!(2)).ttl(subject.grain()).await?;
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get_many(["kept", "timed"]).await?, [Some(json!(2)), None]);
    Ok(())
}

/// Zero means neither "never" nor "at once": it is an error, and nothing is written.
pub async fn a_ttl_of_zero_is_refused_by_every_verb(subject: &Subject) -> Result<()> {
    refuse(subject, Duration::ZERO).await
}

/// So it is as a cache's ttl.
pub async fn a_ttl_of_zero_is_refused_by_the_builder(subject: &Subject) -> Result<()> {
    fails_as(ErrorKind::InvalidTtl, subject.builder().ttl(Duration::ZERO).build());
    fails_as(ErrorKind::InvalidTtl, subject.builder().ttl(Duration::MAX).build());
    Ok(())
}

/// A ttl that overflows every clock is an error, not a wrapped one.
pub async fn an_absurd_ttl_is_refused(subject: &Subject) -> Result<()> {
    refuse(subject, Duration::MAX).await
}

async fn refuse(subject: &Subject, ttl: Duration) -> Result<()> {
    let cache = subject.cache()?;
    fails_as(ErrorKind::InvalidTtl, cache.set("key", json!(1)).ttl(ttl).await);
    fails_as(ErrorKind::InvalidTtl, cache.set_many([("key", json!(1))]).ttl(ttl).await);
    fails_as(ErrorKind::InvalidTtl, cache.add("key", json!(1)).ttl(ttl).await);
    fails_as(ErrorKind::InvalidTtl, cache.increment("key").ttl(ttl).await);
    fails_as(ErrorKind::InvalidTtl, cache.expire("key", ttl).await);
    fails_as(ErrorKind::InvalidTtl, cache.compare_and_set("key", json!(1), Token::Absent).ttl(ttl).await);
    assert_eq!(cache.get("key").await?, None);
    Ok(())
}
