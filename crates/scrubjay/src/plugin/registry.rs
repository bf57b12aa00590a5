//! Plugins by name: the built-in ones and users' own.

use std::sync::{Arc, LazyLock};

use super::{HitRatio, Plugin, Timing};
use crate::{Parameters, Result, registry::Registry};

type Factory = dyn Fn(&mut Parameters) -> Result<Arc<dyn Plugin>> + Send + Sync;

static PLUGINS: LazyLock<Registry<Factory>> = LazyLock::new(|| {
    let built_in: Vec<(&str, Arc<Factory>)> = vec![
        ("hit-ratio", Arc::new(|_| Ok(Arc::new(HitRatio::default())))),
        ("timing", Arc::new(|_| Ok(Arc::new(Timing::default())))),
        #[cfg(feature = "tracing")]
        ("tracing", Arc::new(|_| Ok(Arc::new(super::Trace)))),
    ];
    Registry::new("plugin", built_in)
});

/// Makes `plugins=name` add a plugin made by `factory`, which takes its options out of the parameters.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) if the name is taken.
pub fn register<P: Plugin>(
    name: &str,
    factory: impl Fn(&mut Parameters) -> Result<P> + Send + Sync + 'static,
) -> Result<()> {
    PLUGINS.register(name, Arc::new(move |parameters| Ok(Arc::new(factory(parameters)?))))
}

/// A new plugin of that name.
pub(crate) fn by_name(name: &str, parameters: &mut Parameters) -> Result<Arc<dyn Plugin>> {
    PLUGINS.find(name)?(parameters)
}
