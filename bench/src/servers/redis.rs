//! Clients of Redis.

use std::time::Duration;

use bytes::Bytes;
use fred::interfaces::{ClientLike, KeysInterface};
use redis::AsyncCommands;
use rustis::commands::StringCommands;
use scrubjay::{
    Cache, Operation,
    far::{Call, Item, Redis, Store, Want},
    serializer::Null,
};

use super::{Client, Concurrent, Contestant, Result, missing};

/// The one that others are compared with.
pub const YARDSTICK: &str = "redis-rs ConnectionManager";

/// Everyone, connected to the server on this port.
///
/// # Errors
/// If one cannot connect.
pub async fn contestants(port: u16) -> Result<Vec<Box<dyn Contestant>>> {
    let url = format!("redis://127.0.0.1:{port}");
    let redis_rs = redis::Client::open(&*url)?;
    let cache = Cache::builder().far(Redis::new(&url)?).serializer(Null).build()?;
    let fred = fred::types::Builder::from_config(fred::types::config::Config::from_url(&url)?).build()?;
    fred.init().await?;
    Ok(vec![
        Box::new(Concurrent { name: "scrubjay", client: cache }),
        Box::new(Concurrent { name: "scrubjay, its store alone", client: Redis::new(&url)? }),
        Box::new(Concurrent { name: YARDSTICK, client: redis_rs.get_connection_manager().await? }),
        Box::new(Concurrent {
            name: "redis-rs multiplexed",
            client: redis_rs.get_multiplexed_async_connection().await?,
        }),
        Box::new(Concurrent { name: "fred", client: fred }),
        Box::new(Concurrent { name: "rustis", client: rustis::client::Client::connect(&*url).await? }),
    ])
}

/// Total length of the values, none of which may be missing.
pub(super) fn total<V: AsRef<[u8]>>(values: impl IntoIterator<Item = Option<V>>) -> Result<usize> {
    values.into_iter().map(|value| value.map(|value| value.as_ref().len()).ok_or_else(missing)).sum()
}

impl Client for Cache<Bytes> {
    async fn get(&self, key: &str) -> Result<usize> {
        total([self.get(key).await?])
    }

    async fn set(&self, key: &str, value: &Bytes) -> Result<()> {
        Ok(self.set(key, value.clone()).await?)
    }

    async fn get_many(&self, keys: &[String]) -> Result<usize> {
        total(self.get_many(keys).await?)
    }
}

/// What a call may take, as in a cache that says nothing else.
const TIMEOUT: Duration = Duration::from_secs(1);

impl Client for Redis {
    async fn get(&self, key: &str) -> Result<usize> {
        let found = Store::get(self, Call::new(Operation::Get, TIMEOUT), &[key], Want::VALUE).await?;
        total(found.into_iter().map(|found| found.map(|found| found.value)))
    }

    async fn set(&self, key: &str, value: &Bytes) -> Result<()> {
        let item = Item { key, value: value.clone(), ttl: None };
        Ok(Store::set(self, Call::new(Operation::Set, TIMEOUT), &[item]).await?)
    }

    async fn get_many(&self, keys: &[String]) -> Result<usize> {
        let keys = keys.iter().map(String::as_str).collect::<Vec<_>>();
        let found = Store::get(self, Call::new(Operation::GetMany, TIMEOUT), &keys, Want::VALUE).await?;
        total(found.into_iter().map(|found| found.map(|found| found.value)))
    }
}

/// The same commands on both of redis-rs's connections.
macro_rules! redis_rs {
    ($($connection:ty),*) => {$(
        impl Client for $connection {
            async fn get(&self, key: &str) -> Result<usize> {
                let value: Option<Vec<u8>> = AsyncCommands::get(&mut self.clone(), key).await?;
                total([value])
            }

            async fn set(&self, key: &str, value: &Bytes) -> Result<()> {
                Ok(AsyncCommands::set(&mut self.clone(), key, &**value).await?)
            }

            async fn get_many(&self, keys: &[String]) -> Result<usize> {
                let values: Vec<Option<Vec<u8>>> = self.clone().mget(keys).await?;
                total(values)
            }
        }
    )*};
}

redis_rs!(redis::aio::ConnectionManager, redis::aio::MultiplexedConnection);

impl Client for fred::clients::Client {
    async fn get(&self, key: &str) -> Result<usize> {
        let value: Option<Bytes> = KeysInterface::get(self, key).await?;
        total([value])
    }

    async fn set(&self, key: &str, value: &Bytes) -> Result<()> {
        Ok(KeysInterface::set(self, key, value.clone(), None, None, false).await?)
    }

    async fn get_many(&self, keys: &[String]) -> Result<usize> {
        let values: Vec<Option<Bytes>> = self.mget(keys.to_vec()).await?;
        total(values)
    }
}

impl Client for rustis::client::Client {
    async fn get(&self, key: &str) -> Result<usize> {
        let value: Option<String> = StringCommands::get(self, key).await?;
        total([value])
    }

    // It hands values to serde, to which bytes are a sequence: text is what it takes whole.
    async fn set(&self, key: &str, value: &Bytes) -> Result<()> {
        Ok(StringCommands::set(self, key, std::str::from_utf8(value)?).await?)
    }

    async fn get_many(&self, keys: &[String]) -> Result<usize> {
        let values: Vec<Option<String>> = self.mget(keys).await?;
        total(values)
    }
}
