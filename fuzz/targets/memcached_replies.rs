//! Replies of a memcached that may be anybody: a reply, an error or a wish for more, the same however the bytes are cut; and
//! no more kept than was sent.
#![no_main]

use arbitrary::Arbitrary;
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use scrubjay_memcached::{
    Dialect, Found, Mode, Want,
    wire::{Decoder, Direction, Encoder, Expected, Key, Reply, Request, Violation},
};

const TOKEN: u64 = 7;
const LARGEST: u64 = 1 << 20;
const KEYS: &[Key<'_>] = &[Key::Plain(b"k"), Key::Plain(b"l")];

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Asked {
    Get { ttl: bool, cas: bool },
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

impl Asked {
    fn request(self) -> Request<'static> {
        let key = b"k";
        match self {
            Self::Get { ttl, cas } => {
                let mut want = Want::VALUE;
                (want.ttl, want.cas) = (ttl, cas);
                Request::Get { key, want }
            }
            Self::GetMany => Request::GetMany { keys: KEYS, want: Want::VALUE },
            Self::Store => Request::Store { key, value: b"v", mode: Mode::Set, expiry: 0, flags: 0 },
            Self::Delete => Request::Delete { key, cas: None },
            Self::Count => Request::Count { key, direction: Direction::Up, by: 1, create: None },
            Self::Touch => Request::Touch { key, expiry: 1 },
            Self::Inspect => Request::Inspect { key },
            Self::Version => Request::Version,
            Self::FlushAll => Request::FlushAll,
            Self::Stats => Request::Stats { group: "" },
            Self::Raw => Request::Raw { line: b"version", data: None },
        }
    }
}

fuzz_target!(|input: (bool, Asked, u8, &[u8])| {
    let (classic, asked, cut, bytes) = input;
    let dialect = if classic { Dialect::Classic } else { Dialect::Meta };
    let expected = || Encoder::new(dialect, TOKEN, LARGEST).encode(&asked.request(), &mut BytesMut::new()).ok();
    let (Some(mut whole), Some(mut pieces)) = (expected(), expected()) else { return };

    let at_once = decode(&mut whole, dialect, [bytes]);
    let cut_up = decode(&mut pieces, dialect, bytes.chunks(usize::from(cut).max(1)));
    let [at_once, cut_up] = [at_once, cut_up].map(|answer| answer.and_then(read));
    assert_eq!(at_once, cut_up);
    if let Ok((_, found)) = at_once {
        assert!(found.iter().map(|found| found.value.len()).sum::<usize>() <= bytes.len());
    }
});

/// The entries in a reply, and the reply if it is of another kind. How the bytes of many entries were cut does not matter.
fn read(reply: Option<Reply>) -> Result<(Option<Reply>, Vec<Found>), Violation> {
    Ok(match reply {
        Some(Reply::Entries(entries)) => (None, entries.read(KEYS, Want::VALUE)?.into_iter().flatten().collect()),
        Some(Reply::Found(found)) => (None, vec![found]),
        reply => (reply, Vec::new()),
    })
}

fn decode<'a>(
    expected: &mut Expected,
    dialect: Dialect,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<Reply>, Violation> {
    let (mut decoder, mut input) = (Decoder::new(dialect, LARGEST), BytesMut::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        let reply = decoder.decode(expected, &mut input)?;
        if reply.is_some() {
            return Ok(reply);
        }
    }
    Ok(None)
}
