//! Both directions of a connection: [`Encoder`] for what is sent, [`Decoder`] for what comes back.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::{Dialect, Found, Frame, Frames, Refusal, Reply, Request, Violation, Want, classic, meta};

/// The longest line that a raw command or a group of figures may have, in bytes; servers accept 2,048.
const LONGEST_COMMAND: usize = 2_000;

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
    /// The entry, before the line that ends a classic read.
    pub(super) found: Option<Found>,
    /// How many answers to `version` a classic raw command has.
    pub(super) versions_due: u8,
    gathered: Vec<Frame>,
    gathered_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Get(Want),
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
    /// The classic dialect cannot say it; what it cannot.
    Classic(&'static str),
}

impl fmt::Display for Unsayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "the value is larger than the client accepts ({limit} bytes)"),
            Self::Line => write!(f, "expected one line of 1 to {LONGEST_COMMAND} bytes, without control characters"),
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
        self.next_token = self.next_token.wrapping_add(1);
        let echo = match self.dialect {
            Dialect::Meta => {
                meta::encode(request, token, out);
                None
            }
            Dialect::Classic => classic::encode(request, out),
        };
        let kind = Kind::of(request);
        let asks_version = matches!(request, Request::Raw { line, .. } if line.starts_with(b"version"));
        let versions_due = 1 + u8::from(asks_version);
        Ok(Expected { kind, token, echo, found: None, versions_due, gathered: Vec::new(), gathered_bytes: 0 })
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

    pub(super) fn gather(&mut self, frame: Frame) -> Result<(), Violation> {
        self.gathered_bytes += frame.length() + size_of::<Frame>();
        if self.gathered_bytes > MOST_GATHERED {
            return Err(Violation::LargeValue(self.gathered_bytes as u64));
        }
        self.gathered.push(frame);
        Ok(())
    }

    /// The reply that the gathered lines make.
    pub(super) fn conclude(&mut self) -> Result<Reply, Violation> {
        let gathered = std::mem::take(&mut self.gathered);
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
