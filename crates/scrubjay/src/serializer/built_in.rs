//! The names that come with the library.

/// A name that comes with the library, whether or not this build has it.
pub(super) struct BuiltIn {
    pub(super) name: &'static str,
    pub(super) alias: Option<&'static str>,
    pub(super) is_transform: bool,
    pub(super) compiled: bool,
}

const BUILT_IN: [BuiltIn; 9] = [
    BuiltIn { name: "json", alias: None, is_transform: false, compiled: true },
    BuiltIn { name: "msgpack", alias: None, is_transform: false, compiled: cfg!(feature = "msgpack") },
    BuiltIn { name: "pickle", alias: None, is_transform: false, compiled: cfg!(feature = "pickle") },
    BuiltIn { name: "text", alias: None, is_transform: false, compiled: true },
    BuiltIn { name: "postcard", alias: None, is_transform: false, compiled: cfg!(feature = "postcard") },
    BuiltIn { name: "null", alias: Some("noop"), is_transform: false, compiled: true },
    BuiltIn { name: "zlib", alias: None, is_transform: true, compiled: cfg!(feature = "zlib") },
    BuiltIn { name: "zstd", alias: Some("zstandard"), is_transform: true, compiled: cfg!(feature = "zstd") },
    BuiltIn { name: "lz4", alias: None, is_transform: true, compiled: cfg!(feature = "lz4") },
];

/// Whether `name` comes with the library, so that nobody else may have it.
pub(super) fn is_built_in(name: &str) -> bool {
    built_in(name).is_some()
}

/// What comes with the library under `name`.
pub(super) fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|known| known.name == name || known.alias == Some(name))
}

/// The names that this build has.
pub(super) fn compiled() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().filter(|known| known.compiled).map(|known| known.name)
}
