//! Several servers, Unix sockets, passwords and TLS.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program: a failure is a panic, figures are printed"
)]

mod support;

use std::{fs, time::Duration};

use scrubjay_memcached::{Builder, Client, Dialect, ErrorKind, Hashing, Item};
use support::{Server, fresh_path};

#[tokio::test]
async fn several_servers_share_the_keys() {
    let mut servers = [Server::start(), Server::start(), Server::start()];
    for hashing in [Hashing::Ketama, Hashing::Rendezvous] {
        let builder = servers.iter().fold(Client::builder(), |builder, server| builder.server(&server.address()));
        let client = builder.hashing(hashing).connections(2).build().unwrap();
        client.flush_all().await.unwrap();
        let keys: Vec<String> = (0..3_000).map(|number| format!("key:{number}")).collect();
        let items: Vec<_> = keys.iter().map(|key| Item::new(key, key, None)).collect();
        client.set_many(&items).await.unwrap();
        let held: Vec<u64> = servers.iter().map(|server| server.figure("curr_items")).collect();
        println!("{hashing:?}: {held:?}");
        assert!(held.iter().sum::<u64>() == 3_000 && held.iter().all(|&held| held > 500));
        let values = client.get_many(&keys).await.unwrap();
        assert!(keys.iter().zip(values).all(|(key, value)| value.unwrap() == key.as_bytes()));
        assert_eq!(client.version().await.unwrap().len(), 3);
        // Each server holds what the ring says.
        for server in &servers {
            let alone = Client::new(&server.address()).unwrap();
            for key in &keys[..100] {
                let expected = client.server_of(key).to_string() == server.address();
                assert_eq!(alone.get(key).await.unwrap().is_some(), expected);
            }
        }
    }
    let builder = servers.iter().fold(Client::builder(), |builder, server| builder.server(&server.address()));
    let client = builder.build().unwrap();
    servers[1].kill();
    let (mut failed, mut there) = (0, 0);
    let dead = servers[1].address();
    for number in 0..300 {
        let key = format!("key:{number}");
        let lost = client.server_of(&key).to_string() == dead;
        match client.set(&key, "v", None).await {
            Ok(()) => there += i32::from(!lost),
            Err(error) => {
                assert!(lost && error.server() == Some(&*dead), "{error}");
                failed += 1;
            }
        }
    }
    println!("one of three servers dead: {failed} of 300 keys fail, {there} are served");
    assert_eq!(failed + there, 300);
    servers[1].restart();
    client.version().await.unwrap();
}

#[tokio::test]
async fn a_unix_socket_serves() {
    let path = fresh_path("socket");
    // With `-s` it listens on no port, so that there is nothing the launcher could wait for.
    let mut child = match std::process::Command::new("memcached").args(["-u", "nobody", "-s"]).arg(&path).spawn() {
        Ok(child) => child,
        Err(error) => panic!("cannot start memcached ({error}); install it: apt-get install memcached"),
    };
    let client = Client::new(&format!("unix:{}", path.display())).unwrap();
    support::until_async("the socket", async || client.version().await.is_ok()).await;
    client.set("a b", "v", None).await.unwrap();
    assert_eq!(client.get("a b").await.unwrap().unwrap(), "v");
    child.kill().unwrap();
    child.wait().unwrap();
    let _ = fs::remove_file(path);
}

#[tokio::test]
async fn a_password_is_asked_for_and_never_shown() {
    let path = fresh_path("passwords");
    fs::write(&path, "user:sesame\n").unwrap();
    let server = Server::with(&["-Y", path.to_str().unwrap()]);
    let with = |password: &str| Client::builder().server(&server.address()).credentials("user", password);
    for dialect in [None, Some(Dialect::Classic)] {
        let builder = with("sesame");
        let client = dialect.into_iter().fold(builder, Builder::dialect).build().unwrap();
        client.set("k", "v", None).await.unwrap();
        assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
    }
    let builder = with("wrong sesame");
    let shown = format!("{builder:?}");
    let client = builder.build().unwrap();
    let error = client.get("k").await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Unauthenticated, true));
    let shown = format!("{shown}{client:?}{error}{error:?}");
    assert!(!shown.contains("sesame"), "{shown}");
    let error = Client::new(&server.address()).unwrap().get("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(with("a\r\nb").build().unwrap_err().kind(), ErrorKind::Config);
    fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn weights_and_addresses_are_checked_when_built() {
    for builder in [Client::builder(), Client::builder().server("a:b"), Client::builder().weighted_server("a", 0)] {
        assert_eq!(builder.build().unwrap_err().kind(), ErrorKind::Config);
    }
}

#[tokio::test]
async fn a_name_that_no_one_has_is_an_error_in_time() {
    let client = Client::new("no-such-host.invalid").unwrap().timeout(Duration::from_secs(5));
    assert_eq!(client.get("k").await.unwrap_err().kind(), ErrorKind::Connect);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_is_spoken_and_the_certificate_checked() {
    use scrubjay_memcached::Tls;

    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (fresh_path("certificate"), fresh_path("key"));
    fs::write(&certificate, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let option = |name: &str, path: &std::path::Path| format!("{name}={}", path.display());
    let (chain, secret) = (option("ssl_chain_cert", &certificate), option("ssl_key", &key));
    let server = Server::with(&["-Z", "-o", &chain, "-o", &secret]);
    let trusted = Tls::authorities(pair.cert.pem().as_bytes()).unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let address = format!("{host}:{}", server.port());
        let client = Client::builder().server(&address).tls(trusted.clone()).build().unwrap();
        let large = vec![b'x'; 900_000];
        client.set("k", &large, None).await.unwrap();
        assert_eq!(client.get("k").await.unwrap().unwrap(), large);
        let keys: Vec<String> = (0..500).map(|number| format!("key {number}")).collect();
        assert_eq!(client.get_many(&keys).await.unwrap().len(), 500);
        let distrustful = Client::builder().server(&address).tls(Tls::public().unwrap()).build().unwrap();
        assert_eq!(distrustful.get("k").await.unwrap_err().kind(), ErrorKind::Connect);
        let plain = Client::new(&address).unwrap();
        assert!(plain.get("k").await.is_err());
    }
    assert_eq!(Tls::authorities(b"nothing").unwrap_err().kind(), ErrorKind::Config);
    for path in [certificate, key] {
        fs::remove_file(path).unwrap();
    }
}
