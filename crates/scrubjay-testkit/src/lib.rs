#![doc = include_str!("../README.md")]
#![allow(clippy::missing_panics_doc, reason = "what does not hold panics: that is what a test is")]

pub mod behaviour;
pub mod model;
mod ports;
pub mod proxy;
#[cfg(unix)]
pub mod servers;
mod subject;
pub mod wait;
#[cfg(unix)]
pub mod worker;

pub use self::subject::Subject;
