//! A lease on a name, which one holder has at a time, and an optimistic lock on an entry, which notices a change.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod common;

use std::time::Duration;

use scrubjay::{Cache, ErrorKind, Result};

const HOLD: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let cache = Cache::from_url(&common::cache_url("memory://"))?;
    with_async(&cache)?;
    without(&cache)?;
    println!("one holder at a time, and no change overwritten");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn with_async(cache: &Cache<u32>) -> Result<()> {
    let first = cache.lock("import", HOLD).await?;
    let refused = cache.lock("import", HOLD).within(Duration::ZERO).await;
    assert_eq!(refused.err().map(|error| error.kind()), Some(ErrorKind::Timeout));
    let token = first.fencing_token();
    assert!(first.release().await?);
    let second = cache.lock("import", HOLD).await?;
    assert!(second.fencing_token() > token);
    assert!(second.release().await?);

    let (mine, yours) = (cache.optimistic_lock("stock").await?, cache.optimistic_lock("stock").await?);
    yours.cas(1).await?;
    assert_eq!(mine.cas(2).await.err().map(|error| error.kind()), Some(ErrorKind::Conflict));
    Ok(())
}

fn without(cache: &Cache<u32>) -> Result<()> {
    let cache = cache.blocking();
    let guard = cache.with().within(Duration::from_secs(5)).lock("import", HOLD)?;
    assert!(guard.release()?);
    let stock = cache.optimistic_lock("stock")?;
    assert_eq!(stock.value(), Some(&1));
    stock.cas(3)?;
    assert_eq!(cache.get("stock")?, Some(3));
    Ok(())
}
