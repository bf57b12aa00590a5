//! Other processes in a test: the test program once more, told what to do by its environment, and when by its input.
//!
//! ```no_run
//! use scrubjay_testkit::worker::{self, Worker};
//!
//! #[test]
//! fn somebody_else_says_hello() {
//!     let mut worker = Worker::start("work", "hello");
//!     assert_eq!(worker.hear(), "ready for hello");
//!     worker.tell("go");
//!     assert_eq!(worker.hear(), "hello");
//! }
//!
//! #[test]
//! #[ignore = "a process of the tests here"]
//! fn work() {
//!     let Some(job) = worker::job() else { return };
//!     worker::say(&format!("ready for {job}"));
//!     worker::listen();
//!     worker::say(&job);
//! }
//! # fn main() {}
//! ```

use std::{
    env,
    fmt::Debug,
    io::{BufRead, BufReader, Write, stdin},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// Where a worker finds its job.
const JOB: &str = "SCRUBJAY_JOB";
/// What comes before all that a worker says: the test harness prints, too.
const MARK: &str = "worker: ";

/// A process at work, ended with its handle.
#[derive(Debug)]
pub struct Worker {
    process: Child,
    ears: ChildStdin,
    voice: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts the ignored test called `test` of this program in a process of its own, and gives it `job`.
    ///
    /// # Panics
    ///
    /// When no process can be started.
    pub fn start(test: &str, job: &str) -> Self {
        let program = must("find this program", env::current_exe());
        let mut command = Command::new(program);
        command.args(["--exact", test, "--ignored", "--nocapture"]).env(JOB, job);
        let mut process = must("start", command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn());
        let (Some(ears), Some(voice)) = (process.stdin.take(), process.stdout.take()) else {
            panic!("a worker has neither ears nor a voice")
        };
        Self { process, ears, voice: BufReader::new(voice) }
    }

    /// The next thing it says.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(must("hear", self.voice.read_line(&mut line)) > 0, "the worker has ended");
            if let Some((_, said)) = line.trim_end().split_once(MARK) {
                return said.to_owned();
            }
        }
    }

    /// Says `word` to it.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn tell(&mut self, word: &str) {
        must("tell", writeln!(self.ears, "{word}"));
    }

    /// Halts it where it is (SIGSTOP).
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it without a warning (SIGKILL).
    ///
    /// # Panics
    ///
    /// When that fails.
    pub fn kill(&mut self) {
        must("kill", self.process.kill().and_then(|()| self.process.wait()));
    }

    fn signal(&self, signal: Signal) {
        must("signal", kill_process(Pid::from_child(&self.process), signal));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In a worker: what it is to do. `None` in a program that nobody started as one.
pub fn job() -> Option<String> {
    env::var(JOB).ok()
}

/// In a worker: says `word` to whoever started it.
#[expect(clippy::print_stdout, reason = "its voice")]
pub fn say(word: &str) {
    println!("{MARK}{word}");
}

/// In a worker: the next thing it is told, once it is.
///
/// # Panics
///
/// When nothing can be heard.
pub fn listen() -> String {
    let mut line = String::new();
    must("listen", stdin().lock().read_line(&mut line));
    line.trim_end().to_owned()
}

/// What `outcome` is, or a panic that says what could not be done.
fn must<T, E: Debug>(what: &str, outcome: Result<T, E>) -> T {
    outcome.unwrap_or_else(|error| panic!("cannot {what}: {error:?}"))
}
