//! The port that a far backend implements.

use bytes::Bytes;

use super::{Call, Capability, Change, Claim, Found, Item, Reply, Scope, StoreInfo, Token, Want};
use crate::Result;

/// A far backend: bytes under keys, on a server or not.
///
/// Implement it with `async fn`s. `get`, `set` and `delete` take batches; a single key is a batch of one. Every method is
/// required, so that a wrapper cannot forget one. For what a backend cannot do, return [`StoreInfo::unsupported`] and say so in
/// its [`Capability`]. `examples/foreign_store.rs` is an example.
///
/// # Rules
/// - **Keys** include the namespace and are sent to the server as they are. A key that the backend cannot hold is encoded
///   reversibly or hashed, or refused with [`ErrorKind::InvalidKey`](crate::ErrorKind::InvalidKey), but never changed into
///   another key.
/// - **Order**: answers come in the order of the keys, duplicates included. An empty batch does nothing.
/// - **Ttl**: never zero. A ttl finer than [`Capability::ttl_resolution`] is rounded up.
/// - **Deadline**: a store that declares [`Capability::keeps_deadlines`] ends every call by [`Call::deadline`].
/// - **Cancellation**: a future may be dropped at any point. The store stays usable, and no later call gets a reply of the
///   dropped one. The command may or may not have been carried out.
/// - **Errors** carry a kind and whether they are retryable; the engine adds operation and key. They never show a value.
pub trait Store: Send + Sync + 'static {
    /// What the store is, without secrets.
    fn info(&self) -> StoreInfo;

    /// What the store can do.
    fn capability(&self) -> Capability;

    /// Reads `keys`, and of each what is wanted.
    fn get(&self, call: Call, keys: &[&str], want: Want) -> impl Future<Output = Result<Vec<Option<Found>>>> + Send;

    /// Writes `items`; of two under one key the later stays.
    fn set(&self, call: Call, items: &[Item<'_>]) -> impl Future<Output = Result<()>> + Send;

    /// Writes `item` unless there is a live entry, atomically. Returns whether it did.
    fn add(&self, call: Call, item: &Item<'_>) -> impl Future<Output = Result<bool>> + Send;

    /// Writes `item` if the entry is unchanged since `token` was read, atomically. Returns whether it did.
    fn compare_and_set(&self, call: Call, item: &Item<'_>, token: &Token) -> impl Future<Output = Result<bool>> + Send;

    /// Writes `item` unless there is a live entry, atomically. Returns the token of what was written, or else the entry that is
    /// there, with its bytes, ttl and token. One round trip, if the server can.
    fn claim(&self, call: Call, item: &Item<'_>) -> impl Future<Output = Result<Claim>> + Send;

    /// Removes the entry if it is unchanged since `token` was read, atomically. Returns whether it did.
    fn compare_and_delete(&self, call: Call, key: &str, token: &Token) -> impl Future<Output = Result<bool>> + Send;

    /// Changes the counter, a decimal text, atomically. Returns its new value. An absent counter counts as zero.
    ///
    /// # Errors
    /// [`ErrorKind::NotANumber`](crate::ErrorKind::NotANumber) if the entry is not a counter,
    /// [`ErrorKind::Overflow`](crate::ErrorKind::Overflow) if the result does not fit an `i64`.
    fn increment(&self, call: Call, change: Change<'_>) -> impl Future<Output = Result<i64>> + Send;

    /// Gives a live entry a new ttl, `None` for no deadline. Returns whether there was one.
    fn expire(
        &self,
        call: Call,
        key: &str,
        ttl: Option<std::time::Duration>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Removes `keys`. Returns for each whether there was a live entry.
    fn delete(&self, call: Call, keys: &[&str]) -> impl Future<Output = Result<Vec<bool>>> + Send;

    /// Removes all entries in `scope`.
    fn clear(&self, call: Call, scope: Scope<'_>) -> impl Future<Output = Result<()>> + Send;

    /// Carries out a command in the backend's own language.
    fn raw(&self, call: Call, command: &[Bytes]) -> impl Future<Output = Result<Reply>> + Send;

    /// Closes the connections. A later call makes new ones; closing twice is fine.
    fn close(&self) -> impl Future<Output = Result<()>> + Send;
}
