//! One server: its connections, in each process and runtime that uses it.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{
    runtime::{self, Handle},
    time::{Instant, sleep_until},
};

use super::{Address, backoff, connect::Connector, speech::Memcached};
use crate::{
    Error, ErrorKind, Result,
    pipe::{Connection, Ended, Failure, Limits},
    wire::{Found, Key, Mode, Reply, Request, Violation, Want},
};

type Link = Arc<Connection<Memcached>>;

pub(super) struct Server {
    pub(super) address: Address,
    connector: Arc<Connector>,
    limits: Limits,
    /// How many connections each lane has.
    width: usize,
    turn: AtomicUsize,
    lanes: Mutex<Vec<Lane>>,
}

/// The connections of one runtime in one process. A runtime drives only its own, and a forked child must not share a
/// socket with its parent.
struct Lane {
    process: u32,
    runtime: runtime::Id,
    places: Vec<Place>,
}

#[derive(Default)]
struct Place {
    link: Option<Link>,
    /// How often in a row the server could not be reached.
    failures: u32,
}

impl Server {
    pub(super) fn new(address: Address, connector: Arc<Connector>, limits: Limits, width: usize) -> Self {
        Self { address, connector, limits, width, turn: AtomicUsize::new(0), lanes: Mutex::default() }
    }

    pub(super) async fn call(&self, deadline: Instant, request: &Request<'_>) -> Result<Reply> {
        let mut second = SecondTry::for_requests(std::slice::from_ref(request));
        loop {
            match self.link()?.call(deadline, request).await {
                Ok(reply) => return self.unless_refused(reply),
                Err(failure) if second.is_worth(&failure) => {}
                Err(failure) => return Err(self.error(failure)),
            }
        }
    }

    pub(super) async fn call_many(&self, deadline: Instant, requests: &[Request<'_>]) -> Result<Vec<Reply>> {
        let mut second = SecondTry::for_requests(requests);
        loop {
            match self.link()?.call_many(deadline, requests).await {
                Ok(replies) => return replies.into_iter().map(|reply| self.unless_refused(reply)).collect(),
                Err(failure) if second.is_worth(&failure) => {}
                Err(failure) => return Err(self.error(failure)),
            }
        }
    }

    /// Reads many entries by one request. Its reply is read here, on the caller's thread: the connection has others to serve.
    pub(super) async fn get_many(&self, deadline: Instant, keys: &[Key<'_>], want: Want) -> Result<Vec<Option<Found>>> {
        let request = Request::GetMany { keys, want };
        let mut second = SecondTry::for_requests(std::slice::from_ref(&request));
        loop {
            let link = self.link()?;
            let violation = match link.call(deadline, &request).await {
                Ok(Reply::Entries(entries)) => match entries.read(keys, want) {
                    Ok(found) => return Ok(found),
                    Err(violation) => violation,
                },
                Ok(reply) => {
                    self.unless_refused(reply)?;
                    Violation::Foreign
                }
                Err(failure) if second.is_worth(&failure) => continue,
                Err(failure) => return Err(self.error(failure)),
            };
            let failure = Failure { error: Error::from(violation), unsent: false };
            link.fail(failure.error.clone());
            if !second.is_worth(&failure) {
                return Err(self.error(failure));
            }
        }
    }

    /// One call on a connection of its own, for what could bring a shared one out of step.
    pub(super) async fn call_apart(&self, deadline: Instant, request: &Request<'_>) -> Result<Reply> {
        let link = self.connect(&current_runtime()?, None);
        link.call(deadline, request).await.map_err(|failure| self.error(failure))
    }

    /// Lets go of every connection.
    pub(super) fn close(&self) {
        let mut lanes = std::mem::take(&mut *self.lanes.lock());
        forget_the_parent_s(&mut lanes);
    }

    fn unless_refused(&self, reply: Reply) -> Result<Reply> {
        match reply {
            Reply::Refused(refusal) => Err(Error::from(refusal).with_server(&self.address).maybe_sent()),
            reply => Ok(reply),
        }
    }

    fn error(&self, failure: Failure<Error>) -> Error {
        let error = failure.error.with_server(&self.address);
        if failure.unsent { error } else { error.maybe_sent() }
    }

    /// A connection of this process and runtime; a new one if there is none, or only a broken one.
    fn link(&self) -> Result<Link> {
        let runtime = current_runtime()?;
        let turn = if self.width == 1 { 0 } else { self.turn.fetch_add(1, Ordering::Relaxed) % self.width };
        let mut lanes = self.lanes.lock();
        // A child that was forked has runtimes of its own, with ids that none of its parent's lanes has: only for a new lane
        // must the system be asked which process this is.
        let known = lanes.iter().position(|lane| lane.runtime == runtime.id());
        let index = known.unwrap_or_else(|| {
            forget_the_parent_s(&mut lanes);
            lanes.retain(Lane::is_alive);
            let places = (0..self.width).map(|_| Place::default()).collect();
            lanes.push(Lane { process: process::id(), runtime: runtime.id(), places });
            lanes.len() - 1
        });
        let place = &mut lanes[index].places[turn];
        if let Some(link) = place.link.as_ref().filter(|link| !link.is_ended()) {
            return Ok(Arc::clone(link));
        }
        let mut earliest = None;
        place.failures = match place.link.as_ref().and_then(|link| link.ended()) {
            Some(Ended::Unopened { at, .. }) => {
                earliest = Some(at + backoff::pause(place.failures));
                place.failures.saturating_add(1)
            }
            _ => 0,
        };
        let link = self.connect(&runtime, earliest);
        place.link = Some(Arc::clone(&link));
        Ok(link)
    }

    /// A new connection, not before `earliest`. The calls that need it wait with it, until their own deadlines.
    fn connect(&self, runtime: &Handle, earliest: Option<Instant>) -> Link {
        let (connector, address) = (Arc::clone(&self.connector), self.address.clone());
        let opening = async move {
            if let Some(earliest) = earliest {
                sleep_until(earliest).await;
            }
            connector.open(&address).await
        };
        Arc::new(Connection::open(runtime, self.limits, opening))
    }
}

impl Lane {
    /// Whether its runtime may still be there.
    fn is_alive(&self) -> bool {
        self.places.iter().any(|place| place.link.as_ref().is_some_and(|link| !link.is_ended()))
    }
}

/// After a fork, what the parent left is not dropped: even that would reach into what both processes share.
fn forget_the_parent_s(lanes: &mut Vec<Lane>) {
    let process = process::id();
    if lanes.iter().any(|lane| lane.process != process) {
        let (ours, theirs) = std::mem::take(lanes).into_iter().partition(|lane| lane.process == process);
        *lanes = ours;
        std::mem::forget::<Vec<Lane>>(theirs);
    }
}

/// Whether a call that met a broken connection is made again over a new one.
enum SecondTry {
    /// Yes: twice is as good as once.
    Harmless,
    /// Only if nothing was sent.
    IfUnsent,
    /// It was made.
    Spent,
}

impl SecondTry {
    fn for_requests(requests: &[Request<'_>]) -> Self {
        if requests.iter().all(is_repeatable) { Self::Harmless } else { Self::IfUnsent }
    }

    fn is_worth(&mut self, failure: &Failure<Error>) -> bool {
        let broken = matches!(failure.error.kind(), ErrorKind::Connection | ErrorKind::Protocol);
        match std::mem::replace(self, Self::Spent) {
            Self::Harmless => broken,
            Self::IfUnsent => broken && failure.unsent,
            Self::Spent => false,
        }
    }
}

/// Whether carrying it out twice is the same as once.
fn is_repeatable(request: &Request<'_>) -> bool {
    matches!(
        request,
        Request::Get { .. }
            | Request::GetMany { .. }
            | Request::Store { mode: Mode::Set, .. }
            | Request::Touch { .. }
            | Request::Inspect { .. }
            | Request::Version
            | Request::FlushAll
    )
}

fn current_runtime() -> Result<Handle> {
    let missing = "a memcached client is used inside a tokio runtime, and there is none here";
    Handle::try_current().map_err(|error| Error::new(ErrorKind::Config, missing).with_source(error))
}
