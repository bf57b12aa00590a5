//! The cache is chosen at each call, by the arguments: a tenant each, and none for guests.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};

use scrubjay::{Cache, Error, Result, cached};

static RUNS: AtomicU32 = AtomicU32::new(0);

struct Tenant {
    cache: Option<Cache<String>>,
}

#[cached(cache = tenant.cache, skip(tenant), ttl = "10s")]
async fn greeting(tenant: &Tenant, name: &str) -> Result<String, Error> {
    RUNS.fetch_add(1, Ordering::Relaxed);
    Ok(format!("hello, {name}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = common::cache_url("memory://");
    let tenant = |namespace: &str| -> Result<Tenant> {
        let cache = Cache::builder().codecs(scrubjay::Codecs::serde()).url(&url)?.namespace(namespace).build()?;
        Ok(Tenant { cache: Some(cache) })
    };
    let (one, other, guest) = (tenant("one")?, tenant("other")?, Tenant { cache: None });
    for tenant in [&one, &other] {
        greeting::purge(tenant, "jay").await?;
    }
    for tenant in [&one, &one, &other, &other, &guest, &guest] {
        assert_eq!(greeting(tenant, "jay").await?, "hello, jay");
    }
    assert_eq!(RUNS.load(Ordering::Relaxed), 4, "once for each tenant, and at each call of a guest");
    println!("6 calls, 4 runs: tenants share nothing, guests keep nothing");
    Ok(())
}
