//! Named caches: a program configures them once and asks for them by alias anywhere.
//!
//! An alias has a recipe and one instance. [`get`] makes the instance at its first call and returns the same one from then on.
//! An alias without a near tier can be used with several types of value, all over one store. Live values have one type, so an
//! alias with a near tier has one, too. Until something is configured, `default` is `memory://`.

use std::{
    any::{Any, TypeId, type_name},
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Policy, Recipe};
use crate::{Builder, Cache, Error, ErrorKind, Result, far::AnyStore, serializer::Codecs};

/// The alias that is used where none is named.
pub const DEFAULT: &str = "default";

/// Recipes by alias, and the policy of caches that set none.
#[derive(Clone, Debug, Default)]
pub struct Config {
    recipes: BTreeMap<String, Recipe>,
    policy: Policy,
}

impl Config {
    /// No aliases yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an alias, or replaces it.
    #[must_use]
    pub fn alias(mut self, alias: impl Into<String>, recipe: Recipe) -> Self {
        self.recipes.insert(alias.into(), recipe);
        self
    }

    /// Sets the policy of the process: every cache that is built from now on, named or not, uses it for the fields that its own
    /// policy leaves unset.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Aliases from TOML, each a table or a URL.
    ///
    /// ```
    /// use scrubjay::{caches, caches::Config};
    ///
    /// # fn main() -> scrubjay::Result<()> {
    /// caches::configure(Config::from_toml(r#"
    ///     default = "memory://?max-entries=500"
    ///
    ///     [pages]
    ///     cache = "memory"
    ///     serializer = "json"
    ///     ttl = "10m"
    ///     plugins = ["hit-ratio"]
    /// "#)?)?;
    /// assert_eq!(caches::get::<String>("pages")?.info().plugins, ["hit-ratio"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the alias.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self> {
        let value = toml::from_str(text);
        Self::from_value(value.map_err(|error| Error::config("not TOML").with_source(error.message().to_owned()))?)
    }

    /// Aliases from JSON, each a table or a URL.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the alias.
    pub fn from_json(text: &str) -> Result<Self> {
        let value = serde_json::from_str(text);
        Self::from_value(value.map_err(|error| Error::config("not JSON").with_source(error))?)
    }

    /// Aliases from a value that serde has read, each a table or a URL.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the alias.
    pub fn from_value(value: Value) -> Result<Self> {
        let Value::Object(table) = value else {
            return Err(Error::config("caches are configured by a table of aliases"));
        };
        let recipes = table.into_iter().map(|(alias, value)| match Recipe::from_value(value) {
            Ok(recipe) => Ok((alias, recipe)),
            Err(error) => Err(Error::config(format!("alias `{alias}`")).with_source(error)),
        });
        recipes.collect::<Result<_>>().map(|recipes| Self { recipes, policy: Policy::new() })
    }
}

impl<A: Into<String>> FromIterator<(A, Recipe)> for Config {
    fn from_iter<I: IntoIterator<Item = (A, Recipe)>>(recipes: I) -> Self {
        let recipes = recipes.into_iter().map(|(alias, recipe)| (alias.into(), recipe)).collect();
        Self { recipes, policy: Policy::new() }
    }
}

/// An alias: its recipe, and what was built of it.
struct Alias {
    recipe: Recipe,
    /// The far tier that views of several types share.
    store: Option<AnyStore>,
    /// `Cache<V>`s by `V`.
    instances: BTreeMap<TypeId, Instance>,
}

struct Instance {
    cache: Arc<dyn Any + Send + Sync>,
    value_type: &'static str,
}

impl From<Recipe> for Alias {
    fn from(recipe: Recipe) -> Self {
        Self { recipe, store: None, instances: BTreeMap::new() }
    }
}

static ALIASES: LazyLock<Mutex<BTreeMap<String, Alias>>> = LazyLock::new(|| Mutex::new(unconfigured()));

static POLICY: Mutex<Policy> = Mutex::new(Policy::new());

/// The policy of caches that say nothing of their own.
pub(crate) fn policy() -> Policy {
    *POLICY.lock()
}

fn unconfigured() -> BTreeMap<String, Alias> {
    BTreeMap::from([(DEFAULT.to_owned(), Recipe::default().into())])
}

/// Replaces the configuration. Caches returned before stay as they are; from now on [`get`] returns new ones.
///
/// # Errors
/// [`ErrorKind::Config`] without a `default`.
pub fn configure(config: Config) -> Result<()> {
    if !config.recipes.contains_key(DEFAULT) {
        return Err(Error::config("a configuration needs an alias called `default`"));
    }
    let aliases = config.recipes.into_iter().map(|(alias, recipe)| (alias, recipe.into())).collect();
    *POLICY.lock() = config.policy;
    // The old instances are dropped after the lock is free.
    let _before = std::mem::replace(&mut *ALIASES.lock(), aliases);
    Ok(())
}

/// Adds one alias, or replaces it.
pub fn add(alias: impl Into<String>, recipe: Recipe) {
    let _before = ALIASES.lock().insert(alias.into(), recipe.into());
}

/// The cache of that alias, always the same one.
///
/// # Errors
/// [`ErrorKind::Config`] for an unknown alias (listing the known ones) and for a recipe that cannot be built,
/// [`ErrorKind::WrongType`] if it keeps live values of another type.
pub fn get<V>(alias: &str) -> Result<Cache<V>>
where
    V: Clone + Send + Sync + 'static + Serialize + DeserializeOwned,
{
    get_with(alias, Codecs::serde())
}

/// As [`get`], for types without serde: `codecs` says which serializers they can have.
///
/// # Errors
/// As [`get`].
pub fn get_with<V: Clone + Send + Sync + 'static>(alias: &str, codecs: Codecs<V>) -> Result<Cache<V>> {
    let (recipe, store) = match find::<V>(alias)? {
        Known::Built(cache) => return Ok(cache),
        Known::Recipe { recipe, store } => (recipe, store),
    };
    // Built outside the lock: factories are users' code. Of two callers that build at once, the first to come back wins.
    let cache =
        Builder::from_recipe(*recipe).codecs(codecs).build_over(store).map_err(|error| of_alias(alias, error))?;
    let mut aliases = ALIASES.lock();
    let Some(entry) = aliases.get_mut(alias) else { return Ok(cache) };
    if let Some(Ok(first)) = entry.instance::<V>(alias) {
        return Ok(first);
    }
    entry.store = cache.engine().far.as_ref().map(|far| far.store.clone());
    let instance = Instance { cache: Arc::new(cache.clone()), value_type: type_name::<V>() };
    entry.instances.insert(TypeId::of::<V>(), instance);
    Ok(cache)
}

/// A builder with that alias's recipe, for a new cache with tiers of its own.
///
/// ```
/// use std::time::Duration;
/// use scrubjay::caches;
///
/// # fn main() -> scrubjay::Result<()> {
/// let cache = caches::create::<u32>("default")?.ttl(Duration::from_secs(5)).build()?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] for an unknown alias, listing the known ones.
pub fn create<V>(alias: &str) -> Result<Builder<V>>
where
    V: Clone + Send + Sync + 'static + Serialize + DeserializeOwned,
{
    create_with(alias, Codecs::serde())
}

/// As [`create`], for types without serde: `codecs` says which serializers they can have.
///
/// # Errors
/// As [`create`].
pub fn create_with<V: Clone + Send + Sync + 'static>(alias: &str, codecs: Codecs<V>) -> Result<Builder<V>> {
    Ok(Builder::from_recipe(recipe(alias)?).codecs(codecs))
}

/// A copy of that alias's recipe.
///
/// # Errors
/// [`ErrorKind::Config`] for an unknown alias, listing the known ones.
pub fn recipe(alias: &str) -> Result<Recipe> {
    let aliases = ALIASES.lock();
    aliases.get(alias).map(|entry| entry.recipe.clone()).ok_or_else(|| unknown(alias, &aliases))
}

/// What is known of an alias for one type of value.
enum Known<V> {
    Built(Cache<V>),
    Recipe { recipe: Box<Recipe>, store: Option<AnyStore> },
}

fn find<V: Clone + Send + Sync + 'static>(alias: &str) -> Result<Known<V>> {
    let aliases = ALIASES.lock();
    let entry = aliases.get(alias).ok_or_else(|| unknown(alias, &aliases))?;
    match entry.instance(alias) {
        Some(cache) => cache.map(Known::Built),
        None => Ok(Known::Recipe { recipe: Box::new(entry.recipe.clone()), store: entry.store.clone() }),
    }
}

impl Alias {
    /// The instance for `V`; an error if there is one for another type and live values cannot be viewed as two.
    fn instance<V: 'static>(&self, alias: &str) -> Option<Result<Cache<V>>> {
        if let Some(instance) = self.instances.get(&TypeId::of::<V>()) {
            return instance.cache.downcast_ref::<Cache<V>>().map(|cache| Ok(cache.clone()));
        }
        let other = self.instances.values().next().filter(|_| self.recipe.has_near())?;
        Some(Err(Error::new(
            ErrorKind::WrongType,
            format!(
                "alias `{alias}` keeps live values of {}, and was asked for with {}: name another alias, or give it a \
                 serializer and no near tier",
                other.value_type,
                type_name::<V>()
            ),
        )))
    }
}

fn unknown(alias: &str, aliases: &BTreeMap<String, Alias>) -> Error {
    let known = aliases.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    Error::config(format!("unknown alias `{alias}`; known: {known}"))
}

fn of_alias(alias: &str, error: Error) -> Error {
    Error::new(error.kind(), format!("alias `{alias}`")).with_source(error)
}
