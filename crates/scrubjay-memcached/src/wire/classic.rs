//! The classic dialect, for servers before memcached 1.6. No tokens: a read is checked by the key that it repeats, all else
//! by its order.

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};

use super::{
    Dialect, Direction, Found, Frame, Mode, Refusal, Reply, Request, Violation, Want,
    codec::{Expected, Kind, Unsayable},
    frame::{Entry, decimal},
    key,
};

/// Whether the dialect has words for `request`.
pub(super) fn check(request: &Request<'_>) -> Result<(), Unsayable> {
    match request {
        Request::Get { want, .. } if want.ttl => Err(Unsayable::Classic("read a remaining ttl")),
        Request::Delete { cas: Some(_), .. } => Err(Unsayable::Classic("delete by version")),
        Request::Inspect { .. } => Err(Unsayable::Classic("inspect an entry")),
        _ => Ok(()),
    }
}

/// Appends `request`; answers the key that its reply will repeat.
pub(super) fn encode(request: &Request<'_>, out: &mut BytesMut) -> Option<Box<[u8]>> {
    // Writing into a buffer that grows cannot fail.
    let _ = try_encode(request, out);
    let Request::Get { key: raw, .. } = request else { return None };
    let mut echo = BytesMut::new();
    key(raw, Dialect::Classic).write(&mut echo);
    Some(Box::from(&*echo))
}

fn try_encode(request: &Request<'_>, out: &mut BytesMut) -> std::fmt::Result {
    let command = |command: &str, raw: &[u8], out: &mut BytesMut| {
        out.extend_from_slice(command.as_bytes());
        key(raw, Dialect::Classic).write(out);
    };
    match *request {
        Request::Get { key, want } => {
            command(if want.cas { "gets " } else { "get " }, key, out);
            out.write_str("\r\n")
        }
        Request::Store { key, value, mode, expiry, flags } => {
            let verb = match mode {
                Mode::Set => "set ",
                Mode::Add => "add ",
                Mode::Replace => "replace ",
                Mode::Append => "append ",
                Mode::Prepend => "prepend ",
                Mode::CompareAndSet(_) => "cas ",
            };
            command(verb, key, out);
            write!(out, " {flags} {expiry} {}", value.len())?;
            if let Mode::CompareAndSet(version) = mode {
                write!(out, " {version}")?;
            }
            out.write_str("\r\n")?;
            out.extend_from_slice(value);
            out.write_str("\r\n")
        }
        Request::Delete { key, .. } => {
            command("delete ", key, out);
            out.write_str("\r\n")
        }
        Request::Count { key, direction, by, .. } => {
            command(if direction == Direction::Up { "incr " } else { "decr " }, key, out);
            write!(out, " {by}\r\n")
        }
        Request::Touch { key, expiry } => {
            command("touch ", key, out);
            write!(out, " {expiry}\r\n")
        }
        // `check` lets no `Inspect` come here, and lists have an encoder of their own.
        Request::Version | Request::Inspect { .. } | Request::GetMany { .. } => out.write_str("version\r\n"),
        Request::FlushAll => out.write_str("flush_all\r\n"),
        Request::Stats { group: "" } => out.write_str("stats\r\n"),
        Request::Stats { group } => write!(out, "stats {group}\r\n"),
        Request::Raw { line, data } => {
            out.extend_from_slice(line);
            if let Some(data) = data {
                out.write_str("\r\n")?;
                out.extend_from_slice(data);
            }
            // The answer to this ends the answer to that.
            out.write_str("\r\nversion\r\n")
        }
    }
}

/// The reply, if `frame` completes it.
pub(super) fn answer(expected: &mut Expected, frame: Frame) -> Result<Option<Reply>, Violation> {
    let line = frame.line();
    let is_raw = matches!(expected.kind, Kind::Raw);
    if let Some(refusal) = Refusal::of(line).filter(|_| !is_raw) {
        return expected.refused(refusal).map(Some);
    }
    let unfit = Violation::Malformed("an answer that this request cannot have");
    let reply = match (&expected.kind, line) {
        (Kind::Raw, _) if line.starts_with(b"VERSION") && expected.versions_due == 1 => {
            return expected.conclude().map(Some);
        }
        (Kind::Raw, _) => {
            expected.versions_due -= u8::from(line.starts_with(b"VERSION"));
            return expected.gather(frame).map(|()| None);
        }
        (Kind::Stats, b"END" | b"RESET") => return expected.conclude().map(Some),
        (Kind::Stats, _) => return expected.gather(frame).map(|()| None),
        (Kind::Get(_), b"END") => expected.partial().found.take().map_or(Reply::Absent, Reply::Found),
        (Kind::Get(_), _) => {
            let found = found(expected, &frame)?;
            expected.partial().found = Some(found);
            return Ok(None);
        }
        (Kind::Version | Kind::FlushAll, _) => {
            expected.gather(frame)?;
            return expected.conclude().map(Some);
        }
        (Kind::Store, b"STORED") | (Kind::Delete, b"DELETED") | (Kind::Touch, b"TOUCHED") => Reply::Done,
        (Kind::Store, b"NOT_STORED") => Reply::NotStored,
        (Kind::Store, b"EXISTS") => Reply::Changed,
        (Kind::Store | Kind::Delete | Kind::Touch | Kind::Count, b"NOT_FOUND") => Reply::Absent,
        (Kind::Count, number) => decimal(number.trim_ascii_end()).map(Reply::Number).ok_or(unfit)?,
        _ => return Err(unfit),
    };
    Ok(Some(reply))
}

fn found(expected: &mut Expected, frame: &Frame) -> Result<Found, Violation> {
    let entry = frame.entry().ok_or(Violation::Malformed("an entry that says no key and flags"))?;
    if expected.echo.as_deref() != Some(entry.key) || expected.partial().found.is_some() {
        return Err(Violation::Foreign);
    }
    let Kind::Get(want) = expected.kind else { return Err(Violation::Foreign) };
    Ok(entry.found(frame.data().unwrap_or_default(), want))
}

impl Entry<'_> {
    pub(super) fn found(&self, value: Bytes, want: Want) -> Found {
        let value = if want.value { value } else { Bytes::new() };
        Found { value, ttl: None, cas: self.cas, flags: if want.flags { self.flags } else { 0 } }
    }
}
