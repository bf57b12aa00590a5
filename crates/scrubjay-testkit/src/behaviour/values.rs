//! Values: what is put in comes out.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;

use scrubjay::{
    Error, ErrorKind, Lookup, MissReason, Operation, Result,
    far::{Call, Item},
    serializer::{Json, Serializer},
};
use serde_json::{Value, json};

use super::fails_as;
use crate::Subject;

/// What was set is read back, whatever its shape.
pub async fn a_value_that_was_set_is_read_back(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    for value in [json!("text"), json!(42), json!(-1.5), json!(true), json!([1, [2, "é"]]), json!({"a": {"b": null}})]
    {
        cache.set("key", value.clone()).await?;
        assert_eq!(cache.get("key").await?, Some(value));
    }
    Ok(())
}

/// A key that was never set reads as nothing.
pub async fn an_absent_key_is_a_miss(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    assert_eq!(cache.get("absent").await?, None);
    assert!(!cache.exists("absent").await?);
    assert_eq!(cache.undecodable(), 0);
    Ok(())
}

/// A second `set` wins over the first.
pub async fn set_replaces_what_stood_there(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!("old")).await?;
    cache.set("key", json!({"new": true})).await?;
    assert_eq!(cache.get("key").await?, Some(json!({"new": true})));
    Ok(())
}

/// A null that was stored is found.
pub async fn a_stored_null_is_not_a_miss(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", Value::Null).await?;
    assert_eq!(cache.get("key").await?, Some(Value::Null));
    assert_eq!(cache.get_many(["key", "absent"]).await?, [Some(Value::Null), None]);
    assert!(cache.exists("key").await?);
    assert_eq!(cache.lookup("key").await?.into_value(), Some(Value::Null));
    assert!(cache.delete("key").await?);
    Ok(())
}

/// Zero, false and what is empty are values like others.
pub async fn falsy_values_are_values(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    for value in [json!(0), json!(false), json!(""), json!([]), json!({}), json!(0.0)] {
        cache.set("key", value.clone()).await?;
        assert!(cache.exists("key").await?);
        assert_eq!(cache.get("key").await?, Some(value));
    }
    Ok(())
}

/// A large value comes back byte for byte.
pub async fn a_value_of_a_mebibyte_is_kept_whole(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    // Short of it by what a JSON string and a server's own header need.
    let large = json!("0123456789abcde\n".repeat(60_000));
    cache.set("key", large.clone()).await?;
    assert!(cache.get("key").await? == Some(large), "the large value came back changed");
    Ok(())
}

/// Bytes that are no value of the type read as a miss, are counted, and give way to the next `set`.
pub async fn undecodable_bytes_are_a_counted_miss(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let Some(store) = subject.store() else { return Ok(()) };
    let call = Call::new(Operation::Set, Duration::from_secs(1));
    store.set(call, &[Item { key: "key", value: "{not json".into(), ttl: None }]).await?;
    assert_eq!(cache.get("key").await?, None);
    assert_eq!(cache.get_many(["key", "key"]).await?, [None, None]);
    match cache.lookup("key").await? {
        Lookup::Miss(MissReason::Undecodable(error)) => assert_eq!(error.kind(), ErrorKind::Decode),
        other => panic!("expected undecodable bytes, found {other:?}"),
    }
    assert_eq!(cache.undecodable(), 4);
    assert!(cache.exists("key").await?, "there is an entry, if not a value");
    cache.set("key", json!(1)).await?;
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    Ok(())
}

/// A value without a form as bytes is an error, and leaves what stood there.
pub async fn a_value_that_cannot_be_encoded_writes_nothing(subject: &Subject) -> Result<()> {
    let cache = subject.builder().serializer(Picky).build()?;
    cache.set("key", json!("good")).await?;
    let bad = || json!(Picky::REFUSED);
    fails_as(ErrorKind::Encode, cache.set("key", bad()).await);
    fails_as(ErrorKind::Encode, cache.add("absent", bad()).await);
    assert_eq!(cache.get_many(["key", "absent"]).await?, [Some(json!("good")), None]);
    Ok(())
}

/// JSON that refuses one value.
#[derive(Debug)]
pub(super) struct Picky;

impl Picky {
    pub(super) const REFUSED: &str = "a value that cannot be encoded";
}

impl Serializer<Value> for Picky {
    fn name(&self) -> Cow<'_, str> {
        "picky".into()
    }

    fn encode(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        match value.as_str() {
            Some(Self::REFUSED) => Err(Error::new(ErrorKind::Encode, "this one is refused")),
            _ => Json.encode(value, out),
        }
    }

    fn decode(&self, bytes: &Bytes) -> Result<Value> {
        Json.decode(bytes)
    }
}
