//! One Redis server.

use std::{
    ffi::OsString,
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use super::{account::Account, certificates::Certificates, process::Process, resp};
use crate::ports;

/// How long [`RedisServer::command`] waits for a reply.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running `redis-server`, ended when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    door: Door,
    account: Option<Account>,
    /// A socket besides the door, so that tests can look inside whatever the door demands.
    control: PathBuf,
}

/// How clients of a [`RedisServer`] come in.
#[derive(Clone, Debug)]
enum Door {
    Tcp(u16),
    Tls(u16, Certificates),
    Unix(PathBuf),
}

impl RedisServer {
    /// Starts a server that asks for no password, on a free port.
    pub fn start() -> Result<Self, String> {
        Self::builder().start()
    }

    /// Says how a server should be before starting it.
    pub fn builder() -> RedisBuilder {
        RedisBuilder::default()
    }

    /// Where the server is: `redis://`, `rediss://` or `redis+unix://`, with user and password if it asks for them.
    pub fn url(&self) -> String {
        let account = self.account.as_ref().map(Account::to_string).unwrap_or_default();
        match &self.door {
            Door::Tcp(port) => format!("redis://{account}127.0.0.1:{port}"),
            Door::Tls(port, _) => format!("rediss://{account}127.0.0.1:{port}"),
            Door::Unix(path) => format!("redis+unix://{account}{}", path.display()),
        }
    }

    /// The port of 127.0.0.1 it listens on.
    ///
    /// # Panics
    ///
    /// When it listens on a unix socket.
    pub fn port(&self) -> u16 {
        match &self.door {
            Door::Tcp(port) | Door::Tls(port, _) => *port,
            Door::Unix(path) => panic!("this server listens on {}, not on a port", path.display()),
        }
    }

    /// The certificate of the authority that vouches for this server, in PEM.
    ///
    /// # Panics
    ///
    /// When the server was not started with [`tls`](RedisBuilder::tls).
    pub fn ca_certificate(&self) -> PathBuf {
        match &self.door {
            Door::Tls(_, certificates) => certificates.authority.clone(),
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

    /// Ends the server if it runs, starts it again on the same port and in the same folder, and waits until it answers.
    ///
    /// It comes back empty, unless it was [set](RedisBuilder::setting) to write what it holds to its folder.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub fn restart(&self) {
        self.process
            .respawn()
            .and_then(|()| self.until_ready())
            .unwrap_or_else(|error| panic!("cannot restart redis-server: {error}"));
    }

    /// Asks the server itself, past the proxy, password or TLS that clients have to go through: `CLIENT LIST`,
    /// `INFO commandstats`.
    ///
    /// The reply is shown as `redis-cli` would: arrays one item a line, nothing as `(nil)`. Each call is a connection of
    /// its own, by a unix socket, which the server counts like any other.
    ///
    /// # Panics
    ///
    /// When the reply is an error, or does not come within 5 s.
    pub fn command(&self, command: &[&str]) -> String {
        self.try_command(command).unwrap_or_else(|error| panic!("{}: {error}", command.join(" ")))
    }

    /// [`command`](Self::command), for waiting until it succeeds.
    pub(super) fn try_command(&self, command: &[&str]) -> Result<String, String> {
        self.try_commands(&[command])
    }

    /// Whether the reply to `command` contains `text`.
    pub(super) fn says(&self, command: &[&str], text: &str) -> Result<(), String> {
        let reply = self.try_command(command)?;
        if reply.contains(text) { Ok(()) } else { Err(format!("{} does not say {text:?}:\n{reply}", self.port())) }
    }

    /// Sends `commands` by one connection, and answers the last reply.
    fn try_commands(&self, commands: &[&[&str]]) -> Result<String, String> {
        let stream = UnixStream::connect(&self.control).map_err(|error| format!("cannot connect: {error}"))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        let mut reply = match &self.account {
            Some(Account { user, password }) if user.is_empty() => resp::call(&stream, &["AUTH", password])?,
            Some(Account { user, password }) => resp::call(&stream, &["AUTH", user, password])?,
            None => String::new(),
        };
        for command in commands {
            reply = resp::call(&stream, command)?;
        }
        Ok(reply)
    }

    /// Whether what is written here arrives at a replica. Both sides call a link up some time before that is so.
    pub(super) fn is_replicated(&self) -> Result<(), String> {
        // A write that is passed on even where it changes nothing; the wait is for what its own connection wrote.
        match self.try_commands(&[&["FLUSHALL"], &["WAIT", "1", "1000"]])?.as_str() {
            "1" => Ok(()),
            _ => Err(format!("{} has no replica", self.port())),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.ended().is_none()
    }

    fn until_ready(&self) -> Result<(), String> {
        self.process.until_ready(|| match self.try_command(&["PING"])?.as_str() {
            "PONG" => Ok(()),
            other => Err(format!("the reply to PING is {other:?}")),
        })
    }
}

/// How a [`RedisServer`] should be.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder starts nothing until told so by `start`"]
pub struct RedisBuilder {
    entrance: Entrance,
    password: Option<String>,
    user: Option<Account>,
    lines: Vec<String>,
    role: Role,
    /// Those of a whole cluster; else a server makes its own.
    certificates: Option<Certificates>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Entrance {
    #[default]
    Tcp,
    Tls,
    Unix,
}

/// What the program is started as.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Role {
    #[default]
    Server,
    Sentinel,
}

impl RedisBuilder {
    /// Asks the default user for `password`.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Adds a user who may do everything (an ACL), whose name and password then stand in the URL. Unless a
    /// [`password`](Self::password) was set too, nobody else may come in.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.user = Some(Account::new(name, password));
        self
    }

    /// Speaks TLS only, with a certificate made for this server.
    pub fn tls(mut self) -> Self {
        self.entrance = Entrance::Tls;
        self
    }

    /// Listens on a unix socket only.
    pub fn unix_socket(mut self) -> Self {
        self.entrance = Entrance::Unix;
        self
    }

    /// Adds a line to the configuration file: `setting("maxclients", "10")`.
    pub fn setting(self, name: &str, value: &str) -> Self {
        let line = format!("{name} {}", quoted(value));
        self.line(line)
    }

    /// Shows these certificates, if it speaks TLS.
    pub(super) fn vouched_for_by(mut self, certificates: Certificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    pub(super) fn speaks_tls(&self) -> bool {
        matches!(self.entrance, Entrance::Tls)
    }

    pub(super) fn default_password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Adds a line as it stands to the configuration file.
    pub(super) fn line(mut self, line: String) -> Self {
        self.lines.push(line);
        self
    }

    pub(super) fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Result<RedisServer, String> {
        ports::with_free(|port| self.start_on(port))
    }

    /// Starts the server on `port`, unless it listens on a unix socket.
    pub(super) fn start_on(&self, port: u16) -> Result<RedisServer, String> {
        let folder = TempDir::new().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        let control = folder.path().join("redis.sock");
        let door = match self.entrance {
            Entrance::Tcp => Door::Tcp(port),
            Entrance::Tls => Door::Tls(
                port,
                match &self.certificates {
                    Some(certificates) => certificates.clone(),
                    None => Certificates::make(folder.path())?,
                },
            ),
            Entrance::Unix => Door::Unix(control.clone()),
        };
        let file = folder.path().join("redis.conf");
        let configuration = self.configuration(&door, folder.path(), &control);
        fs::write(&file, configuration).map_err(|error| format!("cannot write {}: {error}", file.display()))?;

        let mut arguments = vec![OsString::from(file)];
        if let Role::Sentinel = self.role {
            arguments.push("--sentinel".into());
        }
        let process = Process::spawn("redis-server", arguments, folder)?;
        let server = RedisServer { process, door, account: self.account(), control };
        server.until_ready()?;
        Ok(server)
    }

    /// Who may come in.
    fn account(&self) -> Option<Account> {
        self.user.clone().or_else(|| self.password.as_deref().map(|password| Account::new("", password)))
    }

    /// The text of the configuration file, where secrets stay out of the list of processes.
    fn configuration(&self, door: &Door, folder: &Path, control: &Path) -> String {
        let path = |path: &Path| quoted(&path.display().to_string());
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", path(folder)),
            format!("unixsocket {}", path(control)),
            // Nothing is written to disk unless a setting says so.
            "save \"\"".to_owned(),
        ];
        match door {
            Door::Tcp(port) => lines.push(format!("port {port}")),
            Door::Unix(_) => lines.push("port 0".to_owned()),
            Door::Tls(port, certificates) => lines.extend([
                "port 0".to_owned(),
                format!("tls-port {port}"),
                format!("tls-ca-cert-file {}", path(&certificates.authority)),
                format!("tls-cert-file {}", path(&certificates.server)),
                format!("tls-key-file {}", path(&certificates.key)),
                "tls-auth-clients no".to_owned(),
            ]),
        }
        match (&self.password, &self.user) {
            (Some(password), _) => lines.push(format!("requirepass {}", quoted(password))),
            (None, Some(_)) => lines.push("user default off".to_owned()),
            (None, None) => {}
        }
        if let Some(Account { user, password }) = &self.user {
            lines.push(format!("user {} on {} ~* &* +@all", quoted(user), quoted(&format!(">{password}"))));
        }
        lines.extend(self.lines.iter().cloned());
        lines.join("\n") + "\n"
    }
}

/// `text` as one word of a configuration file.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
