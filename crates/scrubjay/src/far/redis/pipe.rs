//! [`Pipe`]: one connection that any number of tasks share.
//!
//! Callers add their requests to one buffer and wait. A [`Driver`], which owns the socket, writes what has gathered, finds
//! the ends of replies, has [`Order`] prove them, and hands each caller its own bytes; these the caller reads by itself.

use std::{
    collections::VecDeque,
    io, mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    sync::{Semaphore, oneshot},
};

use super::{
    frames::{Frames, Malformed},
    order::{Order, Strictness},
    pulse::Pulse,
    values,
};

/// How many bytes of requests may wait for the socket. Further callers wait for room, within their deadlines.
const ROOM: usize = 1024 * 1024;
/// What a word of a request takes beside its own bytes, or more.
const OF_A_WORD: usize = 16;
/// Fewer bytes of requests than this wait once for other tasks to add theirs.
const GATHERED: usize = 16 * 1024;
/// How large a buffer is read into, and how little room of it is worth another read.
const READ: usize = 64 * 1024;
const LEFT: usize = 16 * 1024;

/// What callers hold; clones are the same connection.
//
// Nothing here is `Debug`: requests hold values, and passwords.
#[derive(Clone)]
pub(super) struct Pipe(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    room: Semaphore,
    pulse: Arc<Pulse>,
}

/// What the driver has not taken yet.
#[derive(Default)]
struct Queue {
    requests: Vec<u8>,
    callers: Vec<Caller>,
    /// How much room they take.
    room: usize,
    /// The driver, if it waits for requests.
    driver: Option<Waker>,
    /// Why the connection is over.
    end: Option<RedisError>,
}

/// Somebody who waits for so many replies.
struct Caller {
    lacking: u64,
    answer: oneshot::Sender<Bytes>,
}

impl Pipe {
    /// A connection over `socket`. Nothing moves but while the driver is polled.
    pub(super) fn new<S>(socket: S, order: Order, pulse: Arc<Pulse>) -> (Self, Driver<S>) {
        let shared = Arc::new(Shared { queue: Mutex::default(), room: Semaphore::new(ROOM), pulse });
        (Self(Arc::clone(&shared)), Driver::new(socket, order, shared))
    }

    /// The reply to `command`, which may be a server's refusal.
    pub(super) async fn command(&self, command: &Cmd) -> RedisResult<Value> {
        let size = |size: usize, word: redis::Arg<&[u8]>| match word {
            redis::Arg::Simple(word) => size + word.len() + OF_A_WORD,
            _ => size + OF_A_WORD,
        };
        let size = command.args_iter().fold(OF_A_WORD, size);
        let answer = self.ask(size, 1, |requests| command.write_packed_command(requests)).await?;
        values::first(&answer)
    }

    /// The replies to `pipeline`: `count` of them, after the first `skipped`.
    pub(super) async fn commands(&self, pipeline: &Pipeline, skipped: usize, count: usize) -> RedisResult<Vec<Value>> {
        let packed = pipeline.get_packed_pipeline();
        let replies = (skipped + count) as u64;
        let answer = self.ask(packed.len(), replies, |requests| requests.extend_from_slice(&packed)).await?;
        let mut replies = values::all(&answer, skipped + count)?;
        let kept = replies.split_off(skipped.min(replies.len()));
        let refused = |reply: &Value| matches!(reply, Value::ServerError(_));
        if pipeline.is_transaction() && kept.iter().any(refused) {
            // The reason stands where the transaction was put together.
            return Ok(replies.into_iter().filter(refused).take(1).chain(kept).take(count).collect());
        }
        Ok(kept)
    }

    /// The bytes of so many replies to the requests that `write` adds, about `size` bytes.
    async fn ask(&self, size: usize, replies: u64, write: impl FnOnce(&mut Vec<u8>)) -> RedisResult<Bytes> {
        let shared = &*self.0;
        // What is larger than all the room waits until it is alone.
        let size = size.min(ROOM);
        let needed = u32::try_from(size).unwrap_or(u32::MAX);
        match shared.room.try_acquire_many(needed) {
            Ok(room) => room.forget(),
            // Rare, so it shall not make the future of every call larger.
            Err(_) => Box::pin(shared.room.acquire_many(needed)).await.map_err(|_| shared.reason())?.forget(),
        }
        let (answer, answered) = oneshot::channel();
        let driver = {
            let mut queue = shared.queue.lock();
            if let Some(end) = &queue.end {
                return Err(end.clone());
            }
            write(&mut queue.requests);
            queue.room += size;
            queue.callers.push(Caller { lacking: replies, answer });
            queue.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
        answered.await.map_err(|_| shared.reason())
    }
}

impl Shared {
    /// Why there is no answer.
    fn reason(&self) -> RedisError {
        self.queue.lock().end.clone().unwrap_or_else(closed)
    }

    /// Says no to whoever comes, and to whoever waits for room.
    fn end(&self, error: RedisError) {
        let callers = {
            let mut queue = self.queue.lock();
            queue.end.get_or_insert(error);
            queue.requests = Vec::new();
            mem::take(&mut queue.callers)
        };
        drop(callers);
        self.room.close();
        self.pulse.end();
    }
}

/// Moves the bytes of a connection, as a task of its own. With its end ends the connection.
pub(super) struct Driver<S> {
    socket: S,
    shared: Arc<Shared>,
    order: Order,
    /// On its way out, and how much of it is gone.
    out: Vec<u8>,
    written: usize,
    /// Whether the next requests have waited for others already.
    gathered: bool,
    /// Those whose requests are on their way or at the server.
    waiting: VecDeque<Caller>,
    /// Came, and is not proven yet.
    held: BytesMut,
    /// Came, and may be handed out.
    ready: BytesMut,
    frames: Frames,
    /// How much of `ready` has been counted for the first who waits.
    counted: usize,
}

impl<S> Driver<S> {
    fn new(socket: S, order: Order, shared: Arc<Shared>) -> Self {
        Self {
            socket,
            shared,
            order,
            out: Vec::new(),
            written: 0,
            gathered: false,
            waiting: VecDeque::new(),
            held: BytesMut::new(),
            ready: BytesMut::new(),
            frames: Frames::default(),
            counted: 0,
        }
    }

    /// Takes what has gathered, if it is worth a write.
    fn poll_requests(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.shared.queue.lock();
        if queue.requests.is_empty() {
            if queue.driver.as_ref().is_none_or(|driver| !driver.will_wake(context.waker())) {
                queue.driver = Some(context.waker().clone());
            }
            return Poll::Pending;
        }
        // Where others wait for replies, more requests are about to come: they go out together, and so do their replies.
        if !mem::replace(&mut self.gathered, true) && !self.waiting.is_empty() && queue.requests.len() < GATHERED {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.gathered = false;
        self.out.clear();
        self.written = 0;
        mem::swap(&mut self.out, &mut queue.requests);
        let room = mem::take(&mut queue.room);
        let replies = queue.callers.iter().map(|caller| caller.lacking).sum();
        self.waiting.extend(queue.callers.drain(..));
        drop(queue);

        self.shared.room.add_permits(room);
        self.order.set_strictness(self.shared.pulse.strictness());
        self.order.sent(replies);
        self.order.fence(&mut self.out);
        Poll::Ready(())
    }

    /// Gives those who wait what is theirs of `ready`.
    fn hand_out(&mut self) -> Result<(), Malformed> {
        let any_is_reply = self.order.strictness() == Strictness::Form;
        while let Some(caller) = self.waiting.front_mut() {
            while caller.lacking > 0 {
                let rest = &self.ready[self.counted..];
                let Some(length) = self.frames.next(rest)? else { return Ok(()) };
                // What a server pushes belongs to no request.
                caller.lacking -= u64::from(any_is_reply || rest[0] != b'>');
                self.counted += length;
            }
            let answer = self.ready.split_to(mem::take(&mut self.counted)).freeze();
            if let Some(Caller { answer: caller, .. }) = self.waiting.pop_front() {
                // Whoever left does not want it.
                let _ = caller.send(answer);
            }
        }
        // Nobody's: pushes, or what follows the one reply on a connection of one caller.
        self.ready.clear();
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Reads until nothing more has come.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            if self.held.capacity() - self.held.len() < LEFT {
                self.held.reserve(READ);
            }
            let read = pin!(self.socket.read_buf(&mut self.held));
            match ready!(read.poll(context)) {
                Ok(0) => return Poll::Ready(io::ErrorKind::BrokenPipe.into()),
                Ok(_) => {}
                Err(error) => return Poll::Ready(error),
            }
            self.shared.pulse.receive();
            let moved = self.order.received(&mut self.held, &mut self.ready).and_then(|()| self.hand_out());
            if let Err(Malformed(reason)) = moved {
                return Poll::Ready(io::Error::new(io::ErrorKind::ConnectionAborted, reason));
            }
        }
    }

    /// Writes until nothing more has gathered.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            while self.written < self.out.len() {
                match ready!(Pin::new(&mut self.socket).poll_write(context, &self.out[self.written..])) {
                    Ok(0) => return Poll::Ready(io::ErrorKind::WriteZero.into()),
                    Ok(written) => self.written += written,
                    Err(error) => return Poll::Ready(error),
                }
                self.shared.pulse.write();
            }
            if let Err(error) = ready!(Pin::new(&mut self.socket).poll_flush(context)) {
                return Poll::Ready(error);
            }
            if self.out.capacity() > ROOM {
                self.out = Vec::new();
            }
            ready!(self.poll_requests(context));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // Both, whether or not one waits: a server that cannot write does not read either.
        let error = match (this.poll_read(context), this.poll_write(context)) {
            (Poll::Ready(error), _) | (_, Poll::Ready(error)) => error,
            (Poll::Pending, Poll::Pending) => return Poll::Pending,
        };
        this.shared.end(error.into());
        Poll::Ready(())
    }
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        self.shared.end(closed());
    }
}

fn closed() -> RedisError {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use redis::cmd;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// A server that answers its requests with 0, 1, 2…, so many and then no more.
    async fn serve(mut socket: DuplexStream, requests: usize) {
        let (mut bytes, mut frames) = (BytesMut::new(), Frames::default());
        for number in 0..requests {
            let length = loop {
                match frames.next(&bytes).unwrap() {
                    Some(length) => break length,
                    None => assert_ne!(socket.read_buf(&mut bytes).await.unwrap(), 0),
                }
            };
            drop(bytes.split_to(length));
            socket.write_all(format!(":{number}\r\n").as_bytes()).await.unwrap();
        }
    }

    /// What `scenario` comes to with a pipe to a server that answers so many requests.
    async fn with_server<T, F: Future<Output = T>>(requests: usize, scenario: impl FnOnce(Pipe) -> F) -> T {
        let (ours, theirs) = duplex(4096);
        let (pipe, driver) = Pipe::new(ours, Order::new(0), Arc::default());
        let drive = async {
            tokio::join!(driver, serve(theirs, requests));
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = drive => unreachable!(),
            outcome = scenario(pipe) => outcome,
        }
    }

    #[tokio::test]
    async fn each_caller_gets_its_own_reply() {
        with_server(50, |pipe| async move {
            let asked = (0..50).map(|_| async { pipe.command(&cmd("PING")).await.unwrap() });
            let replies = futures_util::future::join_all(asked).await;
            assert_eq!(replies, (0..50).map(Value::Int).collect::<Vec<_>>());
        })
        .await;
    }

    #[tokio::test]
    async fn the_reply_of_whoever_left_is_passed_over() {
        with_server(3, |pipe| async move {
            let ping = cmd("PING");
            let mut left = Box::pin(pipe.command(&ping));
            assert!(left.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            drop(left);
            let mut pings = redis::pipe();
            pings.cmd("PING").cmd("PING");
            assert_eq!(pipe.commands(&pings, 0, 2).await.unwrap(), [Value::Int(1), Value::Int(2)]);
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_larger_than_the_room_is_sent_and_others_wait_for_theirs() {
        with_server(41, |pipe| async move {
            let value = vec![b'x'; 3 * ROOM];
            let third = vec![b'x'; ROOM / 3];
            let large = async { pipe.command(cmd("SET").arg("key").arg(&value)).await.unwrap() };
            let many = (0..40).map(|_| async { pipe.command(cmd("SET").arg("key").arg(&third)).await.unwrap() });
            let (first, others) = tokio::join!(large, futures_util::future::join_all(many));
            assert_eq!(first, Value::Int(0));
            assert_eq!(others, (1..41).map(Value::Int).collect::<Vec<_>>());
        })
        .await;
    }

    #[tokio::test]
    async fn the_end_of_the_connection_is_told_to_all_who_wait_and_who_come() {
        with_server(1, |pipe| async move {
            let value = vec![b'x'; ROOM];
            let asked = (0..4).map(|_| async { pipe.command(cmd("SET").arg("key").arg(&value)).await });
            let replies = futures_util::future::join_all(asked).await;
            assert_eq!(replies[0], Ok(Value::Int(0)));
            assert!(replies[1..].iter().all(|reply| reply.as_ref().is_err_and(RedisError::is_io_error)), "{replies:?}");
            assert!(pipe.command(&cmd("PING")).await.is_err_and(|error| error.is_io_error()));
            assert!(pipe.0.pulse.is_over());
        })
        .await;
    }
}
