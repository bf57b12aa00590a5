//! No serialization: the value is its bytes.

use std::{any::Any, borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::{Serializer, failure::Failure};
use crate::Result;

/// Bytes and text pass through as they are. Other types have no raw form: see [`Raw`].
///
/// ```
/// use scrubjay::serializer::{Null, Serializer};
///
/// let mut bytes = Vec::new();
/// Null.encode(&"as it is".to_owned(), &mut bytes).unwrap();
/// assert_eq!(bytes, b"as it is");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

/// A type that is just bytes or text.
pub trait Raw: Sized {
    /// The bytes.
    fn as_raw(&self) -> &[u8];

    /// The value that `bytes` are.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) for a text type, if the bytes are not UTF-8.
    fn from_raw(bytes: &Bytes) -> Result<Self>;
}

impl<V: Raw> Serializer<V> for Null {
    fn name(&self) -> Cow<'_, str> {
        "null".into()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(value.as_raw());
        Ok(())
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        V::from_raw(bytes)
    }

    fn reads_counters(&self) -> bool {
        true
    }
}

/// Implements [`Raw`], and lists the types for [`for_type`].
macro_rules! raw {
    ($($type:ty: $from:expr;)*) => {
        $(impl Raw for $type {
            fn as_raw(&self) -> &[u8] {
                AsRef::<[u8]>::as_ref(&**self)
            }

            fn from_raw(bytes: &Bytes) -> Result<Self> {
                $from(bytes)
            }
        })*

        /// [`Null`] for `V`, if `V` turns out to be one of the types above.
        pub(super) fn for_type<V: 'static>() -> Option<Arc<dyn Serializer<V>>> {
            None$(.or_else(as_serializer_of::<$type, V>))*
        }
    };
}

raw! {
    Vec<u8>: |bytes: &Bytes| Ok(bytes.to_vec());
    Bytes: |bytes: &Bytes| Ok(bytes.clone());
    Box<[u8]>: |bytes: &Bytes| Ok((**bytes).into());
    Arc<[u8]>: |bytes: &Bytes| Ok((**bytes).into());
    String: |bytes| text(bytes).map(Into::into);
    Box<str>: |bytes| text(bytes).map(Into::into);
    Arc<str>: |bytes| text(bytes).map(Into::into);
}

fn text(bytes: &Bytes) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| Failure::decode("not text in UTF-8", error))
}

/// A serializer of `B` is one of `V` if they are the same type, which only `Any` can tell where `V` has no bound.
fn as_serializer_of<B: Raw + 'static, V: 'static>() -> Option<Arc<dyn Serializer<V>>> {
    let serializer: Arc<dyn Serializer<B>> = Arc::new(Null);
    (&serializer as &dyn Any).downcast_ref().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_and_text_are_raw() {
        assert!(for_type::<Vec<u8>>().is_some());
        assert!(for_type::<Bytes>().is_some());
        assert!(for_type::<Arc<str>>().is_some());
        assert!(for_type::<u32>().is_none());
        assert!(for_type::<Vec<u32>>().is_none());
    }

    #[test]
    fn bytes_are_shared_and_text_is_checked() {
        let stored = Bytes::from(vec![0xff; 8]);
        let read: Bytes = Null.decode(&stored).unwrap();
        assert_eq!(read.as_ptr(), stored.as_ptr());
        let error = Serializer::<String>::decode(&Null, &stored).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Decode);
    }
}
