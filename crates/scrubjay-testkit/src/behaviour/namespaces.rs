//! Namespaces: rooms with no doors between them, each of which can be emptied.

use std::time::Duration;

use scrubjay::{ErrorKind, KeyLayout, Remaining, Result};
use serde_json::json;

use super::fails_as;
use crate::Subject;

/// Names with characters that a pattern, a separator or an escape would give a meaning, and names that begin alike.
const NAMES: [&str; 26] = [
    "user", "users", "user:", "use", "u", "*", "u*", "**", "u?er", "[u]ser", "u[^x]er", "user\\", "\\*", "{user}", "a",
    "a:b", "a:", "a%3Ab", "%", "%%", "ab", "é", "日本", " ", "a b", "a\nb",
];

/// The same keys in every namespace, among them some that would complete another's name.
const KEYS: [&str; 5] = ["key", ":key", "b:key", "", "s:key"];

/// No entry is seen from another namespace, whatever the names.
pub async fn namespaces_do_not_see_each_other(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    for namespace in NAMES {
        for key in KEYS {
            assert!(
                cache.add(key, json!([namespace, key])).namespace(namespace).await?,
                "{key:?} met in {namespace:?}"
            );
        }
    }
    for namespace in NAMES {
        for key in KEYS {
            assert_eq!(cache.get(key).namespace(namespace).await?, Some(json!([namespace, key])));
        }
        assert!(cache.delete("key").namespace(namespace).await?);
        assert!(!cache.exists("key").namespace(namespace).await?);
    }
    Ok(())
}

/// A namespace on the cache and the same one on a call are one.
pub async fn a_call_s_namespace_is_the_cache_s(subject: &Subject) -> Result<()> {
    let plain = subject.cache()?;
    for namespace in NAMES {
        let cache = subject.builder().namespace(namespace).build()?;
        cache.set("key", json!(namespace)).await?;
        assert_eq!(plain.get("key").namespace(namespace).await?, Some(json!(namespace)));
        plain.set("key", json!([namespace])).namespace(namespace).await?;
        assert_eq!(cache.get("key").await?, Some(json!([namespace])));
    }
    let cache = subject.builder().namespace("main").build()?;
    assert_eq!(cache.get("key").namespace("users").await?, Some(json!(["users"])), "the call's wins over the cache's");
    Ok(())
}

/// The same entry is meant by every verb with the same namespace, and by none with another.
pub async fn every_verb_honours_the_namespace(subject: &Subject) -> Result<()> {
    let cache = subject.builder().namespace("users").build()?;
    let other = subject.builder().namespace("user").build()?;
    let capability = subject.capability();
    cache.set("set", json!(1)).await?;
    cache.add("add", json!(2)).await?;
    cache.set_many([("set_many", json!(3))]).await?;
    let mut keys = vec!["set", "add", "set_many"];
    if capability.increment {
        cache.increment("increment", 4).await?;
        keys.push("increment");
    }
    if capability.compare_and_set {
        let current = other.get_for_update("set").await?;
        assert_eq!(current.value, None);
        let current = cache.get_for_update("compare_and_set").await?;
        assert!(cache.compare_and_set("compare_and_set", json!(5), current.token).await?);
        keys.push("compare_and_set");
    }
    assert!(cache.get_many(keys.iter().copied()).await?.iter().all(Option::is_some));
    assert!(other.get_many(keys.iter().copied()).await?.iter().all(Option::is_none));
    for key in &keys {
        assert!(other.get(*key).await?.is_none());
        assert!(other.lookup(*key).await?.into_value().is_none());
        assert!(!other.exists(*key).await?);
        assert!(!other.delete(*key).await?);
        if capability.expire {
            assert_eq!(other.ttl(*key).await?, Remaining::Absent);
            assert!(!other.expire(*key, Duration::from_secs(1)).await?);
            assert!(cache.expire(*key, Duration::from_secs(60)).await?);
        }
    }
    assert_eq!(other.delete_many(keys.iter().copied()).await?, 0);
    assert_eq!(cache.delete_many(keys.iter().copied()).await?, keys.len());
    Ok(())
}

/// The empty namespace on a call means no namespace, although the cache has one.
pub async fn the_empty_namespace_is_none(subject: &Subject) -> Result<()> {
    let plain = subject.cache()?;
    let cache = subject.builder().namespace("main").build()?;
    plain.set("key", json!("plain")).await?;
    assert_eq!(cache.get("key").await?, None);
    assert_eq!(cache.get("key").namespace("").await?, Some(json!("plain")));
    cache.set("key", json!("again")).namespace("").await?;
    assert_eq!(plain.get("key").await?, Some(json!("again")));
    Ok(())
}

/// Whichever is cleared, the others stand, and so do the entries without a namespace.
pub async fn clear_removes_one_namespace_and_no_other(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("plain", json!("plain")).await?;
    for victim in NAMES {
        for namespace in NAMES {
            cache.set_many(KEYS.map(|key| (key, json!([namespace, key])))).namespace(namespace).await?;
        }
        // Read once, so that of two tiers both have something to lose.
        assert_eq!(cache.get("key").namespace(victim).await?, Some(json!([victim, "key"])));
        cache.clear().namespace(victim).await?;
        for namespace in NAMES {
            let expected = KEYS.map(|key| (namespace != victim).then(|| json!([namespace, key])));
            let found = cache.get_many(KEYS).namespace(namespace).await?;
            assert_eq!(found, expected, "in {namespace:?}, after {victim:?} was cleared");
        }
        assert_eq!(cache.get("plain").await?, Some(json!("plain")));
    }
    Ok(())
}

/// Without one on the call it is the cache's namespace that is cleared.
pub async fn clear_takes_the_cache_s_namespace(subject: &Subject) -> Result<()> {
    let one = subject.builder().namespace("one").build()?;
    let two = subject.builder().namespace("two").build()?;
    for cache in [&one, &two] {
        cache.set("key", json!(1)).await?;
    }
    one.clear().await?;
    assert_eq!((one.get("key").await?, two.get("key").await?), (None, Some(json!(1))));
    assert!(one.add("key", json!(2)).await?, "a cleared namespace is used on");
    one.clear().namespace("two").await?;
    assert_eq!((one.get("key").await?, two.get("key").await?), (Some(json!(2)), None));
    Ok(())
}

/// Clearing what is empty is no error.
pub async fn clear_of_an_empty_namespace_does_nothing(subject: &Subject) -> Result<()> {
    let cache = subject.builder().namespace("empty").build()?;
    cache.clear().await?;
    cache.clear().await
}

/// Nobody else has entries there, so nobody else loses any.
pub async fn clear_without_a_namespace_empties_a_private_store(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    cache.set("key", json!(1)).await?;
    cache.set("key", json!(2)).namespace("main").await?;
    cache.clear().await?;
    assert_eq!(cache.get("key").await?, None);
    assert_eq!(cache.get("key").namespace("main").await?, None);
    Ok(())
}

/// Under a layout that does not keep namespaces apart, `clear` would take others' entries: it is unsupported.
pub async fn a_layout_whose_namespaces_meet_is_not_cleared(subject: &Subject) -> Result<()> {
    for layout in [KeyLayout::Verbatim, KeyLayout::Concatenated] {
        let cache = subject.builder().key_layout(layout).namespace("main").build()?;
        fails_as(ErrorKind::Unsupported, cache.clear().await);
    }
    Ok(())
}
