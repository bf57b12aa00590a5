//! A function of many ids behind a cache: it sees the ids that are missing, once each.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod common;

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use scrubjay::{Cache, Error, Recipe, Result, cached_many, caches};

static ASKED: AtomicUsize = AtomicUsize::new(0);

#[cached_many(ttl = "10s")]
async fn squares(numbers: &[u64]) -> Result<HashMap<u64, u64>, Error> {
    ASKED.fetch_add(numbers.len(), Ordering::Relaxed);
    Ok(numbers.iter().map(|number| (*number, number * number)).collect())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = common::cache_url("memory://");
    caches::configure(caches::Config::new().alias(caches::DEFAULT, Recipe::from_url(&url)?))?;
    squares::purge(&[1, 2, 3]).await?;

    assert_eq!(squares(&[1, 2, 2]).await?, HashMap::from([(1, 1), (2, 4)]));
    assert_eq!(squares(&[2, 3]).await?, HashMap::from([(2, 4), (3, 9)]));
    assert_eq!(ASKED.load(Ordering::Relaxed), 3, "each number was asked for once");

    // The same without the attribute, and without async.
    let lengths = Cache::<usize>::from_url(&url)?.blocking();
    let measure = |words: Vec<String>| Ok::<_, Error>(words.into_iter().map(|word| (word.clone(), word.len())));
    assert_eq!(lengths.get_or_load_many(["scrub", "jay", "scrub"], measure)?, [Some(5), Some(3), Some(5)]);
    println!("3 numbers were squared, for 5 that were asked for");
    Ok(())
}
