//! The port that a far backend implements.

use bytes::Bytes;

use super::{Call, Capability, Change, Claim, Found, Item, Reply, Scope, StoreInfo, Token, Want};
use crate::Result;

/// A far backend: bytes under keys, on a server or not.
///
/// An implementor writes `async fn`s. Batches come first: a single `get` is a batch of one. Every method is required, so
/// that a wrapper cannot forget one; what a backend cannot do it answers with [`StoreInfo::unsupported`] and declares in
/// its [`Capability`]. `examples/foreign_store.rs` is one.
///
/// # Rules
/// - **Keys** arrive as the server is to see them, namespace included. One that the backend cannot hold is encoded
///   reversibly or hashed, or refused with [`ErrorKind::InvalidKey`](crate::ErrorKind::InvalidKey); never rewritten into another.
/// - **Order**: answers come in the order of the keys, duplicates included. An empty batch does nothing.
/// - **Ttl**: never zero. What is finer than [`Capability::ttl_resolution`] is rounded up.
/// - **Deadline**: a call ends by [`Call::deadline`], or the store does not declare [`Capability::keeps_deadlines`].
/// - **Cancellation**: dropping a returned future at any point leaves the store usable and its connections in step. The
///   command may or may not have been carried out.
/// - **Errors** carry a kind and whether they are retryable; the engine adds operation and key. They never show a value.
pub trait Store: Send + Sync + 'static {
    /// What the store is, without secrets.
    fn info(&self) -> StoreInfo;

    /// What the store can do.
    fn capability(&self) -> Capability;

    /// Reads `keys`, bringing back what is wanted of each.
    fn get(&self, call: Call, keys: &[&str], want: Want) -> impl Future<Output = Result<Vec<Option<Found>>>> + Send;

    /// Writes `items`; of two under one key the later stays.
    fn set(&self, call: Call, items: &[Item<'_>]) -> impl Future<Output = Result<()>> + Send;

    /// Writes `item` unless a live entry stands there, atomically; says whether it did.
    fn add(&self, call: Call, item: &Item<'_>) -> impl Future<Output = Result<bool>> + Send;

    /// Writes `item` if the entry is still what `token` says, atomically; says whether it did.
    fn compare_and_set(&self, call: Call, item: &Item<'_>, token: &Token) -> impl Future<Output = Result<bool>> + Send;

    /// Writes `item` unless a live entry stands there, atomically, and brings back what is needed to go on from either: the
    /// token of what was written, or what stands there with its bytes, ttl and token. One round trip where the server can.
    fn claim(&self, call: Call, item: &Item<'_>) -> impl Future<Output = Result<Claim>> + Send;

    /// Removes the entry if it is still what `token` says, atomically; says whether it did.
    fn compare_and_delete(&self, call: Call, key: &str, token: &Token) -> impl Future<Output = Result<bool>> + Send;

    /// Changes the counter, a decimal text, atomically; answers its new value. An absent counter is zero.
    ///
    /// # Errors
    /// [`ErrorKind::NotANumber`](crate::ErrorKind::NotANumber) if something else stands there,
    /// [`ErrorKind::Overflow`](crate::ErrorKind::Overflow) if the result is no `i64`.
    fn increment(&self, call: Call, change: Change<'_>) -> impl Future<Output = Result<i64>> + Send;

    /// Gives a live entry a new ttl, `None` for no deadline; says whether there was one.
    fn expire(
        &self,
        call: Call,
        key: &str,
        ttl: Option<std::time::Duration>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Removes `keys`; says of each whether a live entry stood there.
    fn delete(&self, call: Call, keys: &[&str]) -> impl Future<Output = Result<Vec<bool>>> + Send;

    /// Removes what is in `scope`.
    fn clear(&self, call: Call, scope: Scope<'_>) -> impl Future<Output = Result<()>> + Send;

    /// Carries out a command in the backend's own language.
    fn raw(&self, call: Call, command: &[Bytes]) -> impl Future<Output = Result<Reply>> + Send;

    /// Lets go of connections. A later call makes new ones; closing twice is fine.
    fn close(&self) -> impl Future<Output = Result<()>> + Send;
}
