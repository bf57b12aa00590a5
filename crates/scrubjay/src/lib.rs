//! scrubjay
mod clock;
mod error;
pub mod far;
mod key;
pub mod near;
mod operation;
mod parameters;
pub mod serializer;
mod ttl;
mod url;

pub use self::{
    clock::{Clock, Moment},
    error::{Error, ErrorKind, Result, Retryable},
    key::{Key, KeyBuilder, KeyLayout, QualifiedKey},
    near::Memory,
    operation::Operation,
    parameters::Parameters,
    ttl::{Remaining, Ttl},
};
