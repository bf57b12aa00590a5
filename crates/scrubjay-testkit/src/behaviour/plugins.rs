//! Plugins: nothing that a cache is asked escapes them.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use scrubjay::{
    Cache, KeyBuilder, Operation, Result,
    far::Token,
    plugin::{Command, Completion, HitRatio, Plugin},
};
use serde_json::{Value, json};

use crate::Subject;

/// A plugin that writes down what it is told.
#[derive(Debug, Default)]
struct Diary(Mutex<Vec<Note>>);

#[derive(Clone, Debug, PartialEq)]
enum Note {
    Before(Operation, Vec<String>),
    After(Operation, Vec<String>, bool),
}

impl Diary {
    fn write(&self, note: Note) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    fn take(cache: &Cache<Value>) -> Vec<Note> {
        let diary = cache.plugin::<Self>();
        diary
            .map(|diary| std::mem::take(&mut *diary.0.lock().unwrap_or_else(PoisonError::into_inner)))
            .unwrap_or_default()
    }
}

impl Plugin for Diary {
    fn name(&self) -> &'static str {
        "diary"
    }

    fn before(&self, command: &Command<'_>) {
        self.write(Note::Before(command.operation, keys(command)));
    }

    fn after(&self, command: &Command<'_>, completion: &Completion<'_>) {
        self.write(Note::After(command.operation, keys(command), matches!(completion, Completion::Done { .. })));
    }
}

fn keys(command: &Command<'_>) -> Vec<String> {
    command.keys.iter().map(|key| key.as_str().to_owned()).collect()
}

/// Each command is told before and after, with its keys and whether it succeeded, on both faces.
pub async fn plugins_see_every_command_in_order(subject: &Subject) -> Result<()> {
    let cache = subject.builder().namespace("main").plugin(Diary::default()).build()?;
    let mut expected = Vec::new();
    macro_rules! expect {
        ($operation:ident $keys:expr, $answer:expr) => {
            let succeeded = $answer.is_ok();
            let keys = $keys.iter().map(|key: &&str| (*key).to_owned()).collect::<Vec<_>>();
            expected.push(Note::Before(Operation::$operation, keys.clone()));
            expected.push(Note::After(Operation::$operation, keys, succeeded));
        };
    }
    let none: [&str; 0] = [];
    expect!(Set["a"], cache.set("a", json!(1)).await);
    expect!(Get["a"], cache.get("a").await);
    expect!(GetMany ["a", "b", "a"], cache.get_many(["a", "b", "a"]).await);
    expect!(GetMany none, cache.get_many(none).await);
    expect!(SetMany ["a", "b"], cache.set_many([("a", json!(1)), ("b", json!(2))]).await);
    expect!(Add["a"], cache.add("a", json!(1)).await);
    expect!(Exists["a"], cache.exists("a").await);
    expect!(Lookup["a"], cache.lookup("a").await);
    expect!(Ttl["a"], cache.ttl("a").await);
    expect!(Expire["a"], cache.expire("a", subject.grain()).await);
    expect!(Expire["a"], cache.expire("a", Duration::ZERO).await);
    expect!(GetForUpdate["c"], cache.get_for_update("c").await);
    expect!(CompareAndSet["c"], cache.compare_and_set("c", json!(1), Token::Absent).await);
    expect!(Increment["n"], cache.increment("n", 1).await);
    expect!(Delete["a"], cache.delete("a").await);
    expect!(DeleteMany ["a", "b"], cache.delete_many(["a", "b"]).await);
    expect!(Raw none, cache.raw(["no-such-command"]).await);
    expect!(Clear none, cache.clear().await);
    expect!(ClearServer none, cache.clear_server().await);
    expect!(Close none, cache.close().await);
    let blocking = cache.blocking();
    expect!(Set["a"], blocking.set("a", json!(1)));
    expect!(Get["a"], blocking.get("a"));
    expect!(Delete["a"], blocking.delete("a"));
    assert_eq!(Diary::take(&cache), expected);
    Ok(())
}

/// Before the key builder, the namespace and the layout.
pub async fn plugins_see_keys_as_they_were_given(subject: &Subject) -> Result<()> {
    let builder = KeyBuilder::new(str::to_lowercase);
    let cache = subject.builder().namespace("main").key_builder(builder).plugin(Diary::default()).build()?;
    cache.set("KEY", json!(1)).await?;
    cache.get("Key").namespace("other").await?;
    let keys: Vec<Vec<String>> = Diary::take(&cache)
        .into_iter()
        .map(|note| match note {
            Note::Before(_, keys) | Note::After(_, keys, _) => keys,
        })
        .collect();
    assert_eq!(keys, [["KEY"], ["KEY"], ["Key"], ["Key"]]);
    Ok(())
}

/// Hits and misses are told apart, key by key.
pub async fn plugins_see_where_values_were_found(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?.with_plugin(HitRatio::default());
    let read = || cache.plugin::<HitRatio>().map(|ratio| ratio.read()).unwrap_or_default();
    cache.set("a", json!(1)).await?;
    cache.get("a").await?;
    cache.get("absent").await?;
    cache.get_many(["a", "absent", "a"]).await?;
    cache.lookup("a").await?;
    let ratio = read();
    assert_eq!((ratio.total, ratio.hits), (6, 4));
    let near = cache.info().near.is_some();
    assert_eq!((ratio.near_hits, ratio.far_hits), if near { (4, 0) } else { (0, 4) });
    cache.delete_many(["a"]).await?;
    cache.exists("a").await?;
    assert_eq!(read(), ratio, "only reads of values count");
    Ok(())
}
