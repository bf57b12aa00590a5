//! How many servers there are, and which of them to speak to: one, the master that sentinels name, or a cluster.

use std::{io, sync::Arc, time::Duration};

use futures_util::future::join_all;
use redis::{
    Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value,
    aio::ConnectionLike,
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{RoutingInfo, SingleNodeRoutingInfo},
    from_redis_value,
};
use tokio::{task::AbortHandle, time};

use super::{
    node::Node,
    order::Strictness,
    pulse::Pulse,
    server::{self, Connection, Server},
};

/// Where the servers are.
pub(super) enum Topology {
    Single(Server),
    Sentinel(Sentinels),
    Cluster(Box<ClusterClient>),
}

/// Servers that know which one is the master of `group`.
pub(super) struct Sentinels {
    pub(super) servers: Vec<Server>,
    pub(super) group: String,
    /// The master, but for its address.
    pub(super) master: Server,
}

/// What a caller wants answered.
pub(super) enum Request {
    One(Cmd),
    /// Each for itself, in one round trip.
    Several(Pipeline),
    /// All or none, in one round trip. On a cluster the keys must share a slot.
    Atomic(Pipeline),
    /// On one node of a cluster.
    Node {
        command: Cmd,
        host: String,
        port: u16,
    },
}

/// A connection to whatever the topology is; clones are the same one.
#[derive(Clone)]
pub(super) enum Link {
    Server(Connection),
    Cluster(Cluster),
}

/// A connection to a cluster, which redis-rs spreads over its nodes.
#[derive(Clone)]
pub(super) struct Cluster {
    commands: ClusterConnection<Node>,
    pulse: Arc<Pulse>,
    _end: Arc<End>,
}

/// Notices the end of the runtime that a cluster's connection lives on.
pub(super) struct End(AbortHandle);

impl Drop for End {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long one sentinel may think before the next is asked.
const SENTINEL_PATIENCE: Duration = Duration::from_millis(250);

impl Topology {
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Connects. Whoever calls bounds the time.
    pub(super) async fn connect(&self, strictness: Strictness) -> RedisResult<Link> {
        match self {
            Self::Single(server) => server.connect(strictness).await.map(Link::Server),
            Self::Sentinel(sentinels) => sentinels.connect(strictness).await.map(Link::Server),
            Self::Cluster(client) => {
                let commands = client.get_async_generic_connection().await?;
                let pulse = Arc::new(Pulse::default());
                let end = Arc::new(End(server::end_with_the_runtime(&pulse)));
                Ok(Link::Cluster(Cluster { commands, pulse, _end: end }))
            }
        }
    }
}

impl Sentinels {
    async fn connect(&self, strictness: Strictness) -> RedisResult<Connection> {
        let mut failure = RedisError::from((ErrorKind::EmptySentinelList, "there are no sentinels"));
        for sentinel in &self.servers {
            let named = time::timeout(SENTINEL_PATIENCE, self.ask(sentinel)).await;
            match named.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into())) {
                Ok((host, port)) => return self.connect_to_master(host, port, strictness).await,
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn ask(&self, sentinel: &Server) -> RedisResult<(String, u16)> {
        let connection = sentinel.connect(Strictness::Count).await?;
        let question = redis::cmd("SENTINEL").arg("get-master-addr-by-name").arg(&self.group).to_owned();
        match connection.commands.one(&question).await?.extract_error()? {
            Value::Nil => {
                Err((ErrorKind::MasterNameNotFoundBySentinel, "a sentinel knows no master of that name").into())
            }
            address => Ok(from_redis_value(address)?),
        }
    }

    async fn connect_to_master(&self, host: String, port: u16, strictness: Strictness) -> RedisResult<Connection> {
        let connection = self.master.at(host, port).connect(strictness).await?;
        let role = connection.commands.one(&redis::cmd("ROLE")).await?;
        let is_master = match role {
            Value::Array(facts) => matches!(facts.first(), Some(Value::BulkString(role)) if role == b"master"),
            // An ACL may forbid the question; a write will tell.
            _ => true,
        };
        if is_master {
            return Ok(connection);
        }
        Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the server that sentinels name is no master (yet)")
            .into())
    }
}

impl Link {
    pub(super) fn pulse(&self) -> &Pulse {
        match self {
            Self::Server(connection) => &connection.pulse,
            Self::Cluster(cluster) => &cluster.pulse,
        }
    }

    /// The replies to `request`, one for each command.
    pub(super) async fn ask(&self, request: &Request) -> RedisResult<Vec<Value>> {
        let replies = match self {
            Self::Server(connection) => ask_server(connection, request).await,
            Self::Cluster(cluster) => Box::pin(ask_cluster(&cluster.commands, request)).await,
        }?;
        self.pulse().receive();
        replies.into_iter().map(Value::extract_error).collect()
    }
}

async fn ask_server(connection: &Connection, request: &Request) -> RedisResult<Vec<Value>> {
    let commands = &connection.commands;
    match request {
        Request::One(command) | Request::Node { command, .. } => Ok(vec![commands.one(command).await?]),
        // Boxed, so that the commonest call's future stays small.
        Request::Several(pipeline) => Box::pin(commands.several(pipeline, 0, pipeline.len())).await,
        Request::Atomic(pipeline) => carried_out(Box::pin(commands.several(pipeline, pipeline.len() + 1, 1)).await?),
    }
}

async fn ask_cluster(commands: &ClusterConnection<Node>, request: &Request) -> RedisResult<Vec<Value>> {
    let mut commands = commands.clone();
    match request {
        Request::One(command) => Ok(vec![commands.req_packed_command(command).await?]),
        Request::Several(pipeline) => {
            let answers = join_all(pipeline.cmd_iter().map(|command| {
                let mut commands = commands.clone();
                async move { commands.req_packed_command(command).await }
            }));
            answers.await.into_iter().collect()
        }
        Request::Atomic(pipeline) => carried_out(commands.req_packed_commands(pipeline, pipeline.len() + 1, 1).await?),
        Request::Node { command, host, port } => {
            let node = SingleNodeRoutingInfo::ByAddress { host: host.clone(), port: *port };
            Ok(vec![commands.route_command(command.clone(), RoutingInfo::SingleNode(node)).await?])
        }
    }
}

/// The replies inside a transaction's.
fn carried_out(replies: Vec<Value>) -> RedisResult<Vec<Value>> {
    match replies.into_iter().next().map(Value::extract_error).transpose()? {
        Some(Value::Array(replies)) => Ok(replies),
        _ => Err((ErrorKind::UnexpectedReturnType, "a transaction was answered with something else").into()),
    }
}
