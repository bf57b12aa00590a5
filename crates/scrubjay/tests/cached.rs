//! `#[cached]`: the function behind a cache, with every option, and its companions.

#![cfg(feature = "macros")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "figures are printed")]

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use scrubjay::{
    Cache, Clock, Error, ErrorKind, Memory, Policy, Ttl, cached, cached_many, caches,
    far::{MemoryStore, layer::Chaos},
    serializer::Json,
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, task::JoinSet};

const SECOND: Duration = Duration::from_secs(1);

/// How often each function of this file ran.
static CALLS: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());

fn called(function: &'static str) {
    *CALLS.lock().entry(function).or_default() += 1;
}

fn calls(function: &str) -> u32 {
    CALLS.lock().get(function).copied().unwrap_or_default()
}

/// A cache whose clock is at hand.
fn clocked<V: Clone + Send + Sync + 'static>() -> (Clock, Cache<V>) {
    let clock = Clock::manual();
    (clock.clone(), Cache::builder().near(Memory::builder().clock(clock.clone()).build()).clock(clock).build().unwrap())
}

mod shapes {
    use super::*;

    #[cached]
    async fn plain(number: u32) -> u32 {
        called("plain");
        number * 2
    }

    #[cached]
    fn plain_blocking(number: u32) -> u32 {
        called("plain_blocking");
        number * 2
    }

    #[cached]
    async fn tried(number: u32) -> Result<u32, Error> {
        called("tried");
        Ok(number * 2)
    }

    #[cached]
    fn tried_blocking(number: u32) -> Result<u32, Error> {
        called("tried_blocking");
        Ok(number * 2)
    }

    #[cached]
    async fn maybe(number: u32) -> Option<u32> {
        called("maybe");
        number.checked_sub(10)
    }

    #[cached]
    async fn tried_maybe(number: u32) -> scrubjay::Result<Option<u32>> {
        called("tried_maybe");
        Ok(number.checked_sub(10))
    }

    #[tokio::test]
    async fn every_return_type_is_kept() {
        for _ in 0..3 {
            assert_eq!(plain(21).await, 42);
            assert_eq!(plain_blocking(21), 42);
            assert_eq!(tried(21).await.unwrap(), 42);
            assert_eq!(tried_blocking(21).unwrap(), 42);
            assert_eq!(maybe(52).await, Some(42));
            assert_eq!(tried_maybe(52).await.unwrap(), Some(42));
        }
        for function in ["plain", "plain_blocking", "tried", "tried_blocking", "maybe", "tried_maybe"] {
            assert_eq!(calls(function), 1, "{function}");
        }
        assert_eq!(maybe::peek(52).await.unwrap(), Some(42), "the value is what Some holds");
        for _ in 0..2 {
            assert_eq!(maybe(5).await, None);
            assert_eq!(tried_maybe(5).await.unwrap(), None);
        }
        assert_eq!((calls("maybe"), calls("tried_maybe")), (3, 3), "nothing is not kept");
    }
}

mod companions {
    use super::*;

    #[cached(namespace = "companions-async")]
    async fn counted(number: u32) -> u32 {
        called("counted");
        number + calls("counted")
    }

    #[cached(namespace = "companions-blocking")]
    fn counted_blocking(number: u32) -> u32 {
        called("counted_blocking");
        number + calls("counted_blocking")
    }

    #[cached(companions = renamed_cache)]
    async fn renamed(number: u32) -> u32 {
        number
    }

    #[cached(companions = none)]
    async fn alone(number: u32) -> u32 {
        called("alone");
        number
    }

    /// A module of the same name as the function, which its companions would not stand beside.
    mod alone {}

    #[tokio::test]
    async fn async_companions_do_what_they_say() {
        assert_eq!(counted::key(10).unwrap(), "cached::companions::counted(10u32)");
        assert_eq!(counted::peek(10).await.unwrap(), None);
        assert_eq!(counted(10).await, 11);
        assert_eq!(counted::peek(10).await.unwrap(), Some(11));
        assert_eq!(counted::uncached(10).await, 12);
        assert_eq!(counted(10).await, 11);
        assert_eq!(counted::refresh(10).await, 13);
        assert_eq!(counted(10).await, 13);
        assert!(counted::purge(10).await.unwrap());
        assert!(!counted::purge(10).await.unwrap());
        assert_eq!((counted(1).await, counted(2).await), (5, 7));
        counted::clear().await.unwrap();
        assert_eq!((counted::peek(1).await.unwrap(), counted::peek(2).await.unwrap()), (None, None));
    }

    #[test]
    fn blocking_companions_do_what_they_say() {
        assert_eq!(counted_blocking::peek(10).unwrap(), None);
        assert_eq!(counted_blocking(10), 11);
        assert_eq!(counted_blocking::peek(10).unwrap(), Some(11));
        assert_eq!(counted_blocking::uncached(10), 12);
        assert_eq!(counted_blocking::refresh(10), 13);
        assert_eq!(counted_blocking(10), 13);
        assert!(counted_blocking::purge(10).unwrap());
        assert!(!counted_blocking::purge(10).unwrap());
        assert_eq!(counted_blocking(1), 5);
        counted_blocking::clear().unwrap();
        assert_eq!(counted_blocking::peek(1).unwrap(), None);
    }

    #[tokio::test]
    async fn companions_are_renamed_or_dropped() {
        assert_eq!(renamed(1).await, 1);
        assert!(renamed_cache::purge(1).await.unwrap());
        assert_eq!((alone(1).await, alone(1).await), (1, 1));
        assert_eq!(calls("alone"), 1);
    }
}

mod keys {
    use super::*;

    #[derive(Debug, Serialize)]
    struct Page<'a> {
        path: &'a str,
        number: Option<u8>,
    }

    #[cached(skip(pool))]
    async fn canonical(pool: &str, page: &Page<'_>, tags: &[&str]) -> usize {
        called("canonical");
        pool.len() + page.path.len() + tags.len()
    }

    #[cached(key = "page:{number}")]
    fn formatted(number: u32) -> u32 {
        called("formatted");
        number
    }

    #[cached(key = "page:{id}")]
    fn shares_entries(id: u32) -> u32 {
        called("shares_entries");
        id + 100
    }

    #[cached(key = |number: &u32, _: &str| format!("closure:{number}"))]
    fn by_closure(number: u32, _unused: &str) -> u32 {
        number
    }

    #[cached(key = hashed)]
    fn hashed(text: &str) -> usize {
        text.len()
    }

    #[cached(key = readable)]
    fn readable(text: &str) -> usize {
        text.len()
    }

    #[cached]
    fn long(text: &str) -> usize {
        text.len()
    }

    #[cached]
    fn generic<T: Default + Clone + Send + Sync + 'static>(_name: &str) -> T {
        called("generic");
        T::default()
    }

    #[cached]
    async fn measured<const N: usize>(data: &[u8], _unused: impl Serialize + Send) -> usize {
        data.len() * N
    }

    #[tokio::test]
    async fn keys_are_as_the_attribute_says() {
        let page = Page { path: "/a", number: Some(3) };
        let key = canonical::key("pool", &page, &["x", "y"]).unwrap();
        assert_eq!(key, r#"cached::keys::canonical(Page{path:"/a",number:Some(3u8)},["x","y"])"#);
        canonical("pool", &page, &["x", "y"]).await;
        canonical("another", &page, &["x", "y"]).await;
        assert_eq!(calls("canonical"), 1, "a skipped argument is not part of the key");

        assert_eq!((formatted(7), shares_entries(7)), (7, 7));
        assert_eq!((calls("formatted"), calls("shares_entries")), (1, 0));
        assert_eq!(by_closure::key(7, "").unwrap(), "closure:7");

        let text = "é".repeat(200);
        assert_eq!(readable::key(&text).unwrap(), format!("cached::keys::readable(\"{text}\")"));
        let (short, key) = (hashed::key("a").unwrap(), long::key(&text).unwrap());
        assert!(short.starts_with("cached::keys::hashed~") && short.len() == 21 + 32, "{short}");
        assert!(key.starts_with("cached::keys::long(\"é") && key.len() < 200, "{key}");
        assert_ne!(key, long::key(&format!("{text}é")).unwrap());
    }

    #[tokio::test]
    async fn parameters_are_part_of_the_key() {
        assert_eq!((generic::<u8>("a"), generic::<u16>("a"), generic::<String>("a")), (0, 0, String::new()));
        assert_eq!(generic::<u8>("a"), 0);
        assert_eq!(calls("generic"), 3);
        assert_ne!(generic::key::<u8>("a").unwrap(), generic::key::<u16>("a").unwrap());
        assert_eq!((measured::<2>(&[1, 2, 3], "x").await, measured::<3>(&[1, 2, 3], "x").await), (6, 9));
        assert_ne!(measured::key::<1>(&[1], 1u8).unwrap(), measured::key::<1>(&[1], 1u16).unwrap());
    }
}

mod options {
    use super::*;

    static HELD: LazyLock<(Clock, Cache<u32>)> = LazyLock::new(clocked);

    #[cached(cache = HELD.1, ttl = "10s")]
    async fn for_ten_seconds(number: u32) -> u32 {
        called("for_ten_seconds");
        number
    }

    #[cached(cache = &HELD.1, ttl = SECOND * number)]
    async fn for_a_while(number: u32) -> u32 {
        called("for_a_while");
        number
    }

    #[cached(cache = &HELD.1, ttl = |value| if *value == 0 { Ttl::Never } else { (SECOND * *value).into() })]
    async fn for_as_long_as_it_says(number: u32) -> u32 {
        called("for_as_long_as_it_says");
        number
    }

    #[cached(cache = &HELD.1, ttl = |value| SECOND * *value)]
    fn for_as_long_as_it_says_blocking(number: u32) -> u32 {
        called("for_as_long_as_it_says_blocking");
        number
    }

    // One test, since they share a clock.
    #[tokio::test]
    async fn a_ttl_is_literal_or_of_arguments_or_of_the_result() {
        let (clock, _) = &*HELD;
        let call = async || {
            for_ten_seconds(1).await;
            for_a_while(5).await;
            for_as_long_as_it_says(0).await;
            for_as_long_as_it_says(20).await;
            for_as_long_as_it_says_blocking(20);
        };
        let expected = [[1, 1, 2, 1], [1, 2, 2, 1], [2, 3, 2, 1], [3, 4, 3, 2]];
        for (round, pause) in [0, 6, 6, 11].into_iter().enumerate() {
            clock.advance(SECOND * pause);
            call().await;
            let counts =
                ["for_ten_seconds", "for_a_while", "for_as_long_as_it_says", "for_as_long_as_it_says_blocking"];
            assert_eq!(counts.map(calls), expected[round], "after round {round}");
        }
    }

    #[cached(unless = String::is_empty, when = |text| text.len() < 5)]
    fn conditional(text: &str) -> String {
        called("conditional");
        text.to_owned()
    }

    #[test]
    fn conditions_decide_what_is_kept() {
        for text in ["", "four", "longer"] {
            assert_eq!((conditional(text), conditional(text)), (text.to_owned(), text.to_owned()));
        }
        assert_eq!(calls("conditional"), 2 + 1 + 2);
    }

    #[cached(refresh = again)]
    async fn refreshed(again: bool) -> u32 {
        called("refreshed");
        calls("refreshed")
    }

    #[tokio::test]
    async fn refresh_calls_the_function_anew() {
        assert_eq!((refreshed(true).await, refreshed(true).await), (1, 2));
        assert_eq!((refreshed(false).await, refreshed(false).await), (3, 3));
    }

    static MAYBE: LazyLock<(Clock, Cache<u32>)> = LazyLock::new(clocked);

    #[cached(cache = MAYBE.1, negative_ttl = "10s")]
    async fn remembered(_number: u32) -> Option<u32> {
        called("remembered");
        None
    }

    static FORGETFUL: LazyLock<Cache<u32>> = LazyLock::new(|| {
        let policy = Policy::new().negative_ttl(SECOND * 60);
        Cache::builder().policy(policy).build().unwrap()
    });

    #[cached(cache = FORGETFUL)]
    async fn as_the_cache_says(_number: u32) -> Option<u32> {
        called("as_the_cache_says");
        None
    }

    #[cached(cache = FORGETFUL, none = "miss")]
    async fn never_remembered(_number: u32) -> Option<u32> {
        called("never_remembered");
        None
    }

    #[cached(none = "value")]
    async fn as_a_value(_number: u32) -> Option<u32> {
        called("as_a_value");
        None
    }

    #[tokio::test]
    async fn nothing_is_a_miss_or_remembered_or_a_value() {
        for _ in 0..3 {
            assert_eq!(remembered(1).await, None);
            assert_eq!(as_the_cache_says(1).await, None);
            assert_eq!(never_remembered(1).await, None);
            assert_eq!(as_a_value(1).await, None);
        }
        let functions = ["remembered", "as_the_cache_says", "never_remembered", "as_a_value"];
        assert_eq!(functions.map(calls), [1, 1, 3, 1]);
        assert_eq!(as_a_value::peek(1).await.unwrap(), Some(None));
        MAYBE.0.advance(SECOND * 11);
        remembered(1).await;
        assert_eq!(calls("remembered"), 2);
    }

    static STALE: LazyLock<(Clock, Cache<u32>)> = LazyLock::new(clocked);

    #[cached(cache = STALE.1, ttl = "10s", grace = "1m")]
    async fn graceful(works: &AtomicU32) -> Result<u32, Error> {
        called("graceful");
        match works.load(Ordering::SeqCst) {
            0 => Err(Error::new(ErrorKind::Server, "the origin is down")),
            works => Ok(works),
        }
    }

    #[tokio::test]
    async fn within_its_grace_a_value_stands_in_for_an_error() {
        // The argument is an atomic: as a key it is what it holds, so it stays and only the origin changes.
        let works = AtomicU32::new(7);
        let key = graceful::key(&works).unwrap();
        assert_eq!(graceful(&works).await.unwrap(), 7);
        STALE.0.advance(SECOND * 11);
        let failing = STALE.1.get_or_load(&key, || async { Err::<u32, _>("no origin") });
        assert_eq!(failing.policy(Policy::new().grace(SECOND * 60)).await.unwrap(), 7);
        assert_eq!(graceful(&works).await.unwrap(), 7);
        assert_eq!(calls("graceful"), 1, "the back-off");
    }

    #[cached(single_flight = false)]
    async fn each_for_itself(number: u32, gate: Gate) -> u32 {
        called("each_for_itself");
        gate.0.notified().await;
        number
    }

    #[derive(Clone)]
    struct Gate(Arc<Notify>);

    impl Serialize for Gate {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_unit()
        }
    }

    #[tokio::test]
    async fn without_single_flight_each_calls_for_itself() {
        let (gate, mut tasks) = (Gate(Arc::default()), JoinSet::new());
        for _ in 0..5 {
            tasks.spawn(each_for_itself(1, gate.clone()));
        }
        while calls("each_for_itself") < 5 {
            tokio::task::yield_now().await;
        }
        (0..5).for_each(|_| gate.0.notify_one());
        assert_eq!(tasks.join_all().await, [1; 5]);
        each_for_itself(1, gate).await;
        assert_eq!(calls("each_for_itself"), 5);
    }

    static ABSENT: LazyLock<Cache<u32>> = LazyLock::new(Cache::memory);

    #[cached(cache = ABSENT, if_absent, key = "absent")]
    async fn written_meanwhile() -> u32 {
        ABSENT.set("absent", 1).await.unwrap();
        2
    }

    #[cached(cache = ABSENT, if_absent, refresh = true, key = "absent-blocking")]
    fn kept_if_absent(number: u32) -> u32 {
        number
    }

    #[tokio::test]
    async fn if_absent_what_stands_there_stays() {
        assert_eq!(written_meanwhile().await, 2);
        assert_eq!(written_meanwhile().await, 1);
        assert_eq!((kept_if_absent(1), kept_if_absent(2)), (1, 2));
        assert_eq!(kept_if_absent::peek(0).unwrap(), Some(1));
    }
}

mod places {
    use super::*;

    #[cached(cache = "memory://?max-entries=77", key = "shared")]
    fn at_a_url() -> u32 {
        1
    }

    #[cached(cache = "memory://?max-entries=77", key = "shared")]
    fn at_the_same_url() -> u32 {
        2
    }

    #[cached(cache = "cached-places")]
    fn named(number: u32) -> u32 {
        number
    }

    #[cached(cache = "nobody-configured-this")]
    fn misnamed(number: u32) -> u32 {
        number
    }

    #[cached(cache = "nobody-configured-this")]
    fn misnamed_with_an_error() -> Result<u32, Error> {
        Ok(1)
    }

    #[cached(cache = tenant, skip(tenant), namespace = "tenant")]
    async fn of_tenant(tenant: Option<&Cache<u32>>, number: u32) -> u32 {
        called("of_tenant");
        number
    }

    #[tokio::test]
    async fn an_expression_chooses_the_cache_of_each_call() {
        let (one, other) = (Cache::memory(), Cache::memory());
        for tenant in [Some(&one), Some(&other), None] {
            assert_eq!((of_tenant(tenant, 5).await, of_tenant(tenant, 5).await), (5, 5));
        }
        assert_eq!(calls("of_tenant"), 1 + 1 + 2, "without a cache it is called each time");
        of_tenant::clear(Some(&one), 5).await.unwrap();
        assert_eq!(of_tenant::peek(Some(&one), 5).await.unwrap(), None);
        assert_eq!(of_tenant::peek(Some(&other), 5).await.unwrap(), Some(5));
        assert_eq!(of_tenant::peek(None, 5).await.unwrap(), None);
    }

    #[test]
    fn equal_urls_share_a_cache() {
        assert_eq!((at_a_url(), at_the_same_url()), (1, 1));
    }

    #[test]
    fn an_alias_names_a_cache() {
        caches::add("cached-places", scrubjay::Recipe::from_url("memory://?namespace=places").unwrap());
        assert_eq!(named(3), 3);
        let cache = caches::get::<u32>("cached-places").unwrap().blocking();
        assert_eq!(cache.get(named::key(3).unwrap()).unwrap(), Some(3));
    }

    #[test]
    #[should_panic(expected = "#[cached] cached::places::misnamed: unknown alias `nobody-configured-this`")]
    fn a_cache_that_nobody_configured_is_a_clear_panic() {
        misnamed(1);
    }

    #[test]
    fn or_an_error_where_the_function_has_errors() {
        assert_eq!(misnamed_with_an_error().unwrap_err().kind(), ErrorKind::Config);
    }
}

mod methods {
    use super::*;

    struct Service {
        factor: u32,
        cache: Cache<u32>,
    }

    impl Service {
        fn new(factor: u32) -> Self {
            Self { factor, cache: Cache::memory() }
        }

        #[cached(cache = self.cache)]
        async fn times(&self, number: u32) -> Result<u32, Error> {
            called("times");
            Ok(self.factor * number)
        }

        #[cached(cache = self.cache, companions = product)]
        fn times_blocking(&self, mut number: u32) -> u32 {
            called("times_blocking");
            number *= self.factor;
            number
        }

        #[cached(key = format!("{number} times {}", self.factor), companions = none)]
        async fn keyed(self: Arc<Self>, number: u32) -> u32 {
            called("keyed");
            self.factor * number
        }

        #[cached(skip(self))]
        fn constant(&self) -> u32 {
            called("constant");
            17
        }
    }

    #[tokio::test]
    async fn methods_keep_values_where_the_object_says() {
        let (two, three) = (Service::new(2), Service::new(3));
        for _ in 0..2 {
            assert_eq!((two.times(5).await.unwrap(), three.times(5).await.unwrap()), (10, 15));
            assert_eq!((two.times_blocking(5), three.times_blocking(5)), (10, 15));
            assert_eq!((two.constant(), three.constant()), (17, 17));
        }
        assert_eq!(["times", "times_blocking", "constant"].map(calls), [2, 2, 1]);
        assert_eq!(two.times_key(5).unwrap(), "cached::methods::Service::times(5u32)");
        assert!(two.times_purge(5).await.unwrap());
        assert_eq!(two.times_peek(5).await.unwrap(), None);
        assert_eq!(three.product_peek(5).unwrap(), Some(15));
        assert_eq!(three.times_refresh(5).await.unwrap(), 15);
    }
}

/// Wherever a function may stand, and whatever it may look like.
mod places_in_code {
    use std::collections::HashSet;

    use super::*;

    fn one() -> (u32, String) {
        #[cached]
        fn nested(_number: u32) -> u32 {
            1
        }
        (nested(7), nested::key(7).unwrap())
    }

    fn other() -> (u32, String) {
        #[cached]
        fn nested(_number: u32) -> u32 {
            2
        }
        (nested(7), nested::key(7).unwrap())
    }

    #[test]
    fn functions_of_one_name_in_two_functions_share_nothing() {
        assert_eq!(one(), (1, "cached::places_in_code::one::nested(7u32)".to_owned()));
        assert_eq!(other(), (2, "cached::places_in_code::other::nested(7u32)".to_owned()));
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Shape(u32);

    impl Shape {
        #[cached]
        fn of(corners: u32) -> Self {
            called("Shape::of");
            Self(corners)
        }

        #[cached(companions = Self)]
        async fn corners_of(name: &str) -> u32 {
            called("Shape::corners_of");
            u32::try_from(name.len()).unwrap()
        }
    }

    #[tokio::test]
    async fn associated_functions_have_companions_beside_them() {
        assert_eq!((Shape::of(3), Shape::of(3)), (Shape(3), Shape(3)));
        assert_eq!(Shape::of_peek(3).unwrap(), Some(Shape(3)));
        assert_eq!((Shape::corners_of("abc").await, Shape::corners_of("abc").await), (3, 3));
        assert_eq!(Shape::corners_of_key("abc").unwrap(), r#"cached::places_in_code::Shape::corners_of("abc")"#);
        assert_eq!(["Shape::of", "Shape::corners_of"].map(calls), [1, 1]);
    }

    trait Area {
        async fn size(&self, of: u32) -> u32;
    }

    trait Weight {
        fn size(&self, of: u32) -> u32;
    }

    impl Area for Shape {
        #[cached(companions = none, skip(self))]
        async fn size(&self, mut of: u32) -> u32 {
            called("Area::size");
            of += self.0;
            of
        }
    }

    impl Weight for Shape {
        #[cached(companions = none, skip(self))]
        fn size(&self, of: u32) -> u32 {
            called("Weight::size");
            if of == 0 {
                return 17;
            }
            self.0
        }
    }

    #[tokio::test]
    async fn methods_of_traits_share_nothing() {
        let shape = Shape(1);
        for _ in 0..2 {
            assert_eq!(Area::size(&shape, 5).await, 6);
            assert_eq!((Weight::size(&shape, 5), Weight::size(&shape, 0)), (1, 17));
        }
        assert_eq!(["Area::size", "Weight::size"].map(calls), [1, 2]);
    }

    #[cached]
    async fn fibonacci(number: u64, name: &str) -> u64 {
        called("fibonacci");
        if number < 2 { number } else { fibonacci(number - 1, name).await + fibonacci(number - 2, name).await }
    }

    #[tokio::test]
    async fn an_async_function_may_call_itself() {
        let mut tasks = JoinSet::new();
        tasks.spawn(fibonacci(12, "a"));
        assert_eq!(tasks.join_all().await, [144]);
        assert_eq!(calls("fibonacci"), 13);
        assert_eq!(fibonacci::peek(11, "a").await.unwrap(), Some(89));
    }

    #[cached]
    #[cfg(any())]
    fn not_compiled(number: Missing) -> Missing {
        number
    }

    #[cached]
    fn borrowed<'a, T>(one: &'a T, many: &[T], maybe: Option<&'a T>, set: &HashSet<u32>) -> String
    where
        T: Serialize + fmt::Debug + Sync + 'a,
    {
        called("borrowed");
        format!("{one:?}{many:?}{maybe:?}{}", set.len())
    }

    #[test]
    fn arguments_may_be_borrowed_and_generic() {
        let sets: [HashSet<u32>; 2] = [(0..50).collect(), (0..50).rev().collect()];
        for set in &sets {
            assert_eq!(borrowed(&1, &[2], Some(&3), set), "1[2]Some(3)50");
        }
        assert_eq!(borrowed(&1, &[2], None, &sets[0]), "1[2]None50");
        assert_eq!(calls("borrowed"), 2);
    }

    struct Counter {
        number: u32,
        cache: Cache<u32>,
    }

    impl Counter {
        #[cached(cache = self.cache)]
        async fn next(&mut self, by: u32) -> u32 {
            self.number += by;
            self.number
        }

        #[cached(cache = self.cache)]
        fn consumed(self, by: u32) -> u32 {
            self.number + by
        }
    }

    #[tokio::test]
    async fn a_cache_may_be_part_of_what_the_function_takes_away() {
        let cache = Cache::memory();
        let mut counter = Counter { number: 0, cache: cache.clone() };
        assert_eq!((counter.next(2).await, counter.next(2).await, counter.next(3).await), (2, 2, 5));
        let same = Counter { number: 100, cache };
        assert_eq!((counter.consumed(1), same.consumed(1)), (6, 6));
    }
}

mod timeouts {
    use super::*;

    static HASTY: LazyLock<Cache<u32>> = LazyLock::new(|| {
        let policy = Policy { load_timeout: Some(SECOND), ..Policy::default() };
        Cache::builder().policy(policy).build().unwrap()
    });

    #[cached(cache = HASTY)]
    async fn slow(number: u32) -> u32 {
        called("timeouts::slow");
        tokio::time::sleep(SECOND * 5).await;
        number
    }

    #[cached(cache = HASTY)]
    async fn slow_with_errors(number: u32) -> Result<u32, Error> {
        tokio::time::sleep(SECOND * 5).await;
        Ok(number)
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_without_errors_ends_what_the_cache_gave_up() {
        let start = tokio::time::Instant::now();
        assert_eq!(slow(1).await, 1);
        assert_eq!((start.elapsed().as_secs(), calls("timeouts::slow")), (5, 1));
        assert_eq!(slow::peek(1).await.unwrap(), None, "nobody waits for it, and it is not kept");
        assert_eq!(slow_with_errors(1).await.unwrap_err().kind(), ErrorKind::Timeout);
    }
}

mod errors {
    use super::*;

    /// An error that can be shared.
    #[derive(Clone, Debug, PartialEq)]
    struct Cloneable(u32);

    /// One that cannot, and can be made of the cache's.
    #[derive(Debug)]
    enum Own {
        Function(u32),
        Cache(Error),
    }

    impl From<Error> for Own {
        fn from(error: Error) -> Self {
            Self::Cache(error)
        }
    }

    /// One that can neither.
    struct Opaque(u32);

    impl fmt::Debug for Opaque {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0)
        }
    }

    #[cached]
    async fn cloned() -> Result<u32, Cloneable> {
        called("cloned");
        tokio::task::yield_now().await;
        Err(Cloneable(calls("cloned")))
    }

    #[cached]
    async fn wrapped() -> Result<u32, Own> {
        called("wrapped");
        tokio::task::yield_now().await;
        Err(Own::Function(calls("wrapped")))
    }

    #[cached(errors = "each")]
    async fn each() -> Result<u32, Opaque> {
        called("each");
        tokio::task::yield_now().await;
        Err(Opaque(calls("each")))
    }

    #[cached]
    async fn panics_first() -> u32 {
        called("panics_first");
        tokio::task::yield_now().await;
        assert!(calls("panics_first") > 1, "the first call panics");
        7
    }

    #[cached_many]
    async fn panics_first_of_many(ids: &[u64]) -> HashMap<u64, u32> {
        called("panics_first_of_many");
        tokio::task::yield_now().await;
        assert!(calls("panics_first_of_many") > 1, "the first call panics");
        ids.iter().map(|id| (*id, 7)).collect()
    }

    #[cached]
    async fn panics_before_all() -> Result<u32, Own> {
        called("panics_before_all");
        tokio::task::yield_now().await;
        panic!("the first call panics")
    }

    /// Those who waited for a run that panicked do not all run the function at once.
    #[tokio::test]
    async fn a_panic_is_followed_by_one_run_or_shared_as_an_error() {
        let mut tasks = JoinSet::new();
        (0..20).for_each(|_| drop(tasks.spawn(panics_first())));
        (0..20).for_each(|_| drop(tasks.spawn(async { panics_first_of_many(&[1, 2]).await[&1] })));
        let mut panics = 0;
        while let Some(answer) = tasks.join_next().await {
            match answer {
                Ok(value) => assert_eq!(value, 7),
                Err(_) => panics += 1,
            }
        }
        assert_eq!((panics, calls("panics_first"), calls("panics_first_of_many")), (2, 2, 2));

        let mut tasks = JoinSet::new();
        (0..20).for_each(|_| drop(tasks.spawn(panics_before_all())));
        let mut errors = 0;
        while let Some(answer) = tasks.join_next().await {
            errors += usize::from(matches!(answer, Ok(Err(Own::Cache(_)))));
        }
        assert_eq!((errors, calls("panics_before_all")), (19, 1), "where the error can be told");
    }

    #[cached]
    fn blocking() -> Result<u32, Own> {
        called("blocking");
        Err(Own::Function(1))
    }

    async fn ten<T: Send + 'static, F: Future<Output = T> + Send + 'static>(call: impl Fn() -> F) -> Vec<T> {
        let mut tasks = JoinSet::new();
        (0..10).for_each(|_| drop(tasks.spawn(call())));
        tasks.join_all().await
    }

    #[tokio::test]
    async fn waiters_get_a_clone_of_the_leaders_error() {
        let errors = ten(cloned).await;
        assert!(errors.iter().all(|error| *error == Err(Cloneable(1))), "{errors:?}");
        assert_eq!(calls("cloned"), 1);
        assert_eq!(cloned().await, Err(Cloneable(2)), "an error is not kept");
    }

    #[tokio::test]
    async fn or_one_made_of_the_caches() {
        let errors = ten(wrapped).await;
        let own = errors.iter().filter(|error| matches!(error, Err(Own::Function(1)))).count();
        let cache =
            errors.iter().filter(|error| matches!(error, Err(Own::Cache(e)) if e.kind() == ErrorKind::Load)).count();
        assert_eq!((own, cache, calls("wrapped")), (1, 9, 1));
    }

    #[tokio::test]
    async fn or_call_for_themselves() {
        let errors = ten(each).await;
        let mut numbers: Vec<u32> = errors.into_iter().map(|error| error.unwrap_err().0).collect();
        numbers.sort_unstable();
        assert_eq!(calls("each"), 10);
        assert_eq!(numbers.len(), 10);
    }

    #[test]
    fn a_blocking_leader_gets_its_own_error() {
        assert!(matches!(blocking(), Err(Own::Function(1))));
        assert!(matches!(blocking(), Err(Own::Function(1))));
        assert_eq!(calls("blocking"), 2);
    }

    #[cached]
    fn recursive(number: u32) -> Result<u32, Own> {
        recursive(number)
    }

    #[cached]
    fn recursive_without_errors(number: u32) -> u32 {
        recursive_without_errors(number)
    }

    #[test]
    #[should_panic(expected = "the function calls itself with the same arguments")]
    fn a_function_that_waits_for_itself_panics_if_it_has_no_errors() {
        recursive_without_errors(1);
    }

    #[test]
    fn a_function_that_waits_for_itself_is_an_error() {
        let error = recursive(1).unwrap_err();
        assert!(matches!(&error, Own::Cache(error) if error.kind() == ErrorKind::Recursion), "{error:?}");
    }
}

mod stampede {
    use super::*;

    static GATE: LazyLock<Notify> = LazyLock::new(Notify::new);

    #[cached]
    async fn slow(number: u32) -> u32 {
        called("slow");
        GATE.notified().await;
        number
    }

    #[tokio::test]
    async fn a_thousand_concurrent_callers_are_one_execution() {
        let mut tasks = JoinSet::new();
        (0..1_000).for_each(|_| drop(tasks.spawn(slow(42))));
        while calls("slow") == 0 {
            tokio::task::yield_now().await;
        }
        GATE.notify_one();
        assert!(tasks.join_all().await.iter().all(|answer| *answer == 42));
        assert_eq!(calls("slow"), 1);
        println!("#[cached]: 1000 callers, {} execution", calls("slow"));
    }

    #[cached]
    fn slow_blocking(number: u32) -> u32 {
        called("slow_blocking");
        // Holds its place until the others have come.
        while ARRIVED.load(Ordering::SeqCst) < 16 {
            std::thread::yield_now();
        }
        number
    }

    static ARRIVED: AtomicU32 = AtomicU32::new(0);

    #[test]
    fn threads_share_an_execution_too() {
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    ARRIVED.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(slow_blocking(42), 42);
                });
            }
        });
        assert_eq!(calls("slow_blocking"), 1);
    }
}

/// A value without serde, which a cache in this process can keep.
mod without_serde {
    use super::*;

    #[derive(Clone)]
    struct Connection(Arc<Mutex<u32>>);

    #[cached]
    fn connection(_host: &str) -> Connection {
        called("connection");
        Connection(Arc::default())
    }

    #[test]
    fn a_value_without_serde_is_kept() {
        *connection("a").0.lock() = 7;
        assert_eq!(*connection("a").0.lock(), 7);
        assert_eq!(calls("connection"), 1);
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
}

mod stores {
    use super::*;

    static BYTES: LazyLock<Cache<User>> = LazyLock::new(|| Cache::from_url("memory://?serializer=json").unwrap());

    #[cached(cache = BYTES)]
    async fn user(id: u64) -> Result<User, Error> {
        called("user");
        Ok(User { name: format!("user {id}") })
    }

    static HANGING: LazyLock<Cache<User>> = LazyLock::new(|| {
        let hangs = Chaos::new().delays(1.0, Duration::from_secs(3_600));
        Cache::builder().far(MemoryStore::default()).layer(hangs).serializer(Json).build().unwrap()
    });

    #[cached(cache = HANGING)]
    async fn behind_a_store_that_hangs(id: u64) -> User {
        called("behind_a_store_that_hangs");
        User { name: format!("user {id}") }
    }

    /// On virtual time, which moves only while everybody waits for it.
    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_waited_for_once() {
        let start = tokio::time::Instant::now();
        behind_a_store_that_hangs(0).await;
        let first = start.elapsed();
        assert!(first >= Duration::from_millis(990) && first <= SECOND + Duration::from_millis(10), "{first:?}");
        for id in 1..100 {
            assert_eq!(behind_a_store_that_hangs(id).await.name, format!("user {id}"));
        }
        assert_eq!(start.elapsed(), first, "the others do not wait");
        assert_eq!(calls("behind_a_store_that_hangs"), 100);
        println!("a store that hangs: {first:.3?} for the first call, then none for 99");
    }

    #[tokio::test]
    async fn a_store_keeps_what_the_function_returned() {
        assert_eq!(user(1).await.unwrap(), user(1).await.unwrap());
        assert_eq!(calls("user"), 1);
        assert!(user::purge(1).await.unwrap());
    }
}
