//! [`Builder`]: from choices to a cache. Everything that may not fit together is found out here, and named.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    Cache, Clock, Error, KeyBuilder, KeyLayout, Memory, Policy, Result, Ttl, Wire, caches,
    config::{PluginChoice, Recipe},
    engine::{Engine, Far},
    far::{
        AnyStore,
        layer::{Layer, Timeout},
    },
    load::Loads,
    plugin::Plugin,
    serializer::{Codecs, Serializer},
};

/// What stands before a far tier when nobody names a serializer.
const DEFAULT_SERIALIZER: &str = "json";

/// Builds a [`Cache`] from its tiers and options.
///
/// Without any tier it is [`Cache::memory`]. With a serializer and no tier it keeps bytes in this process.
///
/// ```
/// use std::time::Duration;
/// use scrubjay::{Cache, Memory, far::MemoryStore, serializer::Json};
///
/// # fn main() -> scrubjay::Result<()> {
/// let users = Cache::<String>::builder()
///     .near(Memory::with_capacity(10_000))
///     .far(MemoryStore::default())
///     .serializer(Json)
///     .namespace("main")
///     .ttl(Duration::from_secs(60))
///     .build()?;
/// assert_eq!(
///     users.info().to_string(),
///     "near(10000 entries, 5s) + memory serializer=json timeout=1s namespace=main ttl=60s"
/// );
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct Builder<V> {
    recipe: Recipe,
    near: Option<Memory<V>>,
    layers: Vec<Wrap>,
    serializer: Option<Arc<dyn Serializer<V>>>,
    codecs: Codecs<V>,
    clock: Option<Clock>,
}

/// A layer, ready to wrap.
type Wrap = Box<dyn FnOnce(AnyStore) -> AnyStore + Send>;

impl<V: Clone + Send + Sync + 'static> Builder<V> {
    pub(crate) fn new() -> Self {
        Self::from_recipe(Recipe::default())
    }

    pub(crate) fn from_recipe(recipe: Recipe) -> Self {
        Self { recipe, near: None, layers: Vec::new(), serializer: None, codecs: Codecs::none(), clock: None }
    }

    /// Takes all options from `url`; later calls override them.
    ///
    /// Names of serializers in it need [`codecs`](Self::codecs) that know them; [`Cache::from_url`] sets serde's.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it cannot be parsed. The names in it are looked up by [`build`](Self::build).
    pub fn url(mut self, url: &str) -> Result<Self> {
        self.recipe = Recipe::from_url(url)?;
        Ok(self)
    }

    /// Keeps live values in `memory`.
    pub fn near(mut self, memory: Memory<V>) -> Self {
        self.near = Some(memory);
        self
    }

    /// How long the near tier may answer for the far tier, at most. The default is 5 s.
    pub fn near_ttl(mut self, ttl: Duration) -> Self {
        self.recipe.near_ttl = Some(ttl);
        self
    }

    /// Keeps bytes in `store`.
    pub fn far(mut self, store: impl Into<AnyStore>) -> Self {
        self.recipe.store = Some(store.into());
        self
    }

    /// Wraps the store in `layer`. Of several layers the first is the outermost.
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers.push(Box::new(move |inner| layer.wrap(inner)));
        self
    }

    /// Uses `serializer` for the far tier. The default is json, for types with serde's traits.
    pub fn serializer(mut self, serializer: impl Serializer<V>) -> Self {
        self.serializer = Some(Arc::new(serializer));
        self
    }

    /// Uses the serializer of that name for the far tier: `json`, `pickle+zstd`.
    pub fn serializer_name(mut self, chain: impl Into<String>) -> Self {
        self.recipe.serializer = Some(chain.into());
        self
    }

    /// Sets which serializers can be chosen by name for this type of value. [`Cache::from_url`] sets [`Codecs::serde`].
    pub fn codecs(mut self, codecs: Codecs<V>) -> Self {
        self.codecs = codecs;
        self
    }

    /// Puts every key into `namespace`; an empty one means none.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.recipe.namespace = namespace.into();
        self
    }

    /// Sets the ttl of entries whose call gives none. The default is [`Ttl::Never`].
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.recipe.ttl = ttl.into();
        self
    }

    /// Sets the timeout of far calls that give none. The default is 1 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.recipe.config.timeout = Some(timeout);
        self
    }

    /// Sets how the cache loads. Fields that `policy` leaves unset keep what was chosen before.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.recipe.policy = policy.over(self.recipe.policy);
        self
    }

    /// Chooses whether entries in the store may carry metadata beside the value.
    pub fn wire(mut self, wire: Wire) -> Self {
        self.recipe.wire = wire;
        self
    }

    /// Reads the time of loads and back-offs from `clock`. The default is the near tier's clock, if there is one, else the
    /// system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Maps every key with `builder` before it is used.
    pub fn key_builder(mut self, builder: KeyBuilder) -> Self {
        self.recipe.key_builder = Some(builder);
        self
    }

    /// Chooses how namespace and key become one key on the wire.
    pub fn key_layout(mut self, layout: KeyLayout) -> Self {
        self.recipe.layout = layout;
        self
    }

    /// Adds a plugin, after those added before.
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        self.recipe.plugins.push(PluginChoice::Value(Arc::new(plugin)));
        self
    }

    /// Builds the cache. It connects to nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for unknown names and options, and for choices that do not fit together;
    /// [`ErrorKind::InvalidTtl`](crate::ErrorKind::InvalidTtl) for a ttl of zero.
    pub fn build(self) -> Result<Cache<V>> {
        self.build_over(None)
    }

    /// The cache; `shared` is the store that another cache of the same recipe has already built.
    pub(crate) fn build_over(self, shared: Option<AnyStore>) -> Result<Cache<V>> {
        let Self { mut recipe, near, layers, serializer, codecs, clock } = self;
        recipe.ttl.lifetime()?;
        let has_far = shared.is_some() || serializer.is_some() || recipe.has_far();
        let plugins = recipe.take_plugins()?;
        let typed = match serializer {
            None => recipe.typed_serializer::<V>()?,
            given => given,
        };
        let checked_before = shared.is_some();
        let store = shared.or(recipe.store.take());

        let far = if has_far {
            let serializer = if let Some(serializer) = typed {
                serializer
            } else {
                let chain = recipe.serializer.as_deref().unwrap_or(DEFAULT_SERIALIZER);
                codecs.build(chain, &mut recipe.config.parameters)?
            };
            let store = match store {
                Some(store) => store,
                None => recipe.config.build_with_options_left()?,
            };
            let store = bounded(layers.into_iter().rfold(store, |inner, wrap| wrap(inner)));
            Some(Far { capability: store.capability(), store, serializer })
        } else {
            recipe.config.nowhere()?;
            if !layers.is_empty() {
                return Err(Error::config("a layer wraps a far tier, and there is none: give a store or a serializer"));
            }
            None
        };

        let near = match (near, recipe.near) {
            (Some(memory), _) => Some(memory),
            (None, Some(choice)) => choice.build(),
            (None, None) if far.is_none() => {
                Some(Memory::builder().bounded_by(&mut recipe.config.parameters, "max-entries")?.build())
            }
            (None, None) => None,
        };
        if near.is_none() && far.is_none() {
            return Err(Error::config("option `near`: without a near tier there must be a far one"));
        }
        if !checked_before {
            recipe.config.parameters.finish(&recipe.config.scheme)?;
        }

        let mut engine = Engine::new(near, far);
        engine.policy = recipe.policy.over(caches::policy()).into();
        engine.loads = Arc::new(Loads::new(engine.policy.detached_loads()));
        engine.bare = recipe.wire == Wire::Bare;
        engine.clock = clock.unwrap_or(engine.clock);
        engine.check(&engine.policy)?;
        if let Some(ttl) = recipe.near_ttl {
            engine.set_near_ttl(ttl)?;
        }
        engine.namespace = recipe.namespace.into();
        engine.layout = recipe.layout;
        engine.key_builder = recipe.key_builder;
        engine.ttl = recipe.ttl;
        engine.timeout = recipe.config.timeout.unwrap_or(engine.timeout);
        engine.plugins = plugins;
        Ok(Cache::new(engine))
    }
}

/// `store`, every call of which ends by its deadline.
fn bounded(store: AnyStore) -> AnyStore {
    if store.capability().keeps_deadlines { store } else { Timeout::new().wrap(store) }
}

impl<V> fmt::Debug for Builder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("recipe", &self.recipe).finish_non_exhaustive()
    }
}
