//! [`Peer`]: the Python side, a process that answers a line of JSON with a line of JSON.

use std::{
    env,
    io::{BufRead, BufReader, Write, stderr},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde::Serialize;
use serde_json::{Value, json};

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Which of the Python caches.
#[derive(Debug, Serialize)]
pub(crate) struct Place {
    pub(crate) library: &'static str,
    pub(crate) server: &'static str,
    pub(crate) port: u16,
    pub(crate) serializer: &'static str,
    pub(crate) namespace: &'static str,
}

/// A running `peer.py`.
pub(crate) struct Peer {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it. Where its packages are missing that is told, and `None`; in CI it fails.
    pub(crate) fn start() -> Option<Self> {
        let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("interoperation");
        if let Err(error) = is_complete(&environment) {
            let told = format!(
                "NOT CHECKED: interoperation with the Python originals: {error}. `cargo xtask test setup` makes a virtual \
                 environment (it needs python3 with venv, and a package index that pip can reach) with\n{REQUIREMENTS}"
            );
            assert!(env::var_os("CI").is_none(), "{told}");
            // Not by `eprintln`: what a test that passes prints is not shown, and this should be.
            let _ = writeln!(stderr(), "{told}");
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interoperation/peer.py");
        let mut python = Command::new(python(&environment));
        python.arg("-B").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let (requests, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Some(Self { child, requests, answers: BufReader::new(answers) })
    }

    /// What the cache at `place` answers to a verb.
    pub(crate) fn ask(&mut self, place: &Place, verb: &str, arguments: Value) -> Value {
        let mut request = serde_json::to_value(place).unwrap();
        request["verb"] = verb.into();
        request["arguments"] = arguments;
        writeln!(self.requests, "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{request}: {line:?}: {error}"));
        assert_eq!(answer.get("error"), None, "{request}");
        answer.get("answer").cloned().unwrap_or(json!(null))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn python(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

/// Whether the set-up went through with the packages that are wanted today.
fn is_complete(environment: &Path) -> Result<(), String> {
    if !python(environment).exists() {
        return Err(format!("there is no {}", python(environment).display()));
    }
    let installed = environment.join("requirements.txt");
    match std::fs::read_to_string(&installed) {
        Ok(installed) if installed == REQUIREMENTS => Ok(()),
        Ok(_) => Err(format!("{} names other packages than the test wants", installed.display())),
        Err(error) => Err(format!("its packages are not installed ({}: {error})", installed.display())),
    }
}
