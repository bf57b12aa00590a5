//! Keys of every kind against a real server.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program: a failure is a panic, figures are printed"
)]

mod support;

use std::collections::HashMap;

use scrubjay_memcached::{Client, Dialect};
use support::{Random, Server};

fn clients(server: &Server) -> [Client; 2] {
    let classic = Client::builder().server(&server.address()).dialect(Dialect::Classic).build().unwrap();
    [Client::new(&server.address()).unwrap(), classic]
}

#[tokio::test]
async fn random_keys_come_back_and_never_meet() {
    let server = Server::with(&["-m", "256"]);
    let mut random = Random::new();
    for client in clients(&server) {
        client.flush_all().await.unwrap();
        let mut written = HashMap::new();
        while written.len() < 1_000 {
            let number = written.len();
            let length = random.below(400);
            // Half of them from few letters, so that some are alike.
            let few = random.below(2) == 0;
            let mut key = random.bytes(if few { length % 6 } else { length });
            if few {
                key.iter_mut().for_each(|byte| *byte = b"a_ \r\n\0"[usize::from(*byte % 6)]);
            }
            client.set(&key, number.to_string(), None).await.unwrap();
            written.insert(key, number.to_string());
        }
        for (key, value) in &written {
            assert_eq!(client.get(key).await.unwrap().unwrap(), value, "{key:?}");
        }
        assert_eq!(usize::try_from(server.figure("curr_items")).unwrap(), written.len());
        let keys: Vec<_> = written.keys().collect();
        let values = client.get_many(&keys).await.unwrap();
        assert!(keys.iter().zip(values).all(|(key, value)| value.unwrap() == written[*key]));
        assert!(client.delete_many(&keys).await.unwrap().into_iter().all(|deleted| deleted));
        println!("{} random keys: all came back, none met", written.len());
    }
}

#[tokio::test]
async fn keys_that_look_alike_are_not() {
    let server = Server::start();
    for client in clients(&server) {
        let long = "x".repeat(251);
        let keys = ["a b", "a_b", "a%20b", "YSBi", "", " ", "_", "~#", &long, &long[..250], "naïve", "na ïve"];
        for key in keys {
            client.set(key, key, None).await.unwrap();
        }
        for key in keys {
            assert_eq!(client.get(key).await.unwrap().unwrap(), key);
            assert!(client.touch(key, None).await.unwrap());
            assert!(!client.add(key, "", None).await.unwrap());
            assert!(client.delete(key).await.unwrap());
        }
    }
}

#[tokio::test]
async fn encoded_keys_are_the_bytes_themselves_to_others() {
    let server = Server::start();
    let client = &clients(&server)[0];
    client.set("naïve", "v", None).await.unwrap();
    let address = client.servers().next().unwrap();
    assert_eq!(client.raw(address, "get naïve", None).await.unwrap()[1], "v");
}

#[tokio::test]
async fn no_key_smuggles_a_command() {
    let server = Server::start();
    let figures = || ["cmd_flush", "cmd_set", "cmd_touch", "cmd_meta"].map(|name| server.figure(name));
    for client in clients(&server) {
        client.set("victim", "v", None).await.unwrap();
        let before = figures();
        let keys = [
            "k\r\nflush_all",
            "k\r\nset victim 0 0 1\r\nx",
            "k 0 0 0\r\n\r\nflush_all\r\n",
            "k\nflush_all\n",
            "k\0\r\nflush_all",
            "k v O1\r\nms victim 1\r\nx\r\n",
        ];
        for key in keys {
            assert_eq!(client.get(key).await.unwrap(), None);
            assert!(!client.delete(key).await.unwrap());
            client.set(key, "\r\nflush_all\r\n", None).await.unwrap();
            assert_eq!(client.get_many(&[key, "victim"]).await.unwrap()[1].as_deref(), Some(&b"v"[..]));
        }
        let after = figures();
        let sets = keys.len() as u64;
        assert_eq!((after[0] - before[0], after[1] - before[1], after[2] - before[2]), (0, sets, 0));
        println!("{sets} hostile keys: no flush, no touch, {} sets and all of them ours", after[1] - before[1]);
    }
}
