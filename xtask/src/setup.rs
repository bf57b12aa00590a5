//! What a fresh machine lacks and this project can add by itself.

use crate::{
    Result,
    project::{Project, run, succeeds},
};

/// Adds the toolchain's formatter and linter where they are missing.
pub(crate) fn rust_components(project: &Project) -> Result {
    let missing = [("rustfmt", "fmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(_, command)| !succeeds(&mut project.cargo([*command, "--version"])))
        .map(|(component, _)| component)
        .collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(());
    }
    run(project.command("rustup").args(["component", "add"]).args(&missing)).map_err(|error| {
        format!(
            "this toolchain has no {}, and rustup could not add what is missing: {error}\n\
             install it with the package manager that installed cargo, or install Rust by rustup (https://rustup.rs)",
            missing.join(" and no ")
        )
    })
}
