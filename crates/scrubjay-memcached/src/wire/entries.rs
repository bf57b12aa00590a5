//! Many entries by one request: `get` and a line of keys.
//!
//! A server answers twenty meta commands and then serves others first; a `get` is one command, however many keys it has, and
//! its reply comes in one piece. It knows no tokens, so it stands between two reads that do, of a key that nobody uses: what
//! comes between their answers is this request's, and every value repeats its key.
//!
//! Finding where the reply ends is the connection's work ([`Listing`]); reading it is the caller's ([`Entries`]).

use bytes::{Bytes, BytesMut};

use super::{
    Dialect, Found, Frames, Key, LONGEST_KEY, Refusal, Reply, Violation, Want,
    codec::{LONGEST_COMMAND, Unsayable},
    frame::{Entry, Extent},
    meta::{has_token, put_probe},
};

/// Appends the request; answers how to find its reply. In the meta dialect it takes `token` and the next one.
pub(super) fn encode(
    keys: &[Key<'_>],
    want: Want,
    dialect: Dialect,
    token: u64,
    out: &mut BytesMut,
) -> Result<Listing, Unsayable> {
    if want.ttl || !want.value {
        return Err(Unsayable::Listed("tell a ttl, or leave the value out"));
    }
    if dialect == Dialect::Meta {
        put_probe(token, out);
    }
    let command = if want.cas { "gets" } else { "get" };
    let (mut lines, mut start) = (0, 0);
    for key in keys {
        // Servers read lines of some length only.
        if lines == 0 || out.len() - start + 1 + LONGEST_KEY > LONGEST_COMMAND {
            out.extend_from_slice(if lines == 0 { b"" } else { b"\r\n" });
            start = out.len();
            out.extend_from_slice(command.as_bytes());
            lines += 1;
        }
        if matches!(key, Key::Encoded(_)) {
            return Err(Unsayable::Listed("name a key with spaces or control characters"));
        }
        out.extend_from_slice(b" ");
        key.write(out);
    }
    out.extend_from_slice(if lines == 0 { b"" } else { b"\r\n" });
    let due = match dialect {
        Dialect::Meta => {
            put_probe(token.wrapping_add(1), out);
            Due::Opening
        }
        Dialect::Classic if lines == 0 => return Err(Unsayable::Line),
        Dialect::Classic => Due::Lines,
    };
    Ok(Listing { dialect, due, lines, entries: keys.len(), refusal: None, pieces: Vec::new() })
}

/// Finds the end of the reply as it comes.
#[derive(Debug)]
pub(super) struct Listing {
    dialect: Dialect,
    due: Due,
    /// How many commands are still to be answered.
    lines: usize,
    /// How many entries may still come.
    entries: usize,
    refusal: Option<Refusal>,
    /// Whole frames.
    pieces: Vec<Bytes>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// The answer to the read before.
    Opening,
    /// Entries, and the ends of commands.
    Lines,
    /// The answer to the read behind.
    Closing,
    Nothing,
}

impl Listing {
    /// Takes what is the request's out of `input`; the reply, if that completes it.
    pub(super) fn decode(
        &mut self,
        token: u64,
        frames: &mut Frames,
        input: &mut BytesMut,
    ) -> Result<Option<Reply>, Violation> {
        let mut end = 0;
        while self.due != Due::Nothing
            && let Some(extent) = frames.measure(&input[end..])?
        {
            self.see(&input[end..end + extent.line], token)?;
            end += extent.length();
        }
        if end > 0 {
            self.pieces.push(input.split_to(end).freeze());
        }
        Ok((self.due == Due::Nothing).then(|| match self.refusal.take() {
            Some(refusal) => Reply::Refused(refusal),
            None => Reply::Entries(Entries { pieces: std::mem::take(&mut self.pieces) }),
        }))
    }

    fn see(&mut self, line: &[u8], token: u64) -> Result<(), Violation> {
        self.due = match self.due {
            Due::Lines if line.starts_with(b"VALUE ") => {
                self.entries = self.entries.checked_sub(1).ok_or(Violation::Foreign)?;
                return Ok(());
            }
            Due::Lines => {
                match Refusal::of(line) {
                    Some(refusal) => self.refusal = Some(refusal),
                    None if line == b"END" => {}
                    None => return Err(Violation::Foreign),
                }
                self.lines -= 1;
                match (self.lines, self.dialect) {
                    (1.., _) => Due::Lines,
                    (0, Dialect::Meta) => Due::Closing,
                    (0, Dialect::Classic) => Due::Nothing,
                }
            }
            Due::Opening if answers_probe(line, token) && self.lines > 0 => Due::Lines,
            Due::Opening if answers_probe(line, token) => Due::Closing,
            Due::Closing if answers_probe(line, token.wrapping_add(1)) => Due::Nothing,
            Due::Opening | Due::Closing | Due::Nothing => return Err(Violation::Foreign),
        };
        Ok(())
    }
}

fn answers_probe(line: &[u8], token: u64) -> bool {
    matches!(line.get(..3), Some(b"EN " | b"HD ")) && has_token(line, token)
}

/// The entries that a [`Request::GetMany`](super::Request::GetMany) found, not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    pieces: Vec<Bytes>,
}

impl Entries {
    /// Reads them as the answer to a request for `keys` and `want`, in the order of the keys.
    ///
    /// # Errors
    /// [`Violation`] if an entry is none of theirs. Nothing of the connection can be trusted then.
    pub fn read(&self, keys: &[Key<'_>], want: Want) -> Result<Vec<Option<Found>>, Violation> {
        let (mut all, mut keys) = (Vec::with_capacity(keys.len()), keys.iter());
        let mut written = BytesMut::new();
        for piece in &self.pieces {
            let mut start = 0;
            while let Some((extent, entry)) = next(&piece[start..])? {
                let (frame, data) = (start, extent.data());
                start += extent.length();
                // The other lines were read as they came.
                let (Some(entry), Some(data)) = (entry, data) else { continue };
                loop {
                    match keys.next() {
                        Some(key) if is_written(*key, entry.key, &mut written) => break,
                        Some(_) => all.push(None),
                        None => return Err(Violation::Foreign),
                    }
                }
                let value = piece.slice(frame + data.start..frame + data.end);
                all.push(Some(entry.found(value, want)));
            }
        }
        all.extend(keys.map(|_| None));
        Ok(all)
    }
}

/// The frame that `bytes` begin with, and what it says if it is an entry.
fn next(bytes: &[u8]) -> Result<Option<(Extent, Option<Entry<'_>>)>, Violation> {
    if let Some(entry) = Entry::read(bytes) {
        return Ok(Some((entry.extent()?, Some(entry))));
    }
    let extent = Frames::new(u64::MAX).measure(bytes)?;
    match extent.map(|extent| (extent, extent.data())) {
        Some((_, Some(_))) => Err(Violation::Malformed("an entry that says no key and flags")),
        Some((extent, None)) => Ok(Some((extent, None))),
        None => Ok(None),
    }
}

/// Whether a server sees `key` as `seen`. `written` is room to write in.
fn is_written(key: Key<'_>, seen: &[u8], written: &mut BytesMut) -> bool {
    if let Key::Plain(raw) = key {
        return raw == seen;
    }
    written.clear();
    key.write(written);
    *written == *seen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Decoder, Encoder, Request, key};

    const LARGEST: u64 = 1_000;

    fn keys<'a>(raw: &[&'a [u8]]) -> Vec<Key<'a>> {
        raw.iter().map(|raw| key(raw, Dialect::Meta)).collect()
    }

    fn request<'a>(keys: &'a [Key<'a>]) -> Request<'a> {
        Request::GetMany { keys, want: Want::VALUE }
    }

    fn said(dialect: Dialect, request: &Request<'_>) -> Result<String, Unsayable> {
        let mut out = BytesMut::new();
        Encoder::new(dialect, 7, LARGEST).encode(request, &mut out)?;
        Ok(String::from_utf8(out.to_vec()).unwrap())
    }

    /// What `reply`, in pieces of so many bytes, says about `keys`.
    fn read(
        dialect: Dialect,
        keys: &[Key<'_>],
        reply: &[u8],
        piece: usize,
    ) -> Result<Option<Vec<Option<Found>>>, Violation> {
        let mut expected = Encoder::new(dialect, 7, LARGEST).encode(&request(keys), &mut BytesMut::new()).unwrap();
        let (mut decoder, mut input) = (Decoder::new(dialect, LARGEST), BytesMut::new());
        for piece in reply.chunks(piece) {
            input.extend_from_slice(piece);
            match decoder.decode(&mut expected, &mut input)? {
                None => {}
                Some(Reply::Entries(entries)) => return entries.read(keys, Want::VALUE).map(Some),
                Some(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    #[test]
    fn many_keys_are_one_command_between_two_tokens() {
        let keys = keys(&[b"a", b"b"]);
        assert_eq!(said(Dialect::Meta, &request(&keys)).unwrap(), "mg AA== b O7\r\nget a b\r\nmg AA== b O8\r\n");
        assert_eq!(said(Dialect::Classic, &request(&keys)).unwrap(), "get a b\r\n");
        let versions = Request::GetMany { keys: &keys, want: Want::VALUE_AND_CAS };
        assert_eq!(said(Dialect::Classic, &versions).unwrap(), "gets a b\r\n");
    }

    #[test]
    fn what_a_list_cannot_say_is_not_said() {
        for (raw, want) in [(&b"a b"[..], Want::VALUE), (b"a", Want::PRESENCE), (b"a", Want::VALUE_AND_TTL)] {
            let keys = keys(&[raw]);
            let request = Request::GetMany { keys: &keys, want };
            let mut out = BytesMut::new();
            assert!(matches!(
                Encoder::new(Dialect::Meta, 7, LARGEST).encode(&request, &mut out),
                Err(Unsayable::Listed(_))
            ));
            assert!(out.is_empty());
        }
    }

    #[test]
    fn no_line_is_longer_than_servers_read() {
        let keys: Vec<String> =
            (0..1_000).map(|number| format!("{number:0length$}", length = number % 250 + 1)).collect();
        let raw: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        let keys = super::tests::keys(&raw);
        for dialect in [Dialect::Meta, Dialect::Classic] {
            let said = said(dialect, &request(&keys)).unwrap();
            let lines: Vec<&str> = said.split_terminator("\r\n").collect();
            assert!(lines.len() > 60 && lines.iter().all(|line| line.len() <= LONGEST_COMMAND));
            let named = lines.iter().filter_map(|line| line.strip_prefix("get ")).flat_map(|line| line.split(' '));
            assert!(named.map(str::as_bytes).eq(raw.iter().copied()));
        }
    }

    #[test]
    fn what_is_not_this_request_s_is_noticed_wherever_it_stands() {
        let keys = keys(&[b"a", b"b", b"c"]);
        let (opening, a, b, end, closing) =
            ("EN O7\r\n", "VALUE a 0 1\r\n1\r\n", "VALUE b 0 1\r\n2\r\n", "END\r\n", "EN O8\r\n");
        let whole = [opening, a, b, end, closing];
        assert!(read(Dialect::Meta, &keys, whole.concat().as_bytes(), 1_000).unwrap().is_some());
        let surplus = [
            "VA 1 O7\r\nx\r\n",
            "VA 1 O99\r\nx\r\n",
            "EN O7\r\n",
            "EN O99\r\n",
            "HD O7\r\n",
            "VALUE a 0 1\r\nx\r\n",
            "VALUE other 0 1\r\nx\r\n",
            "END\r\n",
            "STORED\r\n",
        ];
        for place in 0..whole.len() {
            for one in surplus {
                // Before the first `a`, another is one too many as well: the second `a` answers no key.
                let forged = [&whole[..place], &[one], &whole[place..]].concat().concat();
                assert_eq!(read(Dialect::Meta, &keys, forged.as_bytes(), 1_000), Err(Violation::Foreign), "{forged:?}");
            }
            let shortened = [&whole[..place], &whole[place + 1..]].concat().concat();
            match place {
                // That `a` or `b` is absent may be true.
                1 | 2 => {}
                _ => assert!(!matches!(read(Dialect::Meta, &keys, shortened.as_bytes(), 1_000), Ok(Some(_)))),
            }
        }
        let swapped = [opening, b, a, end, closing].concat();
        assert_eq!(read(Dialect::Meta, &keys, swapped.as_bytes(), 1_000), Err(Violation::Foreign));
    }

    #[test]
    fn no_more_entries_are_kept_than_were_asked_for() {
        let mut expected =
            Encoder::new(Dialect::Classic, 7, LARGEST).encode(&request(&keys(&[b"a"])), &mut BytesMut::new()).unwrap();
        let mut decoder = Decoder::new(Dialect::Classic, LARGEST);
        let one = || BytesMut::from(&b"VALUE a 0 1\r\nx\r\n"[..]);
        assert_eq!(decoder.decode(&mut expected, &mut one()), Ok(None));
        assert_eq!(decoder.decode(&mut expected, &mut one()), Err(Violation::Foreign));
    }

    #[test]
    fn a_refusal_is_the_reply_and_keeps_the_order() {
        let reply = "EN O7\r\nVALUE a 0 1\r\n1\r\nSERVER_ERROR out of memory\r\nEN O8\r\n";
        let mut expected =
            Encoder::new(Dialect::Meta, 7, LARGEST).encode(&request(&keys(&[b"a"])), &mut BytesMut::new()).unwrap();
        let mut input = BytesMut::from(reply);
        let read = Decoder::new(Dialect::Meta, LARGEST).decode(&mut expected, &mut input);
        assert_eq!(read, Ok(Some(Reply::Refused(Refusal::Other("SERVER_ERROR out of memory".to_owned())))));
        assert!(input.is_empty());
    }

    proptest! {
        #[test]
        fn every_entry_goes_to_its_key_however_the_reply_is_cut(
            keys in proptest::collection::vec("[a-c]{1,2}", 1..20),
            absent in "[a-c]{1,2}",
            long in proptest::option::of(Just("x".repeat(300))),
            piece in 1usize..40,
        ) {
            let keys: Vec<String> = keys.into_iter().chain(long).collect();
            let raw: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
            let keys = super::tests::keys(&raw);
            let value = |raw: &[u8]| [b"\r\nVALUE ", raw, b" 0 1\r\nEND\r\n"].concat();
            let mut reply = b"EN O7\r\n".to_vec();
            for raw in raw.iter().filter(|raw| **raw != absent.as_bytes()) {
                let (mut written, value) = (BytesMut::new(), value(raw));
                key(raw, Dialect::Meta).write(&mut written);
                reply.extend_from_slice(&[b"VALUE ", &*written, b" 0 "].concat());
                reply.extend_from_slice(format!("{}\r\n", value.len()).as_bytes());
                reply.extend_from_slice(&value);
                reply.extend_from_slice(b"\r\n");
            }
            reply.extend_from_slice(b"END\r\nEN O8\r\n");
            let found = read(Dialect::Meta, &keys, &reply, piece).unwrap().unwrap();
            let found: Vec<_> = found.into_iter().map(|found| found.map(|found| found.value.to_vec())).collect();
            let expected: Vec<_> = raw.iter().map(|raw| (**raw != *absent.as_bytes()).then(|| value(raw))).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
