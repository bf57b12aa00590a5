//! The port's verbs by the client's. Every verb is one round trip, but for counters.

use std::time::Duration;

use bytes::Bytes;
use scrubjay_memcached::{Claim as ClientClaim, Client, Error as ClientError, Outcome};

use super::{Memcached, counter, failure, raw};
use crate::{
    Error, ErrorKind, Result,
    far::{Call, Capability, Change, Claim, Found, Item, Reply, Scope, Store, StoreInfo, Token, Want},
};

/// What memcached's clock counts in.
const TICK: Duration = Duration::from_secs(1);

/// Up to here a ttl is a number of ticks; a longer one is a moment, which memcached's clock must reach.
const LONGEST_RELATIVE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A value shorter than this is copied out of the receive buffer, which has four times its size: who keeps the value shall
/// not keep the buffer.
const COPIED: usize = 16 * 1024;

impl Store for Memcached {
    fn info(&self) -> StoreInfo {
        self.info.clone()
    }

    fn capability(&self) -> Capability {
        Capability {
            ttl_resolution: TICK,
            expire: true,
            increment: true,
            compare_and_set: true,
            clear_everything: true,
            raw: true,
            keeps_deadlines: true,
            needs_runtime: true,
            ..Capability::NONE
        }
    }

    async fn get(&self, call: Call, keys: &[&str], want: Want) -> Result<Vec<Option<Found>>> {
        let client = self.client(call)?;
        let wanted = client_want(want);
        if let [key] = keys {
            let one = client.fetch(key, wanted).await.map_err(told)?;
            return Ok(vec![one.map(|one| found(one, want))]);
        }
        // Boxed, so that it does not make the future of every call larger.
        let all = Box::pin(client.fetch_many(keys, wanted)).await.map_err(told)?;
        Ok(all.into_iter().map(|one| one.map(|one| found(one, want))).collect())
    }

    async fn set(&self, call: Call, items: &[Item<'_>]) -> Result<()> {
        let client = self.client(call)?;
        match items {
            [item] => client.set(item.key, &item.value, lifetime(item.ttl)).await,
            items => {
                let items: Vec<_> = items.iter().map(client_item).collect();
                Box::pin(client.set_many(&items)).await
            }
        }
        .map_err(told)
    }

    async fn add(&self, call: Call, item: &Item<'_>) -> Result<bool> {
        self.client(call)?.add(item.key, &item.value, lifetime(item.ttl)).await.map_err(told)
    }

    async fn compare_and_set(&self, call: Call, item: &Item<'_>, token: &Token) -> Result<bool> {
        match token {
            Token::Absent => self.add(call, item).await,
            Token::Version(version) => {
                let client = self.client(call)?;
                let outcome = client.compare_and_set(item.key, &item.value, lifetime(item.ttl), *version).await;
                Ok(outcome.map_err(told)? == Outcome::Done)
            }
            Token::Value(_) => Err(self.info.unsupported(call.operation)),
        }
    }

    async fn claim(&self, call: Call, item: &Item<'_>) -> Result<Claim> {
        let claim = self.client(call)?.claim(item.key, &item.value, lifetime(item.ttl)).await;
        Ok(match claim.map_err(told)? {
            ClientClaim::Won(version) => Claim::Won(Token::Version(version)),
            ClientClaim::Held(held) => Claim::Held(found(held, Want::EVERYTHING)),
        })
    }

    async fn compare_and_delete(&self, call: Call, key: &str, token: &Token) -> Result<bool> {
        match token {
            Token::Absent => Ok(false),
            Token::Version(version) => {
                let outcome = self.client(call)?.compare_and_delete(key, *version).await;
                Ok(outcome.map_err(told)? == Outcome::Done)
            }
            Token::Value(_) => Err(self.info.unsupported(call.operation)),
        }
    }

    async fn increment(&self, call: Call, change: Change<'_>) -> Result<i64> {
        counter::change(&self.client(call)?, &self.together, call, change).await
    }

    async fn expire(&self, call: Call, key: &str, ttl: Option<Duration>) -> Result<bool> {
        self.client(call)?.touch(key, lifetime(ttl)).await.map_err(told)
    }

    async fn delete(&self, call: Call, keys: &[&str]) -> Result<Vec<bool>> {
        let client = self.client(call)?;
        match keys {
            [key] => client.delete(key).await.map(|stood| vec![stood]),
            keys => Box::pin(client.delete_many(keys)).await,
        }
        .map_err(told)
    }

    async fn clear(&self, call: Call, scope: Scope<'_>) -> Result<()> {
        match scope {
            Scope::Everything => self.client(call)?.flush_all().await.map_err(told),
            Scope::Prefix(_) => Err(self.info.unsupported(call.operation)),
        }
    }

    async fn raw(&self, call: Call, command: &[Bytes]) -> Result<Reply> {
        let client = self.client(call)?;
        let server = raw::server(&client, command).ok_or_else(|| {
            Error::unsupported(format!(
                "{}: a command without a key goes to one server, and here are several",
                self.info
            ))
        })?;
        raw::send(&client, server, command).await
    }

    async fn close(&self) -> Result<()> {
        self.client.close();
        Ok(())
    }
}

impl Memcached {
    /// The client with the call's deadline; nothing is begun after it.
    fn client(&self, call: Call) -> Result<Client> {
        if call.remaining().is_zero() {
            return Err(Error::new(ErrorKind::Timeout, "not sent: the call's deadline had passed"));
        }
        Ok(self.client.until(call.deadline))
    }
}

/// The ttl to ask for, so that an entry lives as long as `ttl`: the tick under way is over at any moment.
///
/// `None`, no deadline, if memcached's clock ends earlier.
pub(super) fn lifetime(ttl: Option<Duration>) -> Option<Duration> {
    ttl.map(|ttl| ttl.saturating_add(TICK))
        .filter(|ttl| *ttl <= LONGEST_RELATIVE || *ttl < scrubjay_memcached::longest_ttl())
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn told(error: ClientError) -> Error {
    failure::from_client(&error)
}

fn client_want(Want { value, ttl, token }: Want) -> scrubjay_memcached::Want {
    let mut wanted = scrubjay_memcached::Want::PRESENCE;
    (wanted.value, wanted.ttl, wanted.cas) = (value, ttl, token);
    wanted
}

fn client_item<'a>(item: &'a Item<'_>) -> scrubjay_memcached::Item<'a> {
    scrubjay_memcached::Item::new(item.key, &item.value, lifetime(item.ttl))
}

fn found(found: scrubjay_memcached::Found, want: Want) -> Found {
    let value = if found.value.len() < COPIED { Bytes::copy_from_slice(&found.value) } else { found.value };
    // The tick under way may be over at any moment, so it does not count.
    let ttl = found.ttl.map(|left| left.saturating_sub(TICK));
    Found { value, ttl, token: want.token.then_some(Token::Version(found.cas)) }
}
