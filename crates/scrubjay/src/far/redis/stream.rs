//! [`Orderly`]: a socket whose bytes pass through [`Order`].

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::{
    frames::Malformed,
    order::{Order, Strictness},
    pulse::Pulse,
};

/// How much is collected for one write. A request larger than this is not copied.
const COLLECTED: usize = 64 * 1024;
/// How much is read at once, at least.
const READ: usize = 16 * 1024;

/// A socket that hands out whole replies in proven order, or breaks.
///
/// Its user must write whole requests: each `poll_write` begins with a request, or goes on where the last one was cut.
#[derive(Debug)]
pub(super) struct Orderly<S> {
    socket: S,
    order: Order,
    pulse: Arc<Pulse>,
    /// On its way out.
    out: BytesMut,
    /// How much of the next write was taken note of in an earlier one, which the socket took only in part.
    noted: usize,
    /// Came, and is not proven yet.
    held: BytesMut,
    /// Came, and may be handed out.
    ready: BytesMut,
}

impl<S> Orderly<S> {
    pub(super) fn new(socket: S, order: Order, pulse: Arc<Pulse>) -> Self {
        let empty = BytesMut::new;
        Self { socket, order, pulse, out: empty(), noted: 0, held: empty(), ready: empty() }
    }

    fn note(&mut self, requests: &[u8]) -> io::Result<()> {
        self.order.set_strictness(self.pulse.strictness());
        if self.pulse.strictness() != Strictness::Form && requests.len() > self.noted {
            self.order.sent(&requests[self.noted..]).map_err(broken)?;
            self.noted = requests.len();
        }
        Ok(())
    }
}

impl<S: AsyncWrite + Unpin> Orderly<S> {
    /// Writes what was collected.
    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(context, &self.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pulse.write();
            self.out.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Orderly<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, requests: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.out.len() + requests.len() > COLLECTED {
            ready!(this.poll_out(context))?;
        }
        this.note(requests)?;
        let taken = if requests.len() > COLLECTED {
            let written = ready!(Pin::new(&mut this.socket).poll_write(context, requests))?;
            this.pulse.write();
            written
        } else {
            this.out.extend_from_slice(requests);
            requests.len()
        };
        this.noted = this.noted.saturating_sub(taken);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.order.fence(&mut this.out);
        ready!(this.poll_out(context))?;
        Pin::new(&mut this.socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Orderly<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.ready.is_empty() {
            // Only an unshared buffer is used again, and an empty `ready` still shares.
            this.ready = BytesMut::new();
            this.held.reserve(READ);
            let read = pin!(this.socket.read_buf(&mut this.held));
            if ready!(read.poll(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
            this.pulse.receive();
            this.order.received(&mut this.held, &mut this.ready).map_err(broken)?;
        }
        let handed_out = this.ready.len().min(room.remaining());
        room.put_slice(&this.ready[..handed_out]);
        this.ready.advance(handed_out);
        Poll::Ready(Ok(()))
    }
}

impl<S> Drop for Orderly<S> {
    fn drop(&mut self) {
        self.pulse.end();
    }
}

/// The kind by which redis-rs knows that the connection is lost.
fn broken(reason: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, reason.0)
}
