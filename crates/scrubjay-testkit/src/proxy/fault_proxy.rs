//! The proxy's handle, and its door.

use std::{
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc as std_mpsc,
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    background::{Background, accepted},
    connection::{self, Struck},
    fault::{Fault, Stroke},
};
use crate::ports;

/// How long a change may take to reach every connection.
const LIMIT: Duration = Duration::from_secs(5);

/// A proxy that passes everything on, until told to fail.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    orders: mpsc::UnboundedSender<Order>,
    counts: Arc<Counts>,
    _background: Background,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1 and passes connections on to `upstream`.
    ///
    /// Where `upstream` refuses a connection, the proxy accepts its own and closes it at once.
    pub fn start(upstream: SocketAddr) -> Result<Self, String> {
        ports::with_free(|port| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let cannot = |error: io::Error| format!("cannot listen on {address}: {error}");
            let listener = std::net::TcpListener::bind(address).map_err(cannot)?;
            listener.set_nonblocking(true).map_err(cannot)?;

            let (orders, received) = mpsc::unbounded_channel();
            let counts = Arc::<Counts>::default();
            let door = Door { address, upstream, counts: Arc::clone(&counts) };
            let background = Background::run("fault proxy", move || door.serve(listener, received))?;
            Ok(Self { address, orders, counts, _background: background })
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of 127.0.0.1 it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Makes `fault` hold instead of the one before. Whatever arrives after this is subject to it.
    pub fn inject(&self, fault: Fault) {
        self.order(|done| Order::Hold(Some(fault), done));
    }

    /// Ends the fault that holds. What a stroke did is not undone.
    pub fn heal(&self) {
        self.order(|done| Order::Hold(None, done));
    }

    /// Strikes every open connection, and returns when it is done.
    pub fn strike(&self, stroke: Stroke) {
        self.order(|done| Order::Strike(stroke, done));
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// Gives an order and waits until all who hold its end have dropped it. A connection that cannot act, because nobody
    /// reads what it has to say, is not waited for long.
    fn order(&self, order: impl FnOnce(Done) -> Order) {
        let (done, all_done) = std_mpsc::channel();
        assert!(self.orders.send(order(done)).is_ok(), "the proxy's thread has ended");
        let _ = all_done.recv_timeout(LIMIT);
    }
}

/// Dropped by everyone who has carried out an order.
pub(super) type Done = std_mpsc::Sender<()>;

#[derive(Debug)]
enum Order {
    Hold(Option<Fault>, Done),
    Strike(Stroke, Done),
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicUsize,
    open: AtomicUsize,
}

/// The part of the proxy that runs in the background.
struct Door {
    address: SocketAddr,
    upstream: SocketAddr,
    counts: Arc<Counts>,
}

impl Door {
    async fn serve(self, listener: std::net::TcpListener, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut listener = TcpListener::from_std(listener).ok();
        let (fault, faults) = watch::channel(None);
        let mut tasks = JoinSet::new();
        let mut connections: Vec<mpsc::UnboundedSender<Struck>> = Vec::new();
        loop {
            select! {
                // What is ordered holds for every connection that is accepted later.
                biased;
                order = orders.recv() => match order {
                    Some(Order::Hold(new, _done)) => {
                        listener = self.listen_unless(new == Some(Fault::Refuse), listener).await;
                        fault.send_replace(new);
                    }
                    Some(Order::Strike(stroke, done)) => {
                        connections.retain(|connection| connection.send((stroke.clone(), done.clone())).is_ok());
                    }
                    None => return,
                },
                Some(_) = tasks.join_next() => connections.retain(|connection| !connection.is_closed()),
                client = accept(listener.as_ref()) => {
                    let open = Open::count(&self.counts);
                    let (strike, strokes) = mpsc::unbounded_channel();
                    connections.push(strike);
                    let relay = connection::relay(client, self.upstream, faults.clone(), strokes, open.number);
                    tasks.spawn(async move {
                        let done = relay.await;
                        // First counted as closed, then said to be.
                        drop(open);
                        drop(done);
                    });
                }
            }
        }
    }

    /// The listener that fits: none, the one there is, or a new one on the same port.
    async fn listen_unless(&self, refuse: bool, listener: Option<TcpListener>) -> Option<TcpListener> {
        match listener {
            _ if refuse => None,
            Some(listener) => Some(listener),
            None => {
                let bound = TcpListener::bind(self.address).await;
                Some(bound.unwrap_or_else(|error| panic!("the proxy cannot listen on {} again: {error}", self.address)))
            }
        }
    }
}

/// The next connection, if anybody listens.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    match listener {
        Some(listener) => accepted(listener).await,
        None => pending().await,
    }
}

/// Counts a connection as long as it lives.
struct Open {
    counts: Arc<Counts>,
    number: usize,
}

impl Open {
    fn count(counts: &Arc<Counts>) -> Self {
        counts.open.fetch_add(1, Ordering::SeqCst);
        Self { counts: Arc::clone(counts), number: counts.accepted.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Ordering::SeqCst);
    }
}
