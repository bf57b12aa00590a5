//! A cache for the life of the program is a `static`, and every thread may use it as it is.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{sync::LazyLock, thread};

use scrubjay::{Cache, Result, blocking};

/// Made when it is first used.
static SQUARES: LazyLock<blocking::Cache<u64>> = LazyLock::new(|| Cache::memory().blocking());
/// Counters are entries too; changing one is atomic.
static COMPUTED: LazyLock<blocking::Cache<i64>> = LazyLock::new(|| Cache::memory().blocking());

fn main() -> Result<()> {
    let sums = thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| (1..=100).map(square).sum::<Result<u64>>()));
        threads.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    for sum in sums {
        assert_eq!(sum?, 338_350);
    }

    let computed = COMPUTED.get("squares")?.unwrap_or(0);
    assert!((100..=400).contains(&computed));
    println!("4 threads asked for 400 squares; {computed} were computed");
    Ok(())
}

fn square(number: u64) -> Result<u64> {
    let key = number.to_string();
    if let Some(known) = SQUARES.get(&key)? {
        return Ok(known);
    }
    COMPUTED.increment("squares", 1)?;
    let square = number * number;
    SQUARES.set(&key, square)?;
    Ok(square)
}
