//! Live values before a store: `lookup` tells which tier answered, and the near tier's own ttl bounds how old an answer is.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use scrubjay::{Cache, Clock, Lookup, Memory, Result, Source, blocking, far::MemoryStore, serializer::Json};

const NEAR_TTL: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    // A clock that this program moves, so that nobody has to wait to see an entry expire.
    let clock = Clock::manual();
    let near = Memory::builder().capacity(1_000).clock(clock.clone()).build();
    // In earnest this is a server, and `elsewhere` below another process.
    let store = MemoryStore::default();

    let cache = Cache::<String>::builder()
        .near(near)
        .near_ttl(NEAR_TTL)
        .far(store.clone())
        .serializer(Json)
        .build()?
        .blocking();
    let elsewhere = Cache::<String>::builder().far(store).serializer(Json).build()?.blocking();
    println!("{}", cache.info());

    elsewhere.set("weather", "sunny".into())?;
    assert_eq!(ask(&cache)?, ("sunny".into(), Source::Far)); // and it is kept near
    assert_eq!(ask(&cache)?, ("sunny".into(), Source::Near));

    // Nobody tells this cache of the change: its near answer is old, but never older than `NEAR_TTL`.
    elsewhere.set("weather", "rainy".into())?;
    assert_eq!(ask(&cache)?, ("sunny".into(), Source::Near));
    clock.advance(NEAR_TTL);
    assert_eq!(ask(&cache)?, ("rainy".into(), Source::Far));

    // A write of one's own is seen at once, in both tiers.
    cache.set("weather", "windy".into())?;
    assert_eq!(ask(&cache)?, ("windy".into(), Source::Near));
    assert_eq!(elsewhere.get("weather")?.as_deref(), Some("windy"));
    Ok(())
}

fn ask(cache: &blocking::Cache<String>) -> Result<(String, Source)> {
    match cache.lookup("weather")? {
        Lookup::Fresh { value, source, .. } => {
            println!("{value}, says the {source:?} tier");
            Ok((value, source))
        }
        absent => unreachable!("an entry stands there: {absent:?}"),
    }
}
