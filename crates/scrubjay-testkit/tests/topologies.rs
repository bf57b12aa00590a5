//! Several Redis servers that work together, and what they do when one is lost.

#![cfg(unix)]

mod clients;

use scrubjay_testkit::servers::{RedisCluster, RedisSentinel, RedisServer};

use self::clients::{ask_to_the_end, connect};

/// Sets a key on a master and waits for its replica.
fn set_on_both(master: &RedisServer, key_and_value: &str) -> String {
    let replies = ask_to_the_end(connect(master.port()), &format!("SET {key_and_value}\r\nWAIT 1 4000\r\nQUIT\r\n"));
    replies.strip_suffix("+OK\r\n").unwrap_or(&replies).to_owned()
}

#[test]
fn a_cluster_survives_the_loss_of_a_master() {
    let cluster = RedisCluster::start().unwrap();
    assert_eq!(cluster.url().matches("127.0.0.1:").count(), 6);
    assert!(cluster.url().starts_with(&format!("redis-cluster://127.0.0.1:{},", cluster.nodes()[0].port())));
    for node in cluster.nodes() {
        assert!(node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    }
    // The slot of this key, 12182, belongs to the third master.
    assert_eq!(set_on_both(&cluster.nodes()[2], "foo bar"), "+OK\r\n:1\r\n");

    cluster.kill_master(2);
    cluster.until_healed();
    let heir = &cluster.nodes()[5];
    assert_eq!(heir.command(&["GET", "foo"]), "bar");

    cluster.nodes()[2].restart();
    cluster.until_healed();
}

#[test]
fn a_sentinel_announces_the_heir() {
    let sentinel = RedisSentinel::start().unwrap();
    assert_eq!(sentinel.url(), format!("redis-sentinel://127.0.0.1:{}/mymaster/0", sentinel.sentinel().port()));
    assert_eq!(sentinel.master().port(), sentinel.servers()[0].port());
    assert_eq!(set_on_both(sentinel.master(), "key value"), "+OK\r\n:1\r\n");

    sentinel.failover();
    assert_eq!(sentinel.master().port(), sentinel.servers()[1].port());
    assert_eq!(sentinel.master().command(&["GET", "key"]), "value");
    assert_eq!(sentinel.master().command(&["SET", "key", "new"]), "OK");
}
