//! From an address to a connection that is ready: socket, TLS, password, dialect.

use std::{io, time::Duration};

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{Address, backoff::random};
use crate::{
    Dialect, Error, ErrorKind, Result,
    wire::{Decoder, Encoder, PROBE, Refusal, speaks_meta},
};

/// The longest line that an opening server may answer with, in bytes.
const LONGEST_ANSWER: usize = 1024;

/// Anything that carries bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection that is ready.
pub(super) type Opened = (Box<dyn Stream>, Encoder, Decoder);

/// How connections are made.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) timeout: Duration,
    pub(super) largest_value: u64,
    pub(super) dialect: Option<Dialect>,
    pub(super) credentials: Option<Credentials>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<super::Tls>,
}

/// User and password. There is no way to print them.
#[derive(Clone)]
pub(super) struct Credentials(String);

impl Credentials {
    pub(super) fn new(user: &str, password: &str) -> Result<Self> {
        let odd = |text: &str| text.is_empty() || text.contains(|letter: char| letter.is_control());
        if odd(user) || user.contains(' ') || odd(password) {
            let message =
                "expected a user without spaces, and neither it nor the password empty or with control characters";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self(format!("{user} {password}")))
    }
}

impl Connector {
    /// A connection to `address`, within the connector's timeout.
    pub(super) async fn open(&self, address: &Address) -> Result<Opened> {
        let error = match timeout(self.timeout, self.open_in_time(address)).await {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(error)) => error,
            Err(_) => Error::new(ErrorKind::Connect, format!("no connection within {:?}", self.timeout)),
        };
        Err(error.with_server(address))
    }

    async fn open_in_time(&self, address: &Address) -> Result<Opened> {
        let mut stream = self.stream(address).await?;
        if let Some(Credentials(credentials)) = &self.credentials {
            let command = format!("set auth 0 0 {}\r\n{credentials}\r\n", credentials.len());
            let answer = ask(&mut stream, command.as_bytes()).await?;
            if &*answer != b"STORED" {
                return Err(Refusal::Unauthenticated.into());
            }
        }
        let dialect = match self.dialect {
            Some(dialect) => dialect,
            None => dialect(&mut stream).await?,
        };
        let encoder = Encoder::new(dialect, u64::from(random()), self.largest_value);
        Ok((stream, encoder, Decoder::new(dialect, self.largest_value)))
    }

    async fn stream(&self, address: &Address) -> Result<Box<dyn Stream>> {
        match address {
            Address::Tcp { host, port } => {
                let socket = TcpStream::connect((&**host, *port)).await.map_err(unreachable_server)?;
                self.tune(&socket).map_err(unreachable_server)?;
                self.secure(socket, host).await
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let socket = tokio::net::UnixStream::connect(path).await.map_err(unreachable_server)?;
                Ok(Box::new(socket))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(Error::new(ErrorKind::Config, "this system has no Unix sockets")),
        }
    }

    /// Sends small requests at once, and notices a peer that is gone without a word.
    fn tune(&self, socket: &TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
        let socket = SockRef::from(socket);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(self.timeout.max(Duration::from_secs(1)) * 3))?;
        Ok(())
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, socket: TcpStream, host: &str) -> Result<Box<dyn Stream>> {
        match &self.tls {
            Some(tls) => Ok(Box::new(tls.connect(socket, host).await?)),
            None => Ok(Box::new(socket)),
        }
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "as with the feature `tls`")]
    async fn secure(&self, socket: TcpStream, _host: &str) -> Result<Box<dyn Stream>> {
        Ok(Box::new(socket))
    }
}

/// Which dialect the server speaks: it is given a meta read with everything that safety rests on.
async fn dialect(stream: &mut impl Stream) -> Result<Dialect> {
    let answer = ask(stream, format!("{PROBE} O0\r\n").as_bytes()).await?;
    if speaks_meta(&answer) {
        return Ok(Dialect::Meta);
    }
    match Refusal::of(&answer) {
        Some(Refusal::Unauthenticated) => Err(Refusal::Unauthenticated.into()),
        // No meta commands, or those of the first 1.6 versions, which repeat no token on a miss.
        Some(_) => Ok(Dialect::Classic),
        None if answer.starts_with(b"EN") => Ok(Dialect::Classic),
        None => Err(Error::new(ErrorKind::Protocol, "the server does not answer as memcached does")),
    }
}

/// Sends `command` and reads one line, without its end.
async fn ask(stream: &mut impl Stream, command: &[u8]) -> Result<BytesMut> {
    stream.write_all(command).await.map_err(unreachable_server)?;
    stream.flush().await.map_err(unreachable_server)?;
    let mut answer = BytesMut::with_capacity(LONGEST_ANSWER);
    while answer.len() < LONGEST_ANSWER {
        if stream.read_buf(&mut answer).await.map_err(unreachable_server)? == 0 {
            return Err(unreachable_server(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(line) = answer.strip_suffix(b"\r\n") {
            let length = line.len();
            answer.truncate(length);
            break;
        }
    }
    if answer.contains(&b'\n') || answer.len() >= LONGEST_ANSWER {
        return Err(Error::new(ErrorKind::Protocol, "the server does not answer as memcached does"));
    }
    Ok(answer)
}

pub(super) fn unreachable_server(error: io::Error) -> Error {
    Error::new(ErrorKind::Connect, format!("cannot connect: {error}")).with_source(error)
}
