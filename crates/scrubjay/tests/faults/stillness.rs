//! Servers and networks that say nothing, or late.

use std::{sync::Arc, time::Duration};

use scrubjay::Cache;
use scrubjay_testkit::proxy::{Fault, FaultProxy};
use tokio::task::JoinSet;

use super::{SEED, Target, at, behind, cache_at, now};

pub(crate) async fn a_stopped_server_and_a_black_hole_cost_no_more_than_the_deadline<T: Target>() {
    let server = T::start();
    let deadline = Duration::from_millis(300);
    let (proxy, cache) = behind(&server);
    let cache = Arc::new(cache);
    cache.get("key1").await.unwrap();
    for (name, begin, end) in [
        (
            "black hole",
            (|_, proxy| proxy.inject(Fault::BlackHole)) as fn(&T, &FaultProxy),
            (|_, proxy| proxy.heal()) as fn(&T, &FaultProxy),
        ),
        ("SIGSTOP", |server, _| server.pause(), |server, _| server.resume()),
    ] {
        begin(&server, &proxy);
        let warm = longest_overrun(&cache, deadline).await;
        let later = longest_overrun(&cache, deadline).await;
        let cold = longest_overrun(&Arc::new(cache_at(&at::<T>(proxy.address()))), deadline).await;
        end(&server, &proxy);
        let began = now();
        cache.get("key1").await.unwrap();
        println!("{name}: overrun {warm:?} warm, {later:?} later, {cold:?} cold; healed in {:?}", began.elapsed());
        assert!(warm.max(later).max(cold) <= Duration::from_millis(50));
    }
}

pub(crate) async fn a_slow_but_living_server_keeps_its_connection<T: Target>() {
    let server = T::start();
    let (proxy, cache) = behind(&server);
    cache.set("key", "value".into()).await.unwrap();
    proxy.inject(Fault::Latency { base: Duration::from_millis(120), jitter: Duration::ZERO, seed: SEED });
    let slow = cache.get("key").timeout(Duration::from_millis(60));
    let (slow, patient) = tokio::join!(slow, async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        cache.get("key").await
    });
    println!("slow: {slow:?}");
    assert_eq!(patient.unwrap().as_deref(), Some("value"));
}

/// Calls of every verb in a row and at once; the longest overrun of their deadlines.
async fn longest_overrun(cache: &Arc<Cache<String>>, deadline: Duration) -> Duration {
    let mut tasks = JoinSet::new();
    for n in 0..40 {
        let cache = Arc::clone(cache);
        tasks.spawn(async move {
            let began = now();
            let answer = match n % 4 {
                0 => cache.get("key1").timeout(deadline).await.map(drop),
                1 => cache.set("key1", "x".repeat(20_000)).timeout(deadline).await,
                2 => cache.delete("absent").timeout(deadline).await.map(drop),
                _ => cache.get_many(["key1", "key2"]).timeout(deadline).await.map(drop),
            };
            assert!(answer.is_err());
            began.elapsed().saturating_sub(deadline)
        });
    }
    tasks.join_all().await.into_iter().max().unwrap()
}
