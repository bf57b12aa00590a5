//! A format and the transforms its bytes go through.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;

use super::{Serializer, Transform};
use crate::Result;

/// A serializer made of a format and, after it, transforms in the order in which they are written.
///
/// It is named as a URL would name it: `json+zstd`.
#[cfg_attr(feature = "zstd", doc = "```")]
#[cfg_attr(not(feature = "zstd"), doc = "```ignore")]
/// use scrubjay::serializer::{Chain, Json, Serializer, Zstd};
///
/// let serializer: Chain<Vec<u32>> = Json.then(Zstd::default()).max_decompressed(1 << 20);
/// assert_eq!(serializer.name(), "json+zstd");
///
/// let mut bytes = Vec::new();
/// serializer.encode(&vec![1, 2, 3], &mut bytes).unwrap();
/// assert_eq!(serializer.decode(&bytes.into()).unwrap(), [1, 2, 3]);
/// ```
pub struct Chain<V> {
    format: Arc<dyn Serializer<V>>,
    transforms: Vec<Arc<dyn Transform>>,
    limit: usize,
    name: String,
    reads_counters: bool,
}

/// How many bytes a transform may give back when it decodes, by default: 64 MiB.
pub const MAX_DECOMPRESSED: usize = 64 << 20;

impl<V: 'static> Chain<V> {
    /// Only a format, so far.
    pub fn new(format: impl Serializer<V>) -> Self {
        let name = format.name().into_owned();
        let reads_counters = format.reads_counters();
        Self { format: Arc::new(format), transforms: Vec::new(), limit: MAX_DECOMPRESSED, name, reads_counters }
    }

    /// Adds a transform after all the others.
    #[must_use]
    pub fn then(mut self, transform: impl Transform) -> Self {
        self.name = format!("{}+{}", self.name, transform.name());
        self.reads_counters &= leaves_counters_alone(&transform);
        self.transforms.push(Arc::new(transform));
        self
    }

    /// How many bytes any transform may give back; more is an [`ErrorKind::Decode`](crate::ErrorKind::Decode).
    /// Without this it is [`MAX_DECOMPRESSED`].
    #[must_use]
    pub fn max_decompressed(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

impl<V: 'static> Serializer<V> for Chain<V> {
    fn name(&self) -> Cow<'_, str> {
        self.name.as_str().into()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        if self.transforms.is_empty() {
            return self.format.encode(value, out);
        }
        let mut bytes = Vec::new();
        self.format.encode(value, &mut bytes)?;
        for transform in &self.transforms {
            bytes = transform.encode(bytes)?;
        }
        if out.is_empty() {
            *out = bytes;
        } else {
            out.extend_from_slice(&bytes);
        }
        Ok(())
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        let mut bytes = bytes.clone();
        for transform in self.transforms.iter().rev() {
            bytes = transform.decode(bytes, self.limit)?;
        }
        self.format.decode(&bytes)
    }

    fn reads_counters(&self) -> bool {
        self.reads_counters
    }
}

impl<V> fmt::Debug for Chain<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chain").field(&self.name).finish()
    }
}

/// Whether a counter goes through as it is, both ways. Found by trying the longest and the most compressible, since a
/// transform cannot be expected to know what a counter is.
fn leaves_counters_alone(transform: &impl Transform) -> bool {
    [i64::MIN, 1_111_111_111_111_111_111].iter().all(|counter| {
        let counter = counter.to_string().into_bytes();
        let written = transform.encode(counter.clone());
        let read = transform.decode(counter.clone().into(), counter.len());
        written.is_ok_and(|bytes| bytes == counter) && read.is_ok_and(|bytes| bytes == counter)
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Json, Threshold},
        *,
    };
    use crate::{Error, ErrorKind};

    /// Turns bytes around and appends a mark.
    struct Reverse(u8);

    impl Transform for Reverse {
        fn name(&self) -> Cow<'_, str> {
            "reverse".into()
        }

        fn encode(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
            bytes.reverse();
            bytes.push(self.0);
            Ok(bytes)
        }

        fn decode(&self, bytes: Bytes, limit: usize) -> Result<Bytes> {
            match bytes.split_last() {
                Some((mark, rest)) if *mark == self.0 && rest.len() <= limit => {
                    Ok(rest.iter().rev().copied().collect())
                }
                _ => Err(Error::new(ErrorKind::Decode, "not reversed")),
            }
        }

        fn recognises(&self, bytes: &[u8]) -> bool {
            bytes.ends_with(&[self.0])
        }
    }

    #[test]
    fn transforms_run_in_order_and_back() {
        let chain: Chain<u32> = Json.then(Reverse(b'a')).then(Reverse(b'b'));
        assert_eq!(chain.name(), "json+reverse+reverse");
        let mut bytes = b">".to_vec();
        chain.encode(&123, &mut bytes).unwrap();
        assert_eq!(bytes, b">a123b");
        assert_eq!(chain.decode(&Bytes::from_static(b"a123b")).unwrap(), 123);
        assert_eq!(chain.decode(&Bytes::from_static(b"123b")).unwrap_err().kind(), ErrorKind::Decode);
    }

    #[test]
    fn the_limit_reaches_the_transforms() {
        let chain: Chain<u32> = Json.then(Reverse(b'a')).max_decompressed(2);
        assert!(chain.decode(&Bytes::from_static(b"21a")).is_ok());
        assert!(chain.decode(&Bytes::from_static(b"321a")).is_err());
    }

    #[test]
    fn counters_read_back_where_transforms_leave_small_payloads_alone() {
        assert!(Chain::<u32>::new(Json).reads_counters());
        assert!(!Chain::<u32>::new(Json).then(Reverse(b'a')).reads_counters());
        assert!(Chain::<u32>::new(Json).then(Threshold::new(Reverse(b'a'), 100)).reads_counters());
    }
}
