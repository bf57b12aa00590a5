//! The test kit of the scrubjay cache.

mod ports;
#[cfg(unix)]
pub mod servers;
mod wait;
