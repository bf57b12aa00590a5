//! Three Redis masters and a replica of each.

use std::{ops::RangeInclusive, time::Duration};

use tempfile::TempDir;

use super::{RedisBuilder, RedisServer, certificates::Certificates};
use crate::{ports, wait::until};

/// The slots of each master.
const SLOTS: [RangeInclusive<u16>; MASTERS] = [0..=5460, 5461..=10922, 10923..=16383];
const MASTERS: usize = 3;
const NODES: usize = 2 * MASTERS;

/// How long the nodes may take to agree, also after a failover.
const LIMIT: Duration = Duration::from_secs(30);

/// A Redis Cluster on this machine, ended when this is dropped.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    /// Where their certificates are, if they speak TLS.
    _certificates: Option<TempDir>,
}

impl RedisCluster {
    /// Starts three masters with a replica each, and waits until all of them agree that the cluster works.
    pub fn start() -> Result<Self, String> {
        Self::start_as(RedisServer::builder())
    }

    /// The same of nodes that are each as `node` says: with a password, over TLS. One authority vouches for all of them.
    pub fn start_as(node: RedisBuilder) -> Result<Self, String> {
        let (node, certificates) = if node.speaks_tls() {
            let folder = TempDir::new().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
            (node.vouched_for_by(Certificates::make(folder.path())?), Some(folder))
        } else {
            (node, None)
        };
        let nodes = (0..NODES).map(|_| start_node(node.clone())).collect::<Result<Vec<_>, _>>()?;
        let cluster = Self { nodes, _certificates: certificates };
        cluster.form().map_err(|error| format!("the cluster was not formed: {error}"))?;
        Ok(cluster)
    }

    /// Where the cluster is: `redis-cluster://host:port,host:port,…`, masters first; `rediss-cluster` over TLS, with the password
    /// if it asks for one.
    pub fn url(&self) -> String {
        let first = self.nodes[0].url();
        let (scheme, address) = first.split_once("://").unwrap_or_default();
        let account = address.rsplit_once('@').map(|(account, _)| format!("{account}@")).unwrap_or_default();
        let addresses = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect::<Vec<_>>();
        format!("{scheme}-cluster://{account}{}", addresses.join(","))
    }

    /// The nodes: the three that were masters at the start, in the order of their slots, then the replica of each.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// Ends the node that started as the `n`th master, without a warning. Its replica takes over within a few seconds:
    /// see [`until_healed`](Self::until_healed).
    ///
    /// # Panics
    ///
    /// When `n` is not 0, 1 or 2.
    pub fn kill_master(&self, n: usize) {
        assert!(n < MASTERS, "there is no master {n}: they are 0, 1 and 2");
        self.nodes[n].kill();
    }

    /// Waits until every node that runs says that a running master has each slot.
    ///
    /// # Panics
    ///
    /// When that takes more than 30 s.
    pub fn until_healed(&self) {
        until(LIMIT, || self.healed()).unwrap_or_else(|error| panic!("the cluster does not heal: {error}"));
    }

    fn healed(&self) -> Result<(), String> {
        let running = self.nodes.iter().filter(|node| node.is_running()).collect::<Vec<_>>();
        let ports = running.iter().map(|node| node.port()).collect::<Vec<_>>();
        for node in &running {
            node.says(&["CLUSTER", "INFO"], "cluster_state:ok")?;
            // A node may not have noticed yet that another is gone, and say that all is well.
            let view = node.try_command(&["CLUSTER", "NODES"])?;
            if let Some(gone) = view.lines().filter_map(slot_owner).find(|port| !ports.contains(port)) {
                return Err(format!("node {} still counts on {gone}, which has ended", node.port()));
            }
        }
        Ok(())
    }

    /// Makes strangers a cluster.
    fn form(&self) -> Result<(), String> {
        let (masters, replicas) = self.nodes.split_at(MASTERS);
        for (master, slots) in masters.iter().zip(SLOTS) {
            let [first, last] = [slots.start(), slots.end()].map(u16::to_string);
            master.try_command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])?;
        }
        for (epoch, node) in (1..).zip(&self.nodes) {
            node.try_command(&["CLUSTER", "SET-CONFIG-EPOCH", &i32::to_string(&epoch)])?;
        }
        for node in &self.nodes[1..] {
            let bus = node.try_command(&["CONFIG", "GET", "cluster-port"])?;
            let bus = bus.lines().last().unwrap_or_default();
            self.nodes[0].try_command(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), bus])?;
        }
        let known = format!("cluster_known_nodes:{NODES}\r");
        until(LIMIT, || self.nodes.iter().try_for_each(|node| node.says(&["CLUSTER", "INFO"], &known)))?;

        for (master, replica) in masters.iter().zip(replicas) {
            let master = master.try_command(&["CLUSTER", "MYID"])?;
            replica.try_command(&["CLUSTER", "REPLICATE", &master])?;
        }
        until(LIMIT, || {
            masters.iter().try_for_each(RedisServer::is_replicated)?;
            self.nodes.iter().try_for_each(|node| match roles(&node.try_command(&["CLUSTER", "NODES"])?) {
                (MASTERS, MASTERS) => Ok(()),
                (masters, replicas) => {
                    Err(format!("node {} knows {masters} masters and {replicas} replicas", node.port()))
                }
            })?;
            self.healed()
        })
    }
}

fn start_node(node: RedisBuilder) -> Result<RedisServer, String> {
    let node = match node.default_password().map(str::to_owned) {
        // A replica logs in to its master.
        Some(password) => node.setting("masterauth", &password),
        None => node,
    };
    let node =
        if node.speaks_tls() { node.setting("tls-replication", "yes").setting("tls-cluster", "yes") } else { node };
    ports::with_free(|port| {
        node.clone()
            .setting("cluster-enabled", "yes")
            .setting("cluster-announce-ip", "127.0.0.1")
            .setting("cluster-port", &ports::free()?.to_string())
            .setting("cluster-node-timeout", "2000")
            .setting("repl-diskless-sync-delay", "0")
            .start_on(port)
    })
}

/// The port of the node that a line of `CLUSTER NODES` is about, if it has slots.
fn slot_owner(line: &str) -> Option<u16> {
    let mut words = line.split(' ');
    let address = words.nth(1)?;
    let _first_slots = words.nth(6)?;
    address.split(['@', ',']).next()?.rsplit(':').next()?.parse().ok()
}

/// How many masters and replicas a reply to `CLUSTER NODES` tells of.
fn roles(view: &str) -> (usize, usize) {
    let count = |role| view.lines().filter(|line| line.split([' ', ',']).any(|word| word == role)).count();
    (count("master"), count("slave"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: &str = "\
07c3 127.0.0.1:30004@31004,host slave e7d1 0 1426238317239 4 connected
67ed 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922
e7d1 127.0.0.1:30001@31001 myself,master - 0 0 1 connected 0-5460 [93-<-67ed]
dead 127.0.0.1:30003@31003 master,fail - 0 0 1 disconnected
";

    #[test]
    fn owners_are_those_with_slots() {
        assert_eq!(VIEW.lines().filter_map(slot_owner).collect::<Vec<_>>(), [30002, 30001]);
    }

    #[test]
    fn roles_are_counted() {
        assert_eq!(roles(VIEW), (3, 1));
    }
}
