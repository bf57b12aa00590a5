//! What a URL or a table says of a cache, before anything is built.

use std::{
    any::{Any, type_name},
    fmt,
    sync::Arc,
    time::Duration,
};

use crate::{
    Error, ErrorKind, KeyBuilder, KeyLayout, Memory, Result, Ttl,
    far::{AnyStore, StoreConfig},
    plugin::{self, Plugin, Plugins},
    serializer::Serializer,
    ttl::parse_duration,
    url::Url,
};

use super::Policy;

/// The description of a cache as plain data: from a URL, from a table, or by setters. `Debug` shows no secret.
///
/// A recipe can be kept, cloned and edited. An alias in [`caches`](crate::caches) makes a cache of it.
///
/// ```
/// use std::time::Duration;
/// use scrubjay::{Recipe, caches, caches::Config};
///
/// # fn main() -> scrubjay::Result<()> {
/// let recipe = Recipe::from_url("memory://?max-entries=500")?.ttl(Duration::from_secs(60));
/// caches::configure(Config::new().alias("default", recipe))?;
/// let words = caches::get::<String>("default")?;
/// assert_eq!(words.info().to_string(), "near(500 entries) ttl=60s");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recipe {
    pub(crate) config: StoreConfig,
    pub(crate) store: Option<AnyStore>,
    pub(crate) near: Option<NearChoice>,
    pub(crate) near_ttl: Option<Duration>,
    pub(crate) serializer: Option<String>,
    typed_serializer: Option<TypedSerializer>,
    pub(crate) namespace: String,
    pub(crate) ttl: Ttl,
    pub(crate) policy: Policy,
    pub(crate) wire: Wire,
    pub(crate) layout: KeyLayout,
    pub(crate) key_builder: Option<KeyBuilder>,
    pub(crate) plugins: Vec<PluginChoice>,
}

/// Whether entries in a store may be wrapped in an envelope, which carries metadata beside the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// Entries are wrapped if they carry more than a value: how long it may be served stale, that there is none, that it is
    /// being loaded. All others are exactly the serializer's bytes.
    #[default]
    Enveloped,
    /// Entries are always exactly the serializer's bytes, and are read as such: for values that other programs share. Loads hold
    /// no leases. Locks are still kept as envelopes, under names of their own.
    Bare,
}

/// A near tier before a far one, as an option tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NearChoice {
    None,
    Entries(u64),
    Unbounded,
    Default,
}

/// A plugin, or the name of one.
#[derive(Clone)]
pub(crate) enum PluginChoice {
    Name(String),
    Value(Arc<dyn Plugin>),
}

/// An `Arc<dyn Serializer<V>>` of a `V` that only its caller knows.
#[derive(Clone)]
struct TypedSerializer {
    serializer: Arc<dyn Any + Send + Sync>,
    value_type: &'static str,
}

impl Default for Recipe {
    fn default() -> Self {
        Self::new("memory")
    }
}

impl Recipe {
    /// A cache over the store of `scheme` (`memory`, `dummy`, or one that was [registered](crate::far::register)).
    #[must_use]
    pub fn new(scheme: impl Into<String>) -> Self {
        Self {
            config: StoreConfig::new(scheme),
            store: None,
            near: None,
            near_ttl: None,
            serializer: None,
            typed_serializer: None,
            namespace: String::new(),
            ttl: Ttl::Never,
            policy: Policy::new(),
            wire: Wire::default(),
            layout: KeyLayout::default(),
            key_builder: None,
            plugins: Vec::new(),
        }
    }

    /// The recipe that `url` describes.
    ///
    /// Every choice of a builder is an option: `namespace`, `ttl`, `timeout`, `serializer`, `near` (`none`, `memory`,
    /// `unbounded` or a number of entries), `near-ttl`, `key-layout`, `key-builder`, `plugins`, `layers`, `wire`, and the
    /// fields of [`Policy`] (`grace`, `load-timeout`, …). The others are options of the serializer, the layers, the plugins and
    /// the store.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it is no URL, or an option of the cache has a wrong value. Names are looked up when a cache is built.
    pub fn from_url(url: &str) -> Result<Self> {
        Self::from_config(StoreConfig::from(Url::parse(url)?))
    }

    /// Takes the cache's own options out of the store's.
    pub(super) fn from_config(mut config: StoreConfig) -> Result<Self> {
        let parameters = &mut config.parameters;
        let mut recipe = Self { namespace: parameters.take_text("namespace").unwrap_or_default(), ..Self::default() };
        recipe.ttl = match parameters.take_text("ttl").as_deref() {
            None | Some("never") => Ttl::Never,
            Some(text) => Ttl::After(parse_duration(text).map_err(|error| option("ttl", &error))?),
        };
        recipe.ttl.lifetime().map_err(|error| option("ttl", &error))?;
        recipe.policy = Policy::from_parameters(parameters)?;
        recipe.wire = match parameters.take_text("wire").as_deref() {
            None | Some("enveloped") => Wire::Enveloped,
            Some("bare") => Wire::Bare,
            Some(other) => {
                return Err(Error::config(format!("option `wire`: expected enveloped or bare, found {other:?}")));
            }
        };
        recipe.serializer = parameters.take_text("serializer");
        recipe.near = parameters.take_text("near").map(|text| NearChoice::parse(&text)).transpose()?;
        recipe.near_ttl = parameters.take_duration("near-ttl")?;
        if let Some(name) = parameters.take_text("key-layout") {
            recipe.layout = KeyLayout::by_name(&name)?;
        }
        if let Some(name) = parameters.take_text("key-builder") {
            recipe.key_builder = Some(KeyBuilder::by_name(&name)?);
        }
        let plugins = parameters.take_text("plugins").unwrap_or_default();
        let names = plugins.split(',').filter(|name| !name.is_empty());
        recipe.plugins = names.map(|name| PluginChoice::Name(name.to_owned())).collect();
        if let Some(timeout) = parameters.take_duration("timeout")? {
            config.timeout = Some(timeout);
        }
        recipe.config = config;
        Ok(recipe)
    }

    /// Adds a server; without a port it has the store's default port.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>, port: Option<u16>) -> Self {
        self.config = self.config.host(name, port);
        self
    }

    /// Chooses the database.
    #[must_use]
    pub fn db(mut self, db: u32) -> Self {
        self.config = self.config.db(db);
        self
    }

    /// Logs in as `user`.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.config = self.config.user(user);
        self
    }

    /// Logs in with `password`, which is never shown.
    #[must_use]
    pub fn password(mut self, password: impl Into<crate::far::Secret>) -> Self {
        self.config = self.config.password(password);
        self
    }

    /// Sets the timeout of far calls that give none.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = Some(timeout);
        self
    }

    /// Sets an option of the serializer, the layers, the plugins or the store, as in a URL's query.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config = self.config.option(name, value);
        self
    }

    /// Keeps bytes in `store`, instead of the store that the scheme names.
    #[must_use]
    pub fn store(mut self, store: impl Into<AnyStore>) -> Self {
        self.store = Some(store.into());
        self
    }

    /// Uses the serializer of that name for the far tier.
    #[must_use]
    pub fn serializer(mut self, chain: impl Into<String>) -> Self {
        self.serializer = Some(chain.into());
        self.typed_serializer = None;
        self
    }

    /// Uses `serializer` for the far tier of caches of `V`. Building a cache of another type is an error.
    #[must_use]
    pub fn serializer_for<V: 'static>(mut self, serializer: impl Serializer<V>) -> Self {
        let serializer: Arc<dyn Serializer<V>> = Arc::new(serializer);
        self.typed_serializer =
            Some(TypedSerializer { serializer: Arc::new(serializer), value_type: type_name::<V>() });
        self
    }

    /// Puts every key into `namespace`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets the ttl of entries whose call gives none.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// Sets how the cache loads.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Chooses whether entries in the store may carry metadata beside the value.
    #[must_use]
    pub fn wire(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    /// Keeps up to `entries` live values in a near tier.
    #[must_use]
    pub fn near(mut self, entries: u64) -> Self {
        self.near = Some(NearChoice::Entries(entries));
        self
    }

    /// How long the near tier may answer for the far tier, at most.
    #[must_use]
    pub fn near_ttl(mut self, ttl: Duration) -> Self {
        self.near_ttl = Some(ttl);
        self
    }

    /// Chooses how namespace and key become one key on the wire.
    #[must_use]
    pub fn key_layout(mut self, layout: KeyLayout) -> Self {
        self.layout = layout;
        self
    }

    /// Maps every key before it is used.
    #[must_use]
    pub fn key_builder(mut self, builder: KeyBuilder) -> Self {
        self.key_builder = Some(builder);
        self
    }

    /// Adds a plugin by value; caches made of this recipe share it.
    #[must_use]
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        self.plugins.push(PluginChoice::Value(Arc::new(plugin)));
        self
    }

    /// Adds the plugin of that name; each cache made of this recipe has one of its own.
    #[must_use]
    pub fn plugin_name(mut self, name: impl Into<String>) -> Self {
        self.plugins.push(PluginChoice::Name(name.into()));
        self
    }

    /// Whether a cache made of this recipe keeps bytes in a store.
    pub(crate) fn has_far(&self) -> bool {
        let serialized = self.serializer.is_some() || self.typed_serializer.is_some();
        self.store.is_some() || self.config.scheme != "memory" || serialized
    }

    /// Whether a cache made of this recipe keeps live values.
    pub(crate) fn has_near(&self) -> bool {
        match self.near {
            Some(NearChoice::None) => false,
            Some(_) => true,
            None => !self.has_far(),
        }
    }

    pub(crate) fn take_plugins(&mut self) -> Result<Plugins> {
        let mut plugins = Plugins::default();
        for choice in std::mem::take(&mut self.plugins) {
            plugins.push(match choice {
                PluginChoice::Name(name) => plugin::by_name(&name, &mut self.config.parameters)?,
                PluginChoice::Value(plugin) => plugin,
            });
        }
        Ok(plugins)
    }

    pub(crate) fn typed_serializer<V: 'static>(&self) -> Result<Option<Arc<dyn Serializer<V>>>> {
        let Some(TypedSerializer { serializer, value_type }) = &self.typed_serializer else { return Ok(None) };
        match serializer.downcast_ref::<Arc<dyn Serializer<V>>>() {
            Some(serializer) => Ok(Some(Arc::clone(serializer))),
            None => Err(Error::new(
                ErrorKind::WrongType,
                format!("the serializer given is one of {value_type}, the cache one of {}", type_name::<V>()),
            )),
        }
    }
}

fn option(name: &str, error: &Error) -> Error {
    Error::new(error.kind(), format!("option `{name}`: {error}"))
}

impl NearChoice {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "none" => Self::None,
            "memory" => Self::Default,
            "unbounded" => Self::Unbounded,
            _ => Self::Entries(text.parse().map_err(|_| {
                Error::config(format!(
                    "option `near`: expected none, memory, unbounded or a number of entries, found {text:?}"
                ))
            })?),
        })
    }

    pub(crate) fn build<V: Send + Sync + 'static>(self) -> Option<Memory<V>> {
        Some(match self {
            Self::None => return None,
            Self::Entries(entries) => Memory::with_capacity(entries),
            Self::Unbounded => Memory::unbounded(),
            Self::Default => Memory::builder().build(),
        })
    }
}

impl fmt::Debug for PluginChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name(name) => name,
            Self::Value(plugin) => plugin.name(),
        })
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe")
            .field("config", &self.config)
            .field("store", &self.store)
            .field("near", &self.near)
            .field("serializer", &self.serializer)
            .field("namespace", &self.namespace)
            .field("ttl", &self.ttl)
            .field("plugins", &self.plugins)
            .finish_non_exhaustive()
    }
}
