//! From a URL's parts to a [`Redis`].

use redis::{
    ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    cluster::{ClusterClient, ClusterClientBuilder},
};

use super::{
    Redis,
    server::{self, Address, Server},
    tls::Tls,
    topology::{Sentinels, Topology},
};
use crate::{
    Error, Result,
    far::{Secret, StoreConfig, StoreInfo},
    url::Host,
};

/// Every scheme that means a Redis or a Valkey.
pub(in crate::far) const SCHEMES: [&str; 14] = [
    "redis",
    "rediss",
    "redis+unix",
    "redis-cluster",
    "rediss-cluster",
    "redis-sentinel",
    "rediss-sentinel",
    "valkey",
    "valkeys",
    "valkey+unix",
    "valkey-cluster",
    "valkeys-cluster",
    "valkey-sentinel",
    "valkeys-sentinel",
];

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What a URL's scheme says of where the servers are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Unix,
    Cluster,
    Sentinel,
}

/// The store that `config` describes.
pub(super) fn build(config: &mut StoreConfig) -> Result<Redis> {
    let scheme = config.scheme.clone();
    let kind = match scheme.rsplit_once(['-', '+']) {
        Some((_, "unix")) => Kind::Unix,
        Some((_, "cluster")) => Kind::Cluster,
        Some((_, "sentinel")) => Kind::Sentinel,
        _ => Kind::Single,
    };
    let secure = scheme.starts_with("rediss") || scheme.starts_with("valkeys");
    let pool = config.take_pool()?;
    let parameters = &mut config.parameters;
    let protocol = match parameters.take_text("protocol").as_deref() {
        None | Some("2") => ProtocolVersion::RESP2,
        Some("3") => ProtocolVersion::RESP3,
        Some(other) => return Err(Error::config(format!("option `protocol`: expected 2 or 3, found {other:?}"))),
    };
    let tls = if secure { Some(Tls::new(parameters.take_text("ca").as_deref())?) } else { None };
    let db_option = if kind == Kind::Unix { parameters.take::<u32>("db", "a database number")? } else { None };
    let sentinel_login = (kind == Kind::Sentinel)
        .then(|| (parameters.take_text("sentinel-user"), parameters.take_text("sentinel-password")));

    let password = config.password.as_ref().map(Secret::reveal);
    let login = |db| server::login(db, config.user.as_deref(), password, protocol);
    let server = |host: &Host, port: u16, login: RedisConnectionInfo| {
        let (host, port) = (host.name.clone(), host.port.unwrap_or(port));
        let address = match tls.clone() {
            Some(tls) => Address::Tls { host, port, tls },
            None => Address::Tcp { host, port },
        };
        Server { address, login }
    };
    let mut hosts = config.hosts.clone();
    if hosts.is_empty() {
        hosts.push(Host { name: "localhost".to_owned(), port: None });
    }
    let first = &hosts[0];
    let info = StoreInfo::new(scheme.as_str());

    let (topology, info) = match kind {
        Kind::Single if hosts.len() > 1 => {
            return Err(Error::config(format!(
                "{scheme}:// takes one host; several are `redis-cluster://` or `redis-sentinel://`"
            )));
        }
        Kind::Single => {
            let db = database(&scheme, &config.path)?;
            let info = info.at(&first.name, Some(first.port.unwrap_or(PORT)), Some(db));
            (Topology::Single(server(first, PORT, login(db))), info)
        }
        Kind::Unix => {
            if !config.hosts.is_empty() || config.path.len() < 2 {
                return Err(Error::config(format!("{scheme}:// expects a socket's path: {scheme}:///run/redis.sock")));
            }
            let db = db_option.unwrap_or(0);
            let address = Address::Unix(config.path.clone().into());
            (Topology::Single(Server { address, login: login(db) }), info.at(&config.path, None, Some(db)))
        }
        Kind::Cluster => {
            if database(&scheme, &config.path)? != 0 {
                return Err(Error::config(format!("{scheme}:// has only the database 0")));
            }
            let info = info.at(&first.name, Some(first.port.unwrap_or(PORT)), None);
            let client = cluster(&hosts, &login(0), tls.as_ref())?;
            (Topology::Cluster(Box::new(client)), info)
        }
        Kind::Sentinel => {
            let (group, db) = group_and_database(&scheme, &config.path)?;
            let (user, password) = sentinel_login.unwrap_or_default();
            let login_there = server::login(0, user.as_deref(), password.as_deref(), protocol);
            let servers = hosts.iter().map(|host| server(host, SENTINEL_PORT, login_there.clone())).collect();
            let info = info.at(&first.name, Some(first.port.unwrap_or(SENTINEL_PORT)), Some(db));
            (Topology::Sentinel(Sentinels { servers, group, master: server(first, PORT, login(db)) }), info)
        }
    };
    Ok(Redis::new_over(topology, info, pool))
}

fn cluster(hosts: &[Host], login: &RedisConnectionInfo, tls: Option<&Tls>) -> Result<ClusterClient> {
    let refused = |error| Error::config("the cluster's nodes").with_source(error);
    let nodes = hosts.iter().map(|host| {
        let (host, port) = (host.name.clone(), host.port.unwrap_or(PORT));
        let address = match tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        };
        Ok(address.into_connection_info()?.set_redis_settings(login.clone()))
    });
    let nodes: Vec<_> = nodes.collect::<redis::RedisResult<_>>().map_err(refused)?;
    // A call's deadline rules, so a few quick repetitions are enough.
    let builder = ClusterClient::builder(nodes).retries(4).min_retry_wait(5).max_retry_wait(100);
    let builder = builder.connection_timeout(FOREVER).response_timeout(FOREVER).overall_response_timeout(None);
    trusting(builder, tls).build().map_err(refused)
}

/// Longer than any call.
const FOREVER: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

#[cfg(feature = "tls")]
fn trusting(builder: ClusterClientBuilder, tls: Option<&Tls>) -> ClusterClientBuilder {
    match tls.and_then(Tls::ca) {
        Some(ca) => builder.certs(redis::TlsCertificates { client_tls: None, root_cert: Some(ca.to_vec()) }),
        None => builder,
    }
}

#[cfg(not(feature = "tls"))]
fn trusting(builder: ClusterClientBuilder, _: Option<&Tls>) -> ClusterClientBuilder {
    builder
}

/// The number in `/1`.
fn database(scheme: &str, path: &str) -> Result<u32> {
    match path.trim_start_matches('/') {
        "" => Ok(0),
        db => db.parse().map_err(|_| Error::config(format!("{scheme}://host/db: expected a number, found {db:?}"))),
    }
}

/// The parts of `/mymaster/1`.
fn group_and_database(scheme: &str, path: &str) -> Result<(String, u32)> {
    let path = path.trim_start_matches('/');
    let (group, db) = path.split_once('/').unwrap_or((path, ""));
    if group.is_empty() {
        return Err(Error::config(format!("{scheme}:// expects the master's name: {scheme}://host:26379/mymaster/0")));
    }
    Ok((group.to_owned(), database(scheme, db)?))
}
