//! What scrubjay's operations cost. The [`cases`] are defined once; `benches/hit.rs` measures their time, and
//! `src/bin/instructions.rs` is what their instructions are counted of. `README.md` tells the method and the goals.

pub mod cases;
pub mod engines;
pub mod keys;
pub mod random;
pub mod traces;

use std::time::{Duration, Instant};

/// How long `work` takes.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
