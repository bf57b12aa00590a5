//! The task that owns the socket.

use std::{
    collections::VecDeque,
    io, mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::{
    Break, Protocol,
    state::{Found, Heard, Shared, Slot, To},
};

/// How much room a read is given, in bytes. The buffer grows beyond only as a reply arrives that needs it.
const READ: usize = 64 * 1024;

/// A buffer that has grown larger than this is not kept.
const BUFFER_KEPT: usize = 1024 * 1024;

/// Opens the connection and drives it to its end. Every call on it ends with it, also if the task is dropped.
pub(super) fn run<P, S, F>(shared: Arc<Shared<P>>, opening: F) -> impl Future<Output = ()>
where
    P: Protocol,
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<(S, P::Encoder, P::Decoder), P::Error>>,
{
    // Made before the task first runs: a runtime that shuts down drops it without running it.
    let work = Work { shared, in_flight: VecDeque::new(), sent: 0, end: None };
    async move {
        match opening.await {
            Ok((stream, encoder, decoder)) => {
                work.shared.open(encoder);
                Driver::new(stream, decoder, work).await;
            }
            Err(error) => work.finish(error),
        }
    }
}

/// What has to be answered for, whatever happens.
struct Work<P: Protocol> {
    shared: Arc<Shared<P>>,
    /// Requests that wait for their replies, in order.
    in_flight: VecDeque<Slot<P>>,
    /// How many bytes the system has taken.
    sent: u64,
    end: Option<P::Error>,
}

impl<P: Protocol> Work<P> {
    /// Ends every call with `error`.
    fn finish(mut self, error: P::Error) {
        self.end = Some(error);
    }
}

impl<P: Protocol> Drop for Work<P> {
    fn drop(&mut self) {
        let error = self.end.take().unwrap_or_else(|| Break::Gone.into());
        self.shared.end(&error, mem::take(&mut self.in_flight), self.sent);
    }
}

struct Driver<P: Protocol, S> {
    stream: S,
    decoder: P::Decoder,
    outgoing: BytesMut,
    /// How much of `outgoing` is written.
    written: usize,
    flush: Flush,
    input: BytesMut,
    heard: Heard,
    /// Replies of the batch that is being answered.
    batch: Vec<P::Reply>,
    /// How many callers the last read served.
    served: usize,
    patience: Patience,
    work: Work<P>,
}

/// Whether others are let run before a write, so that their requests go with it.
#[derive(PartialEq, Eq)]
enum Patience {
    Fresh,
    Spent,
}

/// Whether what was written may still stand in a buffer of the stream.
#[derive(PartialEq, Eq)]
enum Flush {
    Due,
    Done,
}

/// Whether a step moved anything.
#[derive(PartialEq, Eq)]
enum Step {
    Moved,
    Stuck,
}

// Nothing in it is ever pinned: the stream is `Unpin`, and the rest is plain data.
impl<P: Protocol, S> Unpin for Driver<P, S> {}

impl<P: Protocol, S: AsyncRead + AsyncWrite + Unpin> Future for Driver<P, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        // Both, whether or not one waits: a server that cannot write does not read either.
        match driver.receive(context).and_then(|()| driver.send(context)) {
            Ok(()) => Poll::Pending,
            Err(error) => {
                driver.work.end = Some(error);
                Poll::Ready(())
            }
        }
    }
}

impl<P: Protocol, S: AsyncRead + AsyncWrite + Unpin> Driver<P, S> {
    fn new(stream: S, decoder: P::Decoder, work: Work<P>) -> Self {
        Self {
            stream,
            decoder,
            outgoing: BytesMut::new(),
            written: 0,
            flush: Flush::Done,
            input: BytesMut::new(),
            heard: Heard::Nothing,
            batch: Vec::new(),
            served: 0,
            patience: Patience::Fresh,
            work,
        }
    }

    /// Reads until nothing more has come.
    fn receive(&mut self, context: &mut Context<'_>) -> Result<(), P::Error> {
        while self.read(context)? == Step::Moved {}
        Ok(())
    }

    /// Writes until nothing more is queued.
    fn send(&mut self, context: &mut Context<'_>) -> Result<(), P::Error> {
        loop {
            let heard = mem::replace(&mut self.heard, Heard::Nothing);
            let work = &mut self.work;
            let found = work.shared.take(&mut work.in_flight, &mut self.outgoing, heard, context.waker())?;
            if matches!(found, Found::Work) && self.served > 1 && self.patience == Patience::Fresh {
                // Those who were served together ask again together: one write for all is worth a turn.
                self.patience = Patience::Spent;
                context.waker().wake_by_ref();
                return Ok(());
            }
            self.patience = Patience::Fresh;
            let written = self.write(context)?;
            if matches!(found, Found::Nothing) && written == Step::Stuck {
                return Ok(());
            }
        }
    }

    fn write(&mut self, context: &mut Context<'_>) -> Result<Step, P::Error> {
        match self.poll_write(context) {
            Poll::Ready(Ok(step)) => Ok(step),
            Poll::Ready(Err(error)) => Err(broken(error).into()),
            Poll::Pending => Ok(Step::Stuck),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Step>> {
        let mut step = Step::Stuck;
        while self.written < self.outgoing.len() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, &self.outgoing[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.work.sent += count as u64;
            self.flush = Flush::Due;
            step = Step::Moved;
        }
        self.written = 0;
        self.outgoing.clear();
        if self.outgoing.capacity() > BUFFER_KEPT {
            self.outgoing = BytesMut::new();
        }
        if self.flush == Flush::Due {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.flush = Flush::Done;
        }
        Poll::Ready(Ok(step))
    }

    fn read(&mut self, context: &mut Context<'_>) -> Result<Step, P::Error> {
        if self.input.capacity() - self.input.len() < READ / 16 {
            self.input.reserve(READ);
        }
        match pin!(self.stream.read_buf(&mut self.input)).poll(context) {
            Poll::Pending => Ok(Step::Stuck),
            Poll::Ready(Err(error)) => Err(broken(error).into()),
            Poll::Ready(Ok(0)) => Err(Break::Ended.into()),
            Poll::Ready(Ok(_)) => {
                self.heard = Heard::Something;
                self.deliver()?;
                Ok(Step::Moved)
            }
        }
    }

    /// Hands every complete reply to its caller. Of one who went away the reply is dropped.
    fn deliver(&mut self) -> Result<(), P::Error> {
        let mut freed = 0;
        let outcome = self.deliver_counting(&mut freed);
        self.work.shared.places.add_permits(freed);
        outcome
    }

    fn deliver_counting(&mut self, freed: &mut usize) -> Result<(), P::Error> {
        self.served = 0;
        while let Some(slot) = self.work.in_flight.front_mut() {
            let Some(reply) = P::decode(&mut self.decoder, &mut slot.pending, &mut self.input)? else { return Ok(()) };
            let Some(slot) = self.work.in_flight.pop_front() else { return Ok(()) };
            *freed += slot.weight;
            self.served += usize::from(!matches!(slot.to, To::Batch));
            match slot.to {
                To::One(caller) => drop(caller.send(Ok(reply))),
                To::Batch => self.batch.push(reply),
                To::LastOfBatch(caller) => {
                    self.batch.push(reply);
                    drop(caller.send(Ok(mem::take(&mut self.batch))));
                }
            }
        }
        if self.input.is_empty() { Ok(()) } else { Err(Break::Surplus.into()) }
    }
}

fn broken(error: io::Error) -> Break {
    Break::Io(Arc::new(error))
}
