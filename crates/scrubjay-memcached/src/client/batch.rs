//! Many requests at once: shared out among the servers, pipelined to each, answered in the order asked.

use futures_util::future::join_all;
use tokio::time::Instant;

use super::verbs::Shared;
use crate::{
    Error, ErrorKind, Result,
    wire::{Found, Key, Reply, Request, Want},
};

/// How many requests go to a server in one piece: none of a huge batch waits while others are put into words.
const PIECE: usize = 1_000;

/// How many bytes of values go in one piece, unless one value alone is larger.
const PIECE_BYTES: usize = 1024 * 1024;

impl Shared {
    /// The replies to `requests`, in the same order.
    ///
    /// Every server is asked, also if another one fails.
    pub(super) async fn call_many(&self, deadline: Instant, requests: &[Request<'_>]) -> Result<Vec<Reply>> {
        if self.servers.len() == 1 {
            return self.call_server(0, deadline, requests).await;
        }
        let shares = self.shares(requests, Request::key);
        let calls = shares.iter().enumerate().map(|(server, share)| self.call_server(server, deadline, &share.items));
        let answers = join_all(calls).await;
        in_order(&shares, answers)
    }

    /// The entries under `keys`, none of them encoded, in the same order.
    ///
    /// Every server is asked, also if another one fails.
    pub(super) async fn get_many(&self, deadline: Instant, keys: &[Key<'_>], want: Want) -> Result<Vec<Option<Found>>> {
        if self.servers.len() == 1 {
            return self.get_from(0, deadline, keys, want).await;
        }
        let shares = self.shares(keys, Key::raw);
        let calls =
            shares.iter().enumerate().map(|(server, share)| self.get_from(server, deadline, &share.items, want));
        let answers = join_all(calls).await;
        in_order(&shares, answers)
    }

    /// What each server is to be asked.
    fn shares<'a, T: Copy>(&self, items: &[T], key: impl Fn(&T) -> &'a [u8]) -> Vec<Share<T>> {
        let mut shares: Vec<_> = self.servers.iter().map(|_| Share { places: Vec::new(), items: Vec::new() }).collect();
        for (place, item) in items.iter().enumerate() {
            let share = &mut shares[self.ring.server(key(item))];
            share.places.push(place);
            share.items.push(*item);
        }
        shares
    }

    async fn get_from(
        &self,
        server: usize,
        deadline: Instant,
        keys: &[Key<'_>],
        want: Want,
    ) -> Result<Vec<Option<Found>>> {
        let server = &self.servers[server];
        if keys.len() <= PIECE {
            return if keys.is_empty() { Ok(Vec::new()) } else { server.get_many(deadline, keys, want).await };
        }
        let mut found = Vec::with_capacity(keys.len());
        for piece in keys.chunks(PIECE) {
            found.extend(server.get_many(deadline, piece, want).await?);
        }
        Ok(found)
    }

    async fn call_server(&self, server: usize, deadline: Instant, requests: &[Request<'_>]) -> Result<Vec<Reply>> {
        let server = &self.servers[server];
        let mut pieces = pieces(requests);
        let Some(first) = pieces.next() else { return Ok(Vec::new()) };
        let mut replies = server.call_many(deadline, first).await?;
        for piece in pieces {
            // What an earlier piece did stands: the batch as a whole cannot count as unsent.
            replies.extend(server.call_many(deadline, piece).await.map_err(Error::maybe_sent)?);
        }
        Ok(replies)
    }
}

/// What one server is asked, and where in the whole that stands.
struct Share<T> {
    places: Vec<usize>,
    items: Vec<T>,
}

/// The answers to all shares, in the order of the whole.
fn in_order<T, A: Clone>(shares: &[Share<T>], answers: Vec<Result<Vec<A>>>) -> Result<Vec<A>> {
    let mut whole = vec![None; shares.iter().map(|share| share.places.len()).sum()];
    for (share, answer) in shares.iter().zip(answers) {
        share.places.iter().zip(answer?).for_each(|(&place, one)| whole[place] = Some(one));
    }
    let missing = || Error::new(ErrorKind::Protocol, "a batch came back incomplete").maybe_sent();
    whole.into_iter().collect::<Option<Vec<_>>>().ok_or_else(missing)
}

fn pieces<'r, 'a>(mut requests: &'r [Request<'a>]) -> impl Iterator<Item = &'r [Request<'a>]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |request: &&Request<'_>| {
            let earlier = bytes;
            if let Request::Store { value, .. } = request {
                bytes += value.len();
            }
            earlier == 0 || bytes <= PIECE_BYTES
        };
        let count = requests.iter().take(PIECE).take_while(fits).count();
        let (piece, rest) = requests.split_at(count);
        requests = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Mode, Want};

    #[test]
    fn pieces_are_bounded_and_lose_nothing() {
        let gets = vec![Request::Get { key: b"k", want: Want::VALUE }; 2_500];
        assert_eq!(pieces(&gets).map(<[_]>::len).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        let value = vec![0; 600 * 1024];
        let sets = vec![Request::Store { key: b"k", value: &value, mode: Mode::Set, expiry: 0, flags: 0 }; 3];
        assert_eq!(pieces(&sets).map(<[_]>::len).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(pieces(&[]).count(), 0);
    }
}
