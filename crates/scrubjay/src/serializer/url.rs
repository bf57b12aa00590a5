//! A serializer from one line of text.

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use super::{Codecs, Serializer};
use crate::{Error, Result, url::parse_query};

/// The serializer that `url` describes: names joined by `+`, and options in a query.
///
/// ```
/// let serializer = scrubjay::serializer::from_url::<Vec<u8>>("json")?;
/// assert_eq!(serializer.name(), "json");
#[cfg_attr(
    all(feature = "pickle", feature = "zstd"),
    doc = r#"
let serializer = scrubjay::serializer::from_url::<Vec<u8>>("pickle+zstd://?pickle-protocol=5&compression-level=9")?;
assert_eq!(serializer.name(), "pickle+zstd");"#
)]
/// # Ok::<(), scrubjay::Error>(())
/// ```
///
/// | option | of | default |
/// |---|---|---|
/// | `pickle-protocol` | `pickle` | 4 |
/// | `compression-level` | `zlib` (0–9), `zstd` (up to 22) | 6, 3 |
/// | `compression-threads` | `zstd` | 0, the caller's own thread |
/// | `compression-threshold` | `zlib`, `zstd`, `lz4`: bytes, below which nothing is compressed | 0 |
/// | `max-decompressed` | every transform: bytes | 67108864 (64 MiB) |
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) as in [`Codecs::build`], and for options that nobody in the chain knows.
pub fn from_url<V: Serialize + DeserializeOwned + 'static>(url: &str) -> Result<Arc<dyn Serializer<V>>> {
    let (location, query) = url.split_once('?').unwrap_or((url, ""));
    let (chain, place) = location.split_once("://").unwrap_or((location, ""));
    if !matches!(place, "" | "/") {
        return Err(Error::config("a serializer's URL has no host and no path: expected `json+zstd://?option=value`"));
    }
    let mut parameters = parse_query(query)?;
    let serializer = Codecs::serde().build(chain, &mut parameters)?;
    parameters.finish(&format!("serializer `{chain}`"))?;
    Ok(serializer)
}
