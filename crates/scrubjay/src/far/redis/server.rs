//! One server: where it is, who we are to it, and how it is connected to.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, ProtocolVersion, RedisConnectionInfo,
    RedisError, RedisResult, Value,
    aio::MultiplexedConnection,
    io::tcp::socket2::{SockRef, TcpKeepalive},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Handle,
    task::AbortHandle,
};

use super::{
    login::log_in,
    order::{Order, Strictness},
    pipe::Pipe,
    pulse::Pulse,
    tls::Tls,
};

/// How long sent bytes may stay unacknowledged, and an idle peer silent, before the system gives a connection up.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// A server and how to log in to it.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: Address,
    pub(super) login: RedisConnectionInfo,
}

/// Where a server is.
#[derive(Clone)]
pub(super) enum Address {
    Tcp {
        host: String,
        port: u16,
    },
    Tls {
        host: String,
        port: u16,
        tls: Tls,
    },
    Unix(PathBuf),
    /// Where a client of the program's own says, by means that only redis-rs knows.
    Client(Client),
}

/// A connection to one server that any number of callers share; clones are the same one.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) commands: Commands,
    pub(super) pulse: Arc<Pulse>,
    _driver: Arc<Driver>,
}

/// What carries requests.
#[derive(Clone)]
pub(super) enum Commands {
    Ours(Pipe),
    /// Where only redis-rs knows how to connect.
    Theirs(MultiplexedConnection),
}

impl Commands {
    /// The reply to `command`, which may be a server's refusal.
    pub(super) async fn one(&self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Ours(pipe) => pipe.command(command).await,
            Self::Theirs(connection) => Box::pin(connection.clone().send_packed_command(command)).await,
        }
    }

    /// The replies to `pipeline`: `count` of them, after the first `skipped`.
    pub(super) async fn several(&self, pipeline: &Pipeline, skipped: usize, count: usize) -> RedisResult<Vec<Value>> {
        match self {
            Self::Ours(pipe) => pipe.commands(pipeline, skipped, count).await,
            Self::Theirs(connection) => connection.clone().send_packed_commands(pipeline, skipped, count).await,
        }
    }
}

/// The task that moves a connection's bytes; it ends with the connection.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Server {
    /// The server that redis-rs describes so.
    pub(super) fn from_info(info: &ConnectionInfo) -> RedisResult<Self> {
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Address::Tcp { host: host.clone(), port: *port },
            ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
            _ => Address::Client(Client::open(info.clone())?),
        };
        Ok(Self { address, login: info.redis_settings().clone() })
    }

    /// The same login at another address.
    pub(super) fn at(&self, host: String, port: u16) -> Self {
        let address = match &self.address {
            Address::Tls { tls, .. } => Address::Tls { host, port, tls: tls.clone() },
            _ => Address::Tcp { host, port },
        };
        Self { address, login: self.login.clone() }
    }

    /// Connects and logs in. Whoever calls bounds the time.
    pub(super) async fn connect(&self, strictness: Strictness) -> RedisResult<Connection> {
        let pulse = Arc::new(Pulse::default());
        let socket = match &self.address {
            Address::Client(client) => return connect_by_redis(client, pulse).await,
            address => address.dial().await?,
        };
        if strictness == Strictness::Form {
            pulse.set_strictness(strictness);
        }
        let (pipe, driver) = Pipe::new(socket, Order::new(nonce()), Arc::clone(&pulse));
        let driver = Arc::new(Driver(Handle::current().spawn(driver).abort_handle()));
        log_in(&pipe, &self.login).await?;
        if strictness == Strictness::Proof && echoes(&pipe).await? {
            pulse.set_strictness(Strictness::Proof);
        }
        Ok(Connection { commands: Commands::Ours(pipe), pulse, _driver: driver })
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

impl Address {
    async fn dial(&self) -> RedisResult<Box<dyn Socket>> {
        Ok(match self {
            Self::Tcp { host, port } => Box::new(dial_tcp(host, *port).await?),
            Self::Tls { host, port, tls } => Box::new(tls.connect(host, dial_tcp(host, *port).await?).await?),
            #[cfg(unix)]
            Self::Unix(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
            #[cfg(not(unix))]
            Self::Unix(_) => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
            Self::Client(_) => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        })
    }
}

async fn dial_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((host, port)).await?;
    socket.set_nodelay(true)?;
    let options = SockRef::from(&socket);
    let keepalive = TcpKeepalive::new().with_time(UNACKNOWLEDGED);
    #[cfg(not(windows))]
    let keepalive = keepalive.with_interval(UNACKNOWLEDGED);
    options.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    options.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(socket)
}

/// A connection that redis-rs makes by itself: what comes and goes on it is not seen.
async fn connect_by_redis(client: &Client, pulse: Arc<Pulse>) -> RedisResult<Connection> {
    // The timeouts of redis-rs are off: a call's own deadline rules.
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    let commands = Commands::Theirs(client.get_multiplexed_async_connection_with_config(&config).await?);
    let driver = Arc::new(Driver(end_with_the_runtime(&pulse)));
    Ok(Connection { commands, pulse, _driver: driver })
}

/// A task that does nothing but notice that its runtime is gone.
pub(super) fn end_with_the_runtime(pulse: &Arc<Pulse>) -> AbortHandle {
    struct End(Arc<Pulse>);
    impl Drop for End {
        fn drop(&mut self) {
            self.0.end();
        }
    }
    let end = End(Arc::clone(pulse));
    let task = async move {
        let _end = end;
        std::future::pending::<()>().await;
    };
    Handle::current().spawn(task).abort_handle()
}

/// Whether we may use `ECHO` here: an ACL can forbid it, and some proxies do not know it.
async fn echoes(pipe: &Pipe) -> RedisResult<bool> {
    let answer = pipe.command(redis::cmd("ECHO").arg("scrubjay")).await?;
    Ok(answer == Value::BulkString(b"scrubjay".to_vec()))
}

/// Another number each time, which nobody else can tell.
fn nonce() -> u64 {
    RandomState::new().hash_one(0)
}

/// Who we are to a server.
pub(super) fn login(
    db: u32,
    user: Option<&str>,
    password: Option<&str>,
    protocol: ProtocolVersion,
) -> RedisConnectionInfo {
    let login = RedisConnectionInfo::default()
        .set_db(i64::from(db))
        .set_protocol(protocol)
        .set_lib_name("scrubjay", env!("CARGO_PKG_VERSION"));
    let login = user.map_or(login.clone(), |user| login.set_username(user));
    match password {
        Some(password) => login.set_password(password),
        None => login,
    }
}

/// The server's last word, if it was no more than that this connection is of no use.
pub(super) fn is_lost(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_io_error()
}
