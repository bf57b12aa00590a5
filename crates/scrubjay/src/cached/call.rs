//! One call of a function: its value from the cache, or from the function itself.

use parking_lot::Mutex;

use super::{
    Answer, Sharing,
    sharing::{Verdict, settle},
};
use crate::{Cache, Error, ErrorKind, Load, Outcome, Policy, Result, Ttl, blocking};

/// What the attribute says of a call.
#[derive(Debug)]
pub struct Call<'a, V: Clone + Send + Sync + 'static> {
    /// The function, with its path.
    pub function: &'static str,
    /// Where its values live; nowhere, if it is to be called.
    pub cache: Result<Option<&'a Cache<V>>>,
    /// The key.
    pub key: Result<String>,
    /// The namespace, instead of the cache's.
    pub namespace: Option<&'a str>,
    /// The ttl, instead of the cache's.
    pub ttl: Option<Ttl>,
    /// How it loads, where the attribute says so.
    pub policy: Option<&'a Policy>,
    /// Whether a value that is there is enough.
    pub reading: Reading,
    /// Who calls the function.
    pub flight: Flight,
    /// How its value is kept.
    pub writing: Writing,
}

/// Whether a value that is there is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is.
    Cached,
    /// The function is called anew.
    Anew,
}

impl Reading {
    /// Anew, if the condition of the attribute holds.
    #[must_use]
    #[inline]
    pub fn anew_if(condition: bool) -> Self {
        if condition { Self::Anew } else { Self::Cached }
    }
}

/// Who calls the function, of all that want the same value at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flight {
    /// One.
    Shared,
    /// Each.
    Own,
}

/// How a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// Whatever stands there.
    Always,
    /// Unless something stands there.
    IfAbsent,
}

/// Whether a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// For the ttl of the call.
    AsUsual,
    /// For this long.
    For(Ttl),
    /// It is not.
    Not,
}

/// Asks a condition of the attribute about a value.
pub fn holds<V>(condition: impl FnOnce(&V) -> bool, value: &V) -> bool {
    condition(value)
}

/// Asks a ttl of the attribute about a value.
pub fn ttl_of<V, T: Into<Ttl>>(ttl: impl FnOnce(&V) -> T, value: &V) -> Ttl {
    ttl(value).into()
}

impl<'a, V: Clone + Send + Sync + 'static> Call<'a, V> {
    /// Where to look; nowhere, if the cache is bypassed.
    #[inline]
    fn target(self) -> Result<Option<Target<'a, V>>> {
        let Self { cache, key, namespace, ttl, policy, reading, flight, writing, .. } = self;
        let Some(cache) = cache? else { return Ok(None) };
        Ok(Some(Target { cache, key: key?, namespace, ttl, policy, reading, flight, writing }))
    }

    /// Removes the value; says whether there was one.
    ///
    /// # Errors
    /// The cache's.
    pub async fn purge(self) -> Result<bool> {
        let Some(target) = self.target()? else { return Ok(false) };
        match target.namespace {
            None => target.cache.delete(&target.key).await,
            Some(namespace) => target.cache.delete(&target.key).namespace(namespace).await,
        }
    }

    /// As [`purge`](Self::purge).
    ///
    /// # Errors
    /// As [`purge`](Self::purge).
    pub fn purge_blocking(self) -> Result<bool> {
        let Some(target) = self.target()? else { return Ok(false) };
        target.with().delete(&target.key)
    }

    /// The value, if there is one.
    ///
    /// # Errors
    /// The cache's.
    pub async fn peek(self) -> Result<Option<V>> {
        let Some(target) = self.target()? else { return Ok(None) };
        target.get().await
    }

    /// As [`peek`](Self::peek).
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn peek_blocking(self) -> Result<Option<V>> {
        let Some(target) = self.target()? else { return Ok(None) };
        target.with().get(&target.key)
    }
}

/// Removes every value of the namespace.
///
/// # Errors
/// The cache's.
pub async fn clear<V: Clone + Send + Sync + 'static>(
    cache: Result<Option<&Cache<V>>>,
    namespace: Option<&str>,
) -> Result<()> {
    match (cache?, namespace) {
        (None, _) => Ok(()),
        (Some(cache), None) => cache.clear().await,
        (Some(cache), Some(namespace)) => cache.clear().namespace(namespace).await,
    }
}

/// As [`clear`].
///
/// # Errors
/// As [`clear`].
pub fn clear_blocking<V: Clone + Send + Sync + 'static>(
    cache: Result<Option<&Cache<V>>>,
    namespace: Option<&str>,
) -> Result<()> {
    let Some(cache) = cache? else { return Ok(()) };
    let with = blocking::Cache::of(cache);
    if let Some(namespace) = namespace { with.namespace(namespace).clear() } else { with.clear() }
}

/// A call that has a cache and a key.
struct Target<'a, V: Clone + Send + Sync + 'static> {
    cache: &'a Cache<V>,
    key: String,
    namespace: Option<&'a str>,
    ttl: Option<Ttl>,
    policy: Option<&'a Policy>,
    reading: Reading,
    flight: Flight,
    writing: Writing,
}

/// The error of a loader that is called again. A cache calls it once.
#[cold]
fn left() -> Error {
    Error::new(ErrorKind::Load, "the function was called already")
}

impl<V: Clone + Send + Sync + 'static> Target<'_, V> {
    fn with(&self) -> blocking::With<'_, V> {
        let mut with = blocking::Cache::of(self.cache);
        if let Some(namespace) = self.namespace {
            with = with.namespace(namespace);
        }
        if let Some(ttl) = self.ttl {
            with = with.ttl(ttl);
        }
        with
    }

    async fn get(&self) -> Result<Option<V>> {
        let get = self.cache.get(&self.key);
        match self.namespace {
            None => get.await,
            Some(namespace) => get.namespace(namespace).await,
        }
    }

    /// Keeps what the function returned, without a load around it. That it could not be kept is the cache's affair.
    async fn put(&self, value: &V, keep: Keep) {
        let Some(ttl) = self.ttl_for(keep) else { return };
        let (key, value, namespace) = (&self.key, value.clone(), self.namespace);
        match self.writing {
            Writing::Always => {
                let mut set = self.cache.set(key, value);
                if let Some(namespace) = namespace {
                    set = set.namespace(namespace);
                }
                if let Some(ttl) = ttl {
                    set = set.ttl(ttl);
                }
                drop(set.await);
            }
            Writing::IfAbsent => {
                let mut add = self.cache.add(key, value);
                if let Some(namespace) = namespace {
                    add = add.namespace(namespace);
                }
                if let Some(ttl) = ttl {
                    add = add.ttl(ttl);
                }
                drop(add.await);
            }
        }
    }

    fn put_blocking(&self, value: &V, keep: Keep) {
        let Some(ttl) = self.ttl_for(keep) else { return };
        let mut with = self.with();
        if let Some(ttl) = ttl {
            with = with.ttl(ttl);
        }
        match self.writing {
            Writing::Always => drop(with.set(&self.key, value.clone())),
            Writing::IfAbsent => drop(with.add(&self.key, value.clone())),
        }
    }

    /// Whether a value is to be added beside the load: where the function runs although something may stand there, which is to
    /// stay. Else the load itself keeps nothing over what others wrote meanwhile.
    fn keeps_what_stands(&self) -> bool {
        self.writing == Writing::IfAbsent && self.reading == Reading::Anew
    }

    /// With which ttl a value is kept, if it is.
    #[expect(clippy::option_option, reason = "whether it is kept, and whether for a ttl of its own")]
    fn ttl_for(&self, keep: Keep) -> Option<Option<Ttl>> {
        match keep {
            Keep::Not => None,
            Keep::AsUsual => Some(self.ttl),
            Keep::For(ttl) => Some(Some(ttl)),
        }
    }
}

/// What a load makes of a value.
fn outcome<V>(value: V, keep: Keep) -> Outcome<V> {
    match keep {
        Keep::AsUsual => Outcome::Store(value),
        Keep::For(ttl) => Outcome::StoreFor(value, ttl),
        Keep::Not => Outcome::DontStore(value),
    }
}

/// Carries out a call of an async function: `run` calls it.
///
/// # Panics
/// If the cache is misconfigured, and the function cannot return that.
#[inline]
pub async fn load<A, Arguments, F, Running, K, S>(
    call: Call<'_, A::Value>,
    arguments: Arguments,
    run: F,
    keep: K,
    sharing: S,
) -> A::Returned
where
    A: Answer<Value: Clone + Send + Sync + 'static, Error: Send>,
    Arguments: Send,
    F: Fn(Arguments) -> Running + Copy + Send + Sync,
    Running: Future<Output = A::Returned> + Send,
    K: Fn(&A::Value) -> Keep + Send + Sync,
    S: Sharing<A::Error>,
{
    let function = call.function;
    let mut arguments = Some(arguments);
    let error = 'cache: {
        let target = match call.target() {
            Ok(Some(target)) => target,
            Ok(None) => break 'cache None,
            Err(error) => break 'cache Some(error),
        };
        if target.flight == Flight::Own {
            if let (Reading::Cached, Ok(Some(value))) = (target.reading, target.get().await)
                && let Some(returned) = A::close(Some(value))
            {
                return returned;
            }
            let Some(arguments) = arguments.take() else { break 'cache None };
            return match A::open(run(arguments).await) {
                Ok(Some(value)) => {
                    target.put(&value, keep(&value)).await;
                    A::close(Some(value)).unwrap_or_else(|| gone(function))
                }
                Ok(None) => A::close(None).unwrap_or_else(|| gone(function)),
                Err(error) => A::fail(error),
            };
        }
        let failed = Mutex::new(None);
        let loader = |_: Load<A::Value>| {
            let arguments = arguments.take();
            let (target, failed, keep) = (&target, &failed, &keep);
            async move {
                let Some(arguments) = arguments else { return Err(left()) };
                match A::open(run(arguments).await) {
                    Ok(Some(value)) if target.keeps_what_stands() => {
                        target.put(&value, keep(&value)).await;
                        Ok(Outcome::DontStore(value))
                    }
                    Ok(Some(value)) => {
                        let keep = keep(&value);
                        Ok(outcome(value, keep))
                    }
                    Ok(None) => Ok(Outcome::NotFound),
                    Err(error) => {
                        let cause = sharing.cause(&error);
                        *failed.lock() = Some(error);
                        Err(cause)
                    }
                }
            }
        };
        let mut request = target.cache.get_or_load_with(&target.key, loader);
        if let Some(ttl) = target.ttl {
            request = request.ttl(ttl);
        }
        if let Some(namespace) = target.namespace {
            request = request.namespace(namespace);
        }
        if let Some(policy) = target.policy {
            request = request.policy(*policy);
        }
        if target.reading == Reading::Anew {
            request = request.force_refresh();
        }
        match request.await {
            Ok(value) => match A::close(value) {
                Some(returned) => return returned,
                None => None,
            },
            Err(error) => match failed.into_inner() {
                Some(own) => return A::fail(own),
                None => Some(error),
            },
        }
    };
    if let Some(Verdict::Return(error)) = error.map(|error| settle(function, error, sharing)) {
        return A::fail(error);
    }
    match arguments {
        Some(arguments) => run(arguments).await,
        None => gone(function),
    }
}

/// As [`load`], of a function that is not async.
///
/// # Panics
/// As [`load`].
#[inline]
pub fn load_blocking<A, Arguments, F, K, S>(
    call: Call<'_, A::Value>,
    arguments: Arguments,
    run: F,
    keep: K,
    sharing: S,
) -> A::Returned
where
    A: Answer<Value: Clone + Send + Sync + 'static, Error: Send>,
    Arguments: Send,
    F: Fn(Arguments) -> A::Returned + Copy + Send + Sync,
    K: Fn(&A::Value) -> Keep + Send + Sync,
    S: Sharing<A::Error>,
{
    let function = call.function;
    let mut arguments = Some(arguments);
    let error = 'cache: {
        let target = match call.target() {
            Ok(Some(target)) => target,
            Ok(None) => break 'cache None,
            Err(error) => break 'cache Some(error),
        };
        if target.flight == Flight::Own {
            if let (Reading::Cached, Ok(Some(value))) = (target.reading, target.with().get(&target.key))
                && let Some(returned) = A::close(Some(value))
            {
                return returned;
            }
            let Some(arguments) = arguments.take() else { break 'cache None };
            return match A::open(run(arguments)) {
                Ok(Some(value)) => {
                    target.put_blocking(&value, keep(&value));
                    A::close(Some(value)).unwrap_or_else(|| gone(function))
                }
                Ok(None) => A::close(None).unwrap_or_else(|| gone(function)),
                Err(error) => A::fail(error),
            };
        }
        let failed = Mutex::new(None);
        let loader = |_: Load<A::Value>| {
            let Some(arguments) = arguments.take() else { return Err(left()) };
            match A::open(run(arguments)) {
                Ok(Some(value)) if target.keeps_what_stands() => {
                    target.put_blocking(&value, keep(&value));
                    Ok(Outcome::DontStore(value))
                }
                Ok(Some(value)) => {
                    let keep = keep(&value);
                    Ok(outcome(value, keep))
                }
                Ok(None) => Ok(Outcome::NotFound),
                Err(error) => {
                    let cause = sharing.cause(&error);
                    *failed.lock() = Some(error);
                    Err(cause)
                }
            }
        };
        let mut with = target.with();
        if let Some(policy) = target.policy {
            with = with.policy(*policy);
        }
        if target.reading == Reading::Anew {
            with = with.force_refresh();
        }
        match with.get_or_load_with(&target.key, loader) {
            Ok(value) => match A::close(value) {
                Some(returned) => return returned,
                None => None,
            },
            Err(error) => match failed.into_inner() {
                Some(own) => return A::fail(own),
                None => Some(error),
            },
        }
    };
    if let Some(Verdict::Return(error)) = error.map(|error| settle(function, error, sharing)) {
        return A::fail(error);
    }
    match arguments {
        Some(arguments) => run(arguments),
        None => gone(function),
    }
}

/// A call that has no value and cannot say so.
#[cold]
fn gone<T>(function: &str) -> T {
    panic!(
        "#[cached] {function}: its load was given up (`load-timeout`), which its return type cannot say; return a Result \
         whose error is From<scrubjay::Error>, or drop the timeout from the cache's policy"
    )
}
