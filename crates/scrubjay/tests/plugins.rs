//! The life of a set, in its order, and the ends that a command can come to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/scripted.rs"]
mod scripted;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use scripted::{Act, Gate, Scripted};
use scrubjay::{
    Cache, Error, ErrorKind, KeyBuilder, Operation, Result,
    far::{
        Answer, AnyStore, Call, MemoryStore,
        layer::{Intercept, Layer},
    },
    plugin::{Command, Completion, Plugin},
    serializer::{Json, Serializer},
};
use tokio::task::JoinSet;

/// What happened, in order, told by everyone who has a part in it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn write(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

struct Watcher(&'static str, Log);

impl Plugin for Watcher {
    fn name(&self) -> &str {
        self.0
    }

    fn before(&self, command: &Command<'_>) {
        self.1.write(format!("{} before {} {:?}", self.0, command.operation, command.keys[0].as_str()));
    }

    fn after(&self, command: &Command<'_>, completion: &Completion<'_>) {
        let completion = match completion {
            Completion::Done { .. } => "done".to_owned(),
            Completion::Failed { error, .. } => format!("failed as {:?}", error.kind()),
            Completion::Cancelled { .. } => "cancelled".to_owned(),
            _ => "otherwise".to_owned(),
        };
        self.1.write(format!("{} after {} {:?}: {completion}", self.0, command.operation, command.keys[0].as_str()));
    }
}

struct LoggedJson(Log);

impl Serializer<String> for LoggedJson {
    fn name(&self) -> Cow<'_, str> {
        "logged".into()
    }

    fn encode(&self, value: &String, out: &mut Vec<u8>) -> Result<()> {
        self.0.write("serialize");
        if value == "unencodable" {
            return Err(Error::new(ErrorKind::Encode, "scripted"));
        }
        Json.encode(value, out)
    }

    fn decode(&self, bytes: &Bytes) -> Result<String> {
        self.0.write("deserialize");
        Json.decode(bytes)
    }
}

struct LoggedCall(Log);

impl Intercept for LoggedCall {
    fn name(&self) -> &'static str {
        "logged"
    }

    async fn intercept<'a, T, A>(&'a self, call: Call, attempt: A) -> Result<T>
    where
        T: Send + 'a,
        A: Fn(Call) -> Answer<'a, T> + Send + Sync + 'a,
    {
        self.0.write(format!("store {}", call.operation));
        attempt(call).await
    }
}

fn watched() -> (Log, Scripted, Cache<String>) {
    let log = Log::default();
    let store = Scripted::new(MemoryStore::default());
    let builder = KeyBuilder::new({
        let log = log.clone();
        move |key| {
            log.write("key builder");
            key.to_lowercase()
        }
    });
    let cache = Cache::builder()
        .far(LoggedCall(log.clone()).wrap(AnyStore::new(store.clone())))
        .serializer(LoggedJson(log.clone()))
        .key_builder(builder)
        .plugin(Watcher("first", log.clone()))
        .plugin(Watcher("second", log.clone()))
        .build()
        .unwrap();
    (log, store, cache)
}

#[tokio::test]
async fn the_life_of_a_set() {
    let (log, _, cache) = watched();
    cache.set("KEY", "value".to_owned()).await.unwrap();
    assert_eq!(
        log.take(),
        [
            "first before set \"KEY\"",
            "second before set \"KEY\"",
            "key builder",
            "serialize",
            "store set",
            "first after set \"KEY\": done",
            "second after set \"KEY\": done",
        ]
    );
    cache.get("KEY").await.unwrap();
    assert_eq!(
        log.take(),
        [
            "first before get \"KEY\"",
            "second before get \"KEY\"",
            "key builder",
            "store get",
            "deserialize",
            "first after get \"KEY\": done",
            "second after get \"KEY\": done",
        ]
    );
}

#[tokio::test]
async fn a_failing_store_still_calls_after() {
    let (log, store, cache) = watched();
    store.next(Operation::Set, Act::Fail);
    cache.set("KEY", "value".to_owned()).await.unwrap_err();
    assert_eq!(
        log.take()[3..],
        [
            "serialize",
            "store set",
            "first after set \"KEY\": failed as Connection",
            "second after set \"KEY\": failed as Connection",
        ]
    );
}

#[tokio::test]
async fn a_failing_serializer_still_calls_after_and_reaches_no_store() {
    let (log, _, cache) = watched();
    cache.set("KEY", "unencodable".to_owned()).await.unwrap_err();
    assert_eq!(
        log.take()[3..],
        ["serialize", "first after set \"KEY\": failed as Encode", "second after set \"KEY\": failed as Encode",]
    );
}

#[tokio::test]
async fn a_dropped_request_is_told_as_cancelled() {
    let (log, store, cache) = watched();
    let gate = Gate::new();
    store.next(Operation::Set, Act::StopBefore(gate.clone()));
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let cache = cache.clone();
        async move { cache.set("KEY", "value".to_owned()).await }
    });
    gate.reached().await;
    assert_eq!(log.take().last().unwrap(), "store set");
    tasks.shutdown().await;
    assert_eq!(log.take(), ["first after set \"KEY\": cancelled", "second after set \"KEY\": cancelled"]);
}

#[tokio::test]
async fn a_request_that_was_never_polled_is_not_told() {
    let (log, _, cache) = watched();
    drop(cache.set("KEY", "value".to_owned()));
    assert_eq!(log.take(), Vec::<String>::new());
}

#[test]
fn the_blocking_face_lives_the_same_life() {
    let (log, _, cache) = watched();
    cache.blocking().set("KEY", "value".to_owned()).unwrap();
    let blocking = log.take();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { cache.set("KEY", "value".to_owned()).await.unwrap() });
    assert_eq!(blocking, log.take());
}
