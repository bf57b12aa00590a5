//! [`Need`]: what a behaviour takes of a backend, and what must happen where a backend has it not.

use std::time::Duration;

use scrubjay::{
    ErrorKind, Operation, Remaining, Result,
    far::{Call, Item, Token},
};
use serde_json::json;

use super::fails_as;
use crate::Subject;

/// What a behaviour takes of a backend. Most are fields of a [`Capability`](scrubjay::far::Capability).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// `retains`; else it answers as if empty.
    Retention,
    /// `expire`; else `ttl` and `expire` are unsupported.
    Expire,
    /// `increment`; else it is unsupported.
    Increment,
    /// `compare_and_set`; else it, `get_for_update` and locks are unsupported, and so are the port's `claim` and
    /// `compare_and_delete`.
    CompareAndSet,
    /// `clear_prefix`; else clearing a namespace is unsupported.
    ClearPrefix,
    /// `clear_everything`; else `clear_server` is unsupported.
    ClearEverything,
    /// `private`; else a cache without a namespace refuses `clear` and names the verb that is meant.
    Private,
    /// `raw`; else it is unsupported, and the error names the stack.
    Raw,
    /// A far tier, before which a serializer stands; else values need no form as bytes.
    Serializer,
}

impl Need {
    /// Whether `subject` has it.
    #[must_use]
    pub fn is_met_by(self, subject: &Subject) -> bool {
        let capability = subject.capability();
        match self {
            Self::Retention => capability.retains,
            Self::Expire => capability.expire,
            Self::Increment => capability.increment,
            Self::CompareAndSet => capability.compare_and_set,
            Self::ClearPrefix => capability.clear_prefix,
            Self::ClearEverything => capability.clear_everything,
            Self::Private => capability.private,
            Self::Raw => capability.raw,
            Self::Serializer => subject.store().is_some(),
        }
    }

    /// Checks what must happen on a `subject` that has it not.
    pub async fn instead(self, subject: &Subject) -> Result<()> {
        match self {
            Self::Retention => answers_as_if_empty(subject).await,
            Self::Expire => expire_is_refused(subject).await,
            Self::Increment => increment_is_refused(subject).await,
            Self::CompareAndSet => compare_and_set_is_refused(subject).await,
            Self::ClearPrefix => clear_is_refused(subject).await,
            Self::ClearEverything => clear_server_is_refused(subject).await,
            Self::Private => clear_without_a_namespace_is_refused(subject).await,
            Self::Raw => raw_is_refused(subject).await,
            Self::Serializer => values_need_no_form_as_bytes(subject).await,
        }
    }
}

async fn answers_as_if_empty(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    cache.set_many([("key", json!(1)), ("other", json!(2))]).await?;
    assert_eq!(cache.get("key").await?, None);
    assert_eq!(cache.get_many(["key", "other", "key"]).await?, [None, None, None]);
    assert!(cache.lookup("key").await?.into_value().is_none());
    assert!(!cache.exists("key").await?);
    assert_eq!(cache.ttl("key").await?, Remaining::Absent);
    assert!(cache.add("key", json!(1)).await?);
    assert!(cache.add("key", json!(1)).await?, "what is not kept does not stand in the way");
    assert_eq!(cache.increment("key", 5).await?, 5);
    assert_eq!(cache.increment("key", -2).await?, -2);
    assert!(!cache.expire("key", Duration::from_secs(1)).await?);
    let current = cache.get_for_update("key").await?;
    assert_eq!((current.value, &current.token), (None, &Token::Absent));
    assert!(cache.compare_and_set("key", json!(1), current.token).await?);
    let guard = cache.lock("key", Duration::from_secs(1)).await?;
    assert!(cache.lock("key", Duration::from_secs(1)).within(Duration::ZERO).await.is_ok(), "nor is a lock kept");
    drop(guard);
    assert!(!cache.delete("key").await?);
    assert_eq!(cache.delete_many(["key", "other"]).await?, 0);
    cache.clear().await?;
    cache.clear_server().await?;
    cache.close().await
}

async fn expire_is_refused(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    for key in ["key", "absent"] {
        fails_as(ErrorKind::Unsupported, cache.ttl(key).await);
        fails_as(ErrorKind::Unsupported, cache.expire(key, Duration::from_secs(1)).await);
    }
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    Ok(())
}

async fn increment_is_refused(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    for key in ["key", "absent"] {
        fails_as(ErrorKind::Unsupported, cache.increment(key, 1).await);
    }
    assert_eq!(cache.get_many(["key", "absent"]).await?, [Some(json!(1)), None]);
    Ok(())
}

async fn compare_and_set_is_refused(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    for key in ["key", "absent"] {
        fails_as(ErrorKind::Unsupported, cache.get_for_update(key).await);
        fails_as(ErrorKind::Unsupported, cache.compare_and_set(key, json!(2), Token::Absent).await);
        fails_as(ErrorKind::Unsupported, cache.lock(key, Duration::from_secs(1)).within(Duration::ZERO).await);
        if let Some(store) = subject.store() {
            let call = Call::new(Operation::GetOrLoad, Duration::from_secs(10));
            let item = Item { key, value: "2".into(), ttl: None };
            fails_as(ErrorKind::Unsupported, store.claim(call, &item).await);
            fails_as(ErrorKind::Unsupported, store.compare_and_delete(call, key, &Token::Absent).await);
        }
    }
    assert_eq!(cache.get_many(["key", "absent"]).await?, [Some(json!(1)), None]);
    Ok(())
}

async fn clear_is_refused(subject: &Subject) -> Result<()> {
    let cache = subject.builder().namespace("main").build()?;
    cache.set("key", json!(1)).await?;
    fails_as(ErrorKind::Unsupported, cache.clear().await);
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    Ok(())
}

async fn clear_server_is_refused(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    fails_as(ErrorKind::Unsupported, cache.clear_server().await);
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    Ok(())
}

async fn clear_without_a_namespace_is_refused(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    for clear in [cache.clear(), cache.clear().namespace("")] {
        let error = fails_as(ErrorKind::Config, clear.await);
        assert!(error.to_string().contains("clear_server"), "{error}");
    }
    assert_eq!(cache.get("key").await?, Some(json!(1)));
    Ok(())
}

async fn raw_is_refused(subject: &Subject) -> Result<()> {
    let error = fails_as(ErrorKind::Unsupported, subject.cache()?.raw(["PING"]).await);
    let stack = subject.store().map_or_else(|| "near".to_owned(), ToString::to_string);
    assert!(error.to_string().contains(&stack), "{error} names {stack}");
    Ok(())
}

async fn values_need_no_form_as_bytes(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!({"any": ["value"]})).await?;
    assert_eq!(cache.get("key").await?, Some(json!({"any": ["value"]})));
    assert_eq!(cache.info().serializer, None);
    Ok(())
}
