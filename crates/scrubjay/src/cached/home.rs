//! Where a function's values live: found at its first call, or told by an expression at each.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock, OnceLock},
};

use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Builder, Cache, ErrorKind, Result, blocking, caches, serializer::Codecs};

/// Which cache a function names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// None: the configured default, which is memory until it is configured.
    Default,
    /// An alias.
    Alias(&'static str),
    /// A URL. Functions that name the same one share a cache, if their values have the same type.
    Url(&'static str),
}

impl Place {
    /// Live values have one type. An alias that keeps them for another one, and the default, which is everybody's, are
    /// therefore a cache for each type that functions return; a store is one for all.
    fn find<V: Clone + Send + Sync + 'static>(self, codecs: Codecs<V>) -> Result<Cache<V>> {
        match self {
            Self::Default if caches::recipe(caches::DEFAULT)?.has_near() => {
                self.typed(|| Ok(Builder::from_recipe(caches::recipe(caches::DEFAULT)?).codecs(codecs)))
            }
            Self::Default => caches::get_with(caches::DEFAULT, codecs),
            Self::Alias(alias) => match caches::get_with(alias, codecs) {
                Err(error) if error.kind() == ErrorKind::WrongType => {
                    self.typed(|| Ok(Builder::from_recipe(caches::recipe(alias)?).codecs(codecs)))
                }
                found => found,
            },
            Self::Url(url) => self.typed(|| Cache::builder().codecs(codecs).url(url)),
        }
    }

    /// The one cache of this place for `V`s.
    fn typed<V: Clone + Send + Sync + 'static>(self, builder: impl FnOnce() -> Result<Builder<V>>) -> Result<Cache<V>> {
        let key = (self, TypeId::of::<V>());
        let known = TYPED.lock().get(&key).and_then(|cache| cache.downcast_ref::<Cache<V>>().cloned());
        if let Some(cache) = known {
            return Ok(cache);
        }
        // Built outside the lock: factories are users' code. Of two that build at once the first to come back wins.
        let built = builder()?.build()?;
        let mut caches = TYPED.lock();
        let cache = Arc::clone(caches.entry(key).or_insert_with(|| Arc::new(built.clone())));
        Ok(cache.downcast_ref::<Cache<V>>().cloned().unwrap_or(built))
    }
}

/// Caches that only functions know, by place and type of value.
static TYPED: LazyLock<Mutex<HashMap<(Place, TypeId), Arc<dyn Any + Send + Sync>>>> = LazyLock::new(Mutex::default);

/// The caches of a function, found at its first calls: one for each type of its values, and it has more than one only if it is
/// generic. Nothing leaves the list, so that looking into it takes no lock.
pub struct Home(OnceLock<Box<Found>>);

/// A cache that was found, and those found after it.
struct Found {
    cache: Box<dyn Any + Send + Sync>,
    next: Home,
}

impl Home {
    /// Not found yet.
    #[expect(clippy::new_without_default, reason = "it is made by a static alone")]
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The cache of `V`s, found now if this is the first call.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is no such cache or it cannot be made; the next call tries again.
    #[inline]
    pub fn find<V>(&self, place: Place, codecs: impl FnOnce() -> Codecs<V>) -> Result<&Cache<V>>
    where
        V: Clone + Send + Sync + 'static,
    {
        match self.known() {
            Some(cache) => Ok(cache),
            None => place.find(codecs()).map(|cache| self.keep(cache)),
        }
    }

    #[inline]
    fn known<V: 'static>(&self) -> Option<&Cache<V>> {
        let mut home = self;
        loop {
            let found = home.0.get()?;
            if let Some(cache) = found.cache.downcast_ref() {
                return Some(cache);
            }
            home = &found.next;
        }
    }

    /// Adds `cache` at the end, unless another call has added one meanwhile.
    fn keep<V: Send + Sync + 'static>(&self, cache: Cache<V>) -> &Cache<V> {
        let mut new = Some(Box::new(Found { cache: Box::new(cache), next: Self::new() }));
        loop {
            if let Some(known) = self.known() {
                return known;
            }
            let mut end = self;
            while let Some(found) = end.0.get() {
                end = &found.next;
            }
            // Whoever was faster may have added another type's.
            new = new.and_then(|new| end.0.set(new).err());
        }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Home")
    }
}

/// What an expression may give for a cache: one, a reference to one, none.
#[diagnostic::on_unimplemented(
    message = "`cache` must be a `Cache<{V}>`, or an `Option` of one, and is a `{Self}`",
    note = "`cache = \"…\"` names an alias or a URL; the cache's values are what the function returns, without `Result` and `Option`"
)]
pub trait Chosen<V> {
    /// The cache; none bypasses it.
    fn chosen(&self) -> Option<&Cache<V>>;
}

impl<V> Chosen<V> for Cache<V> {
    #[inline]
    fn chosen(&self) -> Option<&Cache<V>> {
        Some(self)
    }
}

impl<V> Chosen<V> for blocking::Cache<V> {
    fn chosen(&self) -> Option<&Cache<V>> {
        Some(self.as_asynchronous())
    }
}

impl<V, C: Chosen<V>> Chosen<V> for Option<C> {
    #[inline]
    fn chosen(&self) -> Option<&Cache<V>> {
        self.as_ref().and_then(C::chosen)
    }
}

impl<V, C: Chosen<V> + ?Sized> Chosen<V> for &C {
    #[inline]
    fn chosen(&self) -> Option<&Cache<V>> {
        (**self).chosen()
    }
}

impl<V, C: Chosen<V> + ?Sized> Chosen<V> for Arc<C> {
    fn chosen(&self) -> Option<&Cache<V>> {
        (**self).chosen()
    }
}

impl<V, C: Chosen<V>, F: FnOnce() -> C> Chosen<V> for LazyLock<C, F> {
    #[inline]
    fn chosen(&self) -> Option<&Cache<V>> {
        (**self).chosen()
    }
}

/// Which serializers a type of value can have: serde's, if it has serde. The compiler finds the better trait first.
pub struct Codec<V>(pub std::marker::PhantomData<V>);

impl<V> fmt::Debug for Codec<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codec")
    }
}

/// For a type with serde.
pub trait CodecOfSerde<V> {
    /// All of them.
    fn codecs(&self) -> Codecs<V>;
}

impl<V: Clone + Send + Sync + 'static + Serialize + DeserializeOwned> CodecOfSerde<V> for Codec<V> {
    fn codecs(&self) -> Codecs<V> {
        Codecs::serde()
    }
}

/// For any other.
pub trait CodecOfAny<V> {
    /// None.
    fn codecs(&self) -> Codecs<V>;
}

impl<V: Clone + Send + Sync + 'static> CodecOfAny<V> for &Codec<V> {
    fn codecs(&self) -> Codecs<V> {
        Codecs::none()
    }
}
