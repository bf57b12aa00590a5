//! Replies on their way through the proxy, which is where most goes wrong.

use std::{io, ops::ControlFlow, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{ReadHalf, WriteHalf},
    select,
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{
    connection::{CHUNK, Struck},
    fault::{Fault, Faults, Stroke, past_black_hole},
    random,
};

/// A reply, and when it may arrive.
#[derive(Debug)]
pub(super) struct Reply {
    bytes: Bytes,
    due: Instant,
}

/// Reads replies until the server closes. They are read when they come, however late they may arrive: delays do not add up.
pub(super) async fn read(mut from: ReadHalf<'_>, queue: mpsc::Sender<Reply>, faults: Faults, connection: usize) {
    let mut buffer = BytesMut::new();
    for nth in (connection as u64) << 32.. {
        buffer.reserve(CHUNK);
        let Ok(1..) = from.read_buf(&mut buffer).await else { return };
        let late = match *faults.borrow() {
            Some(Fault::Latency { base, jitter, seed }) => base + jitter.mul_f64(random::fraction(seed, nth)),
            _ => Duration::ZERO,
        };
        let reply = Reply { bytes: buffer.split().freeze(), due: Instant::now() + late };
        if queue.send(reply).await.is_err() {
            return;
        }
    }
}

/// Writes what was read, and what strokes add, until there is no more or the fault of the moment says so.
pub(super) async fn write(
    to: WriteHalf<'_>,
    mut queued: mpsc::Receiver<Reply>,
    mut struck: mpsc::UnboundedReceiver<Struck>,
    faults: Faults,
) {
    let mut writer = Writer { to, faults, passed: 0, closed: false };
    loop {
        let outcome = select! {
            biased;
            Some((stroke, _done)) = struck.recv() => writer.strike(stroke).await,
            reply = queued.recv() => match reply {
                Some(Reply { bytes, due }) => {
                    sleep_until(due).await;
                    writer.reply(bytes).await
                }
                None => return,
            },
        };
        let Ok(ControlFlow::Continue(())) = outcome else { return };
    }
}

struct Writer<'a> {
    to: WriteHalf<'a>,
    faults: Faults,
    /// How many bytes have passed since the last injection.
    passed: usize,
    /// Whether the client was told that no more follows.
    closed: bool,
}

/// Whether the connection goes on.
type Outcome = io::Result<ControlFlow<()>>;

impl Writer<'_> {
    async fn reply(&mut self, reply: Bytes) -> Outcome {
        if self.faults.has_changed().is_ok_and(|changed| changed) {
            self.passed = 0;
        }
        past_black_hole(&mut self.faults).await;
        let fault = self.faults.borrow_and_update().clone();
        match fault {
            None | Some(Fault::BlackHole | Fault::Latency { .. } | Fault::Refuse) => self.put(&reply).await?,
            Some(Fault::Swallow) => {}
            Some(Fault::Forge { reply }) => self.put(&reply).await?,
            // In one piece, so that they are read in one piece.
            Some(Fault::Surplus { bytes }) => self.put(&[reply, bytes].concat()).await?,
            Some(Fault::Dribble { pause }) => {
                for byte in reply.chunks(1) {
                    self.put(byte).await?;
                    sleep(pause).await;
                }
            }
            Some(Fault::CutAfter { bytes }) => {
                let left = bytes.saturating_sub(self.passed);
                self.put(&reply[..left.min(reply.len())]).await?;
                if reply.len() >= left {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn strike(&mut self, stroke: Stroke) -> Outcome {
        match stroke {
            Stroke::Surplus(bytes) => self.put(&bytes).await?,
            Stroke::HalfClose => {
                self.closed = true;
                self.to.shutdown().await?;
            }
            Stroke::Reset => return Ok(ControlFlow::Break(())),
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        self.passed += bytes.len();
        self.to.write_all(bytes).await
    }
}
