//! One call of a function of many: what is kept of it from the cache, the rest from the function.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher, Hash},
};

use parking_lot::Mutex;

use super::{
    Answer, Sharing,
    sharing::{Verdict, settle},
};
use crate::{Cache, Error, Policy, Result, Ttl, blocking};

/// What a function of many returns: values by the id that they were asked for with.
#[diagnostic::on_unimplemented(
    message = "a function of many returns a map, or a Result of one, and not a `{Self}`",
    note = "return a `HashMap` or a `BTreeMap` from ids to values"
)]
pub trait Batch: Send {
    /// What is asked for.
    type Id: Clone + Eq + Hash + Send + Sync;
    /// What there is under it.
    type Value;

    /// Its entries.
    fn entries(self) -> impl Iterator<Item = (Self::Id, Self::Value)>;

    /// A map of them.
    fn of(entries: impl Iterator<Item = (Self::Id, Self::Value)>) -> Self;
}

impl<K: Clone + Eq + Hash + Send + Sync, V: Send, S: BuildHasher + Default + Send> Batch for HashMap<K, V, S> {
    type Id = K;
    type Value = V;

    fn entries(self) -> impl Iterator<Item = (K, V)> {
        self.into_iter()
    }

    fn of(entries: impl Iterator<Item = (K, V)>) -> Self {
        entries.collect()
    }
}

impl<K: Clone + Ord + Hash + Send + Sync, V: Send> Batch for BTreeMap<K, V> {
    type Id = K;
    type Value = V;

    fn entries(self) -> impl Iterator<Item = (K, V)> {
        self.into_iter()
    }

    fn of(entries: impl Iterator<Item = (K, V)>) -> Self {
        entries.collect()
    }
}

/// What the attribute says of a call.
#[derive(Debug)]
pub struct BatchCall<'a, B: Batch<Value: Clone + Send + Sync + 'static>> {
    /// The function, with its path.
    pub function: &'static str,
    /// Where its values live; nowhere, if it is to be called.
    pub cache: Result<Option<&'a Cache<B::Value>>>,
    /// What is asked for, and the key of each.
    pub ids: Result<Vec<(String, B::Id)>>,
    /// The namespace, instead of the cache's.
    pub namespace: Option<&'a str>,
    /// The ttl, instead of the cache's.
    pub ttl: Option<Ttl>,
    /// How it loads, where the attribute says so.
    pub policy: Option<&'a Policy>,
}

impl<B: Batch<Value: Clone + Send + Sync + 'static>> BatchCall<'_, B> {
    /// Removes the values; says how many there were.
    ///
    /// # Errors
    /// The cache's.
    pub async fn purge(self) -> Result<usize> {
        let Some(cache) = self.cache? else { return Ok(0) };
        let ids = self.ids?;
        let delete = cache.delete_many(ids.iter().map(|(key, _)| key));
        match self.namespace {
            None => delete.await,
            Some(namespace) => delete.namespace(namespace).await,
        }
    }

    /// As [`purge`](Self::purge).
    ///
    /// # Errors
    /// As [`purge`](Self::purge).
    pub fn purge_blocking(self) -> Result<usize> {
        let Some(cache) = self.cache? else { return Ok(0) };
        let ids = self.ids?;
        let mut with = blocking::Cache::of(cache);
        if let Some(namespace) = self.namespace {
            with = with.namespace(namespace);
        }
        with.delete_many(ids.iter().map(|(key, _)| key))
    }
}

/// The ids behind the keys of one call, as the cache tells keys.
struct Ids<I>(HashMap<String, I>);

impl<I: Clone + Eq + Hash> Ids<I> {
    fn new<V: Clone + Send + Sync + 'static>(cache: &Cache<V>, ids: &[(String, I)]) -> Self {
        let builder = cache.engine().key_builder.as_ref();
        let told = |key: &String| {
            let mut key = key.into();
            if let Some(builder) = builder {
                builder.rebuild(&mut key);
            }
            key.as_str().to_owned()
        };
        Self(ids.iter().map(|(key, id)| (told(key), id.clone())).collect())
    }

    fn of(&self, keys: &[String]) -> Vec<I> {
        keys.iter().filter_map(|key| self.0.get(key).cloned()).collect()
    }

    /// What the function returned, by key; what nobody asked for is left out.
    fn keyed<B: Batch<Id = I>>(&self, keys: Vec<String>, found: B) -> HashMap<String, B::Value> {
        let mut found: HashMap<I, B::Value> = found.entries().collect();
        keys.into_iter()
            .filter_map(|key| {
                let value = found.remove(self.0.get(&key)?)?;
                Some((key, value))
            })
            .collect()
    }
}

/// Each id once, in order.
fn distinct<I: Clone + Eq + Hash>(ids: impl Iterator<Item = I>) -> Vec<I> {
    let mut seen = HashSet::new();
    ids.filter(|id| seen.insert(id.clone())).collect()
}

fn map<B: Batch>(ids: Vec<(String, B::Id)>, values: Vec<Option<B::Value>>) -> B {
    B::of(ids.into_iter().zip(values).filter_map(|((_, id), value)| Some((id, value?))))
}

/// Carries out a call of an async function of many: `run` calls it with the ids that are missing.
///
/// # Panics
/// If the cache is misconfigured, and the function cannot return that.
pub async fn load_many<A, F, Running, S>(
    call: BatchCall<'_, A::Value>,
    all: impl FnOnce() -> Vec<<A::Value as Batch>::Id> + Send,
    run: F,
    sharing: S,
) -> A::Returned
where
    A: Answer<Value: Batch<Value: Clone + Send + Sync + 'static>, Error: Send>,
    F: Fn(Vec<<A::Value as Batch>::Id>) -> Running + Send + Sync,
    Running: Future<Output = A::Returned> + Send,
    S: Sharing<A::Error>,
{
    let BatchCall { function, cache, ids, namespace, ttl, policy } = call;
    let error = match (cache, ids) {
        (Err(error), _) | (_, Err(error)) => Some(error),
        (Ok(None), _) => None,
        (Ok(Some(cache)), Ok(ids)) => {
            let (known, failed) = (Ids::new(cache, &ids), Mutex::new(None));
            let load = |missing: Vec<String>| {
                let (known, failed, run) = (&known, &failed, &run);
                async move {
                    match A::open(run(known.of(&missing)).await) {
                        Ok(Some(found)) => Ok(known.keyed(missing, found)),
                        Ok(None) => Ok(HashMap::new()),
                        Err(error) => {
                            let cause: Error = sharing.cause(&error);
                            *failed.lock() = Some(error);
                            Err(cause)
                        }
                    }
                }
            };
            let mut request = cache.get_or_load_many(ids.iter().map(|(key, _)| key), load);
            if let Some(ttl) = ttl {
                request = request.ttl(ttl);
            }
            if let Some(namespace) = namespace {
                request = request.namespace(namespace);
            }
            if let Some(policy) = policy {
                request = request.policy(*policy);
            }
            let answer = request.await;
            match answer {
                Ok(values) => match A::close(Some(map(ids, values))) {
                    Some(returned) => return returned,
                    None => None,
                },
                Err(error) => match failed.into_inner() {
                    Some(own) => return A::fail(own),
                    None => Some(error),
                },
            }
        }
    };
    if let Some(Verdict::Return(error)) = error.map(|error| settle(function, error, sharing)) {
        return A::fail(error);
    }
    run(distinct(all().into_iter())).await
}

/// As [`load_many`], of a function that is not async.
///
/// # Panics
/// As [`load_many`].
pub fn load_many_blocking<A, F, S>(
    call: BatchCall<'_, A::Value>,
    all: impl FnOnce() -> Vec<<A::Value as Batch>::Id>,
    run: F,
    sharing: S,
) -> A::Returned
where
    A: Answer<Value: Batch<Value: Clone + Send + Sync + 'static>, Error: Send>,
    F: Fn(Vec<<A::Value as Batch>::Id>) -> A::Returned + Send + Sync,
    S: Sharing<A::Error>,
{
    let BatchCall { function, cache, ids, namespace, ttl, policy } = call;
    let error = match (cache, ids) {
        (Err(error), _) | (_, Err(error)) => Some(error),
        (Ok(None), _) => None,
        (Ok(Some(cache)), Ok(ids)) => {
            let (known, failed) = (Ids::new(cache, &ids), Mutex::new(None));
            let load = |missing: Vec<String>| match A::open(run(known.of(&missing))) {
                Ok(Some(found)) => Ok(known.keyed(missing, found)),
                Ok(None) => Ok(HashMap::new()),
                Err(error) => {
                    let cause: Error = sharing.cause(&error);
                    *failed.lock() = Some(error);
                    Err(cause)
                }
            };
            let mut with = blocking::Cache::of(cache);
            if let Some(ttl) = ttl {
                with = with.ttl(ttl);
            }
            if let Some(namespace) = namespace {
                with = with.namespace(namespace);
            }
            if let Some(policy) = policy {
                with = with.policy(*policy);
            }
            match with.get_or_load_many(ids.iter().map(|(key, _)| key), load) {
                Ok(values) => match A::close(Some(map(ids, values))) {
                    Some(returned) => return returned,
                    None => None,
                },
                Err(error) => match failed.into_inner() {
                    Some(own) => return A::fail(own),
                    None => Some(error),
                },
            }
        }
    };
    if let Some(Verdict::Return(error)) = error.map(|error| settle(function, error, sharing)) {
        return A::fail(error);
    }
    run(distinct(all().into_iter()))
}
