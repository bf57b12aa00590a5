//! A password is shown nowhere: not in what a cache, a recipe or an error says of itself, not in an error's causes, and not in
//! anything that is logged, whatever goes wrong with the server that wants it.
#![cfg(all(feature = "redis", feature = "memcached", feature = "tls", feature = "tracing", unix))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

use std::{
    error::Error as StdError,
    fmt::{Debug, Write as _},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use scrubjay::{Cache, Error, Recipe, caches, far::StoreConfig};
use scrubjay_testkit::{
    proxy::{Fault, FaultProxy, HostileServer},
    servers::{MemcachedServer, RedisServer},
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

const PASSWORD: &str = "hunter2";

/// All that was shown to anybody.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<String>>);

impl Shown {
    fn text(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, what: &dyn Debug) {
        writeln!(self.text(), "{what:?}\n{what:#?}").unwrap();
    }

    /// What an error says, and each of its causes.
    fn blame(&self, error: &Error) {
        self.show(error);
        writeln!(self.text(), "{error}").unwrap();
        let mut cause = error.source();
        while let Some(error) = cause {
            self.show(&error);
            writeln!(self.text(), "{error}").unwrap();
            cause = error.source();
        }
    }
}

/// Takes down every span and every event, whoever tells it.
impl Subscriber for Shown {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Fields(self, span.metadata()));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Fields(self, event.metadata()));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// What redis-rs tells goes another way.
impl log::Log for Shown {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        writeln!(self.text(), "log: {} {}: {}", record.level(), record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

struct Fields<'a>(&'a Shown, &'a Metadata<'a>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let Self(shown, about) = self;
        writeln!(shown.text(), "log: {} {} {}: {value:?}", about.level(), about.target(), field.name()).unwrap();
    }
}

/// Uses a cache by every kind of call, and shows all that comes of it. Answers how many failed.
async fn use_cache(shown: &Shown, url: &str) -> usize {
    let recipe = Recipe::from_url(url).unwrap();
    shown.show(&recipe);
    let cache = Cache::<String>::from_url(url).unwrap();
    shown.show(&cache);
    shown.show(&cache.info());
    shown.show(&cache.blocking());
    writeln!(shown.text(), "{}", cache.info()).unwrap();
    let timeout = Duration::from_millis(200);
    let (get, set) = (cache.get("key").timeout(timeout), cache.set("key", "value".into()).timeout(timeout));
    let many = cache.get_many(["a", "b"]).timeout(timeout);
    shown.show(&get);
    let lock = cache.lock("key", Duration::from_secs(1)).within(Duration::ZERO);
    shown.show(&lock);
    let load = cache.get_or_load("key", || async { Ok::<_, Error>("loaded".into()) });
    let answers = [
        get.await.err(),
        set.await.err(),
        many.await.err(),
        cache.increment("count", 1).timeout(timeout).await.err(),
        cache.raw(["AUTH", "jay", PASSWORD]).await.err(),
        cache.clear_server().await.err(),
        load.await.err(),
        lock.await.err(),
        cache.blocking().get("key").err(),
        cache.close().await.err(),
    ];
    answers.iter().flatten().map(|error| shown.blame(error)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_password_is_shown_or_logged_whatever_goes_wrong() {
    let shown = Shown::default();
    tracing::subscriber::set_global_default(shown.clone()).unwrap();
    log::set_logger(Box::leak(Box::new(shown.clone()))).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let redis = RedisServer::builder().user("jay", "acorn").start().unwrap();
    let memcached = MemcachedServer::builder().auth("jay", "acorn").start().unwrap();
    let secure = RedisServer::builder().user("jay", PASSWORD).tls().start().unwrap();
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let [to_redis, to_memcached] = [redis.port(), memcached.port()].map(|port| FaultProxy::start(local(port)).unwrap());
    to_redis.inject(Fault::BlackHole);
    to_memcached.inject(Fault::Swallow);
    // They quote what they were told, answer something else, send the client elsewhere, or say anything.
    let hostile = [
        format!("-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'jay' '{PASSWORD}' \r\n"),
        format!("-WRONGPASS invalid username-password pair, with args beginning with: '{PASSWORD}'\r\n"),
        "-MOVED 12182 127.0.0.1:1\r\n".to_owned(),
        "-ASK 12182 127.0.0.1:1\r\n".to_owned(),
        format!("ERROR jay {PASSWORD}\r\n"),
        format!("STORED\r\nCLIENT_ERROR jay {PASSWORD}\r\n"),
        format!("jay {PASSWORD}\r\n"),
    ]
    .map(|reply| HostileServer::start(reply).unwrap());

    let ca = secure.ca_certificate();
    let mut urls = Vec::new();
    for place in ["127.0.0.1:1", "no-such-host.invalid:1", &redis.url()["redis://jay:acorn@".len()..]] {
        for scheme in ["redis", "redis-cluster", "rediss", "memcached", "memcacheds"] {
            urls.push(format!("{scheme}://jay:{PASSWORD}@{place}"));
        }
        urls.push(format!("redis://jay:{PASSWORD}@{place}?protocol=3&layers=retry+breaker+timeout&plugins=tracing"));
        urls.push(format!("redis-sentinel://jay:{PASSWORD}@{place}/main?sentinel-password={PASSWORD}"));
    }
    urls.extend([
        format!("memcached://jay:{PASSWORD}@127.0.0.1:{}", memcached.port()),
        format!("redis://jay:{PASSWORD}@{}", to_redis.address()),
        format!("redis-cluster://jay:{PASSWORD}@{}", to_redis.address()),
        format!("memcached://jay:{PASSWORD}@{}", to_memcached.address()),
        format!("redis+unix://jay:{PASSWORD}@/no/such.sock"),
        format!("memcached+unix://jay:{PASSWORD}@/no/such.sock"),
        // Nobody whom the web trusts vouches for it.
        secure.url(),
    ]);
    for server in &hostile {
        for scheme in ["redis", "redis-cluster", "memcached"] {
            urls.push(format!("{scheme}://jay:{PASSWORD}@{}", server.address()));
        }
        urls.push(format!("redis://jay:{PASSWORD}@{}?protocol=3", server.address()));
    }
    for url in &urls {
        let failed = use_cache(&shown, url).await;
        assert!(failed > 0, "nothing went wrong with {url}");
    }

    // What works is as silent.
    let works = format!("{}?ca={}&near=10&plugins=tracing", secure.url(), ca.display());
    let cache = Cache::<String>::from_url(&works).unwrap();
    cache.set("key", "value".into()).await.unwrap();
    use_cache(&shown, &works).await;

    for url in [
        format!("redsi://jay:{PASSWORD}@h"),
        format!("redis://jay:{PASSWORD}@h:port"),
        format!("redis://jay:{PASSWORD}@[::1"),
        format!("redis://jay:{PASSWORD}@h/one"),
        format!("redis://jay:{PASSWORD}@h?poool=2"),
        format!("memcached://jay:{PASSWORD}@h/1"),
        format!("memcached://:{PASSWORD}@h"),
    ] {
        shown.blame(&Cache::<String>::from_url(&url).unwrap_err());
    }
    let set = StoreConfig::new("redis").host("h", None).user("jay").password(PASSWORD);
    shown.show(&set);
    shown.show(&set.build().unwrap());
    let recipe = Recipe::new("redis").host("h", None).user("jay").password(PASSWORD);
    shown.show(&recipe);
    shown.show(&caches::Config::new().alias("main", recipe));
    shown.show(&Cache::<String>::builder().url(&urls[0]).unwrap());
    let table = serde_json::json!({"main": {"cache": "redis", "password": PASSWORD, "nonsense": true}});
    match caches::Config::from_value(table) {
        Ok(config) => shown.show(&config),
        Err(error) => shown.blame(&error),
    }

    let text = shown.text();
    let (lines, logged) = (text.lines().count(), text.lines().filter(|line| line.starts_with("log: ")).count());
    println!("{} ways to fail: {lines} lines shown, {logged} of them logged", urls.len());
    assert!(logged > urls.len() && text.contains("the store does not answer"), "{logged} lines are logged");
    if let Some(line) = text.lines().find(|line| line.contains(PASSWORD)) {
        panic!("it is shown: {line}");
    }
}
