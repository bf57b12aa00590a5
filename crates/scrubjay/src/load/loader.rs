//! Loaders: the functions that a cache calls for what it has not, in the shapes that callers write them.

use std::collections::HashMap;

use super::{Load, Outcome, conduct::Flown, loading::Loading};
use crate::{Error, ErrorKind, Result};

/// What keeps loaders to those of this file.
mod sealed {
    pub trait Sealed {}
}

pub(crate) use self::sealed::Sealed;

/// A function that loads a value. Sealed: users meet it only as the parameter of a [`GetOrLoad`](crate::requests::GetOrLoad).
pub trait Loader<V>: Sealed + Sized + Send {
    /// What the caller gets.
    type Output: Send;

    /// Whether it keeps its thread until it is done.
    #[doc(hidden)]
    const BLOCKS: bool;

    /// Calls the function, once it is polled.
    #[doc(hidden)]
    fn load(self, key: &str, stale: Option<V>) -> impl Future<Output = Result<Outcome<V>>> + Send;

    /// What the caller gets for a value, or for the knowledge that there is none.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where the caller expects a value.
    #[doc(hidden)]
    fn output(value: Option<V>) -> Result<Self::Output>;

    /// Where the load runs: in its caller, unless a loader knows better.
    #[doc(hidden)]
    fn conduct(self, loading: Loading<'_, V>) -> impl Future<Output = Flown<V>> + Send
    where
        V: Clone + Send + Sync + 'static,
    {
        loading.in_place(self)
    }
}

/// What a loader's error becomes.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A loader that returns a value: `|| async { Ok(value) }`.
#[derive(Debug)]
pub struct Plain<F>(pub(crate) F);

impl<F> Sealed for Plain<F> {}

impl<V, F, Fut, E> Loader<V> for Plain<F>
where
    V: Send + 'static,
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<V, E>> + Send,
    E: Into<Cause>,
{
    type Output = V;
    const BLOCKS: bool = false;

    async fn load(self, _: &str, _: Option<V>) -> Result<Outcome<V>> {
        // The function is called before the first await, so that it need not outlive it.
        let loading = (self.0)();
        stored(loading.await)
    }

    fn output(value: Option<V>) -> Result<V> {
        expect(value)
    }
}

/// A loader that gets the [`Load`] and returns an [`Outcome`]: `|load| async move { Ok(Outcome::NotFound) }`.
#[derive(Debug)]
pub struct Told<F>(pub(crate) F);

impl<F> Sealed for Told<F> {}

impl<V, F, Fut, E> Loader<V> for Told<F>
where
    V: Send + 'static,
    F: FnOnce(Load<V>) -> Fut + Send,
    Fut: Future<Output = Result<Outcome<V>, E>> + Send,
    E: Into<Cause>,
{
    type Output = Option<V>;
    const BLOCKS: bool = false;

    async fn load(self, key: &str, stale: Option<V>) -> Result<Outcome<V>> {
        let loading = (self.0)(Load::new(key, stale));
        loading.await.map_err(Error::load)
    }

    fn output(value: Option<V>) -> Result<Option<V>> {
        Ok(value)
    }
}

/// As [`Plain`], without async: `|| Ok(value)`.
#[derive(Debug)]
pub(crate) struct PlainBlocking<F>(pub(crate) F);

impl<F> Sealed for PlainBlocking<F> {}

impl<V, F, E> Loader<V> for PlainBlocking<F>
where
    V: Send + 'static,
    F: FnOnce() -> Result<V, E> + Send,
    E: Into<Cause>,
{
    type Output = V;
    const BLOCKS: bool = true;

    async fn load(self, _: &str, _: Option<V>) -> Result<Outcome<V>> {
        stored((self.0)())
    }

    fn output(value: Option<V>) -> Result<V> {
        expect(value)
    }
}

/// As [`Told`], without async.
#[derive(Debug)]
pub(crate) struct ToldBlocking<F>(pub(crate) F);

impl<F> Sealed for ToldBlocking<F> {}

impl<V, F, E> Loader<V> for ToldBlocking<F>
where
    V: Send + 'static,
    F: FnOnce(Load<V>) -> Result<Outcome<V>, E> + Send,
    E: Into<Cause>,
{
    type Output = Option<V>;
    const BLOCKS: bool = true;

    async fn load(self, key: &str, stale: Option<V>) -> Result<Outcome<V>> {
        (self.0)(Load::new(key, stale)).map_err(Error::load)
    }

    fn output(value: Option<V>) -> Result<Option<V>> {
        Ok(value)
    }
}

/// A loader that runs in a task of its own, which continues when a caller is cancelled.
#[derive(Debug)]
pub struct Spawned<L>(pub(crate) L);

impl<L> Sealed for Spawned<L> {}

impl<V, L: Loader<V> + 'static> Loader<V> for Spawned<L> {
    type Output = L::Output;
    const BLOCKS: bool = L::BLOCKS;

    fn load(self, key: &str, stale: Option<V>) -> impl Future<Output = Result<Outcome<V>>> + Send {
        self.0.load(key, stale)
    }

    fn output(value: Option<V>) -> Result<L::Output> {
        L::output(value)
    }

    fn conduct(self, loading: Loading<'_, V>) -> impl Future<Output = Flown<V>> + Send
    where
        V: Clone + Send + Sync + 'static,
    {
        loading.spawned(self.0)
    }
}

/// A function that loads several values. Sealed: users meet it only as the parameter of a
/// [`GetOrLoadMany`](crate::requests::GetOrLoadMany).
pub trait BatchLoader<V>: Sealed + Send {
    /// Whether it keeps its thread until it is done.
    #[doc(hidden)]
    const BLOCKS: bool;

    /// Calls the function, once it is polled; a key that its answer lacks has no value.
    #[doc(hidden)]
    fn load(&mut self, keys: Vec<String>) -> impl Future<Output = Result<HashMap<String, Outcome<V>>>> + Send;
}

/// A loader that gets keys and returns those that it finds with their values, as pairs: `|keys| async { Ok(pairs) }`.
#[derive(Debug)]
pub struct Batch<F>(pub(crate) F);

impl<F> Sealed for Batch<F> {}

impl<V, F, Fut, Pairs, E> BatchLoader<V> for Batch<F>
where
    V: Send,
    F: FnMut(Vec<String>) -> Fut + Send,
    Fut: Future<Output = Result<Pairs, E>> + Send,
    Pairs: IntoIterator<Item = (String, V)>,
    E: Into<Cause>,
{
    const BLOCKS: bool = false;

    async fn load(&mut self, keys: Vec<String>) -> Result<HashMap<String, Outcome<V>>> {
        all_stored((self.0)(keys).await)
    }
}

/// As [`Batch`], without async.
#[derive(Debug)]
pub(crate) struct BatchBlocking<F>(pub(crate) F);

impl<F> Sealed for BatchBlocking<F> {}

impl<V, F, Pairs, E> BatchLoader<V> for BatchBlocking<F>
where
    V: Send,
    F: FnMut(Vec<String>) -> Result<Pairs, E> + Send,
    Pairs: IntoIterator<Item = (String, V)>,
    E: Into<Cause>,
{
    const BLOCKS: bool = true;

    async fn load(&mut self, keys: Vec<String>) -> Result<HashMap<String, Outcome<V>>> {
        all_stored((self.0)(keys))
    }
}

/// One key of a batch, loaded by itself.
pub(super) struct Single<'l, L>(pub(super) &'l mut L);

impl<L> Sealed for Single<'_, L> {}

impl<V: Send + 'static, L: BatchLoader<V>> Loader<V> for Single<'_, L> {
    type Output = Option<V>;
    const BLOCKS: bool = L::BLOCKS;

    async fn load(self, key: &str, _: Option<V>) -> Result<Outcome<V>> {
        let mut values = self.0.load(vec![key.to_owned()]).await?;
        Ok(values.remove(key).unwrap_or(Outcome::NotFound))
    }

    fn output(value: Option<V>) -> Result<Option<V>> {
        Ok(value)
    }
}

fn stored<V, E: Into<Cause>>(result: Result<V, E>) -> Result<Outcome<V>> {
    result.map(Outcome::Store).map_err(Error::load)
}

fn all_stored<V, E: Into<Cause>>(
    pairs: Result<impl IntoIterator<Item = (String, V)>, E>,
) -> Result<HashMap<String, Outcome<V>>> {
    let pairs = pairs.map_err(Error::load)?;
    Ok(pairs.into_iter().map(|(key, value)| (key, Outcome::Store(value))).collect())
}

fn expect<V>(value: Option<V>) -> Result<V> {
    value.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "the load that this caller joined found nothing: use get_or_load_with where that can happen",
        )
    })
}
