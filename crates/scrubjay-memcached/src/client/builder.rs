//! What a client is made of.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Address, Client, Hashing,
    connect::{Connector, Credentials},
    ring::Ring,
    server::Server,
    verbs::{Patience, Shared},
};
use crate::{Dialect, Error, ErrorKind, Result, pipe::Limits};

/// Builds a [`Client`]. Nothing connects before the first call.
#[derive(Clone)]
#[must_use]
pub struct Builder {
    servers: Vec<Result<(Address, u32)>>,
    hashing: Hashing,
    connections: usize,
    timeout: Duration,
    largest_value: u64,
    limits: Limits,
    dialect: Option<Dialect>,
    credentials: Option<Result<Credentials>>,
    #[cfg(feature = "tls")]
    tls: Option<super::Tls>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            hashing: Hashing::default(),
            connections: 1,
            timeout: Duration::from_secs(1),
            largest_value: 512 * 1024 * 1024,
            limits: Limits::default(),
            dialect: None,
            credentials: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl Builder {
    /// Adds a server, by its [`Address`] in text.
    pub fn server(self, address: &str) -> Self {
        self.weighted_server(address, 1)
    }

    /// Adds a server that gets `weight` shares of the keys.
    pub fn weighted_server(mut self, address: &str, weight: u32) -> Self {
        let weight =
            if weight > 0 { Ok(weight) } else { Err(Error::new(ErrorKind::Config, "expected a weight of 1 or more")) };
        self.servers.push(address.parse().and_then(|address| Ok((address, weight?))));
        self
    }

    /// How keys are shared among several servers; ketama unless told otherwise.
    pub fn hashing(mut self, hashing: Hashing) -> Self {
        self.hashing = hashing;
        self
    }

    /// How many connections each server gets, 1 unless told otherwise. More than one helps with values of many kilobytes.
    pub fn connections(mut self, each: usize) -> Self {
        self.connections = each.max(1);
        self
    }

    /// How long a call may take in all, 1 s unless told otherwise; also how long connecting may take.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The largest value that is sent or accepted, in bytes; 512 MiB unless told otherwise. What a server accepts is its own
    /// matter (1 MiB, usually).
    pub fn largest_value(mut self, bytes: u64) -> Self {
        self.largest_value = bytes;
        self
    }

    /// How much may be under way on each connection, in bytes; 16 MiB unless told otherwise. A request counts for a KiB at
    /// least. Calls beyond that wait.
    pub fn bytes_in_flight(mut self, bytes: usize) -> Self {
        self.limits.bytes_in_flight = bytes;
        self
    }

    /// The dialect to speak. Unless told, each connection finds out.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// User and password for memcached's ASCII authentication (its option `-Y`).
    pub fn credentials(mut self, user: &str, password: &str) -> Self {
        self.credentials = Some(Credentials::new(user, password));
        self
    }

    /// Encrypts connections. Unix sockets stay as they are.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: super::Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there is no server, or something given cannot be meant.
    pub fn build(self) -> Result<Client> {
        let servers = self.servers.into_iter().collect::<Result<Vec<_>>>()?;
        if servers.is_empty() {
            return Err(Error::new(ErrorKind::Config, "expected at least one server"));
        }
        let connector = Arc::new(Connector {
            timeout: self.timeout,
            largest_value: self.largest_value,
            dialect: self.dialect,
            credentials: self.credentials.transpose()?,
            #[cfg(feature = "tls")]
            tls: self.tls,
        });
        let ring = Ring::new(self.hashing, &servers);
        let server = |(address, _)| Server::new(address, Arc::clone(&connector), self.limits, self.connections);
        let servers = servers.into_iter().map(server).collect();
        Ok(Client::from_parts(Shared { ring, servers }, Patience::Timeout(self.timeout)))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("servers", &self.servers)
            .field("hashing", &self.hashing)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout)
            .field("credentials", &self.credentials.as_ref().map(|_| "…"))
            .finish_non_exhaustive()
    }
}
