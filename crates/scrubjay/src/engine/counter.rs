//! [`Counter`]: the types of value that can count.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

/// A value that can be a counter: whole numbers, and what can hold one (text, bytes, JSON).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot count: `increment` needs a cache of whole numbers, text, bytes or JSON values",
    note = "implement `scrubjay::Counter` for it, or keep counters in a `Cache<i64>` of the same store"
)]
pub trait Counter: Sized {
    /// The number it holds, `None` if it is none or does not fit.
    fn to_count(&self) -> Option<i64>;

    /// The value that holds `count`, `None` if it does not fit.
    fn from_count(count: i64) -> Option<Self>;
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Counter for $number {
            fn to_count(&self) -> Option<i64> {
                i64::try_from(*self).ok()
            }

            fn from_count(count: i64) -> Option<Self> {
                Self::try_from(count).ok()
            }
        }
    )*};
}

whole_numbers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

macro_rules! decimal_text {
    ($($text:ty),*) => {$(
        impl Counter for $text {
            fn to_count(&self) -> Option<i64> {
                self.parse().ok()
            }

            fn from_count(count: i64) -> Option<Self> {
                Some(count.to_string().into())
            }
        }
    )*};
}

decimal_text!(String, Box<str>, Arc<str>, Cow<'static, str>);

macro_rules! decimal_bytes {
    ($($bytes:ty),*) => {$(
        impl Counter for $bytes {
            fn to_count(&self) -> Option<i64> {
                std::str::from_utf8(self).ok()?.parse().ok()
            }

            fn from_count(count: i64) -> Option<Self> {
                Some(count.to_string().into_bytes().into())
            }
        }
    )*};
}

decimal_bytes!(Vec<u8>, Box<[u8]>, Arc<[u8]>, Bytes);

impl Counter for serde_json::Value {
    fn to_count(&self) -> Option<i64> {
        self.as_i64()
    }

    fn from_count(count: i64) -> Option<Self> {
        Some(count.into())
    }
}

/// A stored `None` is no number.
impl<C: Counter> Counter for Option<C> {
    fn to_count(&self) -> Option<i64> {
        self.as_ref()?.to_count()
    }

    fn from_count(count: i64) -> Option<Self> {
        C::from_count(count).map(Some)
    }
}
