//! Runtimes that come and go, and callers that have none.

use tokio::runtime::Runtime;

use super::{Target, cache_at, sees};

pub(crate) fn one_cache_serves_runtimes_one_after_another_and_at_once<T: Target>() {
    let server = T::start();
    let cache = &cache_at(&server.url());
    for round in 0..50 {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            cache.set("key", format!("{round}")).await.unwrap();
            assert_eq!(cache.get("key").await.unwrap(), Some(format!("{round}")));
        });
    }
    let after = sees(&server, ..=1);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for round in 0..200 {
                    runtime.block_on(async {
                        let key = format!("{thread}");
                        cache.set(&*key, format!("{round}")).await.unwrap();
                        assert_eq!(cache.get(&*key).await.unwrap(), Some(format!("{round}")));
                    });
                }
                let blocking = cache.blocking();
                assert_eq!(blocking.get(format!("{thread}")).unwrap().as_deref(), Some("199"));
            });
        }
    });
    println!("50 runtimes in a row and 8 at once: 0 errors, {after} connection(s) left of the 50");
}

pub(crate) fn blocking_calls_inside_a_runtime_share_one_connection<T: Target>() {
    let server = T::start();
    let cache = cache_at(&server.url()).blocking();
    for workers in [1, 2] {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).enable_all().build().unwrap();
        runtime.block_on(async {
            for n in 0..500 {
                cache.set("key", format!("{n}")).unwrap();
                assert_eq!(cache.get("key").unwrap(), Some(format!("{n}")));
            }
        });
    }
    println!("2,000 blocking calls inside runtimes: {} connection", sees(&server, 1..=1));
}
