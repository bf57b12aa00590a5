//! Ports to listen on that stay ours while nobody listens.

use std::{
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the ports that systems give to outgoing connections: while a server is down for a restart, no client of anybody
/// takes its port by accident.
const RANGE: Range<u16> = 20_000..32_000;

/// How many ports a process draws before it reaches those of its neighbour.
const STRIDE: u32 = 101;

static DRAWN: AtomicU32 = AtomicU32::new(0);

/// A loopback port that is free, and that this process was not given before.
pub(crate) fn free() -> Result<u16, String> {
    let width = u32::from(RANGE.end - RANGE.start);
    let start = process::id().wrapping_mul(STRIDE);
    for _ in RANGE {
        let drawn = start.wrapping_add(DRAWN.fetch_add(1, Ordering::Relaxed)) % width;
        let port = RANGE.start + u16::try_from(drawn).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(format!("none of the ports {RANGE:?} is free on 127.0.0.1"))
}

/// Starts something on a free port, on another one if somebody was quicker.
pub(crate) fn with_free<T>(mut start: impl FnMut(u16) -> Result<T, String>) -> Result<T, String> {
    let quicker = |error: &String| error.to_lowercase().contains("address already in use");
    for _ in 0..10 {
        match start(free()?) {
            Err(error) if quicker(&error) => {}
            other => return other,
        }
    }
    start(free()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports = (0..200).map(|_| free().unwrap()).collect::<BTreeSet<_>>();
        assert_eq!(ports.len(), 200);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }
}
