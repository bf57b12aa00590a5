//! Caches from configuration: one cache's [`Recipe`], and the named [`caches`](crate::caches) of a program.

mod recipe;
mod table;

pub mod named;

pub(crate) use self::recipe::PluginChoice;
pub use self::recipe::Recipe;
