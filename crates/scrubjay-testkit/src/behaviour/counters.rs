//! `increment`: counters that nobody loses.

use scrubjay::{ErrorKind, Result};
use serde_json::{Value, json};

use super::{fails_as, requests::concurrently};
use crate::Subject;

/// The first increment creates the counter.
pub async fn an_absent_counter_is_zero(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    assert_eq!(cache.increment("one", 1).await?, 1);
    assert_eq!(cache.increment("five", 5).await?, 5);
    assert_eq!(cache.increment("minus", -5).await?, -5);
    assert_eq!(cache.increment("zero", 0).await?, 0);
    assert!(cache.exists("zero").await?);
    Ok(())
}

/// Up, down, through zero, and by nothing.
pub async fn increment_adds_any_number(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    for (by, after) in [(1, 1), (10, 11), (-12, -1), (0, -1), (1, 0), (-9, -9), (99, 90), (-81, 9)] {
        assert_eq!(cache.increment("key", by).await?, after);
    }
    Ok(())
}

/// `get` sees what `increment` answered, each time.
pub async fn a_counter_reads_back_as_a_value(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    for by in [7, -3, -10, 100] {
        let after = cache.increment("key", by).await?;
        assert_eq!(cache.get("key").await?, Some(json!(after)));
        assert_eq!(cache.get_many(["key"]).await?, [Some(json!(after))]);
    }
    Ok(())
}

/// A number that `set` wrote is a counter.
pub async fn a_number_that_was_set_counts_on(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    for number in [5, 0, -7, i64::MAX - 1, i64::MIN] {
        cache.set("key", json!(number)).await?;
        assert_eq!(cache.get("key").await?, Some(json!(number)));
        assert_eq!(cache.increment("key", 1).await?, number + 1);
        assert_eq!(cache.get("key").await?, Some(json!(number + 1)));
    }
    Ok(())
}

/// Counting does not prolong a life, nor does the ttl of a later call.
pub async fn increment_keeps_the_ttl(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let grain = subject.grain();
    cache.set("timed", json!(1)).ttl(grain * 2).await?;
    cache.set("permanent", json!(1)).await?;
    for key in ["timed", "permanent"] {
        assert_eq!(cache.increment(key, 1).ttl(grain * 50).await?, 2);
        assert_eq!(cache.increment(key, 1).ttl(grain).await?, 3);
    }
    subject.advance(grain).await;
    assert_eq!(cache.get("timed").await?, Some(json!(3)));
    subject.advance(grain).await;
    assert_eq!(cache.get("timed").await?, None);
    subject.advance(subject.a_long_time()).await;
    assert_eq!(cache.get("permanent").await?, Some(json!(3)));
    Ok(())
}

/// The ttl of the call that creates a counter is the counter's; without one it is the cache's.
pub async fn a_created_counter_takes_the_ttl(subject: &Subject) -> Result<()> {
    let cache = subject.builder().ttl(subject.grain() * 3).build()?;
    cache.increment("call", 1).ttl(subject.grain()).await?;
    cache.increment("cache", 1).await?;
    assert_eq!(cache.get_many(["call", "cache"]).await?, [Some(json!(1)), Some(json!(1))]);
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get_many(["call", "cache"]).await?, [None, Some(json!(1))]);
    subject.advance(subject.grain() * 2).await;
    assert_eq!(cache.get_many(["call", "cache"]).await?, [None, None]);
    Ok(())
}

/// An expired counter is an absent one: it starts from zero and with its own ttl.
pub async fn an_expired_counter_starts_again(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.increment("key", 41).ttl(subject.grain()).await?;
    subject.advance(subject.grain()).await;
    assert_eq!(cache.increment("key", 1).await?, 1);
    subject.advance(subject.grain() * 2).await;
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    Ok(())
}

/// Text, fractions, truths, nothings and collections do not count, and stay as they are.
pub async fn what_is_no_number_is_refused_and_kept(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let no_numbers =
        [json!("text"), json!("5"), json!(1.5), json!(true), Value::Null, json!([1]), json!({}), json!(u64::MAX)];
    for value in no_numbers {
        cache.set("key", value.clone()).await?;
        let error = fails_as(ErrorKind::NotANumber, cache.increment("key", 1).await);
        assert_eq!(error.key(), Some("key"));
        assert_eq!(cache.get("key").await?, Some(value));
    }
    Ok(())
}

/// Both ends of the range are errors and leave the counter; it still counts the other way.
pub async fn a_counter_stays_in_range(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    for (end, by) in [(i64::MAX, 1), (i64::MIN, -1), (i64::MAX, i64::MAX), (i64::MIN, i64::MIN)] {
        cache.set("key", json!(end)).await?;
        fails_as(ErrorKind::Overflow, cache.increment("key", by).await);
        assert_eq!(cache.get("key").await?, Some(json!(end)));
        assert_eq!(cache.increment("key", -by.signum()).await?, end - by.signum());
    }
    Ok(())
}

/// Five hundred increments by ten tasks are five hundred.
pub async fn concurrent_increments_are_all_counted(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let counting = concurrently(10, &cache, |cache, _| async move {
        for _ in 0..50 {
            cache.increment("key", 1).await?;
        }
        Ok(())
    });
    counting.await?;
    assert_eq!(cache.get("key").await?, Some(json!(500)));
    Ok(())
}
