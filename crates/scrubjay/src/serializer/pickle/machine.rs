//! The machine that pickles are programs for, with every instruction left out that names code.
//!
//! It is our own because serde-pickle's turns instances of classes into dicts without saying so, copies values that a
//! pickle refers to twice (a few hundred bytes can ask for gigabytes), drops and prints nested values recursively, and
//! quotes values in its errors. This one keeps values in one flat list and refers to them by index: building copies and
//! recurses never, and text and bytes stay where they are in the input.

use std::{borrow::Cow, cell::Cell, str};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{
    super::failure::Failure,
    opcodes as op,
    text::{unescaped, unquoted},
};

pub(super) type Result<T> = std::result::Result<T, Failure>;

/// What a pickle holds: values that refer to each other by index.
#[derive(Debug)]
pub(super) struct Pickled<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) root: Index,
    /// How much may still be read: values may be referred to any number of times, and by values that are themselves
    /// referred to, so that a short pickle can hold more than memory does.
    budget: Cell<usize>,
}

/// What reading a value costs besides its length: about the memory that the value it becomes takes.
const COST: usize = 32;

/// How much larger a value may become than its pickle by being referred to several times: 64 MiB.
const SHARED: usize = 64 << 20;

impl<'a> Pickled<'a> {
    fn new(nodes: Vec<Node<'a>>, root: Index, len: usize) -> Self {
        // Every value costs an instruction, so the pickle's length pays for all that is referred to once.
        let budget = len.saturating_mul(COST + 1).saturating_add(SHARED);
        Self { nodes, root, budget: Cell::new(budget) }
    }

    /// Pays for reading a value of this many bytes.
    pub(super) fn spend(&self, length: usize) -> Result<()> {
        let rest = self.budget.get().checked_sub(length.saturating_add(COST));
        self.budget
            .set(rest.ok_or_else(|| Failure::new("it refers to the same values too often, so it would be huge"))?);
        Ok(())
    }
}

/// A value's place among the nodes.
pub(super) type Index = u32;

#[derive(Debug)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    /// A list, tuple, set or frozen set.
    Sequence(Vec<Index>),
    /// Keys and values in turn.
    Dict(Vec<Index>),
    Callable(Callable),
}

/// The few harmless functions with which old protocols spell sets and bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callable {
    /// `set`, `frozenset`
    Collect,
    /// `bytes`, `bytearray`
    Bytes,
    /// `_codecs.encode`
    Encode,
}

/// Carries the pickle out, up to its end, which must be the end of `input`.
pub(super) fn run(input: &[u8]) -> Result<Pickled<'_>> {
    let mut machine = Machine::new(input);
    let root = loop {
        let opcode = machine.byte()?;
        if opcode == op::STOP {
            break machine.pop()?;
        }
        machine.step(opcode)?;
    };
    match machine.rest {
        [] => Ok(Pickled::new(machine.nodes, root, input.len())),
        _ => Err(Failure::new("bytes follow the value")),
    }
}

struct Machine<'a> {
    rest: &'a [u8],
    nodes: Vec<Node<'a>>,
    stack: Vec<Index>,
    /// Heights of the stack; what is below the last one is out of reach.
    marks: Vec<usize>,
    memo: HashMap<u32, Index, RandomState>,
    /// How many bytes `_codecs.encode` may still make: no more than were in the input, whatever is referred to twice.
    encodable: usize,
}

/// Where the values that need no node of their own are found.
const NONE: Index = 0;
const FALSE: Index = 1;
const TRUE: Index = 2;

impl<'a> Machine<'a> {
    fn new(input: &'a [u8]) -> Self {
        let nodes = vec![Node::None, Node::Bool(false), Node::Bool(true)];
        let memo = HashMap::with_hasher(RandomState::default());
        Self { rest: input, nodes, stack: Vec::new(), marks: Vec::new(), memo, encodable: input.len() }
    }

    #[allow(clippy::too_many_lines)] // one arm for each instruction
    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            op::PROTO => match self.byte()? {
                0..=5 => Ok(()),
                newer => Err(Failure::new(format_args!("pickle protocol {newer} is newer than 5"))),
            },
            op::FRAME => self.take(8).map(drop),

            op::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::POP if self.stack.len() == self.floor() => self.pop_mark().map(drop),
            op::POP => self.pop().map(drop),
            op::POP_MARK => self.pop_mark().map(drop),
            op::DUP => {
                let top = self.top()?;
                self.push_again(top)
            }

            op::MEMOIZE => {
                let id = u32::try_from(self.memo.len()).map_err(Failure::new)?;
                self.memoize(id)
            }
            op::PUT => self.number_line().and_then(|id| self.memoize(id)),
            op::BINPUT => self.byte().and_then(|id| self.memoize(id.into())),
            op::LONG_BINPUT => self.u32().and_then(|id| self.memoize(id)),
            op::GET => self.number_line().and_then(|id| self.recall(id)),
            op::BINGET => self.byte().and_then(|id| self.recall(id.into())),
            op::LONG_BINGET => self.u32().and_then(|id| self.recall(id)),

            op::NONE => self.push_again(NONE),
            op::NEWFALSE => self.push_again(FALSE),
            op::NEWTRUE => self.push_again(TRUE),
            op::INT => match self.line()? {
                b"00" => self.push_again(FALSE),
                b"01" => self.push_again(TRUE),
                digits => self.push(Node::Int(parse(digits)?)),
            },
            op::LONG => {
                let digits = self.line()?;
                self.push(Node::Int(parse(digits.strip_suffix(b"L").unwrap_or(digits))?))
            }
            op::BININT => {
                let int = i32::from_le_bytes(self.array()?);
                self.push(Node::Int(int.into()))
            }
            op::BININT1 => self.byte().and_then(|int| self.push(Node::Int(int.into()))),
            op::BININT2 => {
                let int = u16::from_le_bytes(self.array()?);
                self.push(Node::Int(int.into()))
            }
            op::LONG1 => {
                let len = self.byte()?;
                let int = integer(self.take(len.into())?)?;
                self.push(Node::Int(int))
            }
            op::LONG4 => {
                let len = self.u32()?;
                let int = integer(self.counted(len)?)?;
                self.push(Node::Int(int))
            }
            op::FLOAT => {
                let float = parse(self.line()?)?;
                self.push(Node::Float(float))
            }
            op::BINFLOAT => {
                let float = f64::from_be_bytes(self.array()?);
                self.push(Node::Float(float))
            }

            op::STRING => {
                let string = unquoted(self.line()?)?;
                self.push(python2_string(Cow::Owned(string)))
            }
            op::SHORT_BINSTRING => {
                let len = self.byte()?;
                let string = self.take(len.into())?;
                self.push(python2_string(Cow::Borrowed(string)))
            }
            op::BINSTRING => {
                let len = self.u32()?;
                let string = self.counted(len)?;
                self.push(python2_string(Cow::Borrowed(string)))
            }
            op::UNICODE => {
                let text = unescaped(self.line()?)?;
                self.push(Node::Text(Cow::Owned(text)))
            }
            op::SHORT_BINUNICODE => {
                let len = self.byte()?;
                self.push_text(len)
            }
            op::BINUNICODE => {
                let len = self.u32()?;
                self.push_text(len)
            }
            op::BINUNICODE8 => {
                let len = self.u64()?;
                self.push_text(len)
            }
            op::SHORT_BINBYTES => {
                let len = self.byte()?;
                self.push_bytes(len)
            }
            op::BINBYTES => {
                let len = self.u32()?;
                self.push_bytes(len)
            }
            op::BINBYTES8 | op::BYTEARRAY8 => {
                let len = self.u64()?;
                self.push_bytes(len)
            }

            op::EMPTY_TUPLE | op::EMPTY_LIST | op::EMPTY_SET => self.push(Node::Sequence(Vec::new())),
            op::TUPLE | op::LIST | op::FROZENSET => {
                let items = self.pop_mark()?;
                self.push(Node::Sequence(items))
            }
            op::TUPLE1 => self.push_tuple(1),
            op::TUPLE2 => self.push_tuple(2),
            op::TUPLE3 => self.push_tuple(3),
            op::APPEND => {
                let item = self.pop()?;
                self.sequence()?.push(item);
                Ok(())
            }
            op::APPENDS | op::ADDITEMS => {
                let items = self.pop_mark()?;
                self.sequence()?.extend(items);
                Ok(())
            }
            op::EMPTY_DICT => self.push(Node::Dict(Vec::new())),
            op::DICT => {
                let entries = self.pop_entries()?;
                self.push(Node::Dict(entries))
            }
            op::SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.dict()?.extend([key, value]);
                Ok(())
            }
            op::SETITEMS => {
                let entries = self.pop_entries()?;
                self.dict()?.extend(entries);
                Ok(())
            }

            op::GLOBAL => {
                let module = self.line()?;
                let name = self.line()?;
                let callable = callable(module, name)?;
                self.push(Node::Callable(callable))
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let callable = match (self.node(module), self.node(name)) {
                    (Node::Text(module), Node::Text(name)) => callable(module.as_bytes(), name.as_bytes())?,
                    _ => return Err(malformed()),
                };
                self.push(Node::Callable(callable))
            }
            op::REDUCE => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.call(function, arguments)
            }
            op::INST => {
                let module = self.line()?;
                let name = self.line()?;
                Err(not_plain(module, name))
            }
            op::OBJ
            | op::NEWOBJ
            | op::NEWOBJ_EX
            | op::BUILD
            | op::EXT1
            | op::EXT2
            | op::EXT4
            | op::PERSID
            | op::BINPERSID
            | op::NEXT_BUFFER
            | op::READONLY_BUFFER => Err(not_plain(b"", b"")),
            _ => Err(malformed()),
        }
    }

    /// The results of the few calls that are allowed.
    fn call(&mut self, function: Index, arguments: Index) -> Result<()> {
        let (Node::Callable(callable), Node::Sequence(arguments)) = (self.node(function), self.node(arguments)) else {
            return Err(malformed());
        };
        match (*callable, &arguments[..]) {
            (Callable::Collect, []) => self.push(Node::Sequence(Vec::new())),
            (Callable::Bytes, []) => self.push(Node::Bytes(Cow::Borrowed(&[]))),
            // The argument stands for the copy that Python would make: nothing changes it afterwards.
            (Callable::Collect, &[items]) if matches!(self.node(items), Node::Sequence(_)) => self.push_again(items),
            (Callable::Bytes, &[bytes]) if matches!(self.node(bytes), Node::Bytes(_)) => self.push_again(bytes),
            (Callable::Bytes | Callable::Encode, &[text, encoding]) => {
                let bytes = latin1(self.node(text), self.node(encoding))?;
                self.encodable = self.encodable.checked_sub(bytes.len()).ok_or_else(malformed)?;
                self.push(Node::Bytes(Cow::Owned(bytes)))
            }
            _ => Err(malformed()),
        }
    }

    fn push(&mut self, node: Node<'a>) -> Result<()> {
        let index = Index::try_from(self.nodes.len()).map_err(Failure::new)?;
        self.nodes.push(node);
        self.push_again(index)
    }

    #[allow(clippy::unnecessary_wraps)] // so that it can end a step, as `push` does
    fn push_again(&mut self, index: Index) -> Result<()> {
        self.stack.push(index);
        Ok(())
    }

    fn push_text(&mut self, len: impl TryInto<usize>) -> Result<()> {
        let text = str::from_utf8(self.counted(len)?).map_err(Failure::new)?;
        self.push(Node::Text(Cow::Borrowed(text)))
    }

    fn push_bytes(&mut self, len: impl TryInto<usize>) -> Result<()> {
        let bytes = self.counted(len)?;
        self.push(Node::Bytes(Cow::Borrowed(bytes)))
    }

    fn push_tuple(&mut self, len: usize) -> Result<()> {
        let start = self.stack.len().checked_sub(len).filter(|start| *start >= self.floor()).ok_or_else(malformed)?;
        let items = self.stack.drain(start..).collect();
        self.push(Node::Sequence(items))
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Index> {
        match self.stack.last() {
            Some(top) if self.stack.len() > self.floor() => Ok(*top),
            _ => Err(malformed()),
        }
    }

    fn pop(&mut self) -> Result<Index> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Everything above the last mark, and the mark.
    fn pop_mark(&mut self) -> Result<Vec<Index>> {
        let mark = self.marks.pop().ok_or_else(malformed)?;
        Ok(self.stack.drain(mark..).collect())
    }

    fn pop_entries(&mut self) -> Result<Vec<Index>> {
        let entries = self.pop_mark()?;
        if entries.len().is_multiple_of(2) { Ok(entries) } else { Err(malformed()) }
    }

    fn node(&self, index: Index) -> &Node<'a> {
        &self.nodes[index as usize]
    }

    /// The sequence on top of the stack.
    fn sequence(&mut self) -> Result<&mut Vec<Index>> {
        let top = self.top()? as usize;
        match &mut self.nodes[top] {
            Node::Sequence(items) => Ok(items),
            _ => Err(malformed()),
        }
    }

    /// The dict on top of the stack.
    fn dict(&mut self) -> Result<&mut Vec<Index>> {
        let top = self.top()? as usize;
        match &mut self.nodes[top] {
            Node::Dict(entries) => Ok(entries),
            _ => Err(malformed()),
        }
    }

    fn memoize(&mut self, id: u32) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(id, top);
        Ok(())
    }

    fn recall(&mut self, id: u32) -> Result<()> {
        let index = *self.memo.get(&id).ok_or_else(malformed)?;
        self.push_again(index)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// As many bytes as were declared: if they are there, they are not copied, and if not, nothing is reserved for them.
    fn counted(&mut self, len: impl TryInto<usize>) -> Result<&'a [u8]> {
        len.try_into().map_err(|_| cut_short()).and_then(|len| self.take(len))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn line(&mut self) -> Result<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or_else(cut_short)?;
        let line = self.take(end)?;
        self.take(1)?;
        Ok(line)
    }

    fn number_line(&mut self) -> Result<u32> {
        self.line().and_then(parse)
    }
}

pub(super) fn malformed() -> Failure {
    Failure::new("it is no pickle, or a damaged one")
}

fn cut_short() -> Failure {
    Failure::new("it ends too early")
}

/// Refuses an object, naming its class where that is a name that can be shown.
fn not_plain(module: &[u8], name: &[u8]) -> Failure {
    const ADVICE: &str = "only plain data is read; store a dict instead";
    let path = [module, b".", name].concat();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    match str::from_utf8(&path) {
        Ok(path) if path.len() > 1 && path.len() <= 100 && path.bytes().all(|byte| plain(&byte)) => {
            Failure::new(format_args!("it holds a Python object (`{path}`), but {ADVICE}"))
        }
        _ => Failure::new(format_args!("it holds a Python object, but {ADVICE}")),
    }
}

fn callable(module: &[u8], name: &[u8]) -> Result<Callable> {
    match (module, name) {
        (b"builtins" | b"__builtin__", b"set" | b"frozenset") => Ok(Callable::Collect),
        (b"builtins" | b"__builtin__", b"bytes" | b"bytearray") => Ok(Callable::Bytes),
        (b"_codecs", b"encode") => Ok(Callable::Encode),
        _ => Err(not_plain(module, name)),
    }
}

/// The bytes that old protocols spell as text, a character for a byte.
fn latin1(text: &Node<'_>, encoding: &Node<'_>) -> Result<Vec<u8>> {
    match (text, encoding) {
        (Node::Text(text), Node::Text(encoding)) if matches!(&**encoding, "latin1" | "latin-1") => {
            text.chars().map(|char| u8::try_from(char).map_err(|_| malformed())).collect()
        }
        _ => Err(malformed()),
    }
}

fn parse<T: str::FromStr>(text: &[u8]) -> Result<T> {
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(malformed)
}

/// A little-endian integer in two's complement.
fn integer(bytes: &[u8]) -> Result<i128> {
    let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    let mut whole = [if negative { 0xff } else { 0 }; 16];
    let low = whole.get_mut(..bytes.len()).ok_or_else(|| Failure::new("an integer is larger than 128 bits"))?;
    low.copy_from_slice(bytes);
    Ok(i128::from_le_bytes(whole))
}

/// Python 2's `str` was bytes and text in one: text where it can be.
fn python2_string(bytes: Cow<'_, [u8]>) -> Node<'_> {
    match bytes {
        Cow::Borrowed(bytes) => match str::from_utf8(bytes) {
            Ok(text) => Node::Text(text.into()),
            Err(_) => Node::Bytes(bytes.into()),
        },
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Node::Text(text.into()),
            Err(error) => Node::Bytes(error.into_bytes().into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_any_width_keep_their_sign() {
        for (bytes, int) in [(&b""[..], 0), (b"\xff", -1), (b"\xff\x00", 255), (b"\x00\x80", -32768)] {
            assert_eq!(integer(bytes).unwrap(), int);
        }
        assert_eq!(integer(&[0xff; 16]).unwrap(), -1);
        assert!(integer(&[0; 17]).is_err());
    }

    #[test]
    fn what_is_below_a_mark_is_out_of_reach() {
        for program in [&b"K\x01(K\x02\x86."[..], b"N(2.", b"]K\x01(a.", b"N(\x85."] {
            assert!(run(program).is_err());
        }
        assert!(run(b"K\x01(0.").is_ok(), "POP on a mark takes the mark");
    }

    #[test]
    fn the_class_is_named_only_where_it_is_a_name() {
        let error = run(b"cdecimal\nDecimal\n.").unwrap_err().to_string();
        assert_eq!(
            error,
            "it holds a Python object (`decimal.Decimal`), but only plain data is read; store a dict instead"
        );
        let error = run(b"c\x1b[31m\nx\n.").unwrap_err().to_string();
        assert_eq!(error, "it holds a Python object, but only plain data is read; store a dict instead");
    }
}
