//! One memcached server.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use super::{
    account::Account,
    certificates::Certificates,
    process::{Process, not_installed},
};
use crate::ports;

const PROGRAM: &str = "memcached";

/// How long [`MemcachedServer::stats`] waits for a reply.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running `memcached`, ended when this is dropped.
#[derive(Debug)]
pub struct MemcachedServer {
    process: Process,
    door: Door,
    account: Option<Account>,
}

/// How clients of a [`MemcachedServer`] come in.
#[derive(Clone, Debug)]
enum Door {
    Tcp(u16),
    /// TLS on `port`. `plain` is for the launcher, which speaks none.
    Tls {
        port: u16,
        plain: u16,
        certificates: Certificates,
    },
    Unix(PathBuf),
}

impl MemcachedServer {
    /// Starts a server that asks for no password, on a free port.
    pub fn start() -> Result<Self, String> {
        Self::builder().start()
    }

    /// Says how a server should be before starting it.
    pub fn builder() -> MemcachedBuilder {
        MemcachedBuilder::default()
    }

    /// Where the server is: `memcached://`, `memcacheds://` or `memcached+unix://`, with user and password if it asks for
    /// them.
    pub fn url(&self) -> String {
        let account = self.account.as_ref().map(Account::to_string).unwrap_or_default();
        match &self.door {
            Door::Tcp(port) => format!("memcached://{account}127.0.0.1:{port}"),
            Door::Tls { port, .. } => format!("memcacheds://{account}127.0.0.1:{port}"),
            Door::Unix(path) => format!("memcached+unix://{account}{}", path.display()),
        }
    }

    /// The port of 127.0.0.1 it listens on.
    ///
    /// # Panics
    ///
    /// When it listens on a unix socket.
    pub fn port(&self) -> u16 {
        match &self.door {
            Door::Tcp(port) | Door::Tls { port, .. } => *port,
            Door::Unix(path) => panic!("this server listens on {}, not on a port", path.display()),
        }
    }

    /// The certificate of the authority that vouches for this server, in PEM.
    ///
    /// # Panics
    ///
    /// When the server was not started with [`tls`](MemcachedBuilder::tls).
    pub fn ca_certificate(&self) -> PathBuf {
        match &self.door {
            Door::Tls { certificates, .. } => certificates.authority.clone(),
            Door::Tcp(_) | Door::Unix(_) => panic!("this server does not speak TLS"),
        }
    }

    /// The process, which changes with every [`restart`](Self::restart).
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Halts the server (SIGSTOP): its connections stay open, new ones are accepted by the system, nothing is answered.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets a paused server go on (SIGCONT).
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Ends the server without a warning (SIGKILL). Does nothing to one that has ended.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Ends the server if it runs, starts it again on the same port, and waits until it answers. It comes back empty.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn restart(&self) {
        self.process
            .respawn()
            .and_then(|()| self.until_ready())
            .unwrap_or_else(|error| panic!("cannot restart {PROGRAM}: {error}"));
    }

    /// What the server counts, such as `cmd_get`, `curr_connections` and `curr_items`.
    ///
    /// Each call is a connection of its own, which the server counts like any other.
    ///
    /// # Panics
    ///
    /// When the reply is an error, or does not come within 5 s.
    pub fn stats(&self) -> BTreeMap<String, String> {
        self.try_stats().unwrap_or_else(|error| panic!("stats: {error}"))
    }

    fn try_stats(&self) -> Result<BTreeMap<String, String>, String> {
        self.ask().map_err(|error| format!("cannot connect: {error}"))?
    }

    /// Connects by what the door allows, and asks for the statistics.
    fn ask(&self) -> std::io::Result<Result<BTreeMap<String, String>, String>> {
        match &self.door {
            Door::Tcp(port) | Door::Tls { plain: port, .. } => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, *port))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(stats(&stream, self.account.as_ref()))
            }
            Door::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(stats(&stream, self.account.as_ref()))
            }
        }
    }

    fn until_ready(&self) -> Result<(), String> {
        self.process.until_ready(|| {
            let stats = self.try_stats()?;
            // Another server may have been quicker to take the port.
            if stats.get("pid") == Some(&self.pid().to_string()) {
                Ok(())
            } else {
                Err("address already in use: another server answers there".to_owned())
            }
        })
    }
}

/// How a [`MemcachedServer`] should be.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder starts nothing until told so by `start`"]
pub struct MemcachedBuilder {
    entrance: Entrance,
    account: Option<Account>,
    arguments: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Entrance {
    #[default]
    Tcp,
    Tls,
    Unix,
}

impl MemcachedBuilder {
    /// Asks for this user and password, by the text protocol's `set` of any key.
    pub fn auth(mut self, user: &str, password: &str) -> Self {
        self.account = Some(Account::new(user, password));
        self
    }

    /// Speaks TLS, with a certificate made for this server. Not every build of memcached can: [`start`](Self::start) then
    /// says so.
    pub fn tls(mut self) -> Self {
        self.entrance = Entrance::Tls;
        self
    }

    /// Listens on a unix socket only.
    pub fn unix_socket(mut self) -> Self {
        self.entrance = Entrance::Unix;
        self
    }

    /// The largest item it takes: `item_size_max("2m")`, a multiple of 512k.
    pub fn item_size_max(self, size: &str) -> Self {
        self.argument(format!("--max-item-size={size}"))
    }

    /// Adds an argument to the command line: `argument("--conn-limit=10")`.
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Result<MemcachedServer, String> {
        ports::with_free(|port| self.start_on(port))
    }

    fn start_on(&self, port: u16) -> Result<MemcachedServer, String> {
        let folder = TempDir::new().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        let door = match self.entrance {
            Entrance::Tcp => Door::Tcp(port),
            Entrance::Tls => {
                speaks_tls()?;
                Door::Tls { port, plain: ports::free()?, certificates: Certificates::make(folder.path())? }
            }
            Entrance::Unix => Door::Unix(folder.path().join("memcached.sock")),
        };
        let arguments = self.command_line(&door, folder.path())?;
        let process = Process::spawn(PROGRAM, arguments, folder)?;
        let server = MemcachedServer { process, door, account: self.account.clone() };
        server.until_ready()?;
        Ok(server)
    }

    fn command_line(&self, door: &Door, folder: &Path) -> Result<Vec<OsString>, String> {
        // It refuses to run as root unless told to, as in a container; elsewhere it ignores this.
        let mut arguments = vec![OsString::from("--user=root")];
        match door {
            Door::Tcp(port) => arguments.extend(["--listen=127.0.0.1".into(), format!("--port={port}").into()]),
            Door::Tls { port, plain, certificates } => arguments.extend([
                format!("--listen=127.0.0.1:{port},notls:127.0.0.1:{plain}").into(),
                "--enable-ssl".into(),
                with_path("--extended=ssl_chain_cert=", &certificates.server),
                with_path("--extended=ssl_key=", &certificates.key),
            ]),
            Door::Unix(path) => arguments.push(with_path("--unix-socket=", path)),
        }
        if let Some(Account { user, password }) = &self.account {
            let file = folder.join("accounts");
            fs::write(&file, format!("{user}:{password}\n"))
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            arguments.push(with_path("--auth-file=", &file));
        }
        arguments.extend(self.arguments.iter().cloned());
        Ok(arguments)
    }
}

fn with_path(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

/// Whether the memcached that is installed was built with TLS.
fn speaks_tls() -> Result<(), String> {
    let help = Command::new(PROGRAM).arg("-h").output().map_err(|_| not_installed(PROGRAM))?;
    if String::from_utf8_lossy(&help.stdout).contains("--enable-ssl") {
        return Ok(());
    }
    Err(format!("this {PROGRAM} was built without TLS: its help knows no --enable-ssl"))
}

/// Asks for the statistics over `stream`, after logging in.
fn stats<S>(stream: &S, account: Option<&Account>) -> Result<BTreeMap<String, String>, String>
where
    for<'a> &'a S: Read + Write,
{
    let (mut writer, reader) = (stream, stream);
    let mut lines = BufReader::new(reader).lines();
    let mut line = || match lines.next() {
        Some(line) => line.map_err(|error| format!("cannot read the reply: {error}")),
        None => Err("the reply ends early".to_owned()),
    };
    let mut send =
        |request: String| writer.write_all(request.as_bytes()).map_err(|error| format!("cannot send: {error}"));

    if let Some(Account { user, password }) = account {
        let login = format!("{user} {password}");
        send(format!("set login 0 0 {}\r\n{login}\r\n", login.len()))?;
        match line()?.as_str() {
            "STORED" => {}
            other => return Err(format!("the login was answered {other:?}")),
        }
    }
    send("stats\r\n".to_owned())?;
    let mut found = BTreeMap::new();
    loop {
        let line = line()?;
        match line.strip_prefix("STAT ").and_then(|line| line.split_once(' ')) {
            Some((name, value)) => found.insert(name.to_owned(), value.to_owned()),
            None if line == "END" => return Ok(found),
            None => return Err(format!("no statistics: {line:?}")),
        };
    }
}
