//! memcached, as a protocol that a connection can speak.

use bytes::BytesMut;

use crate::{
    Error,
    pipe::Protocol,
    wire::{Decoder, Encoder, Expected, Reply, Request},
};

/// What a request takes beside its value, in bytes: a line with a key, at most.
const LINE: usize = 100;

#[derive(Debug)]
pub(super) struct Memcached;

impl Protocol for Memcached {
    type Request<'a> = Request<'a>;
    type Pending = Expected;
    type Reply = Reply;
    type Error = Error;
    type Encoder = Encoder;
    type Decoder = Decoder;

    fn size(request: &Request<'_>) -> usize {
        LINE + match request {
            Request::Store { value, .. } => value.len(),
            Request::GetMany { keys, .. } => LINE * keys.len(),
            Request::Raw { data, .. } => data.map_or(0, <[u8]>::len),
            _ => 0,
        }
    }

    fn encode(encoder: &mut Encoder, request: &Request<'_>, out: &mut BytesMut) -> Result<Expected, Error> {
        Ok(encoder.encode(request, out)?)
    }

    fn decode(decoder: &mut Decoder, expected: &mut Expected, input: &mut BytesMut) -> Result<Option<Reply>, Error> {
        Ok(decoder.decode(expected, input)?)
    }
}
