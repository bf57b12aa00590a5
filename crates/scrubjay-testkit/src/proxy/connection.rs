//! One connection through the proxy.

use std::{future::pending, io, net::SocketAddr, time::Duration};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    select,
    sync::mpsc,
};

use super::{
    fault::{Faults, Stroke, past_black_hole},
    fault_proxy::Done,
    replies,
};

/// A stroke, and how to say that it was carried out.
pub(super) type Struck = (Stroke, Done);

/// The most that is read at once.
pub(super) const CHUNK: usize = 16 * 1024;

/// Passes bytes between `client` and `upstream` until either has enough. What it answers is dropped when the sockets are
/// gone.
pub(super) async fn relay(
    mut client: TcpStream,
    upstream: SocketAddr,
    faults: Faults,
    strokes: mpsc::UnboundedReceiver<Struck>,
    number: usize,
) -> Option<Done> {
    let mut server = TcpStream::connect(upstream).await.ok()?;
    // Bytes leave when they are told to.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let (queue, queued) = mpsc::channel(64);
    let (strike, struck) = mpsc::unbounded_channel();

    let reset = select! {
        reset = until_reset(strokes, strike) => Some(reset),
        // The end of either reader is not the end: what it has read is still on its way.
        () = then_wait(replies::read(from_server, queue, faults.clone(), number)) => None,
        () = replies::write(to_client, queued, struck, faults.clone()) => None,
        _ = requests(from_client, to_server, faults) => None,
    };
    if reset.is_some() {
        // Closed without lingering, a connection is reset.
        let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
    }
    reset
}

/// Hands strokes on, except the one that ends the connection.
async fn until_reset(mut strokes: mpsc::UnboundedReceiver<Struck>, strike: mpsc::UnboundedSender<Struck>) -> Done {
    while let Some((stroke, done)) = strokes.recv().await {
        if stroke == Stroke::Reset {
            return done;
        }
        let _ = strike.send((stroke, done));
    }
    pending().await
}

async fn then_wait(work: impl Future<Output = ()>) {
    work.await;
    pending::<()>().await;
}

/// Passes requests on, until one side breaks off.
async fn requests(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut faults: Faults) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = from.read(&mut buffer).await?;
        past_black_hole(&mut faults).await;
        if read == 0 {
            to.shutdown().await?;
            // The client has asked all it wanted, and may still be answered.
            return pending().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
