//! Locks: one holder at a time, freed by nobody else, and told apart by a number that only grows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use scrubjay::{Cache, ErrorKind, Operation, Result};
use serde_json::{Value, json};

use super::{fails_as, requests::concurrently};
use crate::Subject;

/// Longer than any of these takes.
const LONG: Duration = Duration::from_secs(60);

/// However many want a lock, one holds it at a time, and each has a higher number than those before.
pub async fn one_of_twenty_holds_a_lock_at_a_time(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let (inside, turn) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let holding = concurrently(20, &cache, |cache, _| {
        let (inside, turn) = (Arc::clone(&inside), Arc::clone(&turn));
        async move {
            let guard = cache.lock("key", LONG).within(LONG).await?;
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else holds it too");
            let turn = turn.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            inside.fetch_sub(1, Ordering::SeqCst);
            let number = guard.fencing_token();
            assert!(guard.release().await?, "it was held to the end");
            Ok((turn, number))
        }
    });
    let mut holders: Vec<(u32, i64)> = holding.await?.into_iter().map(|(_, holder)| holder).collect();
    holders.sort_unstable();
    assert!(holders.windows(2).all(|pair| pair[0].1 < pair[1].1), "turns and numbers: {holders:?}");
    assert_eq!(holders.len(), 20);
    Ok(())
}

/// Who does not get a lock is told so when its patience is over, and holds nothing.
pub async fn a_wait_for_a_lock_ends_with_its_patience(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let guard = cache.lock("key", LONG).await?;
    for patience in [Duration::ZERO, Duration::from_millis(50)] {
        let error = fails_as(ErrorKind::Timeout, cache.lock("key", LONG).within(patience).await);
        assert_eq!((error.operation(), error.key()), (Some(Operation::Lock), Some("key")));
    }
    assert!(cache.lock("another", LONG).within(Duration::ZERO).await?.release().await?);
    assert!(guard.release().await?);
    is_free(&cache).await
}

/// A lock whose time is over is free; the next holder has a higher number, and the last one can neither renew nor free it.
pub async fn a_lock_is_lost_when_its_time_is_over(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let mut first = cache.lock("key", subject.grain()).await?;
    subject.advance(subject.grain()).await;
    let second = cache.lock("key", LONG).within(Duration::ZERO).await?;
    assert!(second.fencing_token() > first.fencing_token());
    fails_as(ErrorKind::Conflict, first.renew().await);
    assert!(!first.release().await?, "it is another's by now");
    fails_as(ErrorKind::Timeout, cache.lock("key", LONG).within(Duration::ZERO).await);
    assert!(second.release().await?);
    is_free(&cache).await
}

/// Renewed in time it is held for another while.
pub async fn a_renewed_lock_is_held_on(subject: &Subject) -> Result<()> {
    let (cache, grain) = (subject.cache()?, subject.grain());
    let mut guard = cache.lock("key", grain * 3).await?;
    subject.advance(grain * 2).await;
    guard.renew().await?;
    subject.advance(grain * 2).await;
    fails_as(ErrorKind::Timeout, cache.lock("key", LONG).within(Duration::ZERO).await);
    assert!(guard.release().await?);
    is_free(&cache).await
}

/// Dropping a guard frees its lock, and nothing but the lock: the entry of that name is another thing.
pub async fn a_dropped_guard_frees_its_lock(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    let guard = cache.lock("key", LONG).await?;
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    assert!(cache.delete("key").await?);
    fails_as(ErrorKind::Timeout, cache.lock("key", LONG).within(Duration::ZERO).await);
    drop(guard);
    is_free(&cache).await
}

/// Clearing a namespace frees none of its locks.
pub async fn a_clear_frees_no_lock(subject: &Subject) -> Result<()> {
    let cache = subject.builder().namespace("main").build()?;
    let guard = cache.lock("key", LONG).await?;
    cache.set("key", json!(1)).await?;
    cache.clear().await?;
    assert_eq!(cache.get("key").await?, None);
    fails_as(ErrorKind::Timeout, cache.lock("key", LONG).within(Duration::ZERO).await);
    assert!(guard.release().await?);
    Ok(())
}

/// The same lock from either face, on a thread without a runtime and inside one.
pub async fn a_lock_is_the_same_without_async(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let guard = cache.lock("key", LONG).await?;
    let blocking = cache.blocking();
    fails_as(ErrorKind::Timeout, blocking.with().within(Duration::ZERO).lock("key", LONG));
    assert!(guard.release().await?);
    let elsewhere = thread::spawn(move || {
        let mut guard = blocking.with().within(LONG).lock("key", LONG)?;
        fails_as(ErrorKind::Timeout, blocking.with().within(Duration::from_millis(1)).lock("key", LONG));
        guard.renew()?;
        drop(guard);
        let again = blocking.with().within(Duration::ZERO).lock("key", LONG)?;
        assert!(again.release()?);
        blocking.optimistic_lock("entry")?.cas(json!(1))
    });
    elsewhere.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    assert_eq!(cache.get("entry").await?, Some(json!(1)));
    is_free(&cache).await
}

/// Of two who read an entry to change it, the second to write is told, and writes after reading again.
pub async fn of_two_optimists_one_is_told(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    let (mine, yours) = (cache.optimistic_lock("key").await?, cache.optimistic_lock("key").await?);
    assert_eq!((mine.value(), yours.value()), (Some(&json!(1)), Some(&json!(1))));
    yours.cas(json!(2)).await?;
    let error = fails_as(ErrorKind::Conflict, mine.cas(json!(3)).await);
    assert_eq!(error.key(), Some("key"));
    assert_eq!(cache.get("key").await?, Some(json!(2)));
    let again = cache.optimistic_lock("key").await?;
    assert_eq!(again.value(), Some(&json!(2)));
    again.ttl(subject.grain()).cas(json!(3)).await?;
    assert_eq!(cache.get("key").await?, Some(json!(3)));
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get("key").await?, None, "the ttl of the write");
    Ok(())
}

/// Takes the lock of `key` and lets it go. A dropped guard is released on the side, so that may take a moment.
async fn is_free(cache: &Cache<Value>) -> Result<()> {
    let guard = cache.lock("key", LONG).within(Duration::from_secs(10)).await?;
    assert!(guard.release().await?);
    Ok(())
}
