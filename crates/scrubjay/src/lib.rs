//! scrubjay
mod clock;
mod error;
mod operation;
mod parameters;
pub mod serializer;
mod ttl;

pub use self::{
    clock::{Clock, Moment},
    error::{Error, ErrorKind, Result, Retryable},
    operation::Operation,
    parameters::Parameters,
    ttl::{Remaining, Ttl},
};
