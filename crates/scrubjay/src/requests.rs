//! The types of the verbs' futures, for programs that store or return one. Each is a [`Request`].

#[cfg(doc)]
use crate::Cache;
use crate::engine;
pub use crate::{
    engine::Request,
    load::{Batch, BatchLoader, Loader, Plain, Spawned, Told},
};

/// The future of [`Cache::get`].
pub type Get<'a, V> = Request<'a, V, engine::Get<'a>>;
/// The future of [`Cache::get_many`].
pub type GetMany<'a, V> = Request<'a, V, engine::GetMany<'a, V>>;
/// The future of [`Cache::lookup`].
pub type LookupKey<'a, V> = Request<'a, V, engine::LookupKey<'a>>;
/// The future of [`Cache::get_for_update`].
pub type GetForUpdate<'a, V> = Request<'a, V, engine::GetForUpdate<'a>>;
/// The future of [`Cache::get_or_load`] and [`Cache::get_or_load_with`], with a [`Loader`].
pub type GetOrLoad<'a, V, L> = Request<'a, V, engine::GetOrLoad<'a, L>>;
/// The future of [`Cache::get_or_load_many`], with a [`BatchLoader`].
pub type GetOrLoadMany<'a, V, L> = Request<'a, V, engine::GetOrLoadMany<'a, V, L>>;
/// The future of [`Cache::exists`].
pub type Exists<'a, V> = Request<'a, V, engine::Exists<'a>>;
/// The future of [`Cache::ttl`].
pub type ReadTtl<'a, V> = Request<'a, V, engine::ReadTtl<'a>>;
/// The future of [`Cache::set`].
pub type Set<'a, V> = Request<'a, V, engine::Set<'a, V>>;
/// The future of [`Cache::set_many`].
pub type SetMany<'a, V> = Request<'a, V, engine::SetMany<'a, V>>;
/// The future of [`Cache::add`].
pub type Add<'a, V> = Request<'a, V, engine::Add<'a, V>>;
/// The future of [`Cache::compare_and_set`].
pub type CompareAndSet<'a, V> = Request<'a, V, engine::CompareAndSet<'a, V>>;
/// The future of [`Cache::increment`].
pub type Increment<'a, V> = Request<'a, V, engine::Increment<'a>>;
/// The future of [`Cache::expire`].
pub type Expire<'a, V> = Request<'a, V, engine::Expire<'a>>;
/// The future of [`Cache::delete`].
pub type Delete<'a, V> = Request<'a, V, engine::Delete<'a>>;
/// The future of [`Cache::delete_many`].
pub type DeleteMany<'a, V> = Request<'a, V, engine::DeleteMany<'a>>;
/// The future of [`Cache::clear`].
pub type Clear<'a, V> = Request<'a, V, engine::Clear>;
/// The future of [`Cache::clear_server`].
pub type ClearServer<'a, V> = Request<'a, V, engine::ClearServer>;
/// The future of [`Cache::lock`].
pub type Lock<'a, V> = Request<'a, V, engine::Lock<'a>>;
/// The future of [`Cache::raw`].
pub type Raw<'a, V> = Request<'a, V, engine::Raw>;
/// The future of [`Cache::close`].
pub type Close<'a, V> = Request<'a, V, engine::Close>;
