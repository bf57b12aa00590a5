//! Plain text (aiocache's `StringSerializer`).

use std::{borrow::Cow, fmt::Display, str::FromStr};

use bytes::Bytes;
use serde::{
    Deserializer, Serialize,
    de::{DeserializeOwned, IntoDeserializer, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
    ser::Impossible,
};

use super::{Serializer, failure::Failure};
use crate::Result;

/// The bare text of a string, a number, a `bool`, a `char` or a variant without fields.
///
/// Numbers can be read into number types, and everything into a string. `None`, and values made of parts, have no plain text:
/// they are refused with [`ErrorKind::Encode`](crate::ErrorKind::Encode). Store them with [`Json`](super::Json).
///
/// ```
/// use scrubjay::serializer::{Serializer, Text};
///
/// let mut bytes = Vec::new();
/// Text.encode(&"no quotes".to_owned(), &mut bytes).unwrap();
/// assert_eq!(bytes, b"no quotes");
///
/// let number: f64 = Text.decode(&"2.50".into()).unwrap();
/// assert_eq!(number, 2.5);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl<V: Serialize + DeserializeOwned> Serializer<V> for Text {
    fn name(&self) -> Cow<'_, str> {
        "text".into()
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        value.serialize(Write(out)).map_err(|error| Failure::encode("the value has no plain text; use `json`", error))
    }

    fn decode(&self, bytes: &Bytes) -> Result<V> {
        let refused = |cause: &dyn Display| Failure::decode("not the plain text of this type", cause);
        let text = std::str::from_utf8(bytes).map_err(|error| refused(&error))?;
        V::deserialize(Read(text)).map_err(|error| refused(&error))
    }

    fn reads_counters(&self) -> bool {
        true
    }
}

struct Write<'a>(&'a mut Vec<u8>);

impl Write<'_> {
    fn text(self, value: impl Display) -> Result<(), Failure> {
        use std::io::Write as _;
        write!(self.0, "{value}").map_err(Failure::new)
    }
}

fn refuse<T>(what: &str) -> Result<T, Failure> {
    Err(Failure::new(format_args!("{what} is more than one piece of text")))
}

/// Methods that write what they are given as text.
macro_rules! write_as_text {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<(), Failure> {
            self.text(value)
        })*
    };
}

impl serde::Serializer for Write<'_> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Impossible<(), Failure>;
    type SerializeTuple = Impossible<(), Failure>;
    type SerializeTupleStruct = Impossible<(), Failure>;
    type SerializeTupleVariant = Impossible<(), Failure>;
    type SerializeMap = Impossible<(), Failure>;
    type SerializeStruct = Impossible<(), Failure>;
    type SerializeStructVariant = Impossible<(), Failure>;

    write_as_text! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_char: char,
        serialize_str: &str,
    }

    // `Debug` writes 1.0 and 1e300 as Python does; `Display` writes 1 and three hundred zeros.
    fn serialize_f32(self, value: f32) -> Result<(), Failure> {
        self.text(format_args!("{value:?}"))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Failure> {
        self.text(format_args!("{value:?}"))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Failure> {
        refuse("a byte array")
    }

    fn serialize_none(self) -> Result<(), Failure> {
        Err(Failure::new("`None` would read back as an empty string"))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Failure> {
        Err(Failure::new("`()` would read back as an empty string"))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Failure> {
        self.text(name)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Failure> {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Failure> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Failure> {
        refuse("a variant with a value")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Failure> {
        refuse("a sequence")
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Failure> {
        refuse("a tuple")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Failure> {
        refuse("a tuple struct")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Failure> {
        refuse("a variant with values")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Failure> {
        refuse("a map")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Failure> {
        refuse("a struct")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Failure> {
        refuse("a variant with fields")
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Failure> {
        self.text(value)
    }
}

struct Read<'a>(&'a str);

impl Read<'_> {
    fn parse<T: FromStr>(&self, expected: &str) -> Result<T, Failure> {
        self.0.parse().map_err(|_| Failure::new(format_args!("expected {expected}")))
    }
}

/// Methods that parse the text into what the type asks for.
macro_rules! parse_text {
    ($($method:ident $visit:ident: $type:ty, $expected:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            visitor.$visit(self.parse::<$type>($expected)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Read<'de> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_borrowed_str(self.0)
    }

    // Python's spelling is read as well as ours.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            "true" | "True" => visitor.visit_bool(true),
            "false" | "False" => visitor.visit_bool(false),
            _ => Err(Failure::new("expected true or false")),
        }
    }

    parse_text! {
        deserialize_i8 visit_i8: i8, "a whole number of 8 bits";
        deserialize_i16 visit_i16: i16, "a whole number of 16 bits";
        deserialize_i32 visit_i32: i32, "a whole number of 32 bits";
        deserialize_i64 visit_i64: i64, "a whole number of 64 bits";
        deserialize_i128 visit_i128: i128, "a whole number of 128 bits";
        deserialize_u8 visit_u8: u8, "a whole number of 8 bits, without sign";
        deserialize_u16 visit_u16: u16, "a whole number of 16 bits, without sign";
        deserialize_u32 visit_u32: u32, "a whole number of 32 bits, without sign";
        deserialize_u64 visit_u64: u64, "a whole number of 64 bits, without sign";
        deserialize_u128 visit_u128: u128, "a whole number of 128 bits, without sign";
        deserialize_f32 visit_f32: f32, "a number";
        deserialize_f64 visit_f64: f64, "a number";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Failure> {
        if self.0 == name { visitor.visit_unit() } else { Err(Failure::new(format_args!("expected {name}"))) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let variant: StrDeserializer<'_, Failure> = self.0.into_deserializer();
        visitor.visit_enum(variant)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::Deserialize;

    use super::*;
    use crate::ErrorKind;

    fn written<V: Serialize + DeserializeOwned>(value: &V) -> Result<String> {
        let mut out = Vec::new();
        Text.encode(value, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn round_trip<V: Serialize + DeserializeOwned + Debug + PartialEq>(value: &V, text: &str) {
        assert_eq!(written(value).unwrap(), text);
        assert_eq!(Serializer::<V>::decode(&Text, &Bytes::copy_from_slice(text.as_bytes())).unwrap(), *value);
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Colour {
        Blue,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Name(String);

    #[test]
    fn one_piece_of_text_goes_there_and_back() {
        round_trip(&"é\"x".to_owned(), "é\"x");
        round_trip(&String::new(), "");
        round_trip(&i64::MIN, "-9223372036854775808");
        round_trip(&u128::MAX, "340282366920938463463374607431768211455");
        round_trip(&1.0, "1.0");
        round_trip(&1e300, "1e300");
        round_trip(&f64::INFINITY, "inf");
        round_trip(&true, "true");
        round_trip(&'é', "é");
        round_trip(&Some(5), "5");
        round_trip(&Colour::Blue, "Blue");
        round_trip(&Name("n".into()), "n");
    }

    #[test]
    fn python_spells_bools_and_numbers_its_own_way() {
        assert!(Serializer::<bool>::decode(&Text, &Bytes::from_static(b"True")).unwrap());
        assert!(Serializer::<f64>::decode(&Text, &Bytes::from_static(b"1e+300")).unwrap() > 1e299);
        assert!(Serializer::<f64>::decode(&Text, &Bytes::from_static(b"nan")).unwrap().is_nan());
    }

    #[test]
    fn whatever_has_parts_is_refused() {
        assert_eq!(written(&vec![1]).unwrap_err().kind(), ErrorKind::Encode);
        assert_eq!(written(&(1, 2)).unwrap_err().kind(), ErrorKind::Encode);
        assert_eq!(written(&None::<u8>).unwrap_err().kind(), ErrorKind::Encode);
        let error = written(&std::collections::BTreeMap::from([(1, 2)])).unwrap_err();
        assert_eq!(error.to_string(), "the value has no plain text; use `json`: a map is more than one piece of text");
    }

    #[test]
    fn what_is_no_number_is_a_decode_error_that_does_not_show_it() {
        let error = Serializer::<u8>::decode(&Text, &Bytes::from_static(b"hunter2")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(
            error.to_string(),
            "not the plain text of this type: expected a whole number of 8 bits, without sign"
        );
    }
}
