//! Caches from configuration: one cache's [`Recipe`], and the named [`caches`](crate::caches) of a program.

mod effective;
mod policy;
mod recipe;
mod seconds;
mod table;

pub mod named;

pub(crate) use self::{effective::EffectivePolicy, recipe::PluginChoice};
pub use self::{
    policy::{Lease, OnFailure, Policy},
    recipe::{Recipe, Wire},
};
