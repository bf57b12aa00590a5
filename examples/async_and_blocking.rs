//! The same cache with async and without: verbs are the same, options come after the verb or before it.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use scrubjay::{Cache, Remaining, Result};

const MINUTE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let cache = Cache::<String>::memory();
    with_async(&cache)?;
    without(&cache)?;
    println!("both faces saw the same entries of {}", cache.info());
    Ok(())
}

/// A verb is a future, on which options chain; nothing happens until it is awaited.
#[tokio::main(flavor = "current_thread")]
async fn with_async(cache: &Cache<String>) -> Result<()> {
    cache.set("jay", "blue".into()).ttl(MINUTE).await?;
    assert_eq!(cache.get("jay").await?.as_deref(), Some("blue"));

    // Requests are futures like any other: these two are under way together.
    let (jay, nobody) = tokio::join!(cache.get("jay"), cache.get("nobody").timeout(Duration::from_millis(50)));
    assert_eq!((jay?.as_deref(), nobody?), (Some("blue"), None));
    Ok(())
}

/// A verb is done when it returns, so options come first.
fn without(cache: &Cache<String>) -> Result<()> {
    let cache = cache.blocking();
    assert_eq!(cache.get("jay")?.as_deref(), Some("blue"));

    cache.with().ttl(MINUTE).set("crow", "black".into())?;
    assert!(matches!(cache.ttl("crow")?, Remaining::For(left) if left <= MINUTE));
    assert_eq!(cache.get_many(["crow", "nobody", "jay"])?, [Some("black".into()), None, Some("blue".into())]);
    Ok(())
}
