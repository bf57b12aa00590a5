//! Canonical argument keys: the call of a function as text, `app::user(42u64,"ann")`, another one for every other call.
//!
//! The text is what serde tells of the arguments, with the type of every number and the name of every struct and variant, so
//! that `f(1)` is not `f("1")`. Two ways of telling the same value agree: maps are sorted. It depends on nothing else, so it is
//! the same in every process and build. All is written into the key itself; only a map needs memory of its own.
//!
//! ```text
//! 42u64  -1i8  1.5f64  true  'c'  "text with \" and \\"  b"00ff"  ()  None  Some(1u8)
//! [1u8,2u8]  (1u8,"a")  {"key"=>1u8}  Name  Name(1u8)  Name{field:1u8}  Enum::Variant(1u8)
//! ```

use std::fmt::{self, Write as _};

use serde::ser::{self, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Error, ErrorKind, Result};

/// Which keys are shortened to a readable beginning and 128 bits of SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Those that are longer than stores like: over 200 bytes.
    Short,
    /// None.
    Readable,
    /// All: of the arguments nothing is shown.
    Hashed,
}

/// The longest key that is not hashed, in bytes. memcached holds 250, and a namespace has to fit too.
const LONGEST: usize = 200;
/// How much of a key is shown before the hash, in bytes.
const SHOWN: usize = 120;

/// A key under construction.
#[derive(Debug)]
pub struct ArgumentKey {
    text: String,
    function: usize,
    arguments: usize,
    failure: Option<Error>,
}

impl ArgumentKey {
    /// The key of a call of `function` in `path`, its module or type.
    #[must_use]
    #[inline]
    pub fn new(path: &str, function: &str) -> Self {
        let mut text = String::with_capacity(path.len() + function.len() + 43);
        text.push_str(path);
        text.push_str("::");
        text.push_str(function);
        let function = text.len();
        text.push('(');
        Self { text, function, arguments: 0, failure: None }
    }

    /// Adds an argument.
    #[must_use]
    #[inline]
    pub fn argument<T: Serialize + ?Sized>(mut self, name: &str, argument: &T) -> Self {
        if self.arguments > 0 {
            self.text.push(',');
        }
        self.arguments += 1;
        if let Err(error) = argument.serialize(Encoder(&mut self.text)) {
            self.fail(name, &error.0);
        }
        self
    }

    /// The key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`], naming an argument that failed to serialize itself.
    #[inline]
    pub fn finish(mut self, style: Style) -> Result<String> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        self.text.push(')');
        match style {
            Style::Short if self.text.len() > LONGEST => Ok(shortened(self.text, SHOWN)),
            Style::Hashed => Ok(shortened(self.text, self.function)),
            Style::Short | Style::Readable => Ok(self.text),
        }
    }

    #[cold]
    fn fail(&mut self, name: &str, why: &str) {
        let message = format!(
            "argument `{name}` of {} cannot be part of a key: {why}; skip it or give `key`",
            &self.text[..self.function]
        );
        self.failure.get_or_insert_with(|| Error::new(ErrorKind::InvalidKey, message));
    }
}

/// At most `shown` bytes of `text`, and the hash of all. No key that is not hashed ends without a parenthesis.
#[cold]
fn shortened(mut text: String, shown: usize) -> String {
    let hash = Sha256::digest(&text);
    let end = (0..=shown.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.truncate(end);
    text.push('~');
    push_hex(&mut text, &hash[..16]);
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Why a value could not tell itself.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl ser::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<fmt::Error> for Failure {
    fn from(_: fmt::Error) -> Self {
        Self("a part of it failed to print itself".to_owned())
    }
}

type Written<T = ()> = std::result::Result<T, Failure>;

/// Writes what serde tells.
struct Encoder<'k>(&'k mut String);

impl<'k> Encoder<'k> {
    /// A number in decimal digits, and its type.
    #[inline]
    #[expect(clippy::unnecessary_wraps, reason = "it ends every method of serde's that has a number")]
    fn unsigned(self, mut number: u64, suffix: &str) -> Written {
        let (mut digits, mut start) = ([0; 20], 20);
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        // Digits are always text.
        self.0.push_str(std::str::from_utf8(&digits[start..]).unwrap_or_default());
        self.0.push_str(suffix);
        Ok(())
    }

    #[inline]
    fn signed(self, number: i64, suffix: &str) -> Written {
        if number < 0 {
            self.0.push('-');
        }
        self.unsigned(number.unsigned_abs(), suffix)
    }

    /// A float: the shortest decimals that read back as it, so that every number has its own; else its bits.
    fn float(self, number: impl fmt::Debug, is_finite: bool, bits: u64, suffix: &str) -> Written {
        if is_finite {
            write!(self.0, "{number:?}{suffix}")?;
        } else {
            write!(self.0, "0x{bits:x}{suffix}")?;
        }
        Ok(())
    }

    /// A name: an identifier as it is, else quoted so that it can be taken for nothing else.
    fn name(&mut self, name: &str) {
        let is_identifier = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !matches!(name, "" | "true" | "false" | "None" | "Some");
        if is_identifier {
            self.0.push_str(name);
        } else {
            self.0.push_str("r#");
            self.quoted(name);
        }
    }

    fn variant(&mut self, name: &str, variant: &str) {
        self.name(name);
        self.0.push_str("::");
        self.name(variant);
    }

    fn quoted(&mut self, text: &str) {
        self.0.push('"');
        let _ = Escaped(self.0).write_str(text);
        self.0.push('"');
    }

    fn open(self, bracket: char, close: &'static str) -> Several<'k> {
        self.0.push(bracket);
        Several { out: self.0, close, is_first: true }
    }
}

/// Text between quotes.
struct Escaped<'k>(&'k mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(['"', '\\']) {
            self.0.push_str(&rest[..at]);
            self.0.push('\\');
            self.0.push_str(&rest[at..=at]);
            rest = &rest[at + 1..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty, $write:ident as $wide:ty, $suffix:literal;)*) => {
        $(
            #[inline]
            fn $method(self, number: $type) -> Written {
                self.$write(<$wide>::from(number), $suffix)
            }
        )*
    };
}

impl<'k> ser::Serializer for Encoder<'k> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Several<'k>;
    type SerializeTuple = Several<'k>;
    type SerializeTupleStruct = Several<'k>;
    type SerializeTupleVariant = Several<'k>;
    type SerializeMap = Sorted<'k>;
    type SerializeStruct = Several<'k>;
    type SerializeStructVariant = Several<'k>;

    numbers! {
        serialize_u8: u8, unsigned as u64, "u8";
        serialize_u16: u16, unsigned as u64, "u16";
        serialize_u32: u32, unsigned as u64, "u32";
        serialize_u64: u64, unsigned as u64, "u64";
        serialize_i8: i8, signed as i64, "i8";
        serialize_i16: i16, signed as i64, "i16";
        serialize_i32: i32, signed as i64, "i32";
        serialize_i64: i64, signed as i64, "i64";
    }

    fn serialize_u128(self, number: u128) -> Written {
        Ok(write!(self.0, "{number}u128")?)
    }

    fn serialize_i128(self, number: i128) -> Written {
        Ok(write!(self.0, "{number}i128")?)
    }

    fn serialize_f32(self, number: f32) -> Written {
        self.float(number, number.is_finite(), number.to_bits().into(), "f32")
    }

    fn serialize_f64(self, number: f64) -> Written {
        self.float(number, number.is_finite(), number.to_bits(), "f64")
    }

    fn serialize_bool(self, truth: bool) -> Written {
        self.0.push_str(if truth { "true" } else { "false" });
        Ok(())
    }

    fn serialize_char(self, character: char) -> Written {
        self.0.extend(['\'', character, '\'']);
        Ok(())
    }

    #[inline]
    fn serialize_str(mut self, text: &str) -> Written {
        self.quoted(text);
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, text: &T) -> Written {
        self.0.push('"');
        write!(Escaped(self.0), "{text}")?;
        self.0.push('"');
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Written {
        self.0.push_str("b\"");
        push_hex(self.0, bytes);
        self.0.push('"');
        Ok(())
    }

    fn serialize_none(self) -> Written {
        self.0.push_str("None");
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.0.push_str("Some");
        self.open('(', ")").one(value)
    }

    fn serialize_unit(self) -> Written {
        self.0.push_str("()");
        Ok(())
    }

    fn serialize_unit_struct(mut self, name: &'static str) -> Written {
        self.name(name);
        Ok(())
    }

    fn serialize_unit_variant(mut self, name: &'static str, _: u32, variant: &'static str) -> Written {
        self.variant(name, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(mut self, name: &'static str, value: &T) -> Written {
        self.name(name);
        self.open('(', ")").one(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.variant(name, variant);
        self.open('(', ")").one(value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Written<Several<'k>> {
        Ok(self.open('[', "]"))
    }

    fn serialize_tuple(self, _: usize) -> Written<Several<'k>> {
        // One of one element is not what stands between parentheses alone.
        Ok(self.open('(', ",)"))
    }

    fn serialize_tuple_struct(mut self, name: &'static str, _: usize) -> Written<Several<'k>> {
        self.name(name);
        Ok(self.open('(', ",)"))
    }

    fn serialize_tuple_variant(
        mut self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Written<Several<'k>> {
        self.variant(name, variant);
        Ok(self.open('(', ",)"))
    }

    fn serialize_map(self, _: Option<usize>) -> Written<Sorted<'k>> {
        self.0.push('{');
        let start = self.0.len();
        Ok(Sorted { out: self.0, start, entries: Vec::new() })
    }

    fn serialize_struct(mut self, name: &'static str, _: usize) -> Written<Several<'k>> {
        self.name(name);
        Ok(self.open('{', "}"))
    }

    fn serialize_struct_variant(
        mut self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Written<Several<'k>> {
        self.variant(name, variant);
        Ok(self.open('{', "}"))
    }
}

/// Elements or fields between brackets, in the order in which they are told.
struct Several<'k> {
    out: &'k mut String,
    close: &'static str,
    is_first: bool,
}

impl Several<'_> {
    fn one<T: Serialize + ?Sized>(mut self, value: &T) -> Written {
        self.element(value)?;
        self.close()
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.separate();
        value.serialize(Encoder(self.out))
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Written {
        self.separate();
        Encoder(self.out).name(name);
        self.out.push(':');
        value.serialize(Encoder(self.out))
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(',');
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends every method of serde's that has ended")]
    fn close(self) -> Written {
        self.out.push_str(self.close);
        Ok(())
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident;)*) => {
        $(
            impl ser::$trait for Several<'_> {
                type Ok = ();
                type Error = Failure;

                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                    self.element(value)
                }

                fn end(self) -> Written {
                    self.close()
                }
            }
        )*
    };
}

elements! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

macro_rules! fields {
    ($($trait:ident;)*) => {
        $(
            impl ser::$trait for Several<'_> {
                type Ok = ();
                type Error = Failure;

                fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
                    self.field(name, value)
                }

                fn end(self) -> Written {
                    self.close()
                }
            }
        )*
    };
}

fields! {
    SerializeStruct;
    SerializeStructVariant;
}

/// The entries of a map, sorted when it ends.
struct Sorted<'k> {
    out: &'k mut String,
    start: usize,
    /// Where each entry ends.
    entries: Vec<usize>,
}

impl ser::SerializeMap for Sorted<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        key.serialize(Encoder(self.out))?;
        self.out.push_str("=>");
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(Encoder(self.out))?;
        self.entries.push(self.out.len());
        Ok(())
    }

    fn end(self) -> Written {
        let Self { out, start, entries } = self;
        let told = out.split_off(start);
        let starts = std::iter::once(0).chain(entries.iter().map(|end| end - start));
        let mut entries: Vec<&str> = starts.zip(&entries).map(|(from, end)| &told[from..end - start]).collect();
        entries.sort_unstable();
        for (place, entry) in entries.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            out.push_str(entry);
        }
        out.push('}');
        Ok(())
    }
}
