//! A cap on nesting for formats that have none, so that no stored bytes can overflow the stack.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor},
};

/// How deep values may be nested in any format: what `serde_json` allows.
pub(super) const MAX_NESTING: usize = 128;

/// What `input` holds, unless it is nested deeper than [`MAX_NESTING`].
pub(super) fn capped<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    T::deserialize(Nested { inner: input, room: MAX_NESTING })
}

/// Any of serde's parts, and how many levels may still open beneath it.
struct Nested<T> {
    inner: T,
    room: usize,
}

impl<T> Nested<T> {
    /// The same count around another part.
    fn around<U>(room: usize, inner: U) -> Nested<U> {
        Nested { inner, room }
    }

    /// One level deeper, if there is room.
    fn open<E: Error>(self) -> Result<(T, usize), E> {
        match self.room.checked_sub(1) {
            Some(room) => Ok((self.inner, room)),
            None => Err(E::custom(format_args!("nested deeper than {MAX_NESTING} levels"))),
        }
    }
}

/// Methods that pass the count on to the visitor.
macro_rules! deserialize {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* Self::around(self.room, visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Nested<D> {
    type Error = D::Error;

    deserialize! {
        deserialize_any()
        deserialize_bool()
        deserialize_i8()
        deserialize_i16()
        deserialize_i32()
        deserialize_i64()
        deserialize_i128()
        deserialize_u8()
        deserialize_u16()
        deserialize_u32()
        deserialize_u64()
        deserialize_u128()
        deserialize_f32()
        deserialize_f64()
        deserialize_char()
        deserialize_str()
        deserialize_string()
        deserialize_bytes()
        deserialize_byte_buf()
        deserialize_option()
        deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq()
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
        deserialize_ignored_any()
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Methods that have nothing beneath them.
macro_rules! visit {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Nested<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool: bool,
        visit_i8: i8,
        visit_i16: i16,
        visit_i32: i32,
        visit_i64: i64,
        visit_i128: i128,
        visit_u8: u8,
        visit_u16: u16,
        visit_u32: u32,
        visit_u64: u64,
        visit_u128: u128,
        visit_f32: f32,
        visit_f64: f64,
        visit_char: char,
        visit_str: &str,
        visit_borrowed_str: &'de str,
        visit_string: String,
        visit_bytes: &[u8],
        visit_borrowed_bytes: &'de [u8],
        visit_byte_buf: Vec<u8>,
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, beneath: D) -> Result<V::Value, D::Error> {
        let (visitor, room) = self.open()?;
        visitor.visit_some(Self::around(room, beneath))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, beneath: D) -> Result<V::Value, D::Error> {
        let (visitor, room) = self.open()?;
        visitor.visit_newtype_struct(Self::around(room, beneath))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, beneath: A) -> Result<V::Value, A::Error> {
        let (visitor, room) = self.open()?;
        visitor.visit_seq(Self::around(room, beneath))
    }

    fn visit_map<A: MapAccess<'de>>(self, beneath: A) -> Result<V::Value, A::Error> {
        let (visitor, room) = self.open()?;
        visitor.visit_map(Self::around(room, beneath))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, beneath: A) -> Result<V::Value, A::Error> {
        let (visitor, room) = self.open()?;
        visitor.visit_enum(Self::around(room, beneath))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Nested<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Self::around(self.room, input))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Nested<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Self::around(self.room, seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Nested<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(Self::around(self.room, seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Self::around(self.room, seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Nested<A> {
    type Error = A::Error;
    type Variant = Nested<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (variant, rest) = self.inner.variant_seed(Self::around(self.room, seed))?;
        Ok((variant, Self::around(self.room, rest)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Nested<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Self::around(self.room, seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Self::around(self.room, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Self::around(self.room, visitor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_allowed_level_opens_and_the_next_does_not() {
        let nested = |levels: usize| {
            let text = "[".repeat(levels) + &"]".repeat(levels);
            let mut input = serde_json::Deserializer::from_str(&text);
            capped::<serde_json::Value, _>(&mut input).map_err(|error| error.to_string())
        };
        // `serde_json` has a cap of its own, which is one level tighter.
        assert!(nested(MAX_NESTING - 1).is_ok());
        assert!(nested(MAX_NESTING).is_err());

        let flat = (0..3 * MAX_NESTING).collect::<Vec<_>>();
        let read: Vec<usize> = capped(serde_json::json!(flat)).unwrap();
        assert_eq!(read, flat);

        let deep = (0..MAX_NESTING).fold(serde_json::Value::Null, |inside, _| serde_json::json!([inside]));
        assert!(capped::<serde_json::Value, _>(deep.clone()).is_ok());
        let error = capped::<serde_json::Value, _>(serde_json::json!([deep])).unwrap_err();
        assert_eq!(error.to_string(), "nested deeper than 128 levels");
    }
}
