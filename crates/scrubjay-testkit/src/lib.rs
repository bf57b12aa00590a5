#![doc = include_str!("../README.md")]
#![allow(clippy::missing_panics_doc, reason = "what does not hold panics: that is what a test is")]

pub mod behaviour;
pub mod model;
mod subject;

pub use self::subject::Subject;
