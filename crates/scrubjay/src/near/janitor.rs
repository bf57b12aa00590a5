//! Frees what has expired when nobody comes by: one thread a process, alive only while there is something to watch.

use std::{sync::Weak, thread, time::Duration};

use parking_lot::Mutex;

/// How long an expired entry may stay in an idle cache.
const PERIOD: Duration = Duration::from_secs(1);

/// A cache that can free its expired entries.
pub(super) trait Sweep: Send + Sync {
    /// Frees all that have expired, in steps that hold no lock for long.
    fn sweep_all(&self);
}

static WATCHED: Mutex<Watched> = Mutex::new(Watched { caches: Vec::new(), running: false });

struct Watched {
    caches: Vec<Weak<dyn Sweep>>,
    running: bool,
}

/// Sweeps `cache` every second from now on, until it is dropped.
pub(super) fn watch(cache: Weak<dyn Sweep>) {
    let mut watched = WATCHED.lock();
    watched.caches.push(cache);
    if !watched.running {
        // A process that may not have another thread still expires on reads, and stays within its bound.
        watched.running = thread::Builder::new().name("scrubjay-janitor".into()).spawn(run).is_ok();
    }
}

fn run() {
    loop {
        thread::park_timeout(PERIOD);
        let caches = {
            let mut watched = WATCHED.lock();
            watched.caches.retain(|cache| cache.strong_count() > 0);
            if watched.caches.is_empty() {
                watched.running = false;
                return;
            }
            watched.caches.clone()
        };
        // Outside the lock: a sweep drops values, and a value's drop may build another cache.
        caches.iter().filter_map(Weak::upgrade).for_each(|cache| cache.sweep_all());
    }
}
