//! Keys: any text is one, and no two meet.

use scrubjay::{Cache, ErrorKind, KeyBuilder, Result};
use serde_json::{Value, json};

use crate::Subject;

/// Keys that other caches have confused, cut, escaped twice or sent as commands.
fn odd_keys() -> Vec<String> {
    let plain = [
        "",
        " ",
        "a",
        "A",
        "a ",
        " a",
        "a b",
        "a\nb",
        "a\r\nb",
        "a\tb",
        "\0",
        "\u{1b}",
        "\u{7f}",
        "é",
        "e\u{301}",
        "日本語",
        "🐦",
        ":",
        "a:",
        ":a",
        "a:b",
        "%",
        "%20",
        "%3A",
        "*",
        "a*",
        "?",
        "[a]",
        "[^a]",
        "{a}",
        "\\",
        "\\*",
        "'",
        "\"",
        "null",
        "0",
    ];
    let mut keys: Vec<String> = plain.map(str::to_owned).into();
    keys.extend(["k".repeat(250), "k".repeat(251), "k".repeat(1_000), "k".repeat(999) + "l", "é".repeat(1_000)]);
    keys
}

/// Every odd key holds its own value.
pub async fn odd_keys_are_told_apart(subject: &Subject) -> Result<()> {
    tell_apart(&subject.cache()?).await
}

/// So it does beside a namespace.
pub async fn odd_keys_are_told_apart_inside_a_namespace(subject: &Subject) -> Result<()> {
    tell_apart(&subject.builder().namespace("main").build()?).await
}

async fn tell_apart(cache: &Cache<Value>) -> Result<()> {
    let mut held = Vec::new();
    for key in odd_keys() {
        match cache.set(&key, json!({"of": key})).await {
            Ok(()) => held.push(key),
            // A store may refuse what it cannot hold; it may not put it elsewhere.
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidKey, "{error}"),
        }
    }
    assert!(held.len() > 10, "ordinary keys are held");
    for key in &held {
        assert_eq!(cache.get(key).await?, Some(json!({"of": key})));
        assert!(cache.exists(key).await?, "{key:?}");
        assert!(!cache.add(key, json!("other")).await?, "{key:?}");
    }
    let values = cache.get_many(&held).await?;
    assert!(values.iter().zip(&held).all(|(value, key)| *value == Some(json!({"of": key}))));
    for (index, key) in held.iter().enumerate() {
        assert!(cache.delete(key).await?, "{key:?}");
        assert!(!cache.exists(key).await?, "{key:?}");
        assert_eq!(cache.delete_many(&held[..=index]).await?, 0, "{key:?} took another with it");
    }
    Ok(())
}

/// A key builder's keys are the same to every verb, and the ones that are held.
pub async fn a_key_builder_maps_the_keys_of_every_verb(subject: &Subject) -> Result<()> {
    let cache = subject.builder().key_builder(KeyBuilder::new(str::to_lowercase)).build()?;
    let plain = subject.cache()?;
    cache.set("KEY", json!(1)).await?;
    assert_eq!(plain.get("key").await?, Some(json!(1)));
    assert_eq!(plain.get("KEY").await?, None);
    assert_eq!(cache.get("Key").await?, Some(json!(1)));
    assert_eq!(cache.get_many(["kEY", "KEy"]).await?, [Some(json!(1)), Some(json!(1))]);
    assert!(cache.exists("keY").await?);
    assert!(!cache.add("KEY", json!(2)).await?);
    cache.set_many([("ONE", json!(1)), ("one", json!(2))]).await?;
    assert_eq!(plain.get("one").await?, Some(json!(2)));
    assert_eq!(cache.delete_many(["One", "oNE"]).await?, 1);
    assert!(cache.delete("kEy").await?);
    assert_eq!(plain.get("key").await?, None);
    Ok(())
}
