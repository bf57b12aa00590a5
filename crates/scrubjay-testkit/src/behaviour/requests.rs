//! Requests: lazy futures that can be joined, selected and dropped.

use std::{
    future::pending,
    pin::pin,
    task::{Context, Waker},
};

use scrubjay::{Cache, Result, requests::Get};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Subject;

/// A request that nobody awaits does nothing.
pub async fn a_request_does_nothing_until_it_is_awaited(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("stays", json!(1)).await?;
    drop(cache.set("key", json!(1)));
    drop(cache.add("key", json!(1)));
    drop(cache.set_many([("key", json!(1))]));
    drop(cache.increment("key", 1));
    drop(cache.delete("stays"));
    drop(cache.delete_many(["stays"]));
    drop(cache.clear_server());
    drop(cache.clear().namespace(""));
    let late = cache.set("stays", json!(2));
    assert_eq!(cache.get_many(["key", "stays"]).await?, [None, Some(json!(1))]);
    late.await?;
    assert_eq!(cache.get("stays").await?, Some(json!(2)));
    Ok(())
}

/// Requests are `Send` and `Unpin`, so that the macros of async programs take them as they are.
pub async fn requests_can_be_joined_and_selected(subject: &Subject) -> Result<()> {
    fn is_send_and_unpin(_: &(impl Send + Unpin)) {}
    let cache = subject.cache()?;
    let (a, b) = tokio::join!(cache.set("a", json!(1)), cache.set("b", json!(2)).ttl(subject.grain() * 50));
    a.and(b)?;
    let (a, b, both) = tokio::join!(cache.get("a"), cache.get("b"), cache.get_many(["a", "b"]));
    assert_eq!((a?, b?), (Some(json!(1)), Some(json!(2))));
    assert_eq!(both?, [Some(json!(1)), Some(json!(2))]);
    let mut request: Get<'_, Value> = cache.get("a");
    is_send_and_unpin(&request);
    tokio::select! {
        value = &mut request => assert_eq!(value?, Some(json!(1))),
        () = pending() => {}
    }
    Ok(())
}

/// Whatever was dropped after its first poll is carried out or not, also after what follows it, if that went by another
/// connection. What it did not touch is right either way, and what it did is nothing older, in both tiers.
pub async fn a_dropped_request_leaves_the_cache_in_step(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    for round in 0..20 {
        let key = &*format!("key-{round}");
        cache.set(key, json!("before")).await?;
        assert_eq!(cache.get(key).await?, Some(json!("before")));
        poll_once(cache.get(key));
        poll_once(cache.get_many([key, "other"]));
        poll_once(cache.exists(key));
        poll_once(cache.set(key, json!(round)));
        poll_once(cache.delete("other"));
        is_one_of(cache.get(key).await?.as_ref(), &[Some(json!("before")), Some(json!(round))]);
        cache.set(key, json!("after")).await?;
        for value in cache.get_many([key, key]).await? {
            is_one_of(value.as_ref(), &[Some(json!("after")), Some(json!(round))]);
        }
        poll_once(cache.delete(key));
        poll_once(cache.add(key, json!("added")));
        is_one_of(
            cache.get(key).await?.as_ref(),
            &[None, Some(json!("after")), Some(json!("added")), Some(json!(round))],
        );
        cache.delete(key).await?;
        is_one_of(cache.get(key).await?.as_ref(), &[None, Some(json!("added")), Some(json!(round))]);

        cache.set("steady", json!(["steady", round])).await?;
        assert_eq!(cache.get_many(["steady", "absent"]).await?, [Some(json!(["steady", round])), None]);
        assert!(cache.delete("steady").await?);
        assert_eq!(cache.get("steady").await?, None);
    }
    Ok(())
}

#[track_caller]
fn is_one_of(value: Option<&Value>, expected: &[Option<Value>]) {
    assert!(expected.iter().any(|expected| expected.as_ref() == value), "{value:?} is none of {expected:?}");
}

/// Clones see each other's writes, from any task.
pub async fn clones_share_everything(subject: &Subject) -> Result<()> {
    let cache = subject.builder().namespace("main").ttl(subject.grain() * 50).build()?;
    let written = concurrently(8, &cache, |cache, number| async move {
        cache.set(format!("key-{number}"), json!(number)).await?;
        cache.get(format!("key-{number}")).await
    });
    for (number, value) in written.await? {
        assert_eq!(value, Some(json!(number)));
        assert_eq!(cache.get(format!("key-{number}")).await?, Some(json!(number)));
    }
    Ok(())
}

fn poll_once(request: impl Future) {
    let _ = pin!(request).poll(&mut Context::from_waker(Waker::noop()));
}

/// What `count` tasks answer, each with its own clone of `cache` and its number.
pub(super) async fn concurrently<T, F>(
    count: usize,
    cache: &Cache<Value>,
    task: impl Fn(Cache<Value>, usize) -> F,
) -> Result<Vec<(usize, T)>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let answer = task(cache.clone(), number);
        tasks.spawn(async move { answer.await.map(|answer| (number, answer)) });
    }
    tasks.join_all().await.into_iter().collect()
}
