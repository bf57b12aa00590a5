//! Formats and transforms by names of one's own.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use serde::{Deserializer, Serialize, de::DeserializeOwned};

use super::{Serializer, Transform, built_in::is_built_in, failure::Failure, nesting};
use crate::{Error, Parameters, Result, registry::Registry};

/// Registers a format under `name`, for every type with serde's traits.
///
/// `factory` makes one for each cache that names it, and takes its options from the cache's URL or configuration.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) if the name is taken, or not made of letters, digits, `-`, `_` and `.`.
///
/// ```
/// use scrubjay::serializer::{self, Format, Slot, Value};
/// use scrubjay::{Error, ErrorKind, Result};
///
/// /// JSON for people: indented.
/// struct Pretty;
///
/// impl Format for Pretty {
///     fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
///         serde_json::to_writer_pretty(out, &value)
///             .map_err(|error| Error::new(ErrorKind::Encode, "the value has no JSON form").with_source(error))
///     }
///
///     fn decode(&self, bytes: &[u8], slot: Slot<'_>) -> Result<()> {
///         slot.fill(&mut serde_json::Deserializer::from_slice(bytes))
///     }
/// }
///
/// serializer::register_format("pretty", |_| Ok(Pretty))?;
/// let pretty = serializer::from_url::<Vec<u32>>("pretty")?;
/// let mut bytes = Vec::new();
/// pretty.encode(&vec![1], &mut bytes)?;
/// assert_eq!(bytes, b"[\n  1\n]");
/// assert_eq!(pretty.decode(&bytes.into())?, [1]);
/// # Ok::<(), Error>(())
/// ```
pub fn register_format<F: Format>(
    name: impl Into<String>,
    factory: impl Fn(&mut Parameters) -> Result<F> + Send + Sync + 'static,
) -> Result<()> {
    let make = move |parameters: &mut Parameters| Ok(Box::new(factory(parameters)?) as Box<dyn Format>);
    register(&name.into(), Factory::Format(Box::new(make)))
}

/// Registers a transform (a compressor, a cipher) under `name`.
///
/// `factory` makes one for each cache that names it, and takes its options from the cache's URL or configuration.
/// A compressor can be wrapped in a [`Threshold`](super::Threshold) there; `compression-threshold` is only taken for it by
/// the built-in ones.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) if the name is taken, or not made of letters, digits, `-`, `_` and `.`.
pub fn register_transform<T: Transform>(
    name: impl Into<String>,
    factory: impl Fn(&mut Parameters) -> Result<T> + Send + Sync + 'static,
) -> Result<()> {
    let make = move |parameters: &mut Parameters| Ok(Arc::new(factory(parameters)?) as Arc<dyn Transform>);
    register(&name.into(), Factory::Transform(Box::new(make)))
}

/// A format written once for every type: it sees values only through serde.
///
/// See [`register_format`]. A format for one type only is simply a [`Serializer`] of that type.
pub trait Format: Send + Sync + 'static {
    /// Appends the bytes of `value`, which is anything that can be serialized.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) for a value that has no such form.
    fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()>;

    /// Fills `slot` from `bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) for bytes that this format does not write.
    fn decode(&self, bytes: &[u8], slot: Slot<'_>) -> Result<()>;

    /// Whether an integer is written as bare decimal text: see [`Serializer::reads_counters`].
    fn reads_counters(&self) -> bool {
        false
    }
}

/// A value of some type, as a [`Format`] sees it: something to serialize.
#[derive(Clone, Copy)]
pub struct Value<'a>(&'a dyn erased_serde::Serialize);

impl Serialize for Value<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        erased_serde::serialize(self.0, serializer)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value")
    }
}

/// The place for a value of some type, as a [`Format`] sees it: something to fill from a deserializer.
pub struct Slot<'a>(&'a mut dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error>);

impl Slot<'_> {
    /// Reads the value.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if `input` is not of the value's type, or too deeply nested.
    pub fn fill<'de>(self, input: impl Deserializer<'de>) -> Result<()> {
        (self.0)(&mut <dyn erased_serde::Deserializer<'_>>::erase(input))
            .map_err(|error| Failure::decode("not a value of this type", error))
    }
}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// A format that was registered, as a serializer of whatever has serde's traits.
pub(super) struct Named {
    name: String,
    format: Box<dyn Format>,
}

impl<V: Serialize + DeserializeOwned> Serializer<V> for Named {
    fn name(&self) -> Cow<'_, str> {
        self.name.as_str().into()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        self.format.encode(Value(value), out)
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        let mut value = None;
        let mut fill = |input: &mut dyn erased_serde::Deserializer<'_>| {
            value = Some(nesting::capped(input)?);
            Ok(())
        };
        self.format.decode(bytes, Slot(&mut fill))?;
        value.ok_or_else(|| Failure::decode("the format read nothing", format_args!("`{}` filled no slot", self.name)))
    }

    fn reads_counters(&self) -> bool {
        self.format.reads_counters()
    }
}

/// The registered format `name`, made anew; none if no format has that name.
pub(super) fn format(name: &str, parameters: &mut Parameters) -> Option<Result<Named>> {
    let Factory::Format(make) = &*REGISTERED.get(name)? else { return None };
    Some(make(parameters).map(|format| Named { name: name.to_owned(), format }))
}

/// The registered transform `name`, made anew; none if no transform has that name.
pub(super) fn transform(name: &str, parameters: &mut Parameters) -> Option<Result<Arc<dyn Transform>>> {
    let Factory::Transform(make) = &*REGISTERED.get(name)? else { return None };
    Some(make(parameters))
}

/// Whether the registered `name` is a transform; none if nothing is registered by that name.
pub(super) fn is_transform(name: &str) -> Option<bool> {
    REGISTERED.get(name).map(|factory| matches!(*factory, Factory::Transform(_)))
}

/// Every registered name, in order.
pub(super) fn names() -> Vec<String> {
    REGISTERED.names()
}

enum Factory {
    Format(Make<Box<dyn Format>>),
    Transform(Make<Arc<dyn Transform>>),
}

type Make<T> = Box<dyn Fn(&mut Parameters) -> Result<T> + Send + Sync>;

static REGISTERED: LazyLock<Registry<Factory>> = LazyLock::new(|| Registry::new("serializer", []));

fn register(name: &str, factory: Factory) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        let expected = "expected letters, digits, `-`, `_` and `.`, since names are joined by `+` in URLs";
        return Err(Error::config(format!("cannot register the serializer {name:?}: {expected}")));
    }
    if is_built_in(name) {
        return Err(Error::config(format!(
            "cannot register the serializer `{name}`: it is built in; choose another name"
        )));
    }
    REGISTERED.register(name, Arc::new(factory))
}
