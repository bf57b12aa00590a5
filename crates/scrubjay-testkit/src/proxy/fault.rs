//! What can go wrong.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// What is wrong with all connections, open and new, until it is replaced or healed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Each reply arrives late: by `base`, and by up to `jitter` more. Their order stays.
    Latency {
        /// At least so late.
        base: Duration,
        /// At most so much later than that.
        jitter: Duration,
        /// The same seed makes the same delays, connection by connection and reply by reply.
        seed: u64,
    },
    /// Connections are accepted, and nothing passes in either direction. What waited passes when the fault ends, as after
    /// a network was split.
    BlackHole,
    /// Each connection closes after so many bytes of replies, counted from the injection.
    CutAfter {
        /// How many still pass.
        bytes: usize,
    },
    /// Replies arrive one byte at a time.
    Dribble {
        /// Between two bytes.
        pause: Duration,
    },
    /// Each reply is followed at once by bytes that nobody asked for.
    Surplus {
        /// These.
        bytes: Bytes,
    },
    /// Requests pass, replies do not, and never will.
    Swallow,
    /// Each reply is replaced.
    Forge {
        /// By this.
        reply: Bytes,
    },
    /// New connections are refused, as by a server that is not there. Open ones go on.
    Refuse,
}

/// What happens once, at once, to all open connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stroke {
    /// They are reset (RST), as by a balancer that forgot them.
    Reset,
    /// They say that no more replies follow (FIN), and go on taking requests.
    HalfClose,
    /// Bytes arrive that nobody asked for.
    Surplus(Bytes),
}

/// The fault of the moment.
pub(super) type Faults = watch::Receiver<Option<Fault>>;

/// Waits until bytes may pass.
pub(super) async fn past_black_hole(faults: &mut Faults) {
    let passable = |fault: &Option<Fault>| !matches!(fault, Some(Fault::BlackHole));
    // An error says that the proxy is being dropped, with all that passes through it.
    let _ = faults.wait_for(passable).await;
}
