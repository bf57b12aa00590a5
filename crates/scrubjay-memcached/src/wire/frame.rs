//! Replies cut out of a stream: a line, with a block of data behind it or none.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::{LONGEST_KEY, Violation};

/// The longest line that is read, in bytes.
pub const LONGEST_LINE: usize = 64 * 1024;

const END: &[u8] = b"\r\n";

/// A line and its block. Both are slices of the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
    extent: Extent,
}

/// How far a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The line's length, without its end.
    pub(super) line: usize,
    /// The block's.
    data: Option<usize>,
}

impl Extent {
    /// Where the block stands, without its end.
    pub(super) fn data(self) -> Option<Range<usize>> {
        let start = self.line + END.len();
        self.data.map(|length| start..start + length)
    }

    /// Of the whole frame.
    pub(super) fn length(self) -> usize {
        self.line + END.len() + self.data.map_or(0, |length| length + END.len())
    }
}

impl Frame {
    /// The line, without its end.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.bytes[..self.extent.line]
    }

    /// The block, without its end.
    #[must_use]
    pub fn data(&self) -> Option<Bytes> {
        self.extent.data().map(|data| self.bytes.slice(data))
    }

    /// What it says if it is an entry in the classic dialect.
    pub(super) fn entry(&self) -> Option<Entry<'_>> {
        Entry::read(&self.bytes)
    }

    /// The line and the block, as they came.
    pub(super) fn into_parts(self) -> impl Iterator<Item = Bytes> {
        let data = self.data();
        std::iter::once(self.bytes.slice(..self.extent.line)).chain(data)
    }

    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }
}

/// What the line before an entry says in the classic dialect: `VALUE <key> <flags> <length>[ <cas>]`.
#[derive(Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Entry<'a> {
    /// As it was written.
    pub(super) key: &'a [u8],
    pub(super) flags: u32,
    /// Zero if it was not asked for.
    pub(super) cas: u64,
    /// The line's length, without its end.
    line: usize,
    length: u64,
}

impl<'a> Entry<'a> {
    /// The one that `bytes` begin with; `None` if they begin with anything else, or its line is not complete.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"VALUE ")?;
        let end = rest[..rest.len().min(LONGEST_KEY + 1)].iter().position(|&byte| byte == b' ')?;
        let (key, rest) = rest.split_at(end);
        let (flags, rest) = number(&rest[1..])?;
        let (length, rest) = number(rest.strip_prefix(b" ")?)?;
        let (cas, rest) = rest.strip_prefix(b" ").map_or(Some((0, rest)), number)?;
        let behind = rest.strip_prefix(END)?;
        let line = bytes.len() - behind.len() - END.len();
        Some(Self { key, flags: u32::try_from(flags).ok()?, cas, line, length })
    }
}

impl Entry<'_> {
    /// How far its frame goes.
    pub(super) fn extent(&self) -> Result<Extent, Violation> {
        let length = usize::try_from(self.length).map_err(|_| Violation::LargeValue(self.length))?;
        Ok(Extent { line: self.line, data: Some(length) })
    }
}

/// Cuts frames out of a buffer that grows as bytes arrive. Keeps its place, so that a byte is looked at once.
#[derive(Debug)]
pub struct Frames {
    largest_value: u64,
    place: Place,
}

/// How far the frame at the buffer's start is understood.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// No line ends before here.
    Line { scanned: usize },
    /// The line has this length, and a block of that length follows.
    Data { line: usize, length: usize },
}

impl Frames {
    /// Frames with values of at most `largest_value` bytes.
    #[must_use]
    pub fn new(largest_value: u64) -> Self {
        Self { largest_value, place: Place::Line { scanned: 0 } }
    }

    /// The next frame, taken out of `input`; `None` if it is not complete yet.
    ///
    /// # Errors
    /// [`Violation`] if no frame can come of this, whatever follows.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, Violation> {
        let Some(extent) = self.measure(input)? else { return Ok(None) };
        Ok(Some(Frame { bytes: input.split_to(extent.length()).freeze(), extent }))
    }

    /// How far the frame at the start of `bytes` goes; `None` if it is not complete yet. The next call is about the frame
    /// behind a complete one, or has more of the same.
    pub(super) fn measure(&mut self, bytes: &[u8]) -> Result<Option<Extent>, Violation> {
        if let Place::Line { scanned } = self.place {
            // Entries come by the hundred: their lines are read in one go.
            let (length, declared) = match Entry::read(bytes) {
                Some(entry) => (entry.line, Some(entry.length)),
                None => match self.line(bytes, scanned)? {
                    Some(line) => (line.len(), declared_length(line)?),
                    None => return Ok(None),
                },
            };
            match declared {
                None => {
                    self.place = Place::Line { scanned: 0 };
                    return Ok(Some(Extent { line: length, data: None }));
                }
                Some(size) if size > self.largest_value => return Err(Violation::LargeValue(size)),
                Some(size) => {
                    let size = usize::try_from(size).map_err(|_| Violation::LargeValue(size))?;
                    self.place = Place::Data { line: length, length: size };
                }
            }
        }
        let Place::Data { line, length } = self.place else { return Ok(None) };
        let end = line + END.len() + length;
        match bytes.get(end..end + END.len()) {
            None => Ok(None),
            Some(END) => {
                self.place = Place::Line { scanned: 0 };
                Ok(Some(Extent { line, data: Some(length) }))
            }
            Some(_) => Err(Violation::Malformed("a value of another length than declared")),
        }
    }

    /// The line that `bytes` begin with, without its end. None ends before `scanned`.
    fn line<'a>(&mut self, bytes: &'a [u8], scanned: usize) -> Result<Option<&'a [u8]>, Violation> {
        let Some(newline) = bytes[scanned..].iter().position(|&byte| byte == b'\n').map(|at| scanned + at) else {
            self.place = Place::Line { scanned: bytes.len() };
            return if bytes.len() > LONGEST_LINE { Err(Violation::LongLine) } else { Ok(None) };
        };
        let line = bytes[..newline].strip_suffix(b"\r").ok_or(Violation::Malformed("a line without its end"))?;
        if line.len() > LONGEST_LINE { Err(Violation::LongLine) } else { Ok(Some(line)) }
    }
}

/// The length of the block behind `line`, if it says that there is one.
fn declared_length(line: &[u8]) -> Result<Option<u64>, Violation> {
    let mut words = line.split(|&byte| byte == b' ');
    let length = match words.next() {
        Some(b"VA") => words.next(),
        Some(b"VALUE") => words.nth(2),
        _ => return Ok(None),
    };
    length.and_then(decimal).map(Some).ok_or(Violation::Malformed("a value without a length"))
}

/// A whole number of nothing but digits: no sign, no space.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    number(text).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number)
}

/// The whole number that `text` begins with, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (length, &byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (length > 0).then_some((number, &text[length..]));
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (!text.is_empty()).then_some((number, &[]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(bytes: &[u8]) -> Result<Option<Frame>, Violation> {
        Frames::new(1_000).next(&mut BytesMut::from(bytes))
    }

    #[test]
    fn lines_and_blocks_are_told_apart() {
        let mut input = BytesMut::from(&b"HD O1\r\nVA 2 O2\r\n\r\n\r\nVALUE a 0 1\r\nx\r\nEND\r\nEN"[..]);
        let mut frames = Frames::new(10);
        let mut next = || frames.next(&mut input).unwrap().map(|frame| (frame.line().to_vec(), frame.data()));
        assert_eq!(next(), Some((b"HD O1".to_vec(), None)));
        assert_eq!(next(), Some((b"VA 2 O2".to_vec(), Some(Bytes::from_static(b"\r\n")))));
        assert_eq!(next(), Some((b"VALUE a 0 1".to_vec(), Some(Bytes::from_static(b"x")))));
        assert_eq!(next(), Some((b"END".to_vec(), None)));
        assert_eq!(next(), None);
    }

    #[test]
    fn the_line_of_an_entry_is_read_whole_or_not_at_all() {
        let entry = Entry::read(b"VALUE key 7 10 99\r\nx").unwrap();
        assert_eq!((entry.key, entry.flags, entry.length, entry.cas, entry.line), (&b"key"[..], 7, 10, 99, 17));
        assert_eq!(Entry::read(b"VALUE k 4294967295 0\r\n").map(|entry| (entry.flags, entry.cas)), Some((u32::MAX, 0)));
        for other in [
            "VALUE",
            "VALUE key 7 10 99\r",
            "VALUE key 7 10 99\n",
            "VALUE key 4294967296 1\r\n",
            "VALUE key 0 18446744073709551616\r\n",
            "VALUE key  1\r\n",
            "VALUE key 0 -1\r\n",
            "VALUE key 0 1 \r\n",
            "VALUE key 0 1 2 3\r\n",
            "VA 1\r\n",
        ] {
            assert_eq!(Entry::read(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_frame_is_an_error() {
        assert_eq!(first(b"VA 1001\r\n"), Err(Violation::LargeValue(1001)));
        assert!(matches!(first(b"VA -7\r\n"), Err(Violation::Malformed(_))));
        assert!(matches!(first(b"VA 99999999999999999999\r\n"), Err(Violation::Malformed(_))));
        assert!(matches!(first(b"VA\r\n"), Err(Violation::Malformed(_))));
        assert!(matches!(first(b"VA 1\r\nxyz"), Err(Violation::Malformed(_))));
        assert!(matches!(first(b"HD\n"), Err(Violation::Malformed(_))));
        assert_eq!(first(&vec![b'x'; LONGEST_LINE + 1]), Err(Violation::LongLine));
        assert_eq!(first(&[&vec![b'x'; LONGEST_LINE + 1][..], END].concat()), Err(Violation::LongLine));
    }

    proptest! {
        #[test]
        fn cutting_the_stream_anywhere_changes_nothing(
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..8),
            cuts in proptest::collection::vec(1usize..9, 1..40),
        ) {
            let stream: Vec<u8> = values.iter().enumerate().flat_map(|(token, value)| {
                [format!("VA {} O{token}\r\n", value.len()).as_bytes(), value, b"\r\nHD\r\n"].concat()
            }).collect();
            let (mut frames, mut input, mut rest, mut found) = (Frames::new(100), BytesMut::new(), &stream[..], vec![]);
            for &cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                input.extend_from_slice(now);
                rest = later;
                while let Some(frame) = frames.next(&mut input).unwrap() {
                    found.extend(frame.data());
                }
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, values);
            prop_assert!(input.is_empty());
        }

        #[test]
        fn any_bytes_give_frames_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (mut frames, mut input) = (Frames::new(100), BytesMut::from(&bytes[..]));
            while let Ok(Some(_)) = frames.next(&mut input) {}
        }
    }
}
