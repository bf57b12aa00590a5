//! scrubjay
mod clock;
mod error;
mod key;
pub mod near;
mod operation;
mod parameters;
pub mod serializer;
mod ttl;

pub use self::{
    clock::{Clock, Moment},
    error::{Error, ErrorKind, Result, Retryable},
    key::{Key, KeyBuilder, KeyLayout, QualifiedKey},
    near::Memory,
    operation::Operation,
    parameters::Parameters,
    ttl::{Remaining, Ttl},
};
