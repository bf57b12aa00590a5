//! What a store is, as data and as text, without secrets.

use std::fmt;

use crate::{Error, Operation};

/// A store's name, whereabouts and layers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreInfo {
    /// The kind of store, as its URL scheme names it.
    pub store: String,
    /// The host or the socket path, where there is one.
    pub endpoint: Option<String>,
    /// The port, where there is one.
    pub port: Option<u16>,
    /// The database number, where there is one.
    pub db: Option<u32>,
    /// The layers around the store, outermost first.
    pub layers: Vec<String>,
}

impl StoreInfo {
    /// A store in this process.
    #[must_use]
    pub fn new(store: impl Into<String>) -> Self {
        Self { store: store.into(), endpoint: None, port: None, db: None, layers: Vec::new() }
    }

    /// Adds where the store is.
    #[must_use]
    pub fn at(mut self, endpoint: impl Into<String>, port: Option<u16>, db: Option<u32>) -> Self {
        self.endpoint = Some(endpoint.into());
        self.port = port;
        self.db = db;
        self
    }

    /// Adds a layer around all that is there.
    #[must_use]
    pub fn inside(mut self, layer: impl Into<String>) -> Self {
        self.layers.insert(0, layer.into());
        self
    }

    /// The error of a store that cannot carry out `operation`, naming the stack.
    #[must_use]
    pub fn unsupported(&self, operation: Operation) -> Error {
        Error::unsupported(format!("{self} cannot do this")).with_operation(operation)
    }
}

/// Host, port and database as a URL shows them.
pub(crate) struct Endpoint<'a>(pub(crate) &'a StoreInfo);

impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StoreInfo { store, endpoint, port, db, .. } = self.0;
        write!(f, "{store}")?;
        if let Some(endpoint) = endpoint {
            let address = if endpoint.contains(':') { format!("[{endpoint}]") } else { endpoint.clone() };
            write!(f, "://{address}")?;
        }
        if let Some(port) = port {
            write!(f, ":{port}")?;
        }
        db.map_or(Ok(()), |db| write!(f, "/{db}"))
    }
}

impl fmt::Display for StoreInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layers.iter().try_for_each(|layer| write!(f, "{layer}("))?;
        write!(f, "{}{}", Endpoint(self), ")".repeat(self.layers.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_prints_as_it_nests() {
        let info = StoreInfo::new("redis").at("::1", Some(6379), Some(2)).inside("retry").inside("timeout");
        assert_eq!(info.to_string(), "timeout(retry(redis://[::1]:6379/2))");
        assert!(info.unsupported(Operation::Raw).to_string().starts_with("raw: timeout(retry("));
    }
}
