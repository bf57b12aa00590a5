//! One call of a function, with all that the attribute says of it.

use super::{Answer, face::Face};
use crate::{
    Cache, Key, Policy, Result, Ttl,
    argument_key::Text,
    engine::{self, Choices, Command, Engine, Loading, Options},
    load,
};

/// What the attribute says of a call. `K` is its key, or its keys.
#[derive(Debug)]
pub struct Call<'a, V: Clone + Send + Sync + 'static, K> {
    /// The function, with its path.
    pub function: &'static str,
    /// Where its values live; nowhere, if it is to be called.
    pub cache: Result<Option<&'a Cache<V>>>,
    /// What it asks for.
    pub key: Result<K>,
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

/// A function with a namespace of its own, which `clear` can empty.
#[diagnostic::on_unimplemented(
    message = "`clear` would drop the entries of other functions too: this one has no namespace of its own",
    label = "needs `namespace = \"…\"` in the attribute",
    note = "give the attribute a `namespace` that no other function has, drop single calls with `purge`, or clear the cache itself"
)]
pub trait OwnNamespace {}

/// A function without.
#[derive(Debug)]
pub struct SharedNamespace;

impl<'a, V: Clone + Send + Sync + 'static, K> Call<'a, V, K> {
    fn options(&self) -> Options<'a> {
        Options { namespace: self.namespace, ttl: self.ttl, ..Options::default() }
    }

    /// Where to look, and for what; nowhere, if the cache is bypassed.
    pub(super) fn open(self) -> Result<Option<(Target<'a, V>, K)>> {
        let options = self.options();
        let Some(cache) = self.cache? else { return Ok(None) };
        let reading = match self.reading {
            Reading::Cached => load::Reading::Everywhere,
            Reading::Anew => load::Reading::Nowhere,
        };
        let mut choices = Choices { reading, ..Choices::default() };
        if let Some(own) = self.policy {
            choices.choose_policy(*own, cache.engine().policy);
        }
        let target = Target { engine: cache.engine(), options, choices, flight: self.flight, writing: self.writing };
        Ok(Some((target, self.key?)))
    }

    /// Removes every value of the namespace.
    ///
    /// # Errors
    /// The cache's.
    pub async fn clear<X: Face>(cache: Result<Option<&Cache<V>>>, namespace: &str) -> Result<()> {
        let Some(cache) = cache? else { return Ok(()) };
        X::ask(cache.engine(), engine::Clear, Options { namespace: Some(namespace), ..Options::default() }).await
    }
}

impl<V: Clone + Send + Sync + 'static> Call<'_, V, Text> {
    /// What the function returns, if the near tier has it: found without a future, and without anything else that only a miss
    /// needs.
    #[must_use]
    #[inline]
    pub fn hit<A: Answer<Value = V>>(&self) -> Option<A::Returned> {
        let (Ok(Some(cache)), Ok(key), Reading::Cached) = (&self.cache, &self.key, self.reading) else { return None };
        let engine = cache.engine();
        let chooses_early_refresh = |policy: &Policy| policy.early_refresh.is_some();
        // Plugins are told of whole commands, and who refreshes early has more to do.
        if !engine.plugins.is_empty()
            || engine.key_builder.is_some()
            || chooses_early_refresh(&engine.policy)
            || self.policy.is_some_and(chooses_early_refresh)
        {
            return None;
        }
        let near = engine.near.as_ref()?;
        let key = crate::QualifiedKey { namespace: engine.namespace(&self.options()), key };
        A::close(Some(near.memory.get(engine.near_key(key).pair())?))
    }

    /// Removes the value; says whether there was one.
    ///
    /// # Errors
    /// The cache's.
    pub async fn purge<X: Face>(self) -> Result<bool> {
        let Some((target, key)) = self.open()? else { return Ok(false) };
        target.ask::<X, _>(engine::Delete { key: (&*key).into() }).await
    }

    /// The value, if there is one.
    ///
    /// # Errors
    /// The cache's.
    pub async fn peek<X: Face>(self) -> Result<Option<V>> {
        let Some((target, key)) = self.open()? else { return Ok(None) };
        target.ask::<X, _>(engine::Get::new((&*key).into())).await
    }
}

/// A cache, and how a call uses it.
pub(super) struct Target<'a, V> {
    pub(super) engine: &'a Engine<V>,
    options: Options<'a>,
    choices: Choices,
    pub(super) flight: Flight,
    writing: Writing,
}

impl<V: Clone + Send + Sync + 'static> Target<'_, V> {
    /// Carries out a command that loads nothing.
    pub(super) async fn ask<X: Face, C: Command<V>>(&self, command: C) -> Result<C::Output> {
        X::ask(self.engine, command, self.options).await
    }

    /// Carries out a command that loads.
    pub(super) async fn load<X: Face, C: Command<V> + Loading>(&self, command: C) -> Result<C::Output> {
        X::load(self.engine, command, self.options, self.choices.clone()).await
    }

    /// Whether a value that is there is enough.
    pub(super) fn reads(&self) -> bool {
        self.choices.reading == load::Reading::Everywhere
    }

    /// What a load is to make of a value that the function returned.
    pub(super) async fn outcome<X: Face>(&self, key: &str, value: V, keep: Keep) -> load::Outcome<V> {
        match keep {
            // A load overwrites what it did not look at, and what stands there is to stay.
            _ if self.writing == Writing::IfAbsent && !self.reads() => {
                self.put::<X>(key, value.clone(), keep).await;
                load::Outcome::DontStore(value)
            }
            Keep::AsUsual => load::Outcome::Store(value),
            Keep::For(ttl) => load::Outcome::StoreFor(value, ttl),
            Keep::Not => load::Outcome::DontStore(value),
        }
    }

    /// Keeps a value without a load around it. That it could not be kept is the cache's affair.
    pub(super) async fn put<X: Face>(&self, key: &str, value: V, keep: Keep) {
        let ttl = match keep {
            Keep::Not => return,
            Keep::AsUsual => self.options.ttl,
            Keep::For(ttl) => Some(ttl),
        };
        let (key, options) = (Key::from(key), Options { ttl, ..self.options });
        match self.writing {
            Writing::Always => drop(X::ask(self.engine, engine::Set::new(key, value), options).await),
            Writing::IfAbsent => drop(X::ask(self.engine, engine::Add::new(key, value), options).await),
        }
    }
}
