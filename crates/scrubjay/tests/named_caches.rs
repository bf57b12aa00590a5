//! Named caches. They belong to the whole process, so every test has aliases of its own and none calls `configure`.

use std::time::Duration;

use scrubjay::{
    Cache, Codecs, ErrorKind, Recipe, Remaining,
    caches::{self, Config},
    far::MemoryStore,
    plugin::{HitRatio, Timing},
    serializer::Json,
};

#[test]
fn an_alias_is_one_instance() {
    caches::add("one-instance", Recipe::default());
    let (one, other) = (caches::get::<u8>("one-instance").unwrap(), caches::get::<u8>("one-instance").unwrap());
    one.blocking().set("key", 1).unwrap();
    assert_eq!(other.blocking().get("key").unwrap(), Some(1));

    let created: Cache<u8> = caches::create("one-instance").unwrap().ttl(Duration::from_secs(9)).build().unwrap();
    assert_eq!(created.blocking().get("key").unwrap(), None, "a created cache has its own tiers");
    assert_eq!(created.info().to_string(), "near(10000 entries) ttl=9s");
}

#[test]
fn live_values_have_one_type_and_bytes_have_views() {
    caches::add("live", Recipe::default());
    caches::get::<u8>("live").unwrap();
    let error = caches::get::<String>("live").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    let text = error.to_string();
    assert!(text.contains("u8") && text.contains("String") && text.contains("`live`"), "{text}");

    caches::add("bytes", Recipe::new("memory").serializer("json"));
    caches::get::<u8>("bytes").unwrap().blocking().set("key", 7).unwrap();
    assert_eq!(caches::get::<Option<u64>>("bytes").unwrap().blocking().get("key").unwrap(), Some(Some(7)));
}

#[test]
fn two_threads_get_the_same_instance() {
    caches::add("raced", Recipe::default());
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for number in 0..8u8 {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                let cache = caches::get::<u8>("raced").unwrap().blocking();
                cache.set(number.to_string(), number).unwrap();
            });
        }
    });
    let cache = caches::get::<u8>("raced").unwrap().blocking();
    assert!((0..8).all(|number| cache.exists(number.to_string()).unwrap()));
}

#[test]
fn unknown_aliases_list_the_known() {
    let error = caches::get::<u8>("nobody").unwrap_err().to_string();
    assert!(error.starts_with("unknown alias `nobody`; known: ") && error.contains("default"), "{error}");
    assert!(caches::recipe("nobody").is_err() && caches::create::<u8>("nobody").is_err());
}

#[test]
fn a_type_without_serde_gets_a_cache_by_alias_too() {
    #[derive(Clone, Debug, PartialEq)]
    struct Plain(u8);
    caches::add("plain", Recipe::from_url("memory://?ttl=60").unwrap());
    let shared = caches::get_with::<Plain>("plain", Codecs::none()).unwrap().blocking();
    let own = caches::create_with::<Plain>("plain", Codecs::none()).unwrap().build().unwrap().blocking();
    shared.set(1, Plain(7)).unwrap();
    assert_eq!((shared.get("1").unwrap(), own.get("1").unwrap()), (Some(Plain(7)), None));
}

#[test]
fn a_recipe_is_copied_edited_and_built_anew() {
    caches::add("edited", Recipe::from_url("memory://?ttl=60").unwrap());
    let edited = caches::recipe("edited").unwrap().namespace("mine").ttl(Duration::from_secs(5));
    caches::add("edited-2", edited);
    assert_eq!(caches::get::<u8>("edited-2").unwrap().info().to_string(), "near(10000 entries) namespace=mine ttl=5s");
    assert_eq!(caches::get::<u8>("edited").unwrap().info().to_string(), "near(10000 entries) ttl=60s");
}

#[test]
fn values_stand_where_names_do() {
    let store = MemoryStore::default();
    let recipe = Recipe::default().store(store.clone()).serializer_for::<u8>(Json).plugin(HitRatio::default());
    caches::add("values", recipe.plugin_name("timing"));
    let cache = caches::get::<u8>("values").unwrap();
    cache.blocking().set("key", 7).unwrap();
    assert_eq!(cache.info().plugins, ["hit-ratio", "timing"]);
    assert!(cache.plugin::<Timing>().is_some());
    let other = Cache::<u8>::builder().far(store).serializer(Json).build().unwrap();
    assert_eq!(other.blocking().get("key").unwrap(), Some(7), "it is the store that was given");
    assert_eq!(caches::get::<u16>("values").unwrap_err().kind(), ErrorKind::WrongType, "the serializer is one of u8");
}

#[test]
fn types_without_serde_have_named_caches_too() {
    #[derive(Clone)]
    struct Opaque;
    caches::add("opaque", Recipe::default());
    let cache = caches::get_with::<Opaque>("opaque", Codecs::none()).unwrap();
    cache.blocking().set("key", Opaque).unwrap();
}

#[cfg(feature = "toml")]
#[test]
fn tables_say_what_urls_say() {
    let config = Config::from_toml(
        r#"
        default = "memory://?max-entries=9"

        [pages]
        cache = "memory"
        serializer = { name = "json", compression-threshold = 100 }
        "#,
    );
    // An option that nobody takes is found when the cache is built.
    caches::add("toml-0", Recipe::default());
    assert!(config.is_ok());

    for (toml, expected) in [
        ("x = 'memory://?ttl=5'", "near(10000 entries) ttl=5s"),
        ("[x]\nttl = 60\nmax-entries = 50\nplugins = ['timing']", "near(50 entries) ttl=60s plugins=timing"),
        (
            "[x]\ncache = 'memory'\nserializer = 'json'\ntimeout = 0.5\nnamespace = 'main'",
            "memory serializer=json timeout=500ms namespace=main",
        ),
        ("[x]\ncache = 'memory://?namespace=a'\nttl = '10m'", "near(10000 entries) namespace=a ttl=600s"),
        (
            "[x]\nserializer = { name = 'json' }\nlayers = 'limit'\nconcurrency = 2",
            "limit(memory) serializer=json timeout=1s",
        ),
    ] {
        let value: serde_json::Value = toml::from_str(toml).unwrap();
        caches::add("toml", Recipe::from_value(value["x"].clone()).unwrap());
        assert_eq!(caches::get::<u8>("toml").unwrap().info().to_string(), expected, "{toml}");
    }

    for (toml, expected) in [
        ("x = 5", "alias `x`: a cache is configured by a URL or a table"),
        ("[x]\nttl = 0", "alias `x`: option `ttl`: a ttl of zero"),
        ("[x]\nport = 'high'", "`port`: expected a number"),
        ("[x]\nttl = [1]", "`ttl`: expected a text"),
        ("[x]\nserializer = { level = 3 }", "a table needs a `name`"),
        ("x = ", "not TOML"),
    ] {
        let error = Config::from_toml(toml).unwrap_err().to_string();
        assert!(error.contains(expected), "{toml}: {error}");
    }
    assert!(Config::from_json("{").unwrap_err().to_string().contains("not JSON"));
    assert!(Config::from_json(r#"{"default": "memory://"}"#).is_ok());
}

#[test]
fn a_configured_ttl_applies() {
    caches::add("mortal", Recipe::default().ttl(Duration::from_secs(60)));
    let cache = caches::get::<u8>("mortal").unwrap().blocking();
    cache.set("key", 1).unwrap();
    assert!(matches!(cache.ttl("key").unwrap(), Remaining::For(left) if left <= Duration::from_secs(60)));
}
