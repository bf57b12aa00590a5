//! The meta dialect: `mg ms md ma me`, each with a token `O<number>` that the reply repeats.
//!
//! Commands that know no token (`me`, `version`, `flush_all`, `stats`, raw lines) are followed by a read of [`PROBE`] that
//! has one: its reply ends theirs, and proves that they are this request's.

use std::{fmt::Write as _, time::Duration};

use bytes::BytesMut;

use super::{
    Dialect, Direction, Found, Frame, Key, Mode, Refusal, Reply, Request, Violation, Want,
    codec::{Expected, Kind},
    frame::decimal,
    key,
};

/// A key, the NUL byte in base64, that is read to see where a reply ends.
pub(crate) const PROBE: &str = "mg AA== b";

/// Whether the line that answers [`PROBE`] with the token 0 is a meta server's that repeats tokens and reads base64.
pub(crate) fn speaks_meta(line: &[u8]) -> bool {
    matches!(line.get(..2), Some(b"EN" | b"HD")) && has_token(line, 0)
}

pub(super) fn encode(request: &Request<'_>, token: u64, out: &mut BytesMut) {
    // Writing into a buffer that grows cannot fail.
    let _ = try_encode(request, token, out);
}

fn try_encode(request: &Request<'_>, token: u64, out: &mut BytesMut) -> std::fmt::Result {
    match *request {
        Request::Get { key, want } => {
            let flags = Flags::start(out, "mg ", key);
            let wanted = [(want.value, " v"), (want.ttl, " t"), (want.cas, " c"), (want.flags, " f")];
            wanted.iter().filter(|(wanted, _)| *wanted).for_each(|(_, flag)| out.extend_from_slice(flag.as_bytes()));
            flags.end(token, out);
        }
        Request::Store { key, value, mode, expiry, flags: number } => {
            let flags = Flags::start(out, "ms ", key);
            out.extend_from_slice(b" ");
            put_number(value.len() as u64, out);
            if expiry > 0 {
                write!(out, " T{expiry}")?;
            }
            if number > 0 {
                write!(out, " F{number}")?;
            }
            match mode {
                Mode::Set => {}
                // The version comes back, so that what was added can be changed at once.
                Mode::Add => out.write_str(" ME c")?,
                Mode::Replace => out.write_str(" MR")?,
                Mode::Append => out.write_str(" MA")?,
                Mode::Prepend => out.write_str(" MP")?,
                Mode::CompareAndSet(version) => write!(out, " C{version}")?,
            }
            flags.end(token, out);
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        Request::Delete { key, cas } => {
            let flags = Flags::start(out, "md ", key);
            if let Some(version) = cas {
                write!(out, " C{version}")?;
            }
            flags.end(token, out);
        }
        Request::Count { key, direction, by, create } => {
            let flags = Flags::start(out, "ma ", key);
            write!(out, " v D{by}")?;
            if direction == Direction::Down {
                out.write_str(" MD")?;
            }
            if let Some((initial, expiry)) = create {
                write!(out, " N{expiry} J{initial}")?;
            }
            flags.end(token, out);
        }
        Request::Touch { key, expiry } => {
            let flags = Flags::start(out, "mg ", key);
            write!(out, " T{expiry}")?;
            flags.end(token, out);
        }
        Request::Inspect { key } => {
            let flags = Flags::start(out, "me ", key);
            out.write_str(flags.base64)?;
            probe(token, out);
        }
        // Lists have an encoder of their own.
        Request::Version | Request::GetMany { .. } => {
            out.write_str("version")?;
            probe(token, out);
        }
        Request::FlushAll => {
            out.write_str("flush_all")?;
            probe(token, out);
        }
        Request::Stats { group } => {
            out.write_str("stats")?;
            if !group.is_empty() {
                write!(out, " {group}")?;
            }
            probe(token, out);
        }
        Request::Raw { line, data } => {
            out.extend_from_slice(line);
            if let Some(data) = data {
                out.write_str("\r\n")?;
                out.extend_from_slice(data);
            }
            probe(token, out);
        }
    }
    Ok(())
}

/// The flags behind a key.
struct Flags {
    /// Whether the key is in base64.
    base64: &'static str,
}

impl Flags {
    fn start(out: &mut BytesMut, command: &str, raw: &[u8]) -> Self {
        out.extend_from_slice(command.as_bytes());
        let key = key(raw, Dialect::Meta);
        key.write(out);
        Self { base64: if matches!(key, Key::Encoded(_)) { " b" } else { "" } }
    }

    fn end(self, token: u64, out: &mut BytesMut) {
        out.extend_from_slice(self.base64.as_bytes());
        put_token(token, out);
    }
}

/// Appends `number` in decimal digits; a formatter takes several times as long, and each request has one.
fn put_number(mut number: u64, out: &mut BytesMut) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

/// Ends the line of a command that knows no token, and appends a read of [`PROBE`].
fn probe(token: u64, out: &mut BytesMut) {
    out.extend_from_slice(b"\r\n");
    put_probe(token, out);
}

/// Appends a read of [`PROBE`].
pub(super) fn put_probe(token: u64, out: &mut BytesMut) {
    out.extend_from_slice(PROBE.as_bytes());
    put_token(token, out);
}

/// Appends the token, which ends a line.
fn put_token(token: u64, out: &mut BytesMut) {
    out.extend_from_slice(b" O");
    put_number(token, out);
    out.extend_from_slice(b"\r\n");
}

/// The reply, if `frame` completes it.
pub(super) fn answer(expected: &mut Expected, frame: Frame) -> Result<Option<Reply>, Violation> {
    if expected.kind.is_gathered() {
        let ends = matches!(frame.line().get(..3), Some(b"EN " | b"HD ")) && has_token(frame.line(), expected.token);
        return if ends { expected.conclude().map(Some) } else { expected.gather(frame).map(|()| None) };
    }
    if let Some(refusal) = Refusal::of(frame.line()) {
        return expected.refused(refusal).map(Some);
    }
    let said = Said::read(frame.line());
    if said.token != Some(expected.token) {
        return Err(Violation::Foreign);
    }
    let code = frame.line().get(..2).unwrap_or_default();
    let reply = match (&expected.kind, code) {
        (Kind::Get(want), b"VA" | b"HD") => Reply::Found(found(&frame, &said, *want)?),
        (Kind::Count, b"VA") => Reply::Number(number(&frame)?),
        // The version comes if it was asked for.
        (Kind::Store, b"HD") => said.known()?.cas.map_or(Reply::Done, Reply::Written),
        (Kind::Delete | Kind::Touch, b"HD") => Reply::Done,
        (Kind::Get(_) | Kind::Touch, b"EN") | (Kind::Store | Kind::Delete | Kind::Count, b"NF") => Reply::Absent,
        (Kind::Store | Kind::Count, b"NS") => Reply::NotStored,
        (Kind::Store | Kind::Delete, b"EX") => Reply::Changed,
        _ => return Err(Violation::Malformed("an answer that this request cannot have")),
    };
    Ok(Some(reply))
}

pub(super) fn has_token(line: &[u8], token: u64) -> bool {
    Said::read(line).token == Some(token)
}

/// What the flags of a reply say.
#[derive(Default)]
struct Said {
    token: Option<u64>,
    ttl: Option<Duration>,
    cas: Option<u64>,
    flags: u32,
    /// What is wrong with them.
    fault: Option<Violation>,
}

impl Said {
    fn read(line: &[u8]) -> Self {
        let mut said = Self::default();
        for word in line.split(|&byte| byte == b' ').skip(1) {
            let Some((name, number)) = word.split_first() else { continue };
            match name {
                b'O' => said.token = decimal(number),
                b't' if number == b"-1" => said.ttl = None,
                b't' => said.ttl = said.noted(decimal(number)).map(remaining),
                b'c' => said.cas = said.noted(decimal(number)),
                b'f' => {
                    let number = decimal(number).and_then(|number| u32::try_from(number).ok());
                    said.flags = said.noted(number).unwrap_or_default();
                }
                _ => {}
            }
        }
        said
    }

    /// `number`, which should be one.
    fn noted<T>(&mut self, number: Option<T>) -> Option<T> {
        if number.is_none() {
            self.fault = Some(Violation::Malformed("a flag that is no number"));
        }
        number
    }

    /// The same, if all of it makes sense.
    fn known(&self) -> Result<&Self, Violation> {
        self.fault.clone().map_or(Ok(self), Err)
    }
}

fn found(frame: &Frame, said: &Said, want: Want) -> Result<Found, Violation> {
    let value = frame.data();
    if value.is_some() != want.value {
        return Err(Violation::Malformed("an entry with a value unasked for, or without the one asked for"));
    }
    let Said { ttl, cas, flags, .. } = *said.known()?;
    Ok(Found { value: value.unwrap_or_default(), ttl, cas: cas.unwrap_or(0), flags })
}

/// An entry that expires at this moment has an unsigned number slightly below zero.
fn remaining(seconds: u64) -> Duration {
    Duration::from_secs(if seconds > u64::from(i32::MAX.unsigned_abs()) { 0 } else { seconds })
}

fn number(frame: &Frame) -> Result<u64, Violation> {
    let data = frame.data().unwrap_or_default();
    decimal(data.trim_ascii_end()).ok_or(Violation::Malformed("a counter that is no number"))
}
