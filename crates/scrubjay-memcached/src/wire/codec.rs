//! Both directions of a connection: [`Encoder`] for what is sent, [`Decoder`] for what comes back.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::{
    Dialect, Found, Frame, Frames, Refusal, Reply, Request, Violation, Want, classic,
    entries::{self, Listing},
    meta,
};

/// The longest line that a raw command or a group of figures may have, in bytes; servers accept 2,048.
pub(super) const LONGEST_COMMAND: usize = 2_000;

/// How much a reply of many lines may hold, in bytes; each line counts for some more than it has.
const MOST_GATHERED: usize = 64 * 1024 * 1024;

/// Turns requests into bytes and numbers them.
#[derive(Debug)]
pub struct Encoder {
    dialect: Dialect,
    next_token: u64,
    largest_value: u64,
}

/// What has to be known of a request to read its reply, and what of the reply has come.
#[derive(Debug)]
pub struct Expected {
    pub(super) kind: Kind,
    pub(super) token: u64,
    /// The key that a classic read repeats.
    pub(super) echo: Option<Box<[u8]>>,
    /// How many answers to `version` a classic raw command has.
    pub(super) versions_due: u8,
    listing: Option<Box<Listing>>,
    /// Boxed, because most replies come in one piece, and what is expected of them is moved about.
    partial: Option<Box<Partial>>,
}

/// What has come of a reply of several lines.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// The entry, before the line that ends a classic read.
    pub(super) found: Option<Found>,
    gathered: Vec<Frame>,
    gathered_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Get(Want),
    GetMany,
    Store,
    Delete,
    Count,
    Touch,
    Inspect,
    Version,
    FlushAll,
    Stats,
    Raw,
}

/// A request that is not sent, because there are no words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsayable {
    /// The value is larger than the client accepts; the limit, in bytes.
    TooLarge(u64),
    /// A line that has an end inside, is empty, or longer than servers read.
    Line,
    /// A read of many entries at once cannot say it; what it cannot.
    Listed(&'static str),
    /// The classic dialect cannot say it; what it cannot.
    Classic(&'static str),
}

impl fmt::Display for Unsayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "the value is larger than the client accepts ({limit} bytes)"),
            Self::Line => write!(f, "expected one line of 1 to {LONGEST_COMMAND} bytes, without control characters"),
            Self::Listed(what) => write!(f, "a read of many entries at once cannot {what}"),
            Self::Classic(what) => write!(f, "a server older than memcached 1.6 cannot {what}"),
        }
    }
}

impl std::error::Error for Unsayable {}

impl Encoder {
    /// An encoder whose first request has `first_token`, and that takes values of at most `largest_value` bytes.
    #[must_use]
    pub fn new(dialect: Dialect, first_token: u64, largest_value: u64) -> Self {
        Self { dialect, next_token: first_token, largest_value }
    }

    /// Appends `request` to `out`; answers what to read its reply with.
    ///
    /// # Errors
    /// [`Unsayable`]; then nothing is appended.
    pub fn encode(&mut self, request: &Request<'_>, out: &mut BytesMut) -> Result<Expected, Unsayable> {
        self.check(request)?;
        let token = self.next_token;
        let (mut echo, mut listing) = (None, None);
        match (request, self.dialect) {
            (Request::GetMany { keys, want }, dialect) => {
                let before = out.len();
                let encoded = entries::encode(keys, *want, dialect, token, out);
                listing = Some(Box::new(encoded.inspect_err(|_| out.truncate(before))?));
            }
            (_, Dialect::Meta) => meta::encode(request, token, out),
            (_, Dialect::Classic) => echo = classic::encode(request, out),
        }
        self.next_token = token.wrapping_add(if listing.is_some() { 2 } else { 1 });
        let kind = Kind::of(request);
        let asks_version = matches!(request, Request::Raw { line, .. } if line.starts_with(b"version"));
        let versions_due = 1 + u8::from(asks_version);
        Ok(Expected { kind, token, echo, versions_due, listing, partial: None })
    }

    fn check(&self, request: &Request<'_>) -> Result<(), Unsayable> {
        let is_line = |line: &[u8]| line.len() <= LONGEST_COMMAND && !line.iter().any(u8::is_ascii_control);
        let (size, line) = match *request {
            Request::Store { value, .. } => (value.len(), &b""[..]),
            Request::Stats { group } => (0, group.as_bytes()),
            Request::Raw { line: b"", .. } => return Err(Unsayable::Line),
            Request::Raw { line, data } => (data.map_or(0, <[u8]>::len), line),
            _ => (0, &b""[..]),
        };
        if size as u64 > self.largest_value {
            return Err(Unsayable::TooLarge(self.largest_value));
        }
        if !is_line(line) {
            return Err(Unsayable::Line);
        }
        if self.dialect == Dialect::Classic { classic::check(request) } else { Ok(()) }
    }
}

/// Turns bytes into replies.
#[derive(Debug)]
pub struct Decoder {
    dialect: Dialect,
    frames: Frames,
}

impl Decoder {
    /// A decoder that accepts values of at most `largest_value` bytes.
    #[must_use]
    pub fn new(dialect: Dialect, largest_value: u64) -> Self {
        Self { dialect, frames: Frames::new(largest_value) }
    }

    /// The reply to the oldest request, taken out of `input`; `None` if it is not complete yet.
    ///
    /// # Errors
    /// [`Violation`] if it is no reply to that request. Nothing that follows can be trusted.
    pub fn decode(&mut self, expected: &mut Expected, input: &mut BytesMut) -> Result<Option<Reply>, Violation> {
        if let Some(listing) = &mut expected.listing {
            return listing.decode(expected.token, &mut self.frames, input);
        }
        while let Some(frame) = self.frames.next(input)? {
            let reply = match self.dialect {
                Dialect::Meta => meta::answer(expected, frame)?,
                Dialect::Classic => classic::answer(expected, frame)?,
            };
            if reply.is_some() {
                return Ok(reply);
            }
        }
        Ok(None)
    }
}

impl Kind {
    fn of(request: &Request<'_>) -> Self {
        match request {
            Request::Get { want, .. } => Self::Get(*want),
            Request::GetMany { .. } => Self::GetMany,
            Request::Store { .. } => Self::Store,
            Request::Delete { .. } => Self::Delete,
            Request::Count { .. } => Self::Count,
            Request::Touch { .. } => Self::Touch,
            Request::Inspect { .. } => Self::Inspect,
            Request::Version => Self::Version,
            Request::FlushAll => Self::FlushAll,
            Request::Stats { .. } => Self::Stats,
            Request::Raw { .. } => Self::Raw,
        }
    }

    /// Whether the meta dialect reads its reply up to the probe's.
    pub(super) fn is_gathered(self) -> bool {
        matches!(self, Self::Inspect | Self::Version | Self::FlushAll | Self::Stats | Self::Raw)
    }
}

impl Expected {
    /// A refusal is a reply, unless a write was not understood: its value may have been read as commands.
    pub(super) fn refused(&self, refusal: Refusal) -> Result<Reply, Violation> {
        match (self.kind, refusal) {
            (Kind::Store, refusal @ (Refusal::Other(_) | Refusal::Unauthenticated)) if !is_servers_own(&refusal) => {
                Err(Violation::OutOfStep(refusal))
            }
            (_, refusal) => Ok(Reply::Refused(refusal)),
        }
    }

    pub(super) fn partial(&mut self) -> &mut Partial {
        self.partial.get_or_insert_default()
    }

    pub(super) fn gather(&mut self, frame: Frame) -> Result<(), Violation> {
        let Partial { gathered, gathered_bytes, .. } = self.partial();
        *gathered_bytes += frame.length() + size_of::<Frame>();
        if *gathered_bytes > MOST_GATHERED {
            return Err(Violation::LargeValue(*gathered_bytes as u64));
        }
        gathered.push(frame);
        Ok(())
    }

    /// The reply that the gathered lines make.
    pub(super) fn conclude(&mut self) -> Result<Reply, Violation> {
        let gathered = self.partial.take().map(|partial| partial.gathered).unwrap_or_default();
        if matches!(self.kind, Kind::Raw) {
            let lines = gathered.into_iter().flat_map(Frame::into_parts).collect::<Vec<Bytes>>();
            return Ok(Reply::Lines(lines));
        }
        let lines: Vec<&[u8]> = gathered.iter().map(Frame::line).collect();
        if let [line] = lines[..]
            && let Some(refusal) = Refusal::of(line)
        {
            return Ok(Reply::Refused(refusal));
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let reply = match (self.kind, &lines[..]) {
            (Kind::FlushAll, [b"OK"]) => Some(Reply::Done),
            (Kind::Version, [line]) => line.strip_prefix(b"VERSION ").map(|version| Reply::Text(text(version))),
            (Kind::Inspect, [b"EN"]) => Some(Reply::Absent),
            (Kind::Inspect, [line]) => line.strip_prefix(b"ME ").map(|words| Reply::Text(text(words))),
            (Kind::Stats, lines) => stats(lines).map(Reply::Stats),
            _ => None,
        };
        reply.ok_or(Violation::Malformed("an answer that this request cannot have"))
    }
}

/// Whether the server understood the command and failed at it.
fn is_servers_own(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Other(words) if words.starts_with("SERVER_ERROR"))
}

fn stats(lines: &[&[u8]]) -> Option<Vec<(String, String)>> {
    let figures = lines.iter().filter(|line| !matches!(**line, b"END" | b"RESET"));
    figures.map(|line| stat(line)).collect()
}

fn stat(line: &[u8]) -> Option<(String, String)> {
    let rest = String::from_utf8_lossy(line.strip_prefix(b"STAT ")?).into_owned();
    let (name, value) = rest.split_once(' ').unwrap_or((&rest, ""));
    Some((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Direction, Key, Mode};

    const LARGEST: u64 = 1_000;

    fn said(dialect: Dialect, request: &Request<'_>) -> String {
        let mut out = BytesMut::new();
        Encoder::new(dialect, 7, LARGEST).encode(request, &mut out).unwrap();
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn read(dialect: Dialect, request: &Request<'_>, reply: &str) -> Result<Option<Reply>, Violation> {
        let expected = &mut Encoder::new(dialect, 7, LARGEST).encode(request, &mut BytesMut::new()).unwrap();
        Decoder::new(dialect, LARGEST).decode(expected, &mut BytesMut::from(reply))
    }

    const GET: Request<'_> = Request::Get { key: b"k", want: Want::VALUE };
    const KEYS: &[Key<'_>] = &[Key::Plain(b"k"), Key::Plain(b"l")];
    const MANY: Request<'_> = Request::GetMany { keys: KEYS, want: Want::VALUE };
    const SET: Request<'_> = Request::Store { key: b"a b", value: b"v", mode: Mode::Set, expiry: 9, flags: 3 };

    #[test]
    fn requests_read_as_documented() {
        let count = Request::Count { key: b"k", direction: Direction::Down, by: 2, create: Some((5, 9)) };
        for (request, meta) in [
            (GET, "mg k v O7\r\n"),
            (Request::Get { key: b"k", want: Want::ALL }, "mg k v t c f O7\r\n"),
            (SET, "ms YSBi 1 T9 F3 b O7\r\nv\r\n"),
            (Request::Delete { key: b"k", cas: Some(4) }, "md k C4 O7\r\n"),
            (count, "ma k v D2 MD N9 J5 O7\r\n"),
            (Request::Touch { key: b"k", expiry: 0 }, "mg k T0 O7\r\n"),
            (Request::Version, "version\r\nmg AA== b O7\r\n"),
        ] {
            assert_eq!(said(Dialect::Meta, &request), meta);
        }
        assert_eq!(said(Dialect::Classic, &GET), "get k\r\n");
        assert_eq!(said(Dialect::Classic, &count), "decr k 2\r\n");
        assert!(said(Dialect::Classic, &SET).starts_with("set a_b~#"));
    }

    #[test]
    fn only_the_own_reply_is_taken() {
        let entry = Reply::Found(Found { value: Bytes::from_static(b"v"), ..Found::default() });
        assert_eq!(read(Dialect::Meta, &GET, "VA 1 O7\r\nv\r\n"), Ok(Some(entry.clone())));
        assert_eq!(read(Dialect::Meta, &GET, "EN O7\r\n"), Ok(Some(Reply::Absent)));
        for foreign in ["VA 1 O8\r\nv\r\n", "VA 1\r\nv\r\n", "EN\r\n", "HD O70\r\n", "VA 1 O07x\r\nv\r\n"] {
            assert_eq!(read(Dialect::Meta, &GET, foreign), Err(Violation::Foreign), "{foreign:?}");
        }
        for unfit in ["HD O7\r\n", "NF O7\r\n", "NS O7\r\n"] {
            assert!(matches!(read(Dialect::Meta, &GET, unfit), Err(Violation::Malformed(_))), "{unfit:?}");
        }
        assert_eq!(read(Dialect::Classic, &GET, "VALUE k 0 1\r\nv\r\nEND\r\n"), Ok(Some(entry)));
        assert_eq!(read(Dialect::Classic, &GET, "VALUE other 0 1\r\nv\r\nEND\r\n"), Err(Violation::Foreign));
        assert_eq!(read(Dialect::Classic, &GET, "VALUE k 0 1\r\nv\r\nVALUE k 0 1\r\nv\r\n"), Err(Violation::Foreign));
    }

    #[test]
    fn refusals_are_replies_unless_a_write_was_not_understood() {
        let refused = |refusal| Ok(Some(Reply::Refused(refusal)));
        for dialect in [Dialect::Meta, Dialect::Classic] {
            assert_eq!(read(dialect, &SET, "SERVER_ERROR object too large for cache\r\n"), refused(Refusal::TooLarge));
            let busy = Refusal::Other("SERVER_ERROR out of memory".to_owned());
            assert_eq!(read(dialect, &SET, "SERVER_ERROR out of memory\r\n"), refused(busy));
            assert!(matches!(read(dialect, &SET, "CLIENT_ERROR bad\r\n"), Err(Violation::OutOfStep(_))));
            assert!(matches!(read(dialect, &SET, "ERROR\r\n"), Err(Violation::OutOfStep(_))));
            assert_eq!(read(dialect, &GET, "ERROR\r\n"), refused(Refusal::Other("ERROR".to_owned())));
        }
    }

    #[test]
    fn lines_that_are_none_are_not_sent() {
        let mut encoder = Encoder::new(Dialect::Meta, 0, LARGEST);
        for request in [
            Request::Raw { line: b"a\r\nb", data: None },
            Request::Raw { line: b"", data: None },
            Request::Stats { group: "a\nb" },
            Request::Store { key: b"k", value: &[0; 1_001], mode: Mode::Set, expiry: 0, flags: 0 },
        ] {
            let mut out = BytesMut::new();
            assert!(encoder.encode(&request, &mut out).is_err() && out.is_empty());
        }
    }

    fn requests() -> impl Strategy<Value = Request<'static>> {
        prop_oneof![
            Just(GET),
            Just(Request::Get { key: b"k", want: Want::PRESENCE }),
            Just(MANY),
            Just(SET),
            Just(Request::Delete { key: b"k", cas: None }),
            Just(Request::Count { key: b"k", direction: Direction::Up, by: 1, create: None }),
            Just(Request::Touch { key: b"k", expiry: 1 }),
            Just(Request::Version),
            Just(Request::FlushAll),
            Just(Request::Stats { group: "" }),
            Just(Request::Raw { line: b"version", data: None }),
        ]
    }

    /// Bytes that look like replies more often than chance would have it.
    fn replies() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            "[A-Z]{2,6}",
            "[VEHNM][ADNFSXE] ?[0-9]{0,2} ?O?[0-9]?",
            Just("VA 2 O7\r\nhi".to_owned()),
            Just("VALUE k 0 2\r\nhi".to_owned()),
            Just("EN O7\r\nVALUE k 0 2\r\nhi\r\nEND\r\nEN O8".to_owned()),
            Just("VERSION 1\r\nVERSION 1".to_owned()),
            Just("END".to_owned()),
            ".{0,8}",
        ];
        proptest::collection::vec(word, 0..8).prop_map(|words| words.join("\r\n").into_bytes())
    }

    /// The same, however the bytes of entries were cut.
    fn settled(reply: Option<Reply>) -> (Option<Reply>, Option<Result<Vec<Option<Found>>, Violation>>) {
        match reply {
            Some(Reply::Entries(entries)) => (None, Some(entries.read(KEYS, Want::VALUE))),
            reply => (reply, None),
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_reply_an_error_or_a_wish_for_more(
            request in requests(),
            classic in any::<bool>(),
            reply in prop_oneof![replies(), proptest::collection::vec(any::<u8>(), 0..200)],
        ) {
            let dialect = if classic { Dialect::Classic } else { Dialect::Meta };
            let mut expected = Encoder::new(dialect, 7, LARGEST).encode(&request, &mut BytesMut::new()).unwrap();
            let mut whole = BytesMut::from(&reply[..]);
            let at_once = Decoder::new(dialect, LARGEST).decode(&mut expected, &mut whole);
            // Byte by byte it is the same reply, or the same kind of end.
            let mut expected = Encoder::new(dialect, 7, LARGEST).encode(&request, &mut BytesMut::new()).unwrap();
            let (mut decoder, mut input) = (Decoder::new(dialect, LARGEST), BytesMut::new());
            let mut dribbled = Ok(None);
            for &byte in &reply {
                input.extend_from_slice(&[byte]);
                dribbled = decoder.decode(&mut expected, &mut input);
                if dribbled != Ok(None) {
                    break;
                }
            }
            prop_assert_eq!(at_once.map(settled), dribbled.map(settled));
        }
    }
}
