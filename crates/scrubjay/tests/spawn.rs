//! Requests are awaited in spawned tasks, which the compiler refuses if a request is `Send` for its own lifetime only.

use std::time::Duration;

use scrubjay::{Cache, Result, Ttl, far::Token};
use tokio::task::JoinSet;

#[tokio::test]
async fn every_verb_can_be_awaited_in_a_spawned_task() {
    let cache = Cache::<i64>::from_url("memory://?serializer=json&namespace=main").unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(every_verb(cache, "key".to_owned()));
    tasks.join_all().await.into_iter().collect::<Result<()>>().unwrap();
}

async fn every_verb(cache: Cache<i64>, key: String) -> Result<()> {
    cache.set(&key, 1).ttl(Ttl::Never).await?;
    cache.set_many([(key.as_str(), 1)]).namespace(&key).await?;
    cache.add(&*key, 1).timeout(Duration::from_secs(1)).await?;
    cache.get(key.clone()).await?;
    cache.get_many([&key]).await?;
    cache.lookup(&key).await?;
    cache.exists(&key).await?;
    cache.ttl(&key).await?;
    cache.expire(&key, Duration::from_secs(1)).await?;
    cache.increment(&key, 2).await?;
    cache.get_for_update(&key).await?;
    cache.compare_and_set(&key, 1, Token::Absent).await?;
    cache.delete(&key).await?;
    cache.delete_many([&key]).await?;
    cache.raw(["PING"]).await?;
    cache.clear().await?;
    cache.clear_server().await?;
    let (a, b) = tokio::join!(cache.get(&key), cache.get_many([&key]));
    assert_eq!(vec![a?], b?);
    tokio::select! {
        set = cache.set(&key, 1) => set?,
        () = std::future::pending() => {}
    }
    cache.close().await
}

#[test]
#[should_panic(expected = "polled after it had answered")]
fn a_request_that_has_answered_must_not_be_polled_again() {
    let cache = Cache::<u32>::memory();
    let mut request = std::pin::pin!(cache.get("key"));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(request.as_mut().poll(&mut context).is_ready());
    let _ = request.as_mut().poll(&mut context);
}
