//! Canonical argument keys: the call of a function as text, `app::user(42u64,"ann")`, another one for every other call.
//!
//! The text is what serde tells of the arguments, with the type of every number and the name of every struct and variant, so
//! that `f(1)` is not `f("1")`. Two ways of telling the same value agree: maps are sorted. It depends on nothing else, so it is
//! the same in every process and build. All is written into the key itself, in memory that the thread's last key
//! left; only a map needs memory of its own.
//!
//! ```text
//! 42u64  -1i8  1.5f64  true  'c'  "text with \" and \\"  b"00ff"  ()  None  Some(1u8)
//! [1u8,2u8]  (1u8,"a",)  {"key"=>1u8}  {1u8,2u8} (a set)  Name  Name(1u8)  Name{field:1u8}  Enum::Variant(1u8)
//! ```

use std::{
    any::type_name,
    cell::Cell,
    collections::HashSet,
    fmt::{self, Write as _},
    mem,
    ops::Deref,
};

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

/// A key's text. The next key of the same thread is written into its memory.
#[derive(Debug)]
pub struct Text(String);

thread_local! {
    static SPARE: Cell<String> = const { Cell::new(String::new()) };
}

/// More memory than this is not held for the next key, in bytes.
const SPARED: usize = 1_024;

impl Text {
    #[inline]
    fn new() -> Self {
        let mut text = SPARE.try_with(Cell::take).unwrap_or_default();
        text.clear();
        Self(text)
    }

    /// A key as the attribute formats it.
    #[must_use]
    pub fn formatted(format: fmt::Arguments<'_>) -> Self {
        let mut text = Self::new();
        // An argument that fails to print itself ends the key, as it ends what `format!` makes in a panic.
        let _ = text.0.write_fmt(format);
        text
    }

    /// The text alone.
    #[must_use]
    pub fn into_string(mut self) -> String {
        mem::take(&mut self.0)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Text {
    #[inline]
    fn drop(&mut self) {
        if self.0.capacity() <= SPARED {
            let text = mem::take(&mut self.0);
            let _ = SPARE.try_with(|spare| spare.set(text));
        }
    }
}

/// A key under construction.
#[derive(Debug)]
pub struct ArgumentKey {
    text: Text,
    function: usize,
    failure: Option<Error>,
}

impl ArgumentKey {
    /// The key of a call of a function, whose name with its path these parts are.
    #[must_use]
    #[inline]
    pub fn new(function: &[&str]) -> Self {
        let mut text = Text::new();
        for part in function {
            text.0.push_str(part);
        }
        let function = text.len();
        text.0.push('(');
        Self { text, function, failure: None }
    }

    /// Adds an argument.
    #[inline]
    pub fn argument<T: Serialize + ?Sized>(&mut self, name: &str, argument: &T) {
        self.separate();
        if let Err(error) = argument.serialize(Encoder(&mut self.text.0)) {
            self.fail(name, &error.0);
        }
    }

    /// Adds a set, whose elements come in any order.
    fn set(&mut self, name: &str, mut elements: impl Iterator<Item = impl Serialize>) {
        self.separate();
        let mut sorted = Sorted::open(&mut self.text.0);
        let told = elements.try_for_each(|element| sorted.entry(&element));
        sorted.close();
        if let Err(error) = told {
            self.fail(name, &error.0);
        }
    }

    #[inline]
    fn separate(&mut self) {
        if self.text.len() > self.function + 1 {
            self.text.0.push(',');
        }
    }

    /// The key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`], naming an argument that failed to serialize itself.
    #[inline]
    pub fn finish(mut self, style: Style) -> Result<Text> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        self.text.0.push(')');
        match style {
            Style::Short if self.text.len() > LONGEST => shorten(&mut self.text.0, SHOWN),
            Style::Hashed => shorten(&mut self.text.0, self.function),
            Style::Short | Style::Readable => {}
        }
        Ok(self.text)
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

/// The function that a closure stands in, of the closure's name.
#[must_use]
#[inline]
pub fn function_around<C>(_: &C) -> &'static str {
    type_name::<C>().trim_end_matches("::{{closure}}")
}

/// What can be part of a key: whatever serde can tell.
#[diagnostic::on_unimplemented(
    message = "an argument of type `{Self}` cannot be part of a key",
    label = "serde cannot tell this argument",
    note = "derive `serde::Serialize` for its type, leave it out with `skip(…)`, or say with `key = …` what tells calls apart"
)]
pub trait KeyPart: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> KeyPart for T {}

/// An argument on its way into a key: the compiler finds [`PartOfSet`] before [`PartOfAny`].
#[derive(Debug)]
pub struct Argument<'a, T: ?Sized>(pub &'a T);

/// A set that is not sorted, of which serde tells only that it is a sequence.
pub trait PartOfSet {
    /// Adds it to `key`.
    fn add_to(&self, key: &mut ArgumentKey, name: &str);
}

impl<T: Serialize, S> PartOfSet for &Argument<'_, HashSet<T, S>> {
    fn add_to(&self, key: &mut ArgumentKey, name: &str) {
        key.set(name, self.0.iter());
    }
}

impl<T: Serialize, S> PartOfSet for &Argument<'_, &HashSet<T, S>> {
    fn add_to(&self, key: &mut ArgumentKey, name: &str) {
        key.set(name, self.0.iter());
    }
}

/// Anything else.
pub trait PartOfAny<T: ?Sized> {
    /// Adds it to `key`.
    fn add_to(&self, key: &mut ArgumentKey, name: &str)
    where
        T: KeyPart;
}

impl<T: ?Sized> PartOfAny<T> for Argument<'_, T> {
    #[inline]
    fn add_to(&self, key: &mut ArgumentKey, name: &str)
    where
        T: KeyPart,
    {
        key.argument(name, self.0);
    }
}

/// Leaves at most `shown` bytes of `text`, and the hash of all. No key that is not hashed ends without a parenthesis.
#[cold]
fn shorten(text: &mut String, shown: usize) {
    let hash = Sha256::digest(&*text);
    let end = (0..=shown.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.truncate(end);
    text.push('~');
    push_hex(text, &hash[..16]);
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
    fn integer(self, number: impl itoa::Integer, suffix: &str) -> Written {
        self.0.push_str(itoa::Buffer::new().format(number));
        self.0.push_str(suffix);
        Ok(())
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
    ($($method:ident: $type:ty;)*) => {
        $(
            #[inline]
            fn $method(self, number: $type) -> Written {
                self.integer(number, stringify!($type))
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
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_u128: u128;
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_i128: i128;
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
        Ok(Sorted::open(self.0))
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

/// The entries of a map or a set, sorted when it ends.
struct Sorted<'k> {
    out: &'k mut String,
    start: usize,
    /// Where each entry ends.
    entries: Vec<usize>,
}

impl<'k> Sorted<'k> {
    fn open(out: &'k mut String) -> Self {
        out.push('{');
        let start = out.len();
        Self { out, start, entries: Vec::new() }
    }

    fn entry<T: Serialize + ?Sized>(&mut self, entry: &T) -> Written {
        entry.serialize(Encoder(self.out))?;
        self.entries.push(self.out.len());
        Ok(())
    }

    fn close(self) {
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
    }
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
        self.entry(value)
    }

    fn end(self) -> Written {
        self.close();
        Ok(())
    }
}
