//! From a URL's parts to a [`Memcached`].

use std::time::Duration;

use scrubjay_memcached::{Address, Builder, Client, Hashing};

use super::{Memcached, failure, together::Together};
use crate::{
    Error, Result,
    far::{Secret, StoreConfig, StoreInfo},
    url::Host,
};

/// Every scheme that means a memcached.
pub(in crate::far) const SCHEMES: [&str; 3] = ["memcached", "memcacheds", "memcached+unix"];

const PORT: u16 = 11211;
/// How long an attempt to connect may take at least, however short the calls are that wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The store that `config` describes.
pub(super) fn build(config: &mut StoreConfig) -> Result<Memcached> {
    let scheme = config.scheme.clone();
    let pool = config.take_pool()?;
    let parameters = &mut config.parameters;
    let builder = Client::builder().connections(pool).timeout(config.timeout.unwrap_or(PATIENCE).max(PATIENCE));
    let builder = match parameters.take_text("hash").as_deref() {
        None | Some("ketama") => builder.hashing(Hashing::Ketama),
        Some("rendezvous") => builder.hashing(Hashing::Rendezvous),
        Some(other) => {
            return Err(Error::config(format!("option `hash`: expected ketama or rendezvous, found {other:?}")));
        }
    };
    let builder = if scheme == "memcacheds" { secured(builder, parameters.take_text("ca"))? } else { builder };
    let builder = match (&config.user, &config.password) {
        (None, None) => builder,
        (user, password) => builder.credentials(
            user.as_deref().unwrap_or_default(),
            password.as_ref().map(Secret::reveal).unwrap_or_default(),
        ),
    };
    let info = StoreInfo::new(scheme.as_str());
    let (builder, info) = if scheme == "memcached+unix" {
        if !config.hosts.is_empty() || config.path.len() < 2 {
            return Err(Error::config(format!("{scheme}:// expects a socket's path: {scheme}:///run/memcached.sock")));
        }
        (builder.server(&config.path), info.at(&config.path, None, None))
    } else {
        if config.path.len() > 1 {
            return Err(Error::config(format!("{scheme}:// takes no path: memcached has no databases")));
        }
        let mut hosts = config.hosts.clone();
        if hosts.is_empty() {
            hosts.push(Host { name: "localhost".to_owned(), port: None });
        }
        let info = info.at(&hosts[0].name, Some(hosts[0].port.unwrap_or(PORT)), None);
        (hosts.into_iter().fold(builder, with_server), info)
    };
    let client = builder.build().map_err(|error| failure::of_configuration(&error))?;
    Ok(Memcached { client, together: Together::default(), info })
}

fn with_server(builder: Builder, Host { name, port }: Host) -> Builder {
    builder.server(&Address::Tcp { host: name, port: port.unwrap_or(PORT) }.to_string())
}

#[cfg(feature = "tls")]
fn secured(builder: Builder, ca: Option<String>) -> Result<Builder> {
    use scrubjay_memcached::Tls;

    let tls = match ca {
        None => Tls::public().map_err(|error| failure::of_configuration(&error))?,
        Some(path) => {
            let pem = std::fs::read(&path)
                .map_err(|error| Error::config(format!("option `ca`: cannot read {path}")).with_source(error))?;
            Tls::authorities(&pem).map_err(|error| {
                Error::config(format!("option `ca`: no PEM certificates in {path}")).with_source(error)
            })?
        }
    };
    Ok(builder.tls(tls))
}

#[cfg(not(feature = "tls"))]
fn secured(_: Builder, _: Option<String>) -> Result<Builder> {
    Err(Error::config("TLS needs the Cargo feature `tls` of scrubjay"))
}
