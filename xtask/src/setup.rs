//! What a fresh machine lacks and this project can add by itself.

use std::{env, fs};

use crate::{
    Result,
    project::{Project, capture, run as run_command, succeeds},
};

/// What the test of interoperation wants in its virtual environment.
const REQUIREMENTS: &str = "crates/scrubjay/tests/interoperation/requirements.txt";

/// The programs that tests start, each brought by a Debian package of the same name.
const SERVERS: [&str; 2] = ["redis-server", "memcached"];

/// Adds whatever is missing.
pub(crate) fn run(project: &Project) -> Result {
    rust_components(project)?;
    servers(project)?;
    match python(project) {
        // Like a missing server: on a person's machine the test says so each time, in CI it would be no test at all.
        Err(error) if env::var_os("CI").is_none() => {
            println!("NOT DONE: interoperation with the Python originals will not be tested: {error}");
            Ok(())
        }
        outcome => outcome,
    }
}

/// Makes the virtual environment of the Python originals, unless it has what is wanted today.
fn python(project: &Project) -> Result {
    let environment = project.separate_target("interoperation");
    let wanted = project.read(REQUIREMENTS)?;
    // Written last, so that it stands for the whole.
    let installed = environment.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let make = || run_command(project.command("python3").args(["-m", "venv", "--clear"]).arg(&environment));
    make()
        .or_else(|_| install(project, &["python3-venv"]).and_then(|()| make()))
        .map_err(|error| format!("{error}\nit needs python3 with its module venv (Debian, Ubuntu: python3-venv)"))?;
    let mut pip = project.command(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS]);
    run_command(&mut pip)
        .map_err(|error| format!("{error}\npip needs a package index that has what {REQUIREMENTS} names"))?;
    fs::write(&installed, wanted).map_err(|error| format!("cannot write {}: {error}", installed.display()))
}

/// Adds the toolchain's formatter and linter where they are missing.
fn rust_components(project: &Project) -> Result {
    let missing = [("rustfmt", "fmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(_, command)| !succeeds(&mut project.cargo([*command, "--version"])))
        .map(|(component, _)| component)
        .collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(());
    }
    run_command(project.command("rustup").args(["component", "add"]).args(&missing)).map_err(|error| {
        format!(
            "this toolchain has no {}, and rustup could not add what is missing: {error}\n\
             install it with the package manager that installed cargo, or install Rust by rustup (https://rustup.rs)",
            missing.join(" and no ")
        )
    })
}

/// Installs the servers that are missing. Without them the tests of the far tier fail; they are never skipped.
fn servers(project: &Project) -> Result {
    let missing = SERVERS.into_iter().filter(|server| !succeeds(project.command(server).arg("--version")));
    let missing = missing.collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(());
    }
    install(project, &missing).map_err(|error| format!("{error}\n{}", advice(&missing)))
}

/// Installs Debian packages, where that is allowed.
fn install(project: &Project, packages: &[&str]) -> Result {
    let rights = Rights::find(project);
    let apt_get = |arguments: &[&str]| {
        let line = rights.apt_get(arguments).ok_or_else(|| "this may not install packages".to_owned())?;
        run_command(project.command(line[0]).args(&line[1..]))
    };
    let install = ["install", "--yes", "--no-install-recommends"].into_iter().chain(packages.iter().copied());
    let install = install.collect::<Vec<_>>();
    // The lists of a fresh machine are empty or old. Fetching them takes longer than finding out.
    apt_get(&install).or_else(|_| apt_get(&["update"]).and_then(|()| apt_get(&install)))
}

/// What somebody who may install packages should do.
fn advice(missing: &[&str]) -> String {
    format!(
        "the tests need {}; install what is missing and try again: `apt-get install {}` on Debian and Ubuntu, \
         the packages redis (or valkey) and memcached elsewhere",
        missing.join(" and "),
        missing.join(" ")
    )
}

/// By which right this program may install Debian packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Root,
    /// By a `sudo` that asks for no password.
    Sudo,
    None,
}

impl Rights {
    fn find(project: &Project) -> Self {
        let has_apt_get = succeeds(project.command("apt-get").arg("--version"));
        let user = capture(project.command("id").arg("-u")).map(|output| output.stdout).unwrap_or_default();
        Self::of(has_apt_get, &user, || succeeds(project.command("sudo").args(["-n", "true"])))
    }

    /// The rights of `user`, as `id -u` shows it.
    fn of(has_apt_get: bool, user: &[u8], may_sudo: impl FnOnce() -> bool) -> Self {
        match user.trim_ascii() {
            _ if !has_apt_get => Self::None,
            b"0" => Self::Root,
            _ if may_sudo() => Self::Sudo,
            _ => Self::None,
        }
    }

    /// The command line that calls `apt-get` and asks nobody anything, if there is one.
    fn apt_get<'a>(self, arguments: &[&'a str]) -> Option<Vec<&'a str>> {
        let become_root: &[&str] = match self {
            Self::Root => &[],
            Self::Sudo => &["sudo", "-n"],
            Self::None => return None,
        };
        Some([become_root, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_needs_no_sudo() {
        let rights = Rights::of(true, b"0\n", || panic!("asked for sudo"));
        assert_eq!(rights, Rights::Root);
        let line = rights.apt_get(&["install", "memcached"]).unwrap();
        assert_eq!(line.join(" "), "env DEBIAN_FRONTEND=noninteractive apt-get install memcached");
    }

    #[test]
    fn others_use_sudo_where_it_asks_for_no_password() {
        let rights = Rights::of(true, b"1000\n", || true);
        assert_eq!(rights, Rights::Sudo);
        let line = rights.apt_get(&["update"]).unwrap();
        assert_eq!(line.join(" "), "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update");
    }

    #[test]
    fn without_rights_or_apt_get_nothing_is_run() {
        assert_eq!(Rights::of(true, b"1000\n", || false), Rights::None);
        assert_eq!(Rights::of(true, b"", || false), Rights::None);
        assert_eq!(Rights::of(false, b"0\n", || true), Rights::None);
        assert_eq!(Rights::None.apt_get(&["update"]), None);
    }

    #[test]
    fn the_advice_can_be_typed() {
        assert!(advice(&["memcached"]).contains("`apt-get install memcached`"));
        assert!(advice(&SERVERS).contains("`apt-get install redis-server memcached`"));
    }
}
