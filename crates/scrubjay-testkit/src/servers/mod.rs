//! Real servers for tests: each on a free port of the loopback interface, in a temporary folder, ended with its handle.
//!
//! ```no_run
//! use scrubjay_testkit::servers::{MemcachedServer, RedisServer};
//!
//! let redis = RedisServer::builder().password("secret").start()?;
//! let memcached = MemcachedServer::start()?;
//! println!("{} {}", redis.url(), memcached.url());
//!
//! redis.kill();
//! redis.restart();
//! assert_eq!(redis.command(&["DBSIZE"]), "0");
//! # Ok::<(), String>(())
//! ```
//!
//! What starts a server answers a `Result`, whose error says what is missing. What drives a started one panics when that
//! fails, as an assertion does. A server that is not installed is an error, never a reason to skip a test: a green run
//! must mean that the servers were there.
//!
//! A handle kept in a `static` is never dropped, and its server outlives the test: keep handles in the tests.

mod account;
mod certificates;
mod cluster;
mod memcached;
mod process;
mod redis;
mod resp;
mod sentinel;

pub use self::{
    cluster::RedisCluster,
    memcached::{MemcachedBuilder, MemcachedServer},
    redis::{RedisBuilder, RedisServer},
    sentinel::RedisSentinel,
};
