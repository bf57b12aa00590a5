//! The verbs.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::time;

use super::{Address, Builder, clock::unix_time, ring::Ring, server::Server};
use crate::{
    Error, ErrorKind, Found, Mode, Result, Want,
    wire::{Dialect, Direction, Key, Refusal, Reply, Request, expiry, key},
};

/// How long a call without any other deadline takes at most.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A memcached client for one server or several. Clones share the connections.
///
/// - **Runtimes.** Calls are made inside a tokio runtime, any number of them one after another or at once: each has its own
///   connections, made when first needed. A `static` client is fine.
/// - **Deadline.** A call ends within the client's timeout, which covers connecting, queueing, sending and receiving. See
///   [`timeout`](Self::timeout) and [`until`](Self::until).
/// - **Cancellation.** Dropping a call's future leaves the connection in step; the command may or may not be carried out.
/// - **Keys** are any bytes. What memcached cannot hold is encoded or hashed, see [`wire::key`](crate::wire::key()).
/// - **Ttls** are whole seconds, rounded up; `None` is until evicted. memcached counts by a clock that ticks once a second,
///   so that an entry may leave up to a second early.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    patience: Patience,
}

pub(super) struct Shared {
    pub(super) ring: Ring,
    pub(super) servers: Vec<Server>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    Timeout(Duration),
    Deadline(time::Instant),
}

/// Something to be stored.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Item<'a> {
    /// Any bytes.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// How long it lives, `None` until evicted.
    pub ttl: Option<Duration>,
    /// A number kept beside the value; other clients note the value's type there. Zero unless told otherwise.
    pub flags: u32,
}

impl<'a> Item<'a> {
    /// `value` under `key`.
    pub fn new(
        key: &'a (impl AsRef<[u8]> + ?Sized),
        value: &'a (impl AsRef<[u8]> + ?Sized),
        ttl: Option<Duration>,
    ) -> Self {
        Self { key: key.as_ref(), value: value.as_ref(), ttl, flags: 0 }
    }

    /// Keeps `flags` beside the value.
    #[must_use]
    pub fn flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.value.len();
        f.debug_struct("Item")
            .field("ttl", &self.ttl)
            .field("flags", &self.flags)
            .field("size", &size)
            .finish_non_exhaustive()
    }
}

/// What became of a conditional write or delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not: an `Add` met an entry, or `Replace`, `Append`, `Prepend` met none.
    NotStored,
    /// It was not: the entry is another version.
    Changed,
    /// It was not: there is no entry.
    Absent,
}

/// What came of a [`claim`](Client::claim).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It was written, as this version.
    Won(u64),
    /// This stood there.
    Held(Found),
}

/// What a counter that does not exist becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initial {
    /// The number it starts with; the change is not added to it.
    pub value: u64,
    /// How long it lives, `None` until evicted. A counter that exists keeps its ttl.
    pub ttl: Option<Duration>,
}

impl Client {
    /// A client for the server at `address`, see [`Address`]. Does not connect.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if that is no address.
    pub fn new(address: &str) -> Result<Self> {
        Self::builder().server(address).build()
    }

    /// A client with choices.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(super) fn from_parts(shared: Shared, patience: Patience) -> Self {
        Self { shared: Arc::new(shared), patience }
    }

    /// The same client, each of whose calls may take `timeout`.
    #[must_use]
    pub fn timeout(&self, timeout: Duration) -> Self {
        Self { shared: Arc::clone(&self.shared), patience: Patience::Timeout(timeout) }
    }

    /// The same client, all of whose calls end at `deadline`.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { shared: Arc::clone(&self.shared), patience: Patience::Deadline(deadline.into()) }
    }

    /// The servers, in the order given.
    pub fn servers(&self) -> impl Iterator<Item = &Address> {
        self.shared.servers.iter().map(|server| &server.address)
    }

    /// The server that holds `key`.
    pub fn server_of(&self, key: impl AsRef<[u8]>) -> &Address {
        &self.server(key.as_ref()).address
    }

    /// Reads a value. It shares the read buffer: copy what you keep for long.
    ///
    /// A counter that once had more digits than now ends in spaces, which is how memcached keeps them.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        Ok(self.fetch(key, Want::VALUE).await?.map(|found| found.value))
    }

    /// Reads what is wanted of an entry: value, remaining ttl, version and flags, in one round trip.
    pub async fn fetch(&self, key: impl AsRef<[u8]>, want: Want) -> Result<Option<Found>> {
        let key = key.as_ref();
        found(self.call(key, &Request::Get { key, want }).await?)
    }

    /// Reads many values; answers in the order of the keys.
    pub async fn get_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Bytes>>> {
        let found = self.fetch_many(keys, Want::VALUE).await?;
        Ok(found.into_iter().map(|found| found.map(|found| found.value)).collect())
    }

    /// Reads what is wanted of many entries; answers in the order of the keys.
    pub async fn fetch_many<K: AsRef<[u8]>>(&self, keys: &[K], want: Want) -> Result<Vec<Option<Found>>> {
        if want.value && !want.ttl {
            let keys: Vec<_> = keys.iter().map(|raw| key(raw.as_ref(), Dialect::Meta)).collect();
            if !keys.iter().any(|key| matches!(key, Key::Encoded(_))) {
                return self.shared.get_many(self.deadline(), &keys, want).await;
            }
        }
        let requests: Vec<_> = keys.iter().map(|key| Request::Get { key: key.as_ref(), want }).collect();
        self.call_many(&requests).await?.into_iter().map(found).collect()
    }

    /// Writes a value.
    pub async fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Option<Duration>) -> Result<()> {
        let outcome = self.store(Mode::Set, &Item::new(&key, &value, ttl)).await?;
        if outcome == Outcome::Done { Ok(()) } else { Err(not_stored()) }
    }

    /// Writes many values; of two under one key the later stays. On an error some may have been written.
    pub async fn set_many(&self, items: &[Item<'_>]) -> Result<()> {
        let now = unix_time();
        let requests = items.iter().map(|item| store(Mode::Set, item, now)).collect::<Result<Vec<_>>>()?;
        for reply in self.call_many(&requests).await? {
            if outcome(&reply)? != Outcome::Done {
                return Err(not_stored());
            }
        }
        Ok(())
    }

    /// Writes a value unless there is one; says whether it did.
    pub async fn add(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Option<Duration>) -> Result<bool> {
        let outcome = self.store(Mode::Add, &Item::new(&key, &value, ttl)).await?;
        Ok(outcome == Outcome::Done)
    }

    /// Writes a value unless there is one; answers its version, or all of what stands there, in one round trip.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the server tells no versions of what it writes, or no ttls.
    pub async fn claim(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Option<Duration>) -> Result<Claim> {
        let key = key.as_ref();
        let client = Self { shared: Arc::clone(&self.shared), patience: Patience::Deadline(self.deadline()) };
        let write = store(Mode::Add, &Item::new(key, value.as_ref(), ttl), unix_time())?;
        let read = Request::Get { key, want: Want::ALL };
        loop {
            let mut replies = client.call_many(&[write, read]).await?.into_iter();
            match (replies.next(), replies.next()) {
                (Some(Reply::Written(version)), _) => return Ok(Claim::Won(version)),
                (Some(Reply::NotStored), Some(Reply::Found(found))) => return Ok(Claim::Held(found)),
                // What stood there went in between.
                (Some(Reply::NotStored), Some(Reply::Absent)) => {}
                (Some(Reply::Done), _) => {
                    let message = "the server tells no version of what it writes";
                    return Err(Error::new(ErrorKind::Unsupported, message).maybe_sent());
                }
                _ => return Err(unfit()),
            }
        }
    }

    /// Writes a value if the entry is still the version `cas`, which [`fetch`](Self::fetch) tells.
    pub async fn compare_and_set(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        ttl: Option<Duration>,
        cas: u64,
    ) -> Result<Outcome> {
        self.store(Mode::CompareAndSet(cas), &Item::new(&key, &value, ttl)).await
    }

    /// Writes an item on the condition that `mode` says.
    pub async fn store(&self, mode: Mode, item: &Item<'_>) -> Result<Outcome> {
        // Only a long ttl needs the time of day.
        let now = if item.ttl.is_some() { unix_time() } else { 0 };
        outcome(&self.call(item.key, &store(mode, item, now)?).await?)
    }

    /// Removes an entry; says whether there was one.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        Ok(outcome(&self.call(key, &Request::Delete { key, cas: None }).await?)? == Outcome::Done)
    }

    /// Removes an entry if it is still the version `cas`.
    pub async fn compare_and_delete(&self, key: impl AsRef<[u8]>, cas: u64) -> Result<Outcome> {
        let key = key.as_ref();
        outcome(&self.call(key, &Request::Delete { key, cas: Some(cas) }).await?)
    }

    /// Removes many entries; says of each whether there was one.
    pub async fn delete_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<bool>> {
        let requests: Vec<_> = keys.iter().map(|key| Request::Delete { key: key.as_ref(), cas: None }).collect();
        let replies = self.call_many(&requests).await?;
        replies.into_iter().map(|reply| Ok(outcome(&reply)? == Outcome::Done)).collect()
    }

    /// Adds to a counter, a decimal text from 0 to 2⁶⁴ − 1, beyond which it starts again at zero. Answers its new value.
    ///
    /// One that does not exist becomes `initial`, or, without, stays absent, and the answer is `None`.
    ///
    /// # Errors
    /// [`ErrorKind::NotANumber`] if something else stands there, a negative number too.
    pub async fn increment(&self, key: impl AsRef<[u8]>, by: u64, initial: Option<Initial>) -> Result<Option<u64>> {
        self.count(key.as_ref(), Direction::Up, by, initial).await
    }

    /// Takes from a counter, which stops at zero. Else as [`increment`](Self::increment).
    pub async fn decrement(&self, key: impl AsRef<[u8]>, by: u64, initial: Option<Initial>) -> Result<Option<u64>> {
        self.count(key.as_ref(), Direction::Down, by, initial).await
    }

    /// Gives an entry another ttl; says whether there was one.
    pub async fn touch(&self, key: impl AsRef<[u8]>, ttl: Option<Duration>) -> Result<bool> {
        let key = key.as_ref();
        let expiry = expiry(ttl, unix_time())?;
        Ok(outcome(&self.call(key, &Request::Touch { key, expiry }).await?)? == Outcome::Done)
    }

    /// What the server knows about an entry, in memcached's own words (`me`).
    pub async fn inspect(&self, key: impl AsRef<[u8]>) -> Result<Option<String>> {
        let key = key.as_ref();
        match self.call(key, &Request::Inspect { key }).await? {
            Reply::Text(text) => Ok(Some(text)),
            Reply::Absent => Ok(None),
            _ => Err(unfit()),
        }
    }

    /// Removes every entry on every server, other programs' too.
    pub async fn flush_all(&self) -> Result<()> {
        for (_, reply) in self.call_all(&Request::FlushAll).await? {
            outcome(&reply)?;
        }
        Ok(())
    }

    /// The version of every server.
    pub async fn version(&self) -> Result<Vec<(Address, String)>> {
        let version = |(address, reply)| match reply {
            Reply::Text(version) => Ok((address, version)),
            _ => Err(unfit()),
        };
        self.call_all(&Request::Version).await?.into_iter().map(version).collect()
    }

    /// The figures of every server: those of `group`, or the general ones if that is empty.
    pub async fn stats(&self, group: &str) -> Result<Vec<(Address, Vec<(String, String)>)>> {
        let stats = |(address, reply)| match reply {
            Reply::Stats(stats) => Ok((address, stats)),
            _ => Err(unfit()),
        };
        self.call_all(&Request::Stats { group }).await?.into_iter().map(stats).collect()
    }

    /// Sends a line as it is to `server`, with a block of data behind it or none; answers the lines and data blocks that
    /// come back, error lines too. It gets a connection of its own, so that it can bring no other call out of step.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if `line` is not one line of at most 2,000 bytes, [`ErrorKind::Config`] if the client has
    /// no such server.
    pub async fn raw(&self, server: &Address, line: impl AsRef<[u8]>, data: Option<&[u8]>) -> Result<Vec<Bytes>> {
        let known = self.shared.servers.iter().find(|known| known.address == *server);
        let server =
            known.ok_or_else(|| Error::new(ErrorKind::Config, format!("the client has no server {server}")))?;
        let request = Request::Raw { line: line.as_ref(), data };
        match server.call_apart(self.deadline(), &request).await? {
            Reply::Lines(lines) => Ok(lines),
            _ => Err(unfit()),
        }
    }

    /// Closes every connection; calls under way fail. A later call connects anew.
    pub fn close(&self) {
        self.shared.servers.iter().for_each(Server::close);
    }

    async fn count(&self, key: &[u8], direction: Direction, by: u64, initial: Option<Initial>) -> Result<Option<u64>> {
        let client = Self { shared: Arc::clone(&self.shared), patience: Patience::Deadline(self.deadline()) };
        let create =
            initial.map(|Initial { value, ttl }| Ok::<_, Error>((value, expiry(ttl, unix_time())?))).transpose()?;
        let request = Request::Count { key, direction, by, create };
        loop {
            match (client.call(key, &request).await?, initial) {
                (Reply::Number(number), _) => return Ok(Some(number)),
                (Reply::Absent, None) => return Ok(None),
                // Another caller made it at the same moment.
                (Reply::NotStored, Some(_)) => {}
                // A server older than 1.6 creates no counters.
                (Reply::Absent, Some(Initial { value, ttl })) => {
                    if client.add(key, value.to_string(), ttl).await? {
                        return Ok(Some(value));
                    }
                }
                _ => return Err(unfit()),
            }
        }
    }

    fn server(&self, key: &[u8]) -> &Server {
        &self.shared.servers[self.shared.ring.server(key)]
    }

    fn deadline(&self) -> time::Instant {
        match self.patience {
            Patience::Timeout(timeout) => time::Instant::now() + timeout.min(LONGEST_TIMEOUT),
            Patience::Deadline(deadline) => deadline,
        }
    }

    async fn call(&self, key: &[u8], request: &Request<'_>) -> Result<Reply> {
        self.server(key).call(self.deadline(), request).await
    }

    async fn call_many(&self, requests: &[Request<'_>]) -> Result<Vec<Reply>> {
        self.shared.call_many(self.deadline(), requests).await
    }

    async fn call_all(&self, request: &Request<'_>) -> Result<Vec<(Address, Reply)>> {
        let deadline = self.deadline();
        let servers = self.shared.servers.iter();
        let calls =
            servers.map(|server| async move { Ok((server.address.clone(), server.call(deadline, request).await?)) });
        try_join_all(calls).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.servers().map(ToString::to_string).collect();
        f.debug_struct("Client").field("servers", &servers).field("patience", &self.patience).finish_non_exhaustive()
    }
}

fn store<'a>(mode: Mode, item: &Item<'a>, now: u64) -> Result<Request<'a>> {
    let Item { key, value, ttl, flags } = *item;
    Ok(Request::Store { key, value, mode, expiry: expiry(ttl, now)?, flags })
}

fn found(reply: Reply) -> Result<Option<Found>> {
    match reply {
        Reply::Found(found) => Ok(Some(found)),
        Reply::Absent => Ok(None),
        _ => Err(unfit()),
    }
}

fn outcome(reply: &Reply) -> Result<Outcome> {
    match reply {
        Reply::Done | Reply::Written(_) => Ok(Outcome::Done),
        Reply::NotStored => Ok(Outcome::NotStored),
        Reply::Changed => Ok(Outcome::Changed),
        Reply::Absent => Ok(Outcome::Absent),
        _ => Err(unfit()),
    }
}

/// The error that a reply is which answers no question.
fn unfit() -> Error {
    Error::new(ErrorKind::Protocol, "the server's answer does not fit the question").maybe_sent()
}

fn not_stored() -> Error {
    Error::from(Refusal::Other("NOT_STORED".to_owned())).maybe_sent()
}
