//! A type that validates itself while it is read: a stored document that breaks its rules is a miss, which is counted, and
//! the next write repairs it.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use scrubjay::{Cache, Lookup, MissReason, Result};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Discount {
    code: String,
    percent: Percentage,
}

/// At most a hundred, whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u8")]
struct Percentage(u8);

impl TryFrom<u8> for Percentage {
    type Error = &'static str;

    fn try_from(percent: u8) -> Result<Self, Self::Error> {
        if percent <= 100 { Ok(Self(percent)) } else { Err("a percentage is at most 100") }
    }
}

fn main() -> Result<()> {
    let cache = Cache::<Discount>::from_url("memory://?serializer=json")?.blocking();

    // An older program, or another one, wrote this.
    cache.raw(["SET", "spring", r#"{"code": "SPRING", "percent": 110}"#])?;
    assert_eq!(cache.get("spring")?, None);
    assert_eq!(cache.undecodable(), 1);
    if let Lookup::Miss(MissReason::Undecodable(error)) = cache.lookup("spring")? {
        println!("a miss, because: {error}");
    }

    let discount = Discount { code: "SPRING".into(), percent: Percentage(10) };
    cache.set("spring", discount.clone())?;
    assert_eq!(cache.get("spring")?, Some(discount));
    println!("repaired; it could not be read {} times before", cache.undecodable());
    Ok(())
}
