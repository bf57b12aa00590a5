//! Faults that every kind of server must survive, one function each; each prints its figure. [`fault_tests!`] makes tests of
//! them.

mod cancellation;
mod death;
mod runtimes;
mod stillness;
mod surplus;

use std::{
    net::SocketAddr,
    ops::RangeBounds,
    time::{Duration, Instant},
};

use scrubjay::{Cache, ErrorKind};
use scrubjay_testkit::{
    proxy::{Fault, FaultProxy, HostileServer},
    wait,
};

pub(crate) use self::{cancellation::*, death::*, runtimes::*, stillness::*, surplus::*};

/// Where the generators of random numbers start.
pub(crate) const SEED: u64 = 0x5c2b_1a7e;

/// A real server that can be hurt.
pub(crate) trait Target: Send + Sync + Sized + 'static {
    const SCHEME: &'static str;
    /// A reply that somebody could take for the text `no`.
    const SURPLUS: &'static str;

    fn start() -> Self;
    fn url(&self) -> String;
    fn port(&self) -> u16;
    /// How many connections of ours the server sees.
    fn clients(&self) -> usize;
    fn pause(&self);
    fn resume(&self);
    fn kill(&self);
    fn restart(&self);
}

/// A test of each of the faults here.
macro_rules! fault_tests {
    ($target:ty) => {
        faults::fault_tests! { @async $target;
            a_storm_of_cancellations_leaves_no_foreign_value_and_no_extra_connection
            every_future_can_be_dropped_at_each_await_point
            a_surplus_reply_gives_no_wrong_answer
            a_surplus_after_every_reply_or_no_reply_gives_no_wrong_answer
            a_stopped_server_and_a_black_hole_cost_no_more_than_the_deadline
            a_slow_but_living_server_keeps_its_connection
            a_killed_server_fails_fast_and_heals_at_once
            an_idle_reset_is_not_noticed_by_the_next_call
            a_thousand_cold_callers_make_one_connection_or_the_pool
            an_absent_server_fails_at_once_and_is_found_when_it_comes
            two_tiers_answer_from_the_near_one_while_the_server_is_gone
        }
        faults::fault_tests! { @blocking $target;
            an_idle_reset_is_not_noticed_by_the_next_blocking_call_though_it_counts
            one_cache_serves_runtimes_one_after_another_and_at_once
            blocking_calls_inside_a_runtime_share_one_connection
        }
    };
    (@async $target:ty; $($name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            faults::$name::<$target>().await;
        }
    )*};
    (@blocking $target:ty; $($name:ident)*) => {$(
        #[test]
        fn $name() {
            faults::$name::<$target>();
        }
    )*};
}
pub(crate) use fault_tests;

pub(crate) fn cache_at(url: &str) -> Cache<String> {
    Cache::from_url(url).unwrap()
}

/// A proxy before `server`, and a cache behind it.
pub(crate) fn behind<T: Target>(server: &T) -> (FaultProxy, Cache<String>) {
    let proxy = FaultProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port()))).unwrap();
    let cache = cache_at(&at::<T>(proxy.address()));
    (proxy, cache)
}

/// Something that listens there, taken for a server of this kind.
pub(crate) fn at<T: Target>(address: SocketAddr) -> String {
    format!("{}://{address}", T::SCHEME)
}

pub(crate) async fn fill(cache: &Cache<String>, keys: usize) {
    cache.set_many((0..keys).map(|n| (format!("key{n}"), format!("value of key{n}")))).await.unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a figure of a test")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How many connections of ours the server sees; it may take a moment to notice that one has gone.
fn sees<T: Target>(server: &T, expected: impl RangeBounds<usize>) -> usize {
    let seen = || {
        let seen = server.clients();
        if expected.contains(&seen) { Ok(seen) } else { Err(format!("{seen} connections")) }
    };
    wait::until(Duration::from_secs(5), seen).unwrap()
}

/// Each of `forged` as the answer to everything, and as the answer to a read later on, is a typed error within the deadline.
pub(crate) async fn hostile_replies_are_errors<T: Target>(forged: &[(&str, String)]) {
    for (name, reply) in forged {
        let server = HostileServer::start(reply.clone()).unwrap();
        let began = now();
        let error = cache_at(&at::<T>(server.address())).get("key").await.unwrap_err();
        println!("{name}: {error} after {:?}", began.elapsed());
        assert!(began.elapsed() <= Duration::from_millis(1050));

        let server = T::start();
        let (proxy, cache) = behind(&server);
        cache.set("key", "value".into()).await.unwrap();
        proxy.inject(Fault::Forge { reply: reply.clone().into() });
        let began = now();
        let error = cache.get("key").await.unwrap_err();
        println!("{name}, later: {error} after {:?}", began.elapsed());
        assert!(matches!(error.kind(), ErrorKind::Connection | ErrorKind::Server | ErrorKind::Timeout), "{error}");
        assert!(began.elapsed() <= Duration::from_millis(1050));
        proxy.heal();
        assert_eq!(cache.get("key").await.unwrap().as_deref(), Some("value"));
    }
}

/// Replies without an end are errors too.
pub(crate) async fn endless_replies_are_errors<T: Target>(pieces: &[String]) {
    for piece in pieces {
        let server = HostileServer::endless(piece.clone()).unwrap();
        let began = now();
        let error = cache_at(&at::<T>(server.address())).get("key").await.unwrap_err();
        println!("endless: {error} after {:?}", began.elapsed());
        assert!(began.elapsed() <= Duration::from_millis(1050));
    }
}
