//! A server that means no good.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::background::{Background, accepted};
use crate::ports;

/// A server that answers whatever it is sent as it likes.
#[derive(Debug)]
pub struct HostileServer {
    address: SocketAddr,
    _background: Background,
}

impl HostileServer {
    /// Answers each request with `reply`. A request is what arrives at once.
    pub fn start(reply: impl Into<Bytes>) -> Result<Self, String> {
        let reply = reply.into();
        Self::answering(move |_| vec![Answer::Once(reply.clone())])
    }

    /// Answers the first request of a connection with `piece` after `piece`, until the client hangs up.
    pub fn endless(piece: impl Into<Bytes>) -> Result<Self, String> {
        let piece = piece.into();
        Self::answering(move |_| vec![Answer::Forever(piece.clone())])
    }

    /// Answers each request with what `forge` makes of it, one after the other: a forger who knows the protocol repeats what
    /// proves that a reply belongs to its request.
    pub fn answering(forge: impl Fn(&[u8]) -> Vec<Answer> + Send + Sync + 'static) -> Result<Self, String> {
        Self::serve(&(Arc::new(forge) as Forge))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of 127.0.0.1 it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    fn serve(forge: &Forge) -> Result<Self, String> {
        ports::with_free(|port| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let cannot = |error: io::Error| format!("cannot listen on {address}: {error}");
            let listener = std::net::TcpListener::bind(address).map_err(cannot)?;
            listener.set_nonblocking(true).map_err(cannot)?;
            let forge = Arc::clone(forge);
            let background = Background::run("hostile server", move || listen(listener, forge))?;
            Ok(Self { address, _background: background })
        })
    }
}

/// What a [`HostileServer`] sends.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// These bytes.
    Once(Bytes),
    /// These bytes again and again, until the client hangs up.
    Forever(Bytes),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (how, bytes) = match self {
            Self::Once(bytes) => ("Once", bytes),
            Self::Forever(bytes) => ("Forever", bytes),
        };
        write!(f, "{how}({} bytes)", bytes.len())
    }
}

type Forge = Arc<dyn Fn(&[u8]) -> Vec<Answer> + Send + Sync>;

async fn listen(listener: std::net::TcpListener, forge: Forge) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    loop {
        connections.spawn(talk(accepted(&listener).await, Arc::clone(&forge)));
        while connections.try_join_next().is_some() {}
    }
}

/// Talks until the client has enough.
async fn talk(mut client: TcpStream, forge: Forge) -> io::Result<()> {
    let mut request = vec![0; 16 * 1024];
    loop {
        let length = client.read(&mut request).await?;
        if length == 0 {
            return Ok(());
        }
        for answer in forge(&request[..length]) {
            match &answer {
                Answer::Once(reply) => client.write_all(reply).await?,
                Answer::Forever(piece) => loop {
                    client.write_all(piece).await?;
                },
            }
        }
    }
}
