#![doc = include_str!("../README.md")]
#![allow(clippy::missing_panics_doc, reason = "what does not hold panics: that is what a test is")]

pub mod behaviour;
pub mod model;
mod ports;
#[cfg(unix)]
pub mod servers;
mod subject;
mod wait;

pub use self::subject::Subject;
