//! `cargo xtask bench servers`: the stores on servers beside other clients. Writes what it finds to `bench/RESULTS-servers.md`.

use crate::{
    Result, engines, goals,
    project::{Project, run as run_command, run_quietly},
};

const REPORT: &str = "bench/RESULTS-servers.md";
/// Whose versions are told.
const PACKAGES: [&str; 9] = [
    "scrubjay",
    "scrubjay-memcached",
    "redis",
    "fred",
    "rustis",
    "async-memcached",
    "memcache",
    "tokio",
    "parking_lot",
];
/// The servers, each of which tells its version.
const SERVERS: [&str; 2] = ["redis-server", "memcached"];

/// Runs everything and writes the report; with arguments, which are the program's own, prints only.
pub(crate) fn run(project: &Project, arguments: &[String]) -> Result {
    run_command(&mut project.cargo([
        "build",
        "--profile",
        "bench",
        "--package",
        "scrubjay-bench",
        "--bin",
        "servers",
    ]))?;
    let mut program = project.command(project.bench_binary("servers"));
    if !arguments.is_empty() {
        return run_command(program.args(arguments));
    }
    let figures = run_quietly(&mut program)?.stdout;
    let figures = String::from_utf8_lossy(&figures);
    println!("{figures}");
    let missed = goals::misses(&figures)?;
    project.write(REPORT, &format!("{}\n{figures}\n{missed}", introduction(project)?))
}

/// What was measured where.
fn introduction(project: &Project) -> Result<String> {
    let mut servers = Vec::new();
    for server in SERVERS {
        let told = run_quietly(project.command(server).arg("--version"))?.stdout;
        servers.push(String::from_utf8_lossy(&told).lines().next().unwrap_or_default().to_owned());
    }
    Ok(format!(
        "# The stores on servers beside other clients\n\n\
         Written by `cargo xtask bench servers`; README.md describes the method.\n\n{}\nServers: {}.\n",
        engines::machine(project, &PACKAGES)?,
        servers.join("; ")
    ))
}
