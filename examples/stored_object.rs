//! A struct kept as pickle, which Python reads as a dict.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod common;

use scrubjay::{Cache, Result};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Bird {
    name: String,
    eggs: u32,
}

fn main() -> Result<()> {
    let cache = Cache::from_url(&common::cache_url("memory://?serializer=pickle"))?.blocking();
    let jay = Bird { name: "scrub jay".into(), eggs: 4 };
    cache.set("jay", jay.clone())?;
    assert_eq!(cache.get("jay")?, Some(jay));
    println!("stored and read back through {}", cache.info());
    Ok(())
}
