//! Functions behind the default cache: they run once for the same arguments, until they are purged.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};

use scrubjay::{Error, Recipe, Result, cached, caches};

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cached(ttl = "10s")]
async fn page(number: u32) -> Result<String, Error> {
    RUNS.fetch_add(1, Ordering::Relaxed);
    Ok(format!("page {number}"))
}

#[cached(ttl = "10s")]
fn page_blocking(number: u32) -> Result<String, Error> {
    RUNS.fetch_add(1, Ordering::Relaxed);
    Ok(format!("page {number}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // Without this the default cache is `memory://`.
    let recipe = Recipe::from_url(&common::cache_url("memory://"))?;
    caches::configure(caches::Config::new().alias(caches::DEFAULT, recipe))?;

    page::purge(1).await?;
    assert_eq!(page(1).await?, page(1).await?);
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
    assert!(page::purge(1).await?, "something was kept");
    assert_eq!(page::peek(1).await?, None);
    page(1).await?;
    assert_eq!(RUNS.swap(0, Ordering::Relaxed), 2);

    page_blocking::purge(1)?;
    assert_eq!(page_blocking(1)?, page_blocking(1)?);
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
    println!("each function ran once for two calls");
    Ok(())
}
