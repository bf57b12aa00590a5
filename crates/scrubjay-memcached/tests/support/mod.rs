//! A memcached of its own for each test, on a free port, ended by its process id.

#![allow(dead_code, unreachable_pub, reason = "a module of several test programs, none of which uses all of it")]

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// A running memcached. Dropping it ends the process.
pub struct Server {
    child: Child,
    port: u16,
    arguments: Vec<String>,
}

impl Server {
    /// A plain one.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// One with more options.
    pub fn with(arguments: &[&str]) -> Self {
        let port = free_port();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let server = Self { child: spawn(port, &arguments), port, arguments };
        server.wait();
        server
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the process as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port, and waits until that is open.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, &self.arguments);
        self.wait();
    }

    /// Stops the process without closing anything.
    pub fn pause(&self) {
        self.signal("-STOP");
        // The signal has been sent, not yet obeyed by every thread.
        #[cfg(target_os = "linux")]
        until(Duration::from_secs(10), "memcached to stop", || {
            let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
            let state = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("stat")).unwrap();
            threads.flatten().all(|thread| state(thread).contains(") T "))
        });
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// One of the server's own figures, over a connection of its own.
    pub fn figure(&self, name: &str) -> u64 {
        let mut socket = TcpStream::connect(self.address()).unwrap();
        socket.write_all(b"stats\r\nquit\r\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        let start = format!("STAT {name} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().trim().parse().unwrap()
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn wait(&self) {
        until(Duration::from_secs(10), "memcached to listen", || TcpStream::connect(self.address()).is_ok());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already, and that is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, arguments: &[String]) -> Child {
    let mut command = Command::new("memcached");
    command.args(["-u", "nobody", "-l", "127.0.0.1", "-p", &port.to_string(), "-U", "0", "-t", "1"]).args(arguments);
    match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => panic!("cannot start memcached ({error}); install it: apt-get install memcached"),
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A path that nobody else uses.
pub fn fresh_path(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("scrubjay-memcached-{}-{number}-{name}", std::process::id()))
}

/// Waits for a condition, in a hurry.
pub fn until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < end, "waited {limit:?} for {what}");
        std::thread::yield_now();
    }
}

/// Waits for a condition while tasks go on.
pub async fn until_async(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition().await {
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::task::yield_now().await;
    }
}

/// Numbers from a seed that is printed, so that a failure can be had again: `SEED=… cargo test`.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        let fresh = || std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(fresh);
        println!("SEED={seed}");
        Self(seed)
    }

    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}

/// The process's resident memory, in bytes.
pub fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
