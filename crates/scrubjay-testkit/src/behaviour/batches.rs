//! `get_many` and `set_many`: order, duplicates and emptiness.

use scrubjay::{ErrorKind, Result};
use serde_json::{Value, json};

use super::{fails_as, values::Picky};
use crate::Subject;

/// Answers come in the order asked, however often a key is.
pub async fn get_many_keeps_order_and_duplicates(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set_many([("a", json!(1)), ("b", json!(2)), ("c", json!(3))]).await?;
    // One is read before, so that of two tiers each has something to answer.
    cache.get("c").await?;
    let values = cache.get_many(["b", "absent", "a", "b", "c", "absent", "b"]).await?;
    let two = Some(json!(2));
    assert_eq!(values, [two.clone(), None, Some(json!(1)), two.clone(), Some(json!(3)), None, two]);
    Ok(())
}

/// No keys, no values.
pub async fn get_many_of_nothing_is_empty(subject: &Subject) -> Result<()> {
    assert_eq!(subject.cache()?.get_many(Vec::<String>::new()).await?, Vec::<Option<Value>>::new());
    Ok(())
}

/// An expired entry is a gap in the batch.
pub async fn get_many_leaves_out_what_has_expired(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set_many([("a", json!(1)), ("c", json!(3))]).await?;
    cache.set("b", json!(2)).ttl(subject.grain()).await?;
    assert_eq!(cache.get_many(["a", "b", "c"]).await?, [Some(json!(1)), Some(json!(2)), Some(json!(3))]);
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get_many(["a", "b", "c"]).await?, [Some(json!(1)), None, Some(json!(3))]);
    Ok(())
}

/// All are written, over what stood there.
pub async fn set_many_writes_every_entry(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("b", json!("old")).await?;
    assert_eq!(cache.get("b").await?, Some(json!("old")));
    cache.set_many([("a", json!(1)), ("b", Value::Null)]).await?;
    assert_eq!(cache.get("a").await?, Some(json!(1)));
    assert_eq!(cache.get("b").await?, Some(Value::Null));
    Ok(())
}

/// One ttl is for all of a batch.
pub async fn set_many_takes_the_ttl_of_the_call(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set_many([("a", json!(1)), ("b", json!(2))]).ttl(subject.grain() * 2).await?;
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get_many(["a", "b"]).await?, [Some(json!(1)), Some(json!(2))]);
    subject.advance(subject.grain()).await;
    assert_eq!(cache.get_many(["a", "b"]).await?, [None, None]);
    Ok(())
}

/// An empty batch is no error.
pub async fn set_many_of_nothing_does_nothing(subject: &Subject) -> Result<()> {
    subject.cache()?.set_many(Vec::<(String, Value)>::new()).await
}

/// A batch is applied in its order.
pub async fn of_two_under_one_key_the_later_stays(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set_many([("key", json!(1)), ("other", json!(2)), ("key", json!(3))]).await?;
    assert_eq!(cache.get_many(["key", "other"]).await?, [Some(json!(3)), Some(json!(2))]);
    Ok(())
}

/// All are encoded before any is written.
pub async fn a_batch_with_a_value_that_cannot_be_encoded_writes_nothing(subject: &Subject) -> Result<()> {
    let cache = subject.builder().serializer(Picky).build()?;
    cache.set("a", json!("old")).await?;
    let batch = [("a", json!(1)), ("b", json!(Picky::REFUSED)), ("c", json!(3))];
    let error = fails_as(ErrorKind::Encode, cache.set_many(batch).await);
    assert_eq!(error.key(), Some("b"), "the error tells whose value it was");
    assert_eq!(cache.get_many(["a", "b", "c"]).await?, [Some(json!("old")), None, None]);
    Ok(())
}

/// A large batch is a batch.
pub async fn a_thousand_entries_fit_a_batch(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let keys: Vec<String> = (0..1_000).map(|number| format!("key-{number}")).collect();
    cache.set_many(keys.iter().zip(0..).map(|(key, number)| (key, json!(number)))).await?;
    let values = cache.get_many(&keys).await?;
    assert!(values.iter().zip(0..).all(|(value, number)| *value == Some(json!(number))));
    assert_eq!(cache.delete_many(&keys).await?, 1_000);
    Ok(())
}
