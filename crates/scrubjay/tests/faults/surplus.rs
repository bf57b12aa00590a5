//! Replies too many, and too few.

use std::{sync::Arc, time::Duration};

use scrubjay::ErrorKind;
use scrubjay_testkit::proxy::{Fault, Stroke};
use tokio::task::JoinSet;

use super::{Target, behind, fill};

pub(crate) async fn a_surplus_reply_gives_no_wrong_answer<T: Target>() {
    let server = T::start();
    let (proxy, cache) = behind(&server);
    let cache = Arc::new(cache);
    fill(&cache, 100).await;
    let mut checked = 0;
    for round in 0..200 {
        // In flight: 20 callers at once while the surplus arrives.
        let mut tasks = JoinSet::new();
        for task in 0..20 {
            let cache = Arc::clone(&cache);
            tasks.spawn(async move {
                for n in 0..20 {
                    let key = format!("key{}", (task * 5 + n) % 100);
                    // A surplus closes the connection: who was on it may be told so, but never told something else.
                    match cache.get(&*key).await {
                        Ok(value) => assert_eq!(value, Some(format!("value of {key}"))),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Connection, "{error}"),
                    }
                }
                20
            });
        }
        proxy.strike(Stroke::Surplus(T::SURPLUS.into()));
        checked += tasks.join_all().await.into_iter().sum::<usize>();
        // At rest, then at once a question.
        if round % 4 == 0 {
            proxy.strike(Stroke::Surplus(T::SURPLUS.into()));
            assert_eq!(cache.get("key1").await.unwrap().as_deref(), Some("value of key1"));
        }
    }
    println!("{checked} answers around 250 surplus replies, 0 wrong; {} connections made", proxy.connections());
    assert!(proxy.connections() > 100);
}

pub(crate) async fn a_surplus_after_every_reply_or_no_reply_gives_no_wrong_answer<T: Target>() {
    let server = T::start();
    let (proxy, cache) = behind(&server);
    fill(&cache, 10).await;
    proxy.inject(Fault::Surplus { bytes: T::SURPLUS.into() });
    // Where a reply can be proved alone, it stands.
    match cache.get("key1").await {
        Ok(value) => assert_eq!(value.as_deref(), Some("value of key1")),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Connection, "{error}"),
    }
    proxy.heal();
    assert_eq!(cache.get("key1").await.unwrap().as_deref(), Some("value of key1"));
    proxy.inject(Fault::Swallow);
    let error = cache.get("key1").timeout(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    proxy.heal();
    assert_eq!(cache.get("key1").await.unwrap().as_deref(), Some("value of key1"));
}
