//! Where the project lies, and how its commands are run and timed.

use std::{
    env,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use crate::Result;

/// The workspace that `cargo xtask` was called in.
pub(crate) struct Project {
    root: PathBuf,
    cargo: OsString,
    target: PathBuf,
}

impl Project {
    /// Finds the workspace from what `cargo run` tells its program.
    pub(crate) fn find() -> Result<Self> {
        let missing = || "the workspace was not found: start this program as `cargo xtask`".to_owned();
        let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(missing)?);
        let root = manifest.parent().ok_or_else(missing)?.to_owned();
        // This program is `<target>/debug/xtask`, wherever the caller's configuration put the target folder.
        let program = env::current_exe().map_err(|error| format!("cannot tell where this program lies: {error}"))?;
        let target = program.ancestors().nth(2).ok_or_else(missing)?.to_owned();
        Ok(Self { root, cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), target })
    }

    /// The text of a file of the workspace.
    pub(crate) fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.root.join(path)).map_err(|error| format!("cannot read {path}: {error}"))
    }

    /// Writes a file of the workspace.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result {
        fs::write(self.root.join(path), text).map_err(|error| format!("cannot write {path}: {error}"))
    }

    /// An example that a workspace build in the `dev` profile has made.
    pub(crate) fn example(&self, name: &str) -> PathBuf {
        self.target.join("debug/examples").join(name).with_extension(env::consts::EXE_EXTENSION)
    }

    /// A binary that was built in the `bench` profile, which cargo puts where `release` goes.
    pub(crate) fn bench_binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name).with_extension(env::consts::EXE_EXTENSION)
    }

    /// Where the workspace lies.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The platform that programs built here run on, as cargo calls it.
    pub(crate) fn host(&self) -> Result<String> {
        let told = capture(self.command("rustc").arg("-vV"))?;
        let told = String::from_utf8_lossy(&told.stdout);
        let host = told.lines().find_map(|line| line.strip_prefix("host: "));
        host.map(str::to_owned).ok_or_else(|| "`rustc -vV` tells no host".to_owned())
    }

    /// A target folder of its own, for a build that would spoil the shared one.
    pub(crate) fn separate_target(&self, name: &str) -> PathBuf {
        self.target.join(name)
    }

    /// `cargo` with `arguments`, in the root of the workspace.
    pub(crate) fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.command(&self.cargo);
        command.args(arguments);
        command
    }

    /// Any program, in the root of the workspace.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        // `cargo run` describes this package to this program. A build script that watches such a variable would run
        // again, and everything above it be built again, each time a cargo is called from here and then by hand.
        for (name, _) in env::vars_os() {
            let name_shown = name.to_string_lossy();
            if name_shown.starts_with("CARGO_PKG_") || name_shown.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
    }
}

/// Runs `command`, its output going where this program's goes.
pub(crate) fn run(command: &mut Command) -> Result {
    println!("$ {}", Shown(command));
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", Shown(command))) }
}

/// Runs `command` to its end, whatever it answers, and keeps what it says.
pub(crate) fn capture(command: &mut Command) -> Result<Output> {
    command.output().map_err(|error| cannot_start(command, &error))
}

/// Runs `command`, keeping what it says unless it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<Output> {
    println!("$ {}", Shown(command));
    let output = capture(command)?;
    if output.status.success() {
        return Ok(output);
    }
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Err(format!("`{}` failed ({})", Shown(command), output.status))
}

/// Whether `command` can be run and says that all is well.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start `{}`: {error}", Shown(command))
}

/// A command as it would be typed, its program without the folder.
struct Shown<'a>(&'a Command);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = Path::new(self.0.get_program());
        write!(f, "{}", program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy())?;
        for argument in self.0.get_args() {
            let argument = argument.to_string_lossy();
            if argument.contains([' ', '?', '&']) { write!(f, " '{argument}'")? } else { write!(f, " {argument}")? }
        }
        Ok(())
    }
}

/// How long a piece of work takes.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[allow(clippy::disallowed_methods, reason = "times the build itself, which no test drives by a clock")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["test", "--cache", "memory://?ttl=1s"]);
        assert_eq!(Shown(&command).to_string(), "cargo test --cache 'memory://?ttl=1s'");
    }
}
