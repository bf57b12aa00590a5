//! A format and a transform of one's own, registered by name, so that any URL or configuration can use them.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::borrow::Cow;

use bytes::Bytes;
use scrubjay::{
    Cache, Error, ErrorKind, Parameters, Result,
    far::Reply,
    serializer::{self, Format, Slot, Transform, Value},
};

/// JSON for people: indented. A format sees values only through serde, so it is written once for all types.
struct Pretty;

impl Format for Pretty {
    fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer_pretty(out, &value)
            .map_err(|error| Error::new(ErrorKind::Encode, "the value has no JSON form").with_source(error))
    }

    fn decode(&self, bytes: &[u8], slot: Slot<'_>) -> Result<()> {
        slot.fill(&mut serde_json::Deserializer::from_slice(bytes))
    }
}

/// Hides bytes from a passing glance by XOR with one number. **A toy: this is no encryption and protects nothing.** A
/// real cipher has the same shape; it would add what proves that nobody changed the bytes.
struct Toy {
    key: u8,
}

/// What its output begins with.
const MARK: u8 = b'~';

impl Toy {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self> {
        let key = parameters.take("toy-key", "a number from 0 to 255")?;
        Ok(Self { key: key.ok_or_else(|| Error::new(ErrorKind::Config, "`toy` needs the option `toy-key`"))? })
    }

    fn flip<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = u8> + use<'b> {
        let key = self.key;
        bytes.iter().map(move |byte| byte ^ key)
    }
}

impl Transform for Toy {
    fn name(&self) -> Cow<'_, str> {
        "toy".into()
    }

    fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok([MARK].into_iter().chain(self.flip(&bytes)).collect())
    }

    fn decode(&self, bytes: Bytes, limit: usize) -> Result<Bytes> {
        match bytes.split_first() {
            Some((&MARK, hidden)) if hidden.len() <= limit => Ok(self.flip(hidden).collect()),
            _ => Err(Error::new(ErrorKind::Decode, "not the toy's output, or too long")),
        }
    }

    fn recognises(&self, bytes: &[u8]) -> bool {
        bytes.first() == Some(&MARK)
    }
}

fn main() -> Result<()> {
    serializer::register_format("pretty", |_| Ok(Pretty))?;
    serializer::register_transform("toy", Toy::from_parameters)?;

    assert_eq!(stored("memory://?serializer=pretty")?, "[\n  \"a\",\n  \"jay\"\n]");
    let hidden = stored("memory://?serializer=json+toy&toy-key=7")?;
    assert!(hidden.starts_with('~') && !hidden.contains("jay"));
    stored("memory://?serializer=pretty+toy+zstd&toy-key=7")?;

    let Err(error) = Cache::<Vec<String>>::from_url("memory://?serializer=json+toy") else {
        unreachable!("the key is missing")
    };
    println!("without its option: {error}");
    Ok(())
}

/// What the store holds of a value written through the cache at `url`, which reads it back.
fn stored(url: &str) -> Result<String> {
    let cache = Cache::<Vec<String>>::from_url(url)?.blocking();
    let value = vec!["a".to_owned(), "jay".to_owned()];
    cache.set("value", value.clone())?;
    assert_eq!(cache.get("value")?, Some(value));
    let Reply::Bytes(bytes) = cache.raw(["GET", "value"])? else { unreachable!("GET answers bytes") };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    println!("{}: {text:?}", cache.info());
    Ok(text)
}
