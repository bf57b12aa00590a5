//! Serializers chained by URL: a format, then what compresses it.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod common;

use scrubjay::{Cache, Result};

fn main() -> Result<()> {
    let url = common::cache_url("memory://?serializer=pickle+zstd&pickle-protocol=4&compression-level=3");
    let cache = Cache::<Vec<u32>>::from_url(&url)?.blocking();
    let numbers = vec![7; 1_000];
    cache.set("numbers", numbers.clone())?;
    assert_eq!(cache.get("numbers")?, Some(numbers));
    println!("{}", cache.info());

    let backwards = Cache::<Vec<u32>>::from_url("memory://?serializer=zstd+pickle");
    assert!(backwards.is_err(), "nothing can be compressed before it is bytes");
    Ok(())
}
