//! Keys: what callers give ([`Key`]), and the one function that maps (namespace, key) to what a server sees.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, LazyLock},
};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{Error, Result, registry::Registry};

/// A key, borrowed or owned.
///
/// Every verb takes `impl Into<Key>`: a `&str` costs nothing, a `String` is moved, a whole number becomes its decimal text.
#[derive(Clone, Debug)]
pub struct Key<'a>(Cow<'a, str>);

impl Key<'_> {
    /// The key's text.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Key<'a> {
    #[inline]
    fn from(key: &'a str) -> Self {
        Self(Cow::Borrowed(key))
    }
}

impl<'a> From<&'a String> for Key<'a> {
    #[inline]
    fn from(key: &'a String) -> Self {
        Self(Cow::Borrowed(key))
    }
}

impl From<String> for Key<'_> {
    #[inline]
    fn from(key: String) -> Self {
        Self(Cow::Owned(key))
    }
}

impl<'a> From<Cow<'a, str>> for Key<'a> {
    fn from(key: Cow<'a, str>) -> Self {
        Self(key)
    }
}

impl<'a> From<&'a Key<'_>> for Key<'a> {
    fn from(key: &'a Key<'_>) -> Self {
        Self(Cow::Borrowed(&key.0))
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Key<'_> {
            fn from(key: $number) -> Self {
                Self(Cow::Owned(key.to_string()))
            }
        }
    )*};
}

whole_numbers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

/// A key inside a namespace; the empty namespace is none.
///
/// A [`Memory`](crate::Memory) takes `impl Into<QualifiedKey>`: a `&str` or a `&String` is a key without a namespace, a pair of
/// `&str` a namespace and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QualifiedKey<'a> {
    /// The namespace, empty for none.
    pub namespace: &'a str,
    /// The key.
    pub key: &'a str,
}

impl<'a> From<&'a str> for QualifiedKey<'a> {
    #[inline]
    fn from(key: &'a str) -> Self {
        Self { namespace: "", key }
    }
}

impl<'a> From<&'a String> for QualifiedKey<'a> {
    #[inline]
    fn from(key: &'a String) -> Self {
        Self { namespace: "", key }
    }
}

impl<'a> From<(&'a str, &'a str)> for QualifiedKey<'a> {
    #[inline]
    fn from((namespace, key): (&'a str, &'a str)) -> Self {
        Self { namespace, key }
    }
}

/// How a namespace and a key become one key on the wire.
///
/// | layout | namespace `main`, key `user:42` | who writes it |
/// |---|---|---|
/// | [`Namespaced`](Self::Namespaced) | `main:user:42` | scrubjay; aiocache and pycached on Redis |
/// | [`Verbatim`](Self::Verbatim) | `main:user:42` | aiocache and pycached on Redis, namespaces with a `:` in them |
/// | [`Concatenated`](Self::Concatenated) | `mainuser:42` | cachetory's prefix; aiocache on memcached |
///
/// Without a namespace every layout sends the key as it is. Such a cache sees all keys of the server, including those of other
/// namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyLayout {
    /// `namespace:key`. `%`, `:`, `~`, spaces and control characters of the namespace are percent-encoded, so that two different
    /// pairs with a namespace never share an entry, and a namespace can be cleared.
    #[default]
    Namespaced,
    /// `namespace:key` with the namespace as it is. `a:b` + `c` is the same entry as `a` + `b:c`, so `clear` is unsupported.
    Verbatim,
    /// `namespacekey`. `a` + `bc` is the same entry as `ab` + `c`, so `clear` is unsupported.
    Concatenated,
}

/// What stands between a namespace and what is kept aside from its entries.
const ASIDE: char = '~';
/// What a namespace must not show on the wire: the separators, the escape, and what would read as something else in a log.
const ESCAPED: &AsciiSet = &CONTROLS.add(b':').add(b'%').add(b' ').add(ASIDE as u8);

impl KeyLayout {
    /// The names of the layouts in a URL or a configuration. The names of Python libraries mean the layout that each writes.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("namespaced", Self::Namespaced),
        ("verbatim", Self::Verbatim),
        ("concatenated", Self::Concatenated),
        ("aiocache-redis", Self::Verbatim),
        ("aiocache-memcached", Self::Concatenated),
        ("pycached-redis", Self::Verbatim),
        ("pycached-memcached", Self::Concatenated),
        ("cachetory", Self::Concatenated),
    ];

    /// The layout called `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), listing the known names.
    pub fn by_name(name: &str) -> Result<Self> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, layout)| *layout).ok_or_else(|| {
            let known = Self::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            Error::config(format!("unknown key layout `{name}`; known: {known}"))
        })
    }

    /// The key on the wire: every verb's, and the only place where it is made.
    ///
    /// ```
    /// use scrubjay::{KeyLayout, QualifiedKey};
    ///
    /// let wire = |namespace, key| KeyLayout::Namespaced.wire(QualifiedKey { namespace, key }).into_owned();
    /// assert_eq!(wire("test", "user:42"), "test:user:42");
    /// assert_eq!(wire("a:b", "c"), "a%3Ab:c");
    /// assert_eq!(wire("a", "b:c"), "a:b:c");
    /// ```
    #[must_use]
    pub fn wire(self, key: QualifiedKey<'_>) -> Cow<'_, str> {
        if key.namespace.is_empty() {
            return Cow::Borrowed(key.key);
        }
        let mut wire = self.prefix(key.namespace);
        wire.push_str(key.key);
        Cow::Owned(wire)
    }

    /// The pair under which a near tier keeps what the store keeps under the wire key of `key`: the same for all pairs that meet
    /// there, so that a change of one is a change of the others. Names that need no escape cost nothing.
    pub(crate) fn near(self, key: QualifiedKey<'_>) -> NearKey<'_> {
        if key.namespace.is_empty() {
            return NearKey::Borrowed(split(key.key));
        }
        // Nothing is escaped if the first piece is the whole.
        let plain = utf8_percent_encode(key.namespace, ESCAPED).next() == Some(key.namespace);
        if plain && self != Self::Concatenated {
            return NearKey::Borrowed(key);
        }
        let wire = self.wire(key);
        let QualifiedKey { namespace, key } = split(&wire);
        NearKey::Owned { namespace: namespace.to_owned(), key: key.to_owned() }
    }

    /// What every wire key of `namespace` starts with, if no other namespace's keys can start with it too.
    pub(crate) fn exclusive_prefix(self, namespace: &str) -> Option<String> {
        (self == Self::Namespaced).then(|| self.prefix(namespace))
    }

    /// The wire key of what a `kind` of lock keeps under the name `key`: in the default layout no entry of any namespace has it.
    pub(crate) fn aside(self, kind: &str, QualifiedKey { namespace, key }: QualifiedKey<'_>) -> String {
        match self {
            Self::Namespaced => format!("{}{ASIDE}{kind}:{key}", utf8_percent_encode(namespace, ESCAPED)),
            Self::Verbatim => format!("{namespace}{ASIDE}{kind}:{key}"),
            Self::Concatenated => format!("{namespace}{ASIDE}{kind}{key}"),
        }
    }

    fn prefix(self, namespace: &str) -> String {
        match self {
            Self::Namespaced => format!("{}:", utf8_percent_encode(namespace, ESCAPED)),
            Self::Verbatim => format!("{namespace}:"),
            Self::Concatenated => namespace.to_owned(),
        }
    }
}

impl fmt::Display for KeyLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespaced => "namespaced",
            Self::Verbatim => "verbatim",
            Self::Concatenated => "concatenated",
        })
    }
}

/// A wire key as a pair again: another one for every wire key.
fn split(wire: &str) -> QualifiedKey<'_> {
    match wire.split_once(':') {
        Some((namespace, key)) if !namespace.is_empty() => QualifiedKey { namespace, key },
        _ => QualifiedKey { namespace: "", key: wire },
    }
}

/// A pair as the near tier knows it.
#[derive(Clone, Debug)]
pub(crate) enum NearKey<'a> {
    Borrowed(QualifiedKey<'a>),
    Owned { namespace: String, key: String },
}

impl NearKey<'_> {
    #[inline]
    pub(crate) fn pair(&self) -> QualifiedKey<'_> {
        match self {
            Self::Borrowed(pair) => *pair,
            Self::Owned { namespace, key } => QualifiedKey { namespace, key },
        }
    }
}

/// Maps a caller's key to the cache's, before namespace and layout; the same for every verb and tier.
///
/// It must be deterministic. Two keys that it maps to one share an entry.
#[derive(Clone)]
pub struct KeyBuilder(Arc<dyn Fn(&str) -> String + Send + Sync>);

impl KeyBuilder {
    /// A key builder that calls `build`.
    pub fn new(build: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(build))
    }

    /// Makes `key-builder=name` mean `builder`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the name is taken.
    pub fn register(name: &str, builder: Self) -> Result<()> {
        BUILDERS.register(name, Arc::new(builder))
    }

    pub(crate) fn by_name(name: &str) -> Result<Self> {
        BUILDERS.find(name).map(|builder| Self::clone(&builder))
    }

    /// Replaces `key` by what this makes of it.
    pub(crate) fn rebuild(&self, key: &mut Key<'_>) {
        *key = (self.0)(key.as_str()).into();
    }
}

static BUILDERS: LazyLock<Registry<KeyBuilder>> = LazyLock::new(|| {
    let identity = Arc::new(KeyBuilder::new(str::to_owned));
    Registry::new("key builder", [("identity", identity)])
});

impl fmt::Debug for KeyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBuilder")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn different_pairs_never_meet_on_the_wire(pairs in prop::collection::vec(("[a:% é]{1,3}", "[a:% 3A]{0,4}"), 2..50)) {
            let mut seen = HashMap::new();
            for (namespace, key) in &pairs {
                let wire = KeyLayout::Namespaced.wire(QualifiedKey { namespace, key }).into_owned();
                let first = seen.entry(wire.clone()).or_insert((namespace, key));
                prop_assert_eq!(*first, (namespace, key), "both are {} on the wire", wire);
            }
        }

        #[test]
        fn no_other_namespace_starts_with_a_namespace_prefix(one in "[a:%]{1,3}", other in "[a:%]{1,3}", key in "[a:%]{0,4}") {
            prop_assume!(one != other);
            let prefix = KeyLayout::Namespaced.exclusive_prefix(&one).unwrap();
            let wire = KeyLayout::Namespaced.wire(QualifiedKey { namespace: &other, key: &key });
            prop_assert!(!wire.starts_with(&prefix));
        }
    }

    proptest! {
        #[test]
        fn pairs_meet_near_if_and_only_if_they_meet_on_the_wire(
            one in ("[a:% é]{0,3}", "[a:]{0,4}"),
            other in ("[a:% é]{0,3}", "[a:]{0,4}"),
        ) {
            let (one, other) = (pair(&one), pair(&other));
            for layout in [KeyLayout::Namespaced, KeyLayout::Verbatim, KeyLayout::Concatenated] {
                let near = layout.near(one).pair() == layout.near(other).pair();
                prop_assert_eq!(near, layout.wire(one) == layout.wire(other), "{}", layout);
            }
        }
    }

    fn pair((namespace, key): &(String, String)) -> QualifiedKey<'_> {
        QualifiedKey { namespace, key }
    }

    #[test]
    fn whole_numbers_are_keys() {
        let texts = [Key::from(u64::MAX), Key::from(-7), Key::from(0_u8)].map(|key| key.as_str().to_owned());
        assert_eq!(texts, ["18446744073709551615", "-7", "0"]);
    }

    #[test]
    fn qualified_keys_come_from_texts_and_pairs() {
        let key = "key".to_owned();
        assert_eq!(QualifiedKey::from(&key), QualifiedKey::from("key"));
        assert_eq!(QualifiedKey::from(("main", "key")), QualifiedKey { namespace: "main", key: "key" });
    }

    #[test]
    fn layouts_are_found_by_name() {
        assert_eq!(KeyLayout::by_name("cachetory").unwrap(), KeyLayout::Concatenated);
        let error = KeyLayout::by_name("nested").unwrap_err().to_string();
        assert!(error.contains("`nested`") && error.contains("aiocache-redis"), "{error}");
    }
}
