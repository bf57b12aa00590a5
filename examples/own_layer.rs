//! A layer of one's own, registered by name: it writes down which calls to the store were slow.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use scrubjay::{
    Cache, Result,
    far::{
        Answer, Call,
        layer::{self, Intercept, Layer},
    },
};

struct SlowLog {
    /// A call that takes longer is slow (`slow-over=10ms`).
    over: Duration,
    written: Arc<AtomicUsize>,
}

impl Intercept for SlowLog {
    fn name(&self) -> &'static str {
        "slow-log"
    }

    async fn intercept<'a, T, A>(&'a self, call: Call, attempt: A) -> Result<T>
    where
        T: Send + 'a,
        A: Fn(Call) -> Answer<'a, T> + Send + Sync + 'a,
    {
        let before = call.remaining();
        let answer = attempt(call).await;
        let took = before.saturating_sub(call.remaining());
        if took > self.over {
            println!("slow: {} took {took:.1?}", call.operation);
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let written = Arc::new(AtomicUsize::new(0));
    let shared = Arc::clone(&written);
    layer::register("slow-log", move |parameters, inner| {
        let over = parameters.take_duration("slow-over")?.unwrap_or(Duration::from_millis(100));
        Ok(SlowLog { over, written: Arc::clone(&shared) }.wrap(inner))
    })?;

    let quick = Cache::<u32>::from_url("memory://?serializer=json&layers=slow-log")?;
    // `chaos` makes a store slow on purpose: here every call of it.
    let slow = "memory://?serializer=json&layers=slow-log+chaos&slow-over=5ms&chaos-delays=1&chaos-delay=10ms";
    let slow = Cache::<u32>::from_url(slow)?;
    println!("{}\n{}", quick.info(), slow.info());

    for cache in [&quick, &slow] {
        cache.set("answer", 42).await?;
        assert_eq!(cache.get("answer").await?, Some(42));
    }
    assert_eq!(written.load(Ordering::Relaxed), 2, "the set and the get of the slow one");
    Ok(())
}
