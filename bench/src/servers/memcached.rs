//! Clients of memcached.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use async_memcached::AsciiProtocol;
use bytes::Bytes;
use scrubjay::Cache;
use tokio::sync::Mutex;

use super::{BATCH, Client, Concurrent, Contestant, Discipline, Latencies, Result, Turn, missing, redis::total};
use crate::gauge;

/// The one that others are compared with.
pub const YARDSTICK: &str = "async-memcached, 50 connections";

/// How many connections go to those that do not share one.
const CONNECTIONS: usize = 50;

/// Everyone, connected to the server on this port.
///
/// # Errors
/// If one cannot connect.
pub async fn contestants(port: u16) -> Result<Vec<Box<dyn Contestant>>> {
    let address = format!("127.0.0.1:{port}");
    let cache = Cache::<Bytes>::from_url(&format!("memcached://{address}?serializer=null"))?;
    let mut pool = Vec::new();
    for _ in 0..CONNECTIONS {
        pool.push(Mutex::new(async_memcached::Client::new(format!("tcp://{address}")).await?));
    }
    let url = format!("memcache://{address}?protocol=ascii");
    let blocking = memcache::Client::with_pool_size(url, u32::try_from(CONNECTIONS)?)?;
    Ok(vec![
        Box::new(Concurrent { name: "scrubjay", client: cache }),
        Box::new(Concurrent { name: "scrubjay-memcached", client: scrubjay_memcached::Client::new(&address)? }),
        Box::new(Concurrent { name: YARDSTICK, client: Pool::new(pool) }),
        Box::new(Blocking(blocking)),
    ])
}

impl Client for scrubjay_memcached::Client {
    async fn get(&self, key: &str) -> Result<usize> {
        total([self.get(key).await?])
    }

    async fn set(&self, key: &str, value: &Bytes) -> Result<()> {
        Ok(self.set(key, value, None).await?)
    }

    async fn get_many(&self, keys: &[String]) -> Result<usize> {
        total(self.get_many(keys).await?)
    }
}

/// Connections of async-memcached, which serve one caller at a time. Each clone keeps to one, the next clone to the next.
#[expect(missing_debug_implementations, reason = "its clients have none")]
pub struct Pool {
    clients: Arc<Vec<Mutex<async_memcached::Client>>>,
    clones: Arc<AtomicUsize>,
    own: usize,
}

impl Pool {
    fn new(clients: Vec<Mutex<async_memcached::Client>>) -> Self {
        Self { clients: Arc::new(clients), clones: Arc::default(), own: 0 }
    }

    fn one(&self) -> &Mutex<async_memcached::Client> {
        &self.clients[self.own]
    }
}

impl Clone for Pool {
    fn clone(&self) -> Self {
        let own = self.clones.fetch_add(1, Ordering::Relaxed) % self.clients.len();
        Self { clients: Arc::clone(&self.clients), clones: Arc::clone(&self.clones), own }
    }
}

impl Client for Pool {
    async fn get(&self, key: &str) -> Result<usize> {
        let value = self.one().lock().await.get(key).await?;
        total([value.and_then(|value| value.data)])
    }

    async fn set(&self, key: &str, value: &Bytes) -> Result<()> {
        Ok(self.one().lock().await.set(key, &**value, None, None).await?)
    }

    async fn get_many(&self, keys: &[String]) -> Result<usize> {
        let values = self.one().lock().await.get_multi(keys).await?;
        if values.len() != BATCH {
            return Err(missing());
        }
        total(values.into_iter().map(|value| value.data))
    }
}

/// The `memcache` crate, whose calls block: a thread each.
struct Blocking(memcache::Client);

impl Contestant for Blocking {
    fn name(&self) -> &'static str {
        "memcache, a thread each"
    }

    fn takes(&self, tasks: usize) -> bool {
        tasks <= CONNECTIONS
    }

    fn run(&self, turn: Turn) -> Pin<Box<dyn Future<Output = Result<Latencies>> + '_>> {
        Box::pin(async move {
            let turn = &turn;
            let latencies = thread::scope(|scope| {
                let threads =
                    (0..turn.tasks).map(|first| scope.spawn(move || self.work(turn, first))).collect::<Vec<_>>();
                let joined = threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread has panicked")?);
                joined.collect::<Result<Vec<_>>>()
            });
            Ok(latencies?.concat())
        })
    }
}

impl Blocking {
    fn work(&self, turn: &Turn, first: usize) -> Result<Latencies> {
        let names = turn.keys.iter().map(String::as_str).collect::<Vec<_>>();
        let mut latencies = Vec::new();
        for number in first..first + turn.each {
            let key = names[number % names.len()];
            let began = gauge::now();
            let (found, expected) = match turn.discipline {
                Discipline::Get(size) => (total([self.0.get::<Vec<u8>>(key)?])?, size),
                Discipline::Set(_) => (self.0.set(key, &*turn.value, 0).map(|()| 0)?, 0),
                Discipline::GetMany(size) => {
                    let values: HashMap<String, Vec<u8>> = self.0.gets(&names)?;
                    (total(values.into_values().map(Some))?, size * BATCH)
                }
            };
            if found != expected {
                return Err(missing());
            }
            latencies.push(u64::try_from(began.elapsed().as_nanos())?);
        }
        Ok(latencies)
    }
}
