//! Proves that every reply belongs to its request, though RESP names neither.
//!
//! Replies come in the order of the requests. A reply too many, or one that is missing, therefore gives every later caller
//! somebody else's answer, and nothing in the protocol shows it. So each flush of requests ends with a *fence*, an `ECHO` of
//! a text that was never used before, and the replies are held back until that text arrives in exactly its place. If
//! anything else stands there, the connection is closed before one reply of the batch was handed out.
//!
//! Where a server does not let us `ECHO`, and on the nodes of a cluster (where an `ECHO` would undo an `ASKING`), replies are
//! only counted: one that nobody waits for still closes the connection.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};

use super::frames::{Frames, Malformed};

/// How strictly replies are matched with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Replies are counted, and handed out as they come.
    Count,
    /// Frames are checked and not counted: for a connection of one caller, whose command may have any number of replies.
    Form,
    /// Replies are held back until a fence proves their order.
    Proof,
}

/// What was sent, what is still to come back, and in which order.
#[derive(Debug)]
pub(super) struct Order {
    strictness: Strictness,
    nonce: u64,
    fences: u64,
    batches: VecDeque<Batch>,
    frames: Frames,
    /// How much of what is held back has been checked.
    checked: usize,
    /// How much the server has pushed since its last reply.
    pushed: usize,
}

/// The requests between two fences.
#[derive(Debug)]
struct Batch {
    replies_lacking: u64,
    fence: Option<Fence>,
}

/// How much may be pushed between two replies: it is held with them.
const MOST_PUSHED: usize = 64 * 1024;

/// The reply that ends a batch: `$24`, a line's end, the text, a line's end.
type Fence = [u8; 31];

impl Order {
    /// `nonce` is to be another one for each connection.
    pub(super) fn new(nonce: u64) -> Self {
        let (batches, frames) = (VecDeque::new(), Frames::default());
        Self { strictness: Strictness::Count, nonce, fences: 0, batches, frames, checked: 0, pushed: 0 }
    }

    pub(super) fn set_strictness(&mut self, strictness: Strictness) {
        self.strictness = strictness;
    }

    pub(super) fn strictness(&self) -> Strictness {
        self.strictness
    }

    /// Notes that requests with so many replies are on their way.
    pub(super) fn sent(&mut self, replies: u64) {
        if self.strictness == Strictness::Form || replies == 0 {
            return;
        }
        match self.batches.back_mut() {
            Some(batch) if batch.fence.is_none() => batch.replies_lacking += replies,
            _ => self.batches.push_back(Batch { replies_lacking: replies, fence: None }),
        }
    }

    /// Ends the batch, if there is one, with a fence after the requests in `out`.
    pub(super) fn fence(&mut self, out: &mut Vec<u8>) {
        if self.strictness != Strictness::Proof {
            return;
        }
        let Some(batch) = self.batches.back_mut().filter(|batch| batch.fence.is_none()) else { return };
        let mut fence = *b"$24\r\n                        \r\n";
        write_hex(&mut fence[5..21], self.nonce);
        write_hex(&mut fence[21..29], self.fences);
        self.fences += 1;
        out.extend_from_slice(b"*2\r\n$4\r\nECHO\r\n");
        out.extend_from_slice(&fence);
        batch.fence = Some(fence);
    }

    /// Moves from `held` to `ready` what may be handed out.
    pub(super) fn received(&mut self, held: &mut BytesMut, ready: &mut BytesMut) -> Result<(), Malformed> {
        while let Some(length) = self.frames.next(&held[self.checked..])? {
            let frame = &held[self.checked..self.checked + length];
            // What a server pushes belongs to no request, and we never ask for any.
            let is_pushed = frame[0] == b'>';
            self.pushed = if is_pushed { self.pushed + length } else { 0 };
            if self.pushed > MOST_PUSHED && self.strictness != Strictness::Form {
                return Err(Malformed("the server pushes more than 64 KiB that nobody asked for"));
            }
            if !is_pushed && self.strictness != Strictness::Form {
                let Some(batch) = self.batches.front_mut() else {
                    return Err(Malformed("a reply came that nobody asked for"));
                };
                let is_fence = batch.fence.as_ref().is_some_and(|fence| frame == fence);
                match (batch.replies_lacking, is_fence) {
                    (0, true) => {
                        self.batches.pop_front();
                        release(held.split_to(self.checked), ready);
                        held.advance(length);
                        self.checked = 0;
                        continue;
                    }
                    (0, false) => return Err(Malformed("a reply came that nobody asked for")),
                    (_, true) => return Err(Malformed("a reply is missing")),
                    (_, false) => batch.replies_lacking -= 1,
                }
                if batch.replies_lacking == 0 && self.strictness == Strictness::Count {
                    self.batches.pop_front();
                }
            }
            self.checked += length;
        }
        if self.strictness != Strictness::Proof {
            release(held.split_to(self.checked), ready);
            self.checked = 0;
        }
        Ok(())
    }
}

/// Adds `bytes` to `ready`, without copying where that was empty.
fn release(bytes: BytesMut, ready: &mut BytesMut) {
    if ready.is_empty() {
        *ready = bytes;
    } else {
        ready.extend_from_slice(&bytes);
    }
}

/// The lowest digits of `number`, as many as there is room for.
fn write_hex(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a caller is handed of `replies`, given after two requests and, where there are fences, one fence.
    fn handed_out(strictness: Strictness, replies: impl Fn(&str) -> String) -> Result<String, Malformed> {
        let (mut order, mut out) = (Order::new(7), Vec::new());
        order.set_strictness(strictness);
        order.sent(2);
        order.fence(&mut out);
        let echoed = std::str::from_utf8(&out).unwrap().trim_start_matches("*2\r\n$4\r\nECHO\r\n").to_owned();
        let (mut held, mut ready) = (BytesMut::from(replies(&echoed).as_bytes()), BytesMut::new());
        order.received(&mut held, &mut ready)?;
        Ok(String::from_utf8(ready.to_vec()).unwrap())
    }

    #[test]
    fn replies_in_order_pass_and_the_fence_does_not_show() {
        let passed = handed_out(Strictness::Proof, |fence| format!("+a\r\n>1\r\n+push\r\n+b\r\n{fence}")).unwrap();
        assert_eq!(passed, "+a\r\n>1\r\n+push\r\n+b\r\n");
    }

    #[test]
    fn before_the_fence_nothing_passes() {
        assert_eq!(handed_out(Strictness::Proof, |_| "+a\r\n+b\r\n".to_owned()).unwrap(), "");
    }

    #[test]
    fn a_reply_too_many_or_too_few_is_noticed_wherever_it_stands() {
        let surplus = Malformed("a reply came that nobody asked for");
        for replies in ["+x\r\n+a\r\n+b\r\nF", "+a\r\n+x\r\n+b\r\nF", "+a\r\n+b\r\n+x\r\nF", "+a\r\n+b\r\nF+x\r\n"] {
            let answer = handed_out(Strictness::Proof, |fence| replies.replace('F', fence));
            assert_eq!(answer, Err(surplus), "{replies:?}");
        }
        assert_eq!(
            handed_out(Strictness::Proof, |fence| format!("+a\r\n{fence}")),
            Err(Malformed("a reply is missing"))
        );
    }

    #[test]
    fn counting_hands_out_at_once_and_notices_a_surplus() {
        assert_eq!(handed_out(Strictness::Count, |_| "+a\r\n".to_owned()).unwrap(), "+a\r\n");
        assert!(handed_out(Strictness::Count, |_| "+a\r\n+b\r\n+x\r\n".to_owned()).is_err());
        assert_eq!(handed_out(Strictness::Form, |_| "+a\r\n+b\r\n+x\r\n".to_owned()).unwrap(), "+a\r\n+b\r\n+x\r\n");
    }

    #[test]
    fn pushes_without_an_end_are_no_replies() {
        let pushes = |size: usize| ">1\r\n+x\r\n".repeat(size / 8);
        let few = pushes(MOST_PUSHED);
        for strictness in [Strictness::Proof, Strictness::Count] {
            let fence = |fence: &str| if strictness == Strictness::Proof { fence.to_owned() } else { String::new() };
            assert!(handed_out(strictness, |echo| format!("{few}+a\r\n{few}+b\r\n{}", fence(echo))).is_ok());
            assert!(handed_out(strictness, |_| pushes(MOST_PUSHED + 8)).is_err());
        }
    }

    #[test]
    fn every_fence_is_another() {
        let (mut order, mut out) = (Order::new(1), Vec::new());
        order.set_strictness(Strictness::Proof);
        for _ in 0..2 {
            order.sent(1);
            order.fence(&mut out);
            order.fence(&mut out);
        }
        let (first, second) = out.split_at(out.len() / 2);
        assert_eq!(first.len(), second.len());
        assert_ne!(first, second);
    }
}
