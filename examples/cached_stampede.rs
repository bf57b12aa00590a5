//! A thousand callers of one missing key: the loader runs once, async and blocking.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod common;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use scrubjay::{Cache, Error, Result};
use tokio::task::JoinSet;

static LOADS: AtomicU32 = AtomicU32::new(0);

fn main() -> Result<()> {
    let cache = Cache::from_url(&common::cache_url("memory://"))?;
    with_async(&cache)?;
    assert_eq!(LOADS.swap(0, Ordering::Relaxed), 1);
    without(&cache)?;
    assert_eq!(LOADS.load(Ordering::Relaxed), 1);
    println!("1,000 tasks and 8 threads: one load for each key");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn with_async(cache: &Cache<u32>) -> Result<()> {
    cache.delete("answer").await?;
    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let cache = cache.clone();
        callers.spawn(async move {
            let load = || async {
                LOADS.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok::<_, Error>(42)
            };
            cache.get_or_load("answer", load).await
        });
    }
    for answer in callers.join_all().await {
        assert_eq!(answer?, 42);
    }
    Ok(())
}

fn without(cache: &Cache<u32>) -> Result<()> {
    let cache = cache.blocking();
    cache.delete("question")?;
    let load = || {
        LOADS.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Error>(6 * 9)
    };
    let answers = thread::scope(|scope| {
        let callers = [(); 8].map(|()| scope.spawn(|| cache.get_or_load("question", load)));
        callers.map(|caller| caller.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    for answer in answers {
        assert_eq!(answer?, 54);
    }
    Ok(())
}
