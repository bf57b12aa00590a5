//! What stands between a cache and its server, and fails on request.
//!
//! ```no_run
//! use scrubjay_testkit::{proxy::{Fault, FaultProxy, Stroke}, servers::RedisServer};
//!
//! let server = RedisServer::start()?;
//! let proxy = FaultProxy::start(([127, 0, 0, 1], server.port()).into())?;
//! let url = format!("redis://127.0.0.1:{}", proxy.port());
//!
//! proxy.inject(Fault::BlackHole); // until something else is injected
//! proxy.heal();
//! proxy.strike(Stroke::Reset); // once
//! # let _ = url;
//! # Ok::<(), String>(())
//! ```
//!
//! A [`FaultProxy`] knows no protocol: a reply is what the server's side sends at once, which is a whole reply while
//! replies are small and one request at a time is on its way. A [`HostileServer`] answers whatever it likes.
//!
//! Both run on a thread of their own, so that tests may use any runtime or none, and end when they are dropped.

mod background;
mod connection;
mod fault;
mod fault_proxy;
mod hostile;
mod random;
mod replies;

pub use self::{
    fault::{Fault, Stroke},
    fault_proxy::FaultProxy,
    hostile::{Answer, HostileServer},
};
