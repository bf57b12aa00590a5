//! Finds where RESP frames end, in bytes as they come. It sees no sockets, keeps no values and allocates nothing by a
//! declared length.

/// How deep a frame may nest.
const DEEPEST: usize = 64;
/// How long a line may be: an error, a number, a simple text.
const LONGEST_LINE: usize = 64 * 1024;
/// How large a frame may be, as the protocol's own limit on one text is.
const LARGEST: usize = 512 * 1024 * 1024;

/// What the smallest frame takes: a kind, and the end of a line.
const SMALLEST: usize = 3;

/// Why bytes are no RESP, or more of it than any server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Looks for the end of one frame after another.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// How many elements each open aggregate still lacks, outermost first.
    open: Vec<u64>,
    /// How much of the current frame has been seen.
    seen: usize,
}

impl Frames {
    /// The length of the frame that `bytes` begins with, or `None` until it is complete.
    ///
    /// Asked again with more bytes of the same frame, it goes on where it stopped.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        loop {
            let Some(element) = Element::read(&bytes[self.seen..])? else { return Ok(None) };
            self.seen += element.length;
            if self.seen > LARGEST {
                return Err(Malformed("a reply is larger than 512 MiB"));
            }
            if element.children > 0 {
                if self.open.len() == DEEPEST {
                    return Err(Malformed("a reply nests deeper than 64 levels"));
                }
                self.open.push(element.children);
                continue;
            }
            while let Some(lacking) = self.open.last_mut() {
                *lacking -= 1;
                if *lacking > 0 {
                    break;
                }
                self.open.pop();
            }
            if self.open.is_empty() {
                return Ok(Some(std::mem::take(&mut self.seen)));
            }
        }
    }
}

/// One line with the text that it announces, or the head of an aggregate.
struct Element {
    length: usize,
    children: u64,
}

impl Element {
    fn read(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((&kind, rest)) = bytes.split_first() else { return Ok(None) };
        let Some(line) = line(rest)? else { return Ok(None) };
        let head = 1 + line.len() + 2;
        match kind {
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Ok(Some(Self { length: head, children: 0 })),
            b'$' | b'!' | b'=' => {
                let Some(size) = size(line, kind == b'$')? else { return Ok(Some(Self { length: head, children: 0 })) };
                if size > LARGEST as u64 {
                    return Err(Malformed("a reply announces a text larger than 512 MiB"));
                }
                // Fits: it was just compared with a `usize`.
                let text_end = head + usize::try_from(size).unwrap_or(LARGEST);
                match bytes.get(text_end..text_end + 2) {
                    None => Ok(None),
                    Some(b"\r\n") => Ok(Some(Self { length: text_end + 2, children: 0 })),
                    Some(_) => Err(Malformed("a text in a reply is longer than announced")),
                }
            }
            b'*' | b'%' | b'~' | b'>' | b'|' => {
                let children = match (kind, size(line, kind == b'*')?) {
                    (_, None) => 0,
                    (b'%', Some(pairs)) => pairs.saturating_mul(2),
                    // An attribute's pairs stand before the value that they describe.
                    (b'|', Some(pairs)) => pairs.saturating_mul(2).saturating_add(1),
                    (_, Some(elements)) => elements,
                };
                if children > (LARGEST / SMALLEST) as u64 {
                    return Err(Malformed("a reply announces more elements than 512 MiB hold"));
                }
                Ok(Some(Self { length: head, children }))
            }
            _ => Err(Malformed("a reply is not in the Redis protocol")),
        }
    }
}

/// The line that `bytes` begins with, without its end.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut from = 0;
    while let Some(found) = bytes[from..].iter().take(LONGEST_LINE).position(|byte| *byte == b'\r') {
        let end = from + found;
        match bytes.get(end + 1) {
            None => return Ok(None),
            Some(b'\n') => return Ok(Some(&bytes[..end])),
            Some(_) => from = end + 1,
        }
    }
    if bytes.len() >= LONGEST_LINE {
        return Err(Malformed("a line of a reply is longer than 64 KiB"));
    }
    Ok(None)
}

/// The number on a line; `None` for -1 where that means that there is nothing.
fn size(line: &[u8], may_be_nil: bool) -> Result<Option<u64>, Malformed> {
    if may_be_nil && line == b"-1" {
        return Ok(None);
    }
    let number =
        std::str::from_utf8(line).ok().filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok());
    number.map(Some).ok_or(Malformed("a reply announces a length that is no length"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lengths(bytes: &[u8]) -> Result<Vec<usize>, Malformed> {
        let (mut frames, mut from, mut found) = (Frames::default(), 0, Vec::new());
        while let Some(length) = frames.next(&bytes[from..])? {
            from += length;
            found.push(length);
        }
        Ok(found)
    }

    #[test]
    fn frames_of_every_kind_end_where_they_end() {
        for whole in [
            "+OK\r\n",
            "-ERR no\r\n",
            ":-5\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "$3\r\na\rb\r\n",
            "$0\r\n\r\n",
            "*0\r\n",
            "_\r\n",
            "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
            "%1\r\n+a\r\n#t\r\n",
            "~1\r\n,1.5\r\n",
            ">2\r\n+a\r\n+b\r\n",
            "(123\r\n",
            "=5\r\ntxt:a\r\n",
            "!3\r\nERR\r\n",
            "|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n",
            "+a\rb\r\n",
        ] {
            assert_eq!(lengths(whole.as_bytes()), Ok(vec![whole.len()]), "{whole:?}");
            for cut in 0..whole.len() {
                assert_eq!(lengths(&whole.as_bytes()[..cut]), Ok(vec![]), "{whole:?} up to {cut}");
            }
        }
    }

    #[test]
    fn what_no_server_sends_is_refused_at_once() {
        let deep = "*1\r\n".repeat(100_000);
        let endless = format!("+{}", "x".repeat(LONGEST_LINE));
        for hostile in
            ["$8000000000\r\n", "$-7\r\n", "*-2\r\n", "HTTP/1.1 400\r\n", "$abc\r\n", "$1\r\nabc\r\n", &deep, &endless]
        {
            assert!(lengths(hostile.as_bytes()).is_err(), "{hostile:.20}");
        }
    }

    proptest! {
        #[test]
        fn bytes_in_pieces_give_the_same_frames(texts in prop::collection::vec("[a-z\r\n]{0,20}", 0..8), piece in 1usize..9) {
            let frames_of = |text: &String| format!("*2\r\n${}\r\n{text}\r\n:7\r\n", text.len());
            let whole = texts.iter().map(frames_of).collect::<Vec<_>>().concat();
            let (mut frames, mut from, mut count) = (Frames::default(), 0, 0);
            for end in (0..=whole.len()).step_by(piece).chain([whole.len()]) {
                while let Some(length) = frames.next(&whole.as_bytes()[from..end]).unwrap() {
                    from += length;
                    count += 1;
                }
            }
            prop_assert_eq!((count, from), (texts.len(), whole.len()));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = lengths(&bytes);
        }
    }
}
