//! A call of a function of many: what is kept of it from the cache, the rest from the function.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher, Hash},
    marker::PhantomData,
    pin::Pin,
};

use parking_lot::Mutex;

use super::{
    Answer, Call, Flight, Keep, Sharing,
    call::Target,
    face::{Async, Blocking, Face, at_once},
    sharing::{Verdict, is_worth_another_try, settle},
};
use crate::{
    ErrorKind, Outcome, Result,
    engine::{DeleteMany, GetMany, GetOrLoadMany},
    load::{BatchLoader, Sealed, all},
};

/// A map, as a function of many returns it.
#[diagnostic::on_unimplemented(
    message = "a function of many returns a map, or a Result of one, and not a `{Self}`",
    note = "return a `HashMap` or a `BTreeMap` from ids to values"
)]
pub trait AnyMap: Send {
    /// What is asked for.
    type Id: Clone + Eq + Hash + Send + Sync;
    /// What it holds under it.
    type Entry: Send;

    /// Its entries.
    fn entries(self) -> impl Iterator<Item = (Self::Id, Self::Entry)>;

    /// A map of them.
    fn of(entries: impl Iterator<Item = (Self::Id, Self::Entry)>) -> Self;
}

impl<K: Clone + Eq + Hash + Send + Sync, V: Send, S: BuildHasher + Default + Send> AnyMap for HashMap<K, V, S> {
    type Id = K;
    type Entry = V;

    fn entries(self) -> impl Iterator<Item = (K, V)> {
        self.into_iter()
    }

    fn of(entries: impl Iterator<Item = (K, V)>) -> Self {
        entries.collect()
    }
}

impl<K: Clone + Ord + Hash + Send + Sync, V: Send> AnyMap for BTreeMap<K, V> {
    type Id = K;
    type Entry = V;

    fn entries(self) -> impl Iterator<Item = (K, V)> {
        self.into_iter()
    }

    fn of(entries: impl Iterator<Item = (K, V)>) -> Self {
        entries.collect()
    }
}

/// How a map is taken apart and put together again.
pub trait Batch {
    /// The map.
    type Map: AnyMap<Id = Self::Id>;
    /// What is asked for.
    type Id: Clone + Eq + Hash + Send + Sync;
    /// What the cache keeps.
    type Value;

    /// The values that there are.
    fn values(map: Self::Map) -> HashMap<Self::Id, Self::Value>;

    /// A map of what was asked for.
    fn map(asked: impl Iterator<Item = (Self::Id, Option<Self::Value>)>) -> Self::Map;
}

/// What a map holds are values; an id without one is not in it.
#[derive(Debug)]
pub struct Values<M>(PhantomData<M>);

impl<M: AnyMap> Batch for Values<M> {
    type Map = M;
    type Id = M::Id;
    type Value = M::Entry;

    fn values(map: M) -> HashMap<M::Id, M::Entry> {
        map.entries().collect()
    }

    fn map(asked: impl Iterator<Item = (M::Id, Option<M::Entry>)>) -> M {
        M::of(asked.filter_map(|(id, value)| Some((id, value?))))
    }
}

/// A map holds `Option`s, and `None` is no value.
#[derive(Debug)]
pub struct Maybes<M>(PhantomData<M>);

impl<M: AnyMap<Entry = Option<V>>, V> Batch for Maybes<M> {
    type Map = M;
    type Id = M::Id;
    type Value = V;

    fn values(map: M) -> HashMap<M::Id, V> {
        map.entries().filter_map(|(id, value)| Some((id, value?))).collect()
    }

    fn map(asked: impl Iterator<Item = (M::Id, Option<V>)>) -> M {
        M::of(asked)
    }
}

impl<V: Clone + Send + Sync + 'static> Call<'_, V, Vec<String>> {
    /// Removes the values; says how many there were.
    ///
    /// # Errors
    /// The cache's.
    pub async fn purge<X: Face>(self) -> Result<usize> {
        let Some((target, keys)) = self.open()? else { return Ok(0) };
        target.ask::<X, _>(DeleteMany { keys: keys.iter().map(Into::into).collect() }).await
    }

    /// A map of the values that there are.
    ///
    /// # Errors
    /// The cache's.
    pub async fn peek<X: Face, B: Batch<Value = V>>(self, ids: Vec<B::Id>) -> Result<B::Map> {
        let values = match self.open()? {
            None => Vec::new(),
            Some((target, keys)) => target.ask::<X, _>(GetMany::new(keys.iter().map(Into::into).collect())).await?,
        };
        Ok(B::map(ids.into_iter().zip(values).filter(|(_, value)| value.is_some())))
    }
}

/// Carries out a call of an async function of many: `run` calls it with the ids that are missing.
///
/// # Panics
/// If the cache is misconfigured, and the function cannot return that.
pub fn load_many<'c, A, B, F, R, K, S>(
    call: Call<'c, B::Value, Vec<String>>,
    ids: Vec<B::Id>,
    run: F,
    keep: K,
    sharing: S,
) -> Pin<Box<dyn Future<Output = A::Returned> + Send + 'c>>
where
    A: Answer<Value = B::Map> + 'c,
    B: Batch<Value: Clone + Send + Sync + 'static> + 'c,
    F: Fn(Vec<B::Id>) -> R + Send + Sync + 'c,
    R: Future<Output = A::Returned> + Send + 'c,
    K: Fn(&B::Value) -> Keep + Send + Sync + 'c,
    S: Sharing<A::Error> + 'c,
{
    Box::pin(carry_out::<Async, A, B, F, R, K, S>(call, ids, run, keep, sharing))
}

/// As [`load_many`], of a function that is not async.
///
/// # Panics
/// As [`load_many`].
pub fn load_many_blocking<A, B, F, R, K, S>(
    call: Call<'_, B::Value, Vec<String>>,
    ids: Vec<B::Id>,
    run: F,
    keep: K,
    sharing: S,
) -> A::Returned
where
    A: Answer<Value = B::Map>,
    B: Batch<Value: Clone + Send + Sync + 'static>,
    F: Fn(Vec<B::Id>) -> R + Send + Sync,
    R: Future<Output = A::Returned> + Send,
    K: Fn(&B::Value) -> Keep + Send + Sync,
    S: Sharing<A::Error>,
{
    at_once(carry_out::<Blocking, A, B, F, R, K, S>(call, ids, run, keep, sharing))
}

async fn carry_out<X, A, B, F, R, K, S>(
    call: Call<'_, B::Value, Vec<String>>,
    ids: Vec<B::Id>,
    run: F,
    keep: K,
    sharing: S,
) -> A::Returned
where
    X: Face,
    A: Answer<Value = B::Map>,
    B: Batch<Value: Clone + Send + Sync + 'static>,
    F: Fn(Vec<B::Id>) -> R + Send + Sync,
    R: Future<Output = A::Returned> + Send,
    K: Fn(&B::Value) -> Keep + Send + Sync,
    S: Sharing<A::Error>,
{
    let (function, failed) = (call.function, Mutex::new(None));
    let answer = match call.open() {
        Err(error) => Err(error),
        Ok(None) => return run(distinct(ids)).await,
        Ok(Some((target, keys))) => {
            let by_told = by_told(&target, &keys, &ids);
            let loader = || Behind::<X, A, B, F, R, K, S> {
                run: &run,
                failed: &failed,
                target: &target,
                by_told: &by_told,
                keep: &keep,
                sharing,
                of: PhantomData,
            };
            if target.flight == Flight::Own {
                loader().load_beside(&keys, &ids).await
            } else {
                loop {
                    let command = GetOrLoadMany::new(keys.iter().map(Into::into).collect(), loader());
                    match target.load::<X, _>(command).await {
                        Err(error) if error.kind() == ErrorKind::Load && is_worth_another_try(&error, sharing) => {}
                        answer => break answer,
                    }
                }
            }
        }
    };
    let verdict = match answer {
        Ok(values) => match A::close(Some(B::map(ids.iter().cloned().zip(values)))) {
            Some(returned) => return returned,
            None => Verdict::CallItself,
        },
        Err(error) => match failed.into_inner() {
            Some(own) => return A::fail(own),
            None => settle(function, error, sharing),
        },
    };
    match verdict {
        Verdict::Return(error) => A::fail(error),
        Verdict::CallItself => run(distinct(ids)).await,
    }
}

/// The keys and ids of a call, by the keys as a loader is told them: after the cache's key builder.
fn by_told<'k, V, I>(target: &Target<'_, V>, keys: &'k [String], ids: &'k [I]) -> HashMap<String, (&'k str, &'k I)> {
    let told = |key: &String| {
        let mut key = key.into();
        if let Some(builder) = &target.engine.key_builder {
            builder.rebuild(&mut key);
        }
        key.as_str().to_owned()
    };
    keys.iter().map(told).zip(keys.iter().map(String::as_str).zip(ids)).collect()
}

/// Each id once, in order.
fn distinct<I: Clone + Eq + Hash>(ids: Vec<I>) -> Vec<I> {
    let mut seen = HashSet::new();
    ids.into_iter().filter(|id| seen.insert(id.clone())).collect()
}

/// The function as a loader.
struct Behind<'c, X, A: Answer, B: Batch, F, R, K, S> {
    run: &'c F,
    /// The function's own error.
    failed: &'c Mutex<Option<A::Error>>,
    target: &'c Target<'c, B::Value>,
    by_told: &'c HashMap<String, (&'c str, &'c B::Id)>,
    keep: &'c K,
    sharing: S,
    of: PhantomData<fn() -> (X, R)>,
}

impl<X, A: Answer, B: Batch, F, R, K, S> Sealed for Behind<'_, X, A, B, F, R, K, S> {}

impl<X, A, B, F, R, K, S> Behind<'_, X, A, B, F, R, K, S>
where
    X: Face,
    A: Answer<Value = B::Map>,
    B: Batch<Value: Clone + Send + Sync + 'static>,
    F: Fn(Vec<B::Id>) -> R + Send + Sync,
    R: Future<Output = A::Returned> + Send,
    K: Fn(&B::Value) -> Keep + Send + Sync,
    S: Sharing<A::Error>,
{
    /// What the function finds of `ids`.
    async fn find(&self, ids: Vec<B::Id>) -> Result<HashMap<B::Id, B::Value>> {
        match A::open((self.run)(ids).await) {
            Ok(found) => Ok(found.map(B::values).unwrap_or_default()),
            Err(error) => {
                let cause = self.sharing.cause(&error);
                *self.failed.lock() = Some(error);
                Err(cause)
            }
        }
    }

    /// The values of `ids`, loaded for this caller alone where there are none.
    async fn load_beside(&self, keys: &[String], ids: &[B::Id]) -> Result<Vec<Option<B::Value>>> {
        let mut values = vec![None; ids.len()];
        if self.target.reads()
            && let Ok(found) = self.target.ask::<X, _>(GetMany::new(keys.iter().map(Into::into).collect())).await
        {
            values = found;
        }
        let missing = ids.iter().zip(&values).filter(|(_, value)| value.is_none()).map(|(id, _)| id.clone());
        let missing = distinct(missing.collect());
        if missing.is_empty() {
            return Ok(values);
        }
        let found = self.find(missing.clone()).await?;
        let asked: HashSet<B::Id> = missing.into_iter().collect();
        let kept = keys.iter().zip(ids).filter(|(_, id)| asked.contains(*id));
        let kept: HashMap<&B::Id, &String> = kept.map(|(key, id)| (id, key)).collect();
        let puts = kept.into_iter().filter_map(|(id, key)| Some((key, found.get(id)?)));
        all(puts.map(async |(key, value)| self.target.put::<X>(key, value.clone(), (self.keep)(value)).await)).await;
        for (id, value) in ids.iter().zip(&mut values).filter(|(_, value)| value.is_none()) {
            *value = found.get(id).cloned();
        }
        Ok(values)
    }
}

impl<X, A, B, F, R, K, S> BatchLoader<B::Value> for Behind<'_, X, A, B, F, R, K, S>
where
    X: Face,
    A: Answer<Value = B::Map>,
    B: Batch<Value: Clone + Send + Sync + 'static>,
    F: Fn(Vec<B::Id>) -> R + Send + Sync,
    R: Future<Output = A::Returned> + Send,
    K: Fn(&B::Value) -> Keep + Send + Sync,
    S: Sharing<A::Error>,
{
    const BLOCKS: bool = X::BLOCKS;

    async fn load(&mut self, keys: Vec<String>) -> Result<HashMap<String, Outcome<B::Value>>> {
        let ids = keys.iter().filter_map(|told| Some(self.by_told.get(told)?.1.clone())).collect();
        let mut found = self.find(ids).await?;
        // What nobody asked for is left out.
        let values = keys.into_iter().filter_map(|told| {
            let (key, id) = self.by_told.get(&told)?;
            Some((told, *key, found.remove(*id)?))
        });
        let outcomes = values.map(async |(told, key, value)| {
            let keep = (self.keep)(&value);
            (told, self.target.outcome::<X>(key, value, keep).await)
        });
        Ok(all(outcomes).await.into_iter().collect())
    }
}
