//! A server's process: started in a folder of its own, driven by signals, ended with its handle.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::ErrorKind,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tempfile::TempDir;

use crate::wait::until;

/// How long a server may take to answer, or a signal to arrive.
const LIMIT: Duration = Duration::from_secs(10);

/// The file in the server's folder that takes what it prints.
const LOG: &str = "log";

/// A running server and its folder.
#[derive(Debug)]
pub(super) struct Process {
    program: &'static str,
    arguments: Vec<OsString>,
    child: Mutex<Child>,
    folder: TempDir,
}

impl Process {
    /// Starts `program` without waiting for it.
    pub(super) fn spawn(program: &'static str, arguments: Vec<OsString>, folder: TempDir) -> Result<Self, String> {
        let child = Mutex::new(spawn(program, &arguments, folder.path())?);
        Ok(Self { program, arguments, child, folder })
    }

    /// Waits until `ready` says that the server answers.
    pub(super) fn until_ready(&self, mut ready: impl FnMut() -> Result<(), String>) -> Result<(), String> {
        // What ended will never be ready: that is an answer, too.
        let answer = until(LIMIT, || self.ended().map_or_else(|| ready().map(Ok), |how| Ok(Err(how))));
        answer.and_then(|answer| answer).map_err(|error| {
            let log = fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default();
            format!("{} did not start: {error}\n{log}", self.program)
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.lock().id()
    }

    /// Halts the process where it is; its sockets stay open.
    pub(super) fn pause(&self) {
        let pid = self.signal(Signal::STOP);
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        until(LIMIT, || match waitid(WaitId::Pid(pid), stopped) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err("it still runs".to_owned()),
            Err(error) => Err(error.to_string()),
        })
        .unwrap_or_else(|error| panic!("cannot pause {}: {error}", self.program));
    }

    pub(super) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends the process without a warning. Does nothing to one that has ended.
    pub(super) fn kill(&self) {
        let mut child = self.child.lock();
        child
            .kill()
            .and_then(|()| child.wait())
            .unwrap_or_else(|error| panic!("cannot kill {} ({}): {error}", self.program, child.id()));
    }

    /// Ends the process if it runs, and starts it with the same arguments in the same folder, without waiting for it.
    pub(super) fn respawn(&self) -> Result<(), String> {
        self.kill();
        *self.child.lock() = spawn(self.program, &self.arguments, self.folder.path())?;
        Ok(())
    }

    /// Sends `signal` to the process, which must be running: a pid that has ended may be somebody else's.
    fn signal(&self, signal: Signal) -> Pid {
        let mut child = self.child.lock();
        if let Some(how) = ended(&mut child) {
            panic!("cannot signal {}: {how}", self.program);
        }
        let pid = Pid::from_child(&child);
        kill_process(pid, signal).unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.program));
        pid
    }

    /// How the process ended, unless it runs.
    pub(super) fn ended(&self) -> Option<String> {
        ended(&mut self.child.lock())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        // Nobody is left to tell, and a panic here would hide the test's own.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn ended(child: &mut Child) -> Option<String> {
    match child.try_wait() {
        Ok(None) => None,
        Ok(Some(status)) => Some(format!("it has ended ({status})")),
        Err(error) => Some(format!("its state cannot be told: {error}")),
    }
}

fn spawn(program: &str, arguments: &[OsString], folder: &Path) -> Result<Child, String> {
    let cannot = |error| format!("cannot start {program}: {error}");
    let log = File::options().create(true).append(true).open(folder.join(LOG)).map_err(cannot)?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.stdout(log.try_clone().map_err(cannot)?).stderr(log);
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => not_installed(program),
        _ => cannot(error),
    })
}

/// What to do when `program` is missing.
pub(super) fn not_installed(program: &str) -> String {
    format!(
        "{program} is not installed: `apt-get install redis-server memcached`, or `cargo xtask test setup` where that \
         may install them. This fails by design: a test of a real server is never skipped."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(program: &'static str, arguments: &[&str]) -> Result<Process, String> {
        Process::spawn(program, arguments.iter().map(OsString::from).collect(), TempDir::new().unwrap())
    }

    #[test]
    fn a_missing_server_says_what_to_install() {
        let error = start("no-such-server", &[]).unwrap_err();
        assert!(error.contains("apt-get install redis-server memcached") && error.contains("by design"), "{error}");
    }

    #[test]
    fn a_server_that_ends_early_shows_its_log() {
        let process = start("sh", &["-c", "echo bad option; exit 3"]).unwrap();
        let error = process.until_ready(|| Err("not yet".to_owned())).unwrap_err();
        assert!(error.contains("bad option") && error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn dropping_the_handle_ends_the_process() {
        let process = start("sleep", &["1000"]).unwrap();
        let pid = Pid::from_child(&process.child.lock());
        drop(process);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    #[should_panic(expected = "it has ended")]
    fn what_has_ended_is_not_signalled() {
        let process = start("sleep", &["1000"]).unwrap();
        process.kill();
        process.pause();
    }
}
