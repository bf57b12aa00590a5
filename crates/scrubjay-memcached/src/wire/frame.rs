//! Replies cut out of a stream: a line, with a block of data behind it or none.

use bytes::{Bytes, BytesMut};

use super::Violation;

/// The longest line that is read, in bytes.
pub const LONGEST_LINE: usize = 64 * 1024;

const END: &[u8] = b"\r\n";

/// A line and its block. Both are slices of the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
    line: usize,
    data: Option<usize>,
}

impl Frame {
    /// The line, without its end.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.bytes[..self.line]
    }

    /// The block, without its end.
    #[must_use]
    pub fn data(&self) -> Option<Bytes> {
        let start = self.line + END.len();
        self.data.map(|length| self.bytes.slice(start..start + length))
    }

    /// The line and the block, as they came.
    pub(super) fn into_parts(self) -> impl Iterator<Item = Bytes> {
        let data = self.data();
        std::iter::once(self.bytes.slice(..self.line)).chain(data)
    }

    pub(super) fn length(&self) -> usize {
        self.bytes.len()
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
        if let Place::Line { scanned } = self.place {
            let Some(newline) = input[scanned..].iter().position(|&byte| byte == b'\n').map(|at| scanned + at) else {
                self.place = Place::Line { scanned: input.len() };
                return if input.len() > LONGEST_LINE { Err(Violation::LongLine) } else { Ok(None) };
            };
            let line = input[..newline].strip_suffix(b"\r").ok_or(Violation::Malformed("a line without its end"))?;
            if line.len() > LONGEST_LINE {
                return Err(Violation::LongLine);
            }
            let (length, declared) = (line.len(), declared_length(line)?);
            match declared {
                None => return Ok(Some(self.take(input, length, None))),
                Some(size) if size > self.largest_value => return Err(Violation::LargeValue(size)),
                Some(size) => {
                    let size = usize::try_from(size).map_err(|_| Violation::LargeValue(size))?;
                    self.place = Place::Data { line: length, length: size };
                }
            }
        }
        let Place::Data { line, length } = self.place else { return Ok(None) };
        let end = line + END.len() + length;
        match input.get(end..end + END.len()) {
            None => Ok(None),
            Some(END) => Ok(Some(self.take(input, line, Some(length)))),
            Some(_) => Err(Violation::Malformed("a value of another length than declared")),
        }
    }

    fn take(&mut self, input: &mut BytesMut, line: usize, data: Option<usize>) -> Frame {
        self.place = Place::Line { scanned: 0 };
        let length = line + END.len() + data.map_or(0, |length| length + END.len());
        Frame { bytes: input.split_to(length).freeze(), line, data }
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
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
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
