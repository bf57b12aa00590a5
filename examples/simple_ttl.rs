//! An entry with a ttl and one without; `--cache redis://localhost` keeps them on a server.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod common;

use std::time::Duration;

use scrubjay::{Cache, Remaining, Result, Ttl};

const TTL: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let cache = Cache::<String>::from_url(&common::cache_url("memory://?serializer=json"))?.blocking();
    cache.with().ttl(Ttl::Never).set("key", "value".into())?;
    cache.with().ttl(TTL).set("expire_me", "soon".into())?;
    assert_eq!(cache.get("key")?.as_deref(), Some("value"));
    assert!(matches!(cache.ttl("expire_me")?, Remaining::For(left) if left <= TTL));
    println!("{}", cache.info());
    Ok(())
}
