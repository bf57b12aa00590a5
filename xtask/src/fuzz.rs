//! `cargo xtask fuzz`: runs every fuzz target for a while. A crash leaves its input in `fuzz/artifacts`, for a test to keep.

use crate::{
    Result, manifest,
    project::{Project, run as run_command},
};

/// How long each target runs unless told otherwise.
const SECONDS: &str = "20";

/// What libFuzzer needs to see of the code. These are stable flags: no nightly toolchain and no clang.
const COVERAGE: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// `fuzz [--seconds N] [target…]`: the targets named, or all.
pub(crate) fn run(project: &Project, arguments: &[String]) -> Result {
    let (seconds, wanted) = match arguments {
        [flag, seconds, rest @ ..] if flag == "--seconds" => (seconds.as_str(), rest),
        rest => (SECONDS, rest),
    };
    let manifest = project.read("fuzz/Cargo.toml")?;
    let targets = manifest::binaries(&manifest)?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(&name.as_str())) {
        return Err(format!("there is no fuzz target `{unknown}`; known: {}", targets.join(" ")));
    }
    let triple = project.host()?;
    let folder = project.separate_target("fuzz");
    // With a target named, the flags stay off build scripts and macros.
    let mut cargo = project.cargo(["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", &triple]);
    run_command(cargo.env("RUSTFLAGS", COVERAGE.join(" ")).env("CARGO_TARGET_DIR", &folder))?;
    for target in targets.iter().filter(|name| wanted.is_empty() || wanted.iter().any(|wanted| wanted == *name)) {
        let corpus = project.root().join("fuzz/corpus").join(target);
        let artifacts = project.root().join("fuzz/artifacts").join(target);
        for path in [&corpus, &artifacts] {
            std::fs::create_dir_all(path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        }
        let mut fuzzer = project.command(folder.join(&triple).join("release").join(target));
        fuzzer.arg(&corpus).arg(format!("-max_total_time={seconds}"));
        fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
        run_command(fuzzer.args(["-rss_limit_mb=512", "-timeout=5", "-print_final_stats=1", "-max_len=4096"]))?;
    }
    Ok(())
}
