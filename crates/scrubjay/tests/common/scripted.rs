//! A store whose calls stop where a test wants them to: before the store is reached, or after, with the answer in hand.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its part of the script")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use scrubjay::{
    Error, ErrorKind, Operation, Result,
    far::{Call, Capability, Change, Claim, Found, Item, MemoryStore, Reply, Scope, Store, StoreInfo, Token, Want},
};
use tokio::sync::Semaphore;

/// Bytes in memory, behind gates. Clones share both.
#[derive(Clone)]
pub(crate) struct Scripted {
    store: MemoryStore,
    script: Arc<Mutex<Vec<(Operation, Act)>>>,
}

/// What happens to the next call of an operation.
#[derive(Clone)]
pub(crate) enum Act {
    /// It stops before it is carried out.
    StopBefore(Gate),
    /// It is carried out, and its answer stops.
    StopAfter(Gate),
    /// It fails, not carried out.
    Fail,
    /// It is carried out, and its answer is lost.
    LoseAnswer,
}

/// Where a call stops until the test lets it pass.
#[derive(Clone)]
pub(crate) struct Gate {
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { reached: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    /// Waits until a call has stopped here.
    pub(crate) async fn reached(&self) {
        self.reached.acquire().await.unwrap().forget();
    }

    /// Lets the call pass.
    pub(crate) fn open(&self) {
        self.open.add_permits(1);
    }

    async fn stop(&self) {
        self.reached.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }
}

impl Scripted {
    pub(crate) fn new(store: MemoryStore) -> Self {
        Self { store, script: Arc::default() }
    }

    /// The next call that serves `operation` does this; later ones are answered as usual.
    pub(crate) fn next(&self, operation: Operation, act: Act) {
        self.script.lock().push((operation, act));
    }

    async fn act<T>(&self, call: Call, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let act = {
            let mut script = self.script.lock();
            let next = script.iter().position(|(operation, _)| *operation == call.operation);
            next.map(|next| script.remove(next).1)
        };
        match act {
            None => answer.await,
            Some(Act::StopBefore(gate)) => {
                gate.stop().await;
                answer.await
            }
            Some(Act::StopAfter(gate)) => {
                let answer = answer.await;
                gate.stop().await;
                answer
            }
            Some(Act::Fail) => Err(Error::new(ErrorKind::Connection, "scripted")),
            Some(Act::LoseAnswer) => {
                answer.await?;
                Err(Error::new(ErrorKind::Timeout, "scripted"))
            }
        }
    }
}

impl Store for Scripted {
    fn info(&self) -> StoreInfo {
        StoreInfo::new("scripted")
    }
    fn capability(&self) -> Capability {
        self.store.capability()
    }
    async fn get(&self, call: Call, keys: &[&str], want: Want) -> Result<Vec<Option<Found>>> {
        self.act(call, self.store.get(call, keys, want)).await
    }
    async fn set(&self, call: Call, items: &[Item<'_>]) -> Result<()> {
        self.act(call, self.store.set(call, items)).await
    }
    async fn add(&self, call: Call, item: &Item<'_>) -> Result<bool> {
        self.act(call, self.store.add(call, item)).await
    }
    async fn compare_and_set(&self, call: Call, item: &Item<'_>, token: &Token) -> Result<bool> {
        self.act(call, self.store.compare_and_set(call, item, token)).await
    }
    async fn claim(&self, call: Call, item: &Item<'_>) -> Result<Claim> {
        self.act(call, self.store.claim(call, item)).await
    }
    async fn compare_and_delete(&self, call: Call, key: &str, token: &Token) -> Result<bool> {
        self.act(call, self.store.compare_and_delete(call, key, token)).await
    }
    async fn increment(&self, call: Call, change: Change<'_>) -> Result<i64> {
        self.act(call, self.store.increment(call, change)).await
    }
    async fn expire(&self, call: Call, key: &str, ttl: Option<Duration>) -> Result<bool> {
        self.act(call, self.store.expire(call, key, ttl)).await
    }
    async fn delete(&self, call: Call, keys: &[&str]) -> Result<Vec<bool>> {
        self.act(call, self.store.delete(call, keys)).await
    }
    async fn clear(&self, call: Call, scope: Scope<'_>) -> Result<()> {
        self.act(call, self.store.clear(call, scope)).await
    }
    async fn raw(&self, call: Call, command: &[Bytes]) -> Result<Reply> {
        self.act(call, self.store.raw(call, command)).await
    }
    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}
