//! `cargo xtask docs`: writes the pages that are generated, by the tests that fail when they are stale.

use crate::{
    Result,
    project::{Project, run as run_command},
};

pub(crate) fn run(project: &Project, _: &[String]) -> Result {
    let arguments = ["test", "--quiet", "--package", "scrubjay", "--all-features", "--test", "capabilities"];
    run_command(project.cargo(arguments).env("SCRUBJAY_UPDATE_DOCS", "1"))
}
