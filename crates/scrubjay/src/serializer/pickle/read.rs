//! What a pickle holds, as serde reads it.

use std::slice;

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    super::failure::Failure,
    machine::{Index, Node, Pickled},
};

type Result<T> = std::result::Result<T, Failure>;

impl Pickled<'_> {
    /// The value itself.
    pub(super) fn value(&self) -> Value<'_> {
        Value { pickle: self, index: self.root }
    }
}

/// One of the values in a pickle. It is read with nesting capped: a list may hold itself.
#[derive(Clone, Copy)]
pub(super) struct Value<'p> {
    pickle: &'p Pickled<'p>,
    index: Index,
}

impl<'p> Value<'p> {
    fn node(self) -> &'p Node<'p> {
        &self.pickle.nodes[self.index as usize]
    }

    /// Looks at the value and pays for it.
    fn visit(self) -> Result<&'p Node<'p>> {
        let node = self.node();
        let length = match node {
            Node::Text(text) => text.len(),
            Node::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        self.pickle.spend(length)?;
        Ok(node)
    }

    fn beneath(self, indices: &'p [Index]) -> Beneath<'p> {
        Beneath { pickle: self.pickle, indices: indices.iter() }
    }
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.visit()? {
            Node::None => visitor.visit_unit(),
            Node::Bool(bool) => visitor.visit_bool(*bool),
            Node::Int(int) => visit_int(*int, visitor),
            Node::Float(float) => visitor.visit_f64(*float),
            Node::Text(text) => visitor.visit_str(text),
            Node::Bytes(bytes) => visitor.visit_bytes(bytes),
            Node::Sequence(items) => visitor.visit_seq(self.beneath(items)),
            Node::Dict(entries) => visitor.visit_map(self.beneath(entries)),
            Node::Callable(_) => Err(Failure::new("it holds a function, which is no data")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.node() {
            Node::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    /// A `Vec<u8>` asks for a sequence, where Python wrote bytes.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if let Node::Bytes(bytes) = self.node() {
            self.pickle.spend(bytes.len())?;
            return visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied()));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    /// A variant is text, or a dict from its name to what it holds.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.visit()? {
            Node::Text(name) => {
                let variant: StrDeserializer<'_, Failure> = name.as_ref().into_deserializer();
                visitor.visit_enum(variant)
            }
            Node::Dict(entry) if entry.len() == 2 => {
                visitor.visit_enum(MapAccessDeserializer::new(self.beneath(entry)))
            }
            _ => Err(Failure::new("expected a variant: text, or a dict with one entry")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple_struct map struct identifier
    }
}

/// In the narrowest way, since most types take no 128 bits.
fn visit_int<'de, V: Visitor<'de>>(int: i128, visitor: V) -> Result<V::Value> {
    if let Ok(int) = i64::try_from(int) {
        visitor.visit_i64(int)
    } else if let Ok(int) = u64::try_from(int) {
        visitor.visit_u64(int)
    } else {
        visitor.visit_i128(int)
    }
}

/// The values in a sequence, or the keys and values of a dict in turn.
struct Beneath<'p> {
    pickle: &'p Pickled<'p>,
    indices: slice::Iter<'p, Index>,
}

impl<'p> Beneath<'p> {
    fn next(&mut self) -> Option<Value<'p>> {
        self.indices.next().map(|index| Value { pickle: self.pickle, index: *index })
    }
}

impl<'de> SeqAccess<'de> for Beneath<'_> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        self.next().map(|item| seed.deserialize(item)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.indices.len())
    }
}

impl<'de> MapAccess<'de> for Beneath<'_> {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        self.next().map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        match self.next() {
            Some(value) => seed.deserialize(value),
            None => Err(Failure::new("a key without a value")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.indices.len() / 2)
    }
}
