//! A server that means no good.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::background::{Background, accepted};
use crate::ports;

/// A server that answers whatever it is sent with the same bytes.
#[derive(Debug)]
pub struct HostileServer {
    address: SocketAddr,
    _background: Background,
}

impl HostileServer {
    /// Answers each request with `reply`. A request is what arrives at once.
    pub fn start(reply: impl Into<Bytes>) -> Result<Self, String> {
        Self::serve(&Answer::Once(reply.into()))
    }

    /// Answers the first request of a connection with `piece` after `piece`, until the client hangs up.
    pub fn endless(piece: impl Into<Bytes>) -> Result<Self, String> {
        Self::serve(&Answer::Forever(piece.into()))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of 127.0.0.1 it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    fn serve(answer: &Answer) -> Result<Self, String> {
        ports::with_free(|port| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let cannot = |error: io::Error| format!("cannot listen on {address}: {error}");
            let listener = std::net::TcpListener::bind(address).map_err(cannot)?;
            listener.set_nonblocking(true).map_err(cannot)?;
            let answer = answer.clone();
            let background = Background::run("hostile server", move || listen(listener, answer))?;
            Ok(Self { address, _background: background })
        })
    }
}

#[derive(Clone, Debug)]
enum Answer {
    Once(Bytes),
    Forever(Bytes),
}

async fn listen(listener: std::net::TcpListener, answer: Answer) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    loop {
        connections.spawn(talk(accepted(&listener).await, answer.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Talks until the client has enough.
async fn talk(mut client: TcpStream, answer: Answer) -> io::Result<()> {
    let mut request = vec![0; 16 * 1024];
    while client.read(&mut request).await? > 0 {
        match &answer {
            Answer::Once(reply) => client.write_all(reply).await?,
            Answer::Forever(piece) => loop {
                client.write_all(piece).await?;
            },
        }
    }
    Ok(())
}
