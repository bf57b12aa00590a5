//! From a name to a serializer: the one place that knows which traits each needs.

use std::{any::type_name, fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Chain, Json, MAX_DECOMPRESSED, Null, Raw, Serializer, Text, Transform,
    names::{Names, unknown},
    null, registry,
};
use crate::{Error, Parameters, Result};

/// The serializers that can be chosen by name for values of type `V`.
///
/// Which these are depends on the traits of `V`, so `Codecs` are made where `V` is known.
///
/// ```
/// use scrubjay::{Parameters, serializer::Codecs};
///
/// struct Opaque;
///
/// let json = Codecs::<String>::serde().build("json", &mut Parameters::new()).unwrap();
/// assert_eq!(json.name(), "json");
///
/// let error = Codecs::<Opaque>::none().build("json", &mut Parameters::new()).err().unwrap();
/// assert!(error.to_string().contains("Opaque"));
/// ```
pub struct Codecs<V>(FormatByName<V>);

type FormatByName<V> = fn(&str, &mut Parameters) -> Result<Arc<dyn Serializer<V>>>;

impl<V: 'static> Codecs<V> {
    /// No serializers: values of this type live in a near tier only.
    #[must_use]
    pub const fn none() -> Self {
        Self(|name, _| {
            Err(Error::config(format!(
                "serializer `{name}`: values of type {} cannot be turned into bytes; give the type serde's `Serialize` and \
                 `Deserialize`, or a serializer of its own",
                type_name::<V>()
            )))
        })
    }

    /// `null` alone: the value is its bytes.
    #[must_use]
    pub const fn raw() -> Self
    where
        V: Raw,
    {
        Self(|name, _| match name {
            "null" => Ok(Arc::new(Null)),
            _ => Err(Error::config(format!(
                "serializer `{name}`: only `null`, and compressors, serialize a {} here; for others it needs serde's \
                 `Serialize` and `Deserialize`",
                type_name::<V>()
            ))),
        })
    }

    /// Every format, and `null` if `V` is one of the types that are [`Raw`].
    #[must_use]
    pub const fn serde() -> Self
    where
        V: Serialize + DeserializeOwned,
    {
        Self(|name, parameters| match name {
            "json" => Ok(Arc::new(Json)),
            "text" => Ok(Arc::new(Text)),
            "null" => null::for_type::<V>().ok_or_else(not_raw::<V>),
            #[cfg(feature = "msgpack")]
            "msgpack" => Ok(Arc::new(super::Msgpack)),
            #[cfg(feature = "pickle")]
            "pickle" => Ok(Arc::new(super::Pickle::from_parameters(parameters)?)),
            #[cfg(feature = "postcard")]
            "postcard" => Ok(Arc::new(super::Postcard)),
            _ => match registry::format(name, parameters) {
                Some(format) => Ok(Arc::new(format?)),
                None => Err(unknown(name)),
            },
        })
    }

    /// The serializer that `chain` describes: names joined by `+`, a format and then transforms.
    ///
    /// A transform alone works on bytes, as if it followed `null`; `null` anywhere else does nothing. Every part takes the
    /// options that it knows from `parameters`. The caller checks for others with [`Parameters::finish`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a name is unknown or needs a Cargo feature, if the parts do not
    /// fit together or do not fit `V`, or if an option has a wrong value.
    pub fn build(&self, chain: &str, parameters: &mut Parameters) -> Result<Arc<dyn Serializer<V>>> {
        let Names { format, transforms } = Names::parse(chain)?;
        // Two compressors may want the same option, so each part takes its own from a copy.
        let given = parameters.clone();
        let mut part = given.clone();
        let format = (self.0)(format, &mut part)?;
        parameters.keep_untaken(&part);
        if transforms.is_empty() {
            return Ok(format);
        }
        let limit = parameters.take("max-decompressed", "a number of bytes")?;
        let mut chain = Chain::new(format).max_decompressed(limit.unwrap_or(MAX_DECOMPRESSED));
        for name in transforms {
            let mut part = given.clone();
            chain = chain.then(transform(name, &mut part)?);
            parameters.keep_untaken(&part);
        }
        Ok(Arc::new(chain))
    }
}

impl<V> Clone for Codecs<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Codecs<V> {}

impl<V> fmt::Debug for Codecs<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codecs<{}>", type_name::<V>())
    }
}

fn transform(name: &str, parameters: &mut Parameters) -> Result<Arc<dyn Transform>> {
    #[cfg(any(feature = "zlib", feature = "zstd", feature = "lz4"))]
    use super::threshold::from_parameters as compressor;
    match name {
        #[cfg(feature = "zlib")]
        "zlib" => compressor(super::Zlib::from_parameters(parameters)?, parameters),
        #[cfg(feature = "zstd")]
        "zstd" => compressor(super::Zstd::from_parameters(parameters)?, parameters),
        #[cfg(feature = "lz4")]
        "lz4" => compressor(super::Lz4, parameters),
        _ => registry::transform(name, parameters).unwrap_or_else(|| Err(unknown(name))),
    }
}

fn not_raw<V>() -> Error {
    Error::config(format!(
        "serializer `null`: only bytes and text pass through as they are, and {} is neither; put a format first, such as `json`",
        type_name::<V>()
    ))
}
