//! What a URL, a builder and a recipe make, and how they say no.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use scrubjay::{
    Cache, Codecs, ErrorKind, KeyBuilder, KeyLayout, Memory, Recipe, Ttl,
    far::{self, DummyStore, MemoryStore, Reply, StoreConfig},
    serializer::Json,
};

fn info(url: &str) -> String {
    Cache::<String>::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}")).info().to_string()
}

fn refusal(url: &str) -> String {
    let error = Cache::<String>::from_url(url).expect_err(url);
    assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::InvalidTtl), "{url}: {error:?}");
    error.to_string()
}

#[test]
fn every_choice_of_a_builder_is_an_option() {
    for (url, expected) in [
        ("memory://", "near(10000 entries)"),
        ("MEMORY://", "near(10000 entries)"),
        ("memory://?max-entries=5&ttl=1.5s", "near(5 entries) ttl=1.5s"),
        ("memory://?max-entries=unbounded&ttl=never", "near(unbounded)"),
        ("memory://?serializer=json", "memory serializer=json timeout=1s"),
        ("memory://?serializer=json&max-entries=7&timeout=250ms", "memory serializer=json timeout=250ms"),
        ("memory://?near=20&serializer=json", "near(20 entries, 5s) + memory serializer=json timeout=1s"),
        (
            "memory://?near=memory&near-ttl=2s&serializer=text",
            "near(10000 entries, 2s) + memory serializer=text timeout=1s",
        ),
        ("memory://?near=none&serializer=json", "memory serializer=json timeout=1s"),
        ("dummy://", "dummy serializer=json timeout=1s"),
        ("dummy://?near=unbounded", "near(unbounded, 5s) + dummy serializer=json timeout=1s"),
        ("memory://?serializer=json&layers=retry+breaker", "retry(breaker(memory)) serializer=json timeout=1s"),
        (
            "memory://?namespace=a%26b&plugins=hit-ratio,timing",
            "near(10000 entries) namespace=a&b plugins=hit-ratio,timing",
        ),
        ("memory://?serializer=noop", "memory serializer=null timeout=1s"),
    ] {
        assert_eq!(info(url), expected, "{url}");
    }
}

#[test]
fn what_is_unknown_or_cannot_work_is_told_in_one_line() {
    for (url, expected) in [
        ("", "not a URL"),
        ("memory", "not a URL"),
        ("redsi://localhost", "unknown scheme `redsi`; known: dummy, "),
        ("memory://localhost", "takes no host"),
        ("memory:///0", "takes no host"),
        ("memory://?colour=blue", "unknown option `colour`; known: "),
        ("memory://?ttl=0", "option `ttl`: a ttl of zero"),
        ("memory://?ttl=soon", "option `ttl`: \"soon\" is not a duration"),
        ("memory://?ttl=1&ttl=2", "`ttl` is given twice"),
        ("memory://?max-entries=0", "option `max-entries`"),
        ("memory://?max-entries=-1", "option `max-entries`"),
        ("memory://?near=some", "option `near`"),
        ("memory://?near=none", "there must be a far one"),
        ("memory://?near-ttl=5", "option `near-ttl`"),
        ("memory://?serializer=xml", "unknown serializer `xml`; known: json"),
        ("memory://?serializer=json+text", "`json` and `text` are both formats"),
        ("memory://?serializer=json&pickle-protocol=4", "unknown option `pickle-protocol`"),
        ("memory://?serializer=json&layers=cake", "unknown layer `cake`; known: breaker"),
        ("memory://?layers=retry", "unknown option `layers`"),
        ("memory://?plugins=timing,party", "unknown plugin `party`; known: hit-ratio, timing"),
        ("memory://?key-layout=spiral", "unknown key layout `spiral`"),
        ("memory://?key-builder=bob", "unknown key builder `bob`; known: identity"),
        ("memory://?timeout=-1", "option `timeout`"),
    ] {
        let error = refusal(url);
        assert!(error.contains(expected), "{url}: {error}");
        assert!(!error.contains('\n'), "{url}: {error}");
    }
}

#[test]
fn a_type_without_serde_works_in_memory_and_is_told_why_it_goes_no_further() {
    #[derive(Clone, Debug, PartialEq)]
    struct Opaque(u8);

    let cache = Cache::<Opaque>::builder().url("memory://?max-entries=3").unwrap().build().unwrap().blocking();
    cache.set("key", Opaque(1)).unwrap();
    assert_eq!(cache.get("key").unwrap(), Some(Opaque(1)));

    for builder in [
        Cache::<Opaque>::builder().url("memory://?serializer=json").unwrap(),
        Cache::<Opaque>::builder().far(MemoryStore::default()),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("Opaque"), "{error}");
    }
}

#[test]
fn a_builder_refuses_what_does_not_fit() {
    let layer = far::layer::Retry::new();
    assert!(Cache::<u8>::builder().layer(layer).build().unwrap_err().to_string().contains("a layer wraps a far tier"));
    assert!(Cache::<u8>::builder().near_ttl(Duration::from_secs(1)).build().is_err());
    assert_eq!(Cache::<u8>::builder().ttl(Duration::ZERO).build().unwrap_err().kind(), ErrorKind::InvalidTtl);
    let zero = Cache::<u8>::builder().near(Memory::with_capacity(1)).far(DummyStore).serializer(Json);
    assert_eq!(zero.near_ttl(Duration::ZERO).build().unwrap_err().kind(), ErrorKind::InvalidTtl);
}

#[test]
fn calls_after_a_url_override_it() {
    let cache = Cache::<String>::builder()
        .codecs(Codecs::serde())
        .url("memory://?serializer=json&ttl=60&namespace=a&timeout=2s")
        .unwrap()
        .ttl(Ttl::Never)
        .namespace("b")
        .timeout(Duration::from_millis(10))
        .serializer_name("text")
        .build()
        .unwrap();
    assert_eq!(cache.info().to_string(), "memory serializer=text timeout=10ms namespace=b");
}

#[test]
fn a_store_stands_alone_too() {
    assert_eq!(
        far::from_url("memory://?max-entries=10&layers=timeout+retry").unwrap().to_string(),
        "timeout(retry(memory))"
    );
    assert!(far::from_url("memory://?namespace=main").unwrap_err().to_string().contains("unknown option `namespace`"));
    let store = StoreConfig::new("memory").option("layers", "limit").option("concurrency", "3").build().unwrap();
    assert_eq!(store.to_string(), "limit(memory)");
    assert!(StoreConfig::new("memory").host("h", None).build().is_err());
}

/// What the wire holds, told by the store itself.
fn wire(cache: &Cache<String>) -> Vec<String> {
    let cache = cache.blocking();
    cache.set("user:42", "x".into()).unwrap();
    let candidates = ["test:user:42", "testuser:42", "TEST:USER:42", "test:USER:42", "a:b:user:42", "a%3Ab:user:42"];
    let stands = |key: &&str| cache.raw(["EXISTS", key].map(str::to_owned)).unwrap() == Reply::Integer(1);
    candidates.into_iter().filter(stands).map(str::to_owned).collect()
}

#[test]
fn layouts_decide_what_the_wire_shows() {
    for (options, expected) in [
        ("namespace=test", "test:user:42"),
        ("namespace=test&key-layout=concatenated", "testuser:42"),
        ("namespace=test&key-layout=cachetory", "testuser:42"),
        ("namespace=test&key-layout=aiocache-redis", "test:user:42"),
        ("namespace=a:b", "a%3Ab:user:42"),
        ("namespace=a:b&key-layout=verbatim", "a:b:user:42"),
    ] {
        let cache = Cache::from_url(&format!("memory://?serializer=json&{options}")).unwrap();
        assert_eq!(wire(&cache), [expected], "{options}");
    }
}

#[test]
fn a_key_builder_serves_every_verb_and_has_a_name() {
    KeyBuilder::register("upper", KeyBuilder::new(str::to_uppercase)).unwrap();
    assert!(KeyBuilder::register("upper", KeyBuilder::new(str::to_owned)).is_err());
    let cache = Cache::<String>::from_url("memory://?serializer=json&namespace=test&key-builder=upper").unwrap();
    assert_eq!(wire(&cache), ["test:USER:42"]);
    let cache = cache.blocking();
    assert_eq!(cache.get_many(["User:42", "user:42"]).unwrap(), [Some("x".to_owned()), Some("x".to_owned())]);
    assert!(cache.delete("USER:42").unwrap());
    assert!(!cache.exists("user:42").unwrap());

    let near = Cache::<u8>::builder().key_builder(KeyBuilder::new(str::to_uppercase)).build().unwrap().blocking();
    near.set("a", 1).unwrap();
    assert_eq!(near.get("A").unwrap(), Some(1));
}

#[test]
fn layouts_without_boundaries_refuse_to_clear() {
    let cache = Cache::<String>::builder()
        .far(MemoryStore::default())
        .serializer(Json)
        .namespace("a")
        .key_layout(KeyLayout::Concatenated)
        .build()
        .unwrap()
        .blocking();
    let error = cache.clear().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("`concatenated`"), "{error}");
}

#[test]
fn recipes_print_no_secret() {
    let secret = "hunter2";
    let recipe = Recipe::from_url(&format!("redis://me:{secret}@localhost/1?token={secret}")).unwrap();
    let shown = format!("{recipe:?} {:?}", recipe.clone().password(secret).option("auth", secret));
    assert!(!shown.contains(secret), "{shown}");
}

#[test]
fn info_tells_what_the_near_tier_holds() {
    let near = Memory::builder().capacity(100).weigher(|_, value: &String| u32::try_from(value.len()).unwrap()).build();
    let cache = Cache::builder().near(near).build().unwrap();
    let near = || cache.info().near.unwrap();
    assert_eq!((near().len, near().weighed), (0, true));
    cache.blocking().set_many([("a", "one".to_owned()), ("b", "two".to_owned())]).unwrap();
    assert_eq!(near().len, 2);
    assert_eq!(cache.info().to_string(), "near(100 of weight)");
}
