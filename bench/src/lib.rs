//! What scrubjay's operations cost, and its near engine beside its peers.
//!
//! The [`cases`] are what a cache adds to its engine: `benches/hit.rs` measures their time, and `src/bin/instructions.rs` is
//! what their instructions are counted of. The [`engines`] compete in [`disciplines`] and on [`traces`]. `README.md` tells
//! the method and the goals.

pub mod at_once;
pub mod cases;
pub mod disciplines;
pub mod engines;
pub mod gauge;
pub mod keys;
pub mod random;
pub mod servers;
pub mod table;
pub mod traces;

pub use gauge::timed;
