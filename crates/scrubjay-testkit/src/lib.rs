//! The test kit of the scrubjay cache.

mod ports;
pub mod proxy;
#[cfg(unix)]
pub mod servers;
pub mod wait;
