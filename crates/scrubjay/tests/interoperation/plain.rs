//! [`Plain`]: whatever both sides can mean.

use std::{collections::BTreeMap, fmt};

use scrubjay::Counter;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, json};

/// Plain data of Python.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Plain>),
    Dict(BTreeMap<String, Plain>),
}

/// What `library` can store with `serializer`.
pub(crate) fn values(library: &str, serializer: &str) -> Vec<Plain> {
    let text = |text: &str| Plain::Text(text.to_owned());
    let mut values = vec![
        text("acorn"),
        text("naïve 🐿 \"quoted\"\n\\"),
        text("42"),
        Plain::Int(0),
        Plain::Int(-300),
        Plain::Int(i64::MAX),
        Plain::Int(i64::MIN),
        Plain::Float(1.5),
        Plain::Float(-0.1),
    ];
    if serializer == "text" {
        // The rest has other texts in Python, or none in Rust.
        return values;
    }
    let leaves = values.clone();
    let inner = BTreeMap::from([("ключ".to_owned(), Plain::List(leaves)), ("none".to_owned(), Plain::None)]);
    values.extend([
        text(""),
        Plain::None,
        Plain::Bool(true),
        Plain::Bool(false),
        Plain::Float(1e300),
        Plain::List(vec![]),
        Plain::Dict(BTreeMap::new()),
        Plain::List(vec![Plain::List(vec![Plain::Int(1), text("a")]), Plain::Dict(inner.clone())]),
        Plain::Dict(BTreeMap::from([
            ("nested".to_owned(), Plain::Dict(inner)),
            ("flag".to_owned(), Plain::Bool(true)),
        ])),
        text(&"long ".repeat(4000)),
    ]);
    // JSON has no bytes, and aiocache's MsgPack cannot tell them from texts.
    if serializer.starts_with("pickle") || (library == "cachetory" && serializer.starts_with("msgpack")) {
        values.extend([
            Plain::Bytes(vec![]),
            Plain::Bytes(vec![0, 255, 128]),
            Plain::List(vec![Plain::Bytes(vec![7])]),
        ]);
    }
    values
}

impl Plain {
    /// What the text serializers make of it, on both sides.
    pub(crate) fn as_text(&self) -> Self {
        Self::Text(match self {
            Self::Text(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            other => panic!("{other:?} has no text that both sides agree on"),
        })
    }

    /// As it travels to and from `peer.py`.
    pub(crate) fn to_wire(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Bool(truth) => json!(truth),
            Self::Int(number) => json!(number),
            Self::Float(number) => json!(number),
            Self::Text(text) => json!(text),
            Self::Bytes(bytes) => json!({ "bytes": bytes }),
            Self::List(items) => items.iter().map(Self::to_wire).collect(),
            Self::Dict(pairs) => pairs.iter().map(|(key, value)| (key.clone(), value.to_wire())).collect(),
        }
    }
}

impl Counter for Plain {
    fn to_count(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn from_count(count: i64) -> Option<Self> {
        Some(Self::Int(count))
    }
}

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(items) => serializer.collect_seq(items),
            Self::Dict(pairs) => serializer.collect_map(pairs),
        }
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whatever)
    }
}

/// Takes what it is given.
struct Whatever;

impl<'de> Visitor<'de> for Whatever {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain data")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain::None)
    }

    fn visit_none<E>(self) -> Result<Plain, E> {
        Ok(Plain::None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Plain, D::Error> {
        Plain::deserialize(deserializer)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Plain, E> {
        Ok(Plain::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Plain, E> {
        Ok(Plain::Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Plain, E> {
        i64::try_from(number).map(Plain::Int).map_err(E::custom)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Plain, E> {
        Ok(Plain::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Plain, E> {
        Ok(Plain::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Plain, E> {
        Ok(Plain::Bytes(bytes.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Plain::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Plain, A::Error> {
        let mut dict = BTreeMap::new();
        while let Some((key, value)) = pairs.next_entry()? {
            dict.insert(key, value);
        }
        Ok(Plain::Dict(dict))
    }
}
