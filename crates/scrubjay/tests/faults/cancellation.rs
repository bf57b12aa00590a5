//! Callers that go away.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::{task::JoinSet, time::timeout};

use super::{SEED, Target, cache_at, fill, sees};

pub(crate) async fn a_storm_of_cancellations_leaves_no_foreign_value_and_no_extra_connection<T: Target>() {
    const TASKS: u64 = 64;
    const EACH: u64 = 3_300;
    let server = T::start();
    let cache = Arc::new(cache_at(&server.url()));
    fill(&cache, 100).await;
    let [answered, dropped] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (cache, answered, dropped) = (Arc::clone(&cache), Arc::clone(&answered), Arc::clone(&dropped));
        tasks.spawn(async move {
            let state = AtomicU64::new(SEED + task * 7919);
            for _ in 0..EACH {
                let key = format!("key{}", random(&state) % 100);
                let chance = random(&state);
                let foreign = format!("value of {key}");
                match random(&state) % 4 {
                    0 => match cut(chance, cache.set(&*key, foreign)).await {
                        Some(answer) => answer.map(|()| answered.fetch_add(1, Ordering::Relaxed)).unwrap(),
                        None => dropped.fetch_add(1, Ordering::Relaxed),
                    },
                    1 => {
                        let keys = [&*key, "key7"];
                        match cut(chance, cache.get_many(keys)).await {
                            Some(values) => {
                                assert_eq!(values.unwrap(), [Some(foreign), Some("value of key7".into())]);
                                answered.fetch_add(1, Ordering::Relaxed)
                            }
                            None => dropped.fetch_add(1, Ordering::Relaxed),
                        }
                    }
                    _ => match cut(chance, cache.get(&*key)).await {
                        Some(value) => {
                            assert_eq!(value.unwrap(), Some(foreign));
                            answered.fetch_add(1, Ordering::Relaxed)
                        }
                        None => dropped.fetch_add(1, Ordering::Relaxed),
                    },
                };
            }
        });
    }
    tasks.join_all().await;
    let (answered, dropped) = (answered.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed));
    let connections = sees(&server, 1..=1);
    println!(
        "seed {SEED:#x}: {} operations, {dropped} cut, {answered} answered, 0 foreign, {connections} connection",
        answered + dropped
    );
    assert!(answered + dropped >= 200_000 && dropped > 10_000 && answered > 10_000);
}

/// What `call` answers, unless chance has it dropped: one in three as soon as it waits, the others after a while.
async fn cut<T>(chance: u64, call: impl Future<Output = T>) -> Option<T> {
    let (mut call, mut polls) = (pin!(call), if chance.is_multiple_of(3) { 1 } else { u64::MAX });
    let cut_short = poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => {
            polls -= 1;
            if polls == 0 { Poll::Ready(None) } else { Poll::Pending }
        }
    });
    timeout(Duration::from_micros(chance / 3 % 400), cut_short).await.ok().flatten()
}

pub(crate) async fn every_future_can_be_dropped_at_each_await_point<T: Target>() {
    let server = T::start();
    let mut dropped = 0;
    for warm in [false, true] {
        for verb in 0..10 {
            for polls in 0..12 {
                let cache = cache_at(&format!("{}?pool=2", server.url()));
                if warm {
                    cache.get("warm").await.unwrap();
                }
                fill(&cache, 3).await;
                let done = {
                    let cache = &cache;
                    let mut future: Pin<Box<dyn Future<Output = ()> + Send>> = match verb {
                        0 => Box::pin(async { drop(cache.get("key0").await.unwrap()) }),
                        1 => Box::pin(async { drop(cache.get_many(["key0", "key1"]).await.unwrap()) }),
                        2 => Box::pin(async { cache.set("x", "x".into()).await.unwrap() }),
                        3 => Box::pin(async {
                            cache
                                .set_many([("x", "x".to_owned()), ("y", "y".into())])
                                .ttl(Duration::from_secs(9))
                                .await
                                .unwrap();
                        }),
                        4 => Box::pin(async { assert!(cache.add("x", "x".into()).await.is_ok()) }),
                        5 => Box::pin(async { assert!(cache.delete("x").await.is_ok()) }),
                        6 => Box::pin(async { drop(cache.get_for_update("key0").await.unwrap()) }),
                        7 => Box::pin(async { assert!(cache.expire("key2", Duration::from_secs(9)).await.is_ok()) }),
                        8 => Box::pin(async { assert!(cache.increment("n", 1).await.is_ok()) }),
                        // A store may be unable to; then it says so at once.
                        _ => Box::pin(async { drop(cache.clear().namespace("elsewhere").await) }),
                    };
                    polled(polls, future.as_mut()).await.is_some()
                };
                dropped += usize::from(!done);
                for n in 0..2 {
                    assert_eq!(
                        cache.get(format!("key{n}")).await.unwrap(),
                        Some(format!("value of key{n}")),
                        "verb {verb}"
                    );
                }
            }
        }
    }
    println!("{dropped} futures dropped midway, 0 foreign values");
    assert!(dropped > 30);
}

/// Polls `future` at most `polls` times, waiting for its wake-up in between, and drops it.
async fn polled<T>(polls: usize, mut future: Pin<&mut (dyn Future<Output = T> + Send)>) -> Option<T> {
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// A small generator of numbers that look random: xorshift.
fn random(state: &AtomicU64) -> u64 {
    let mut x = state.load(Ordering::Relaxed);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    state.store(x, Ordering::Relaxed);
    x
}
