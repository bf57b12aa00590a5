//! The callers' end of a connection.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
    sync::{TryAcquireError, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    Break, Ended, Failure, Protocol, driver,
    state::{Answer, Shared, To},
};

/// What bounds a connection.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// How much may wait to be sent or answered, in bytes. Each request counts for a KiB at least, so that their number is
    /// bounded too. Who finds no room waits for it, until its deadline.
    pub bytes_in_flight: usize,
    /// After how many calls in a row without an answer a connection may be given up, …
    pub timeouts: u32,
    /// … if that has gone on for so long, and nothing else came either.
    pub silence: Duration,
}

/// A pipelined connection. Dropping it closes the socket.
pub struct Connection<P: Protocol> {
    shared: Arc<Shared<P>>,
}

impl<P: Protocol> Connection<P> {
    /// A connection that a task on `runtime` opens, by `opening`, and drives. Calls may come at once; they wait for it.
    pub fn open<S, F>(runtime: &Handle, limits: Limits, opening: F) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Result<(S, P::Encoder, P::Decoder), P::Error>> + Send + 'static,
    {
        let shared = Shared::new(limits);
        runtime.spawn(driver::run(Arc::clone(&shared), opening));
        Self { shared }
    }

    /// Sends `request` and waits for its reply, until `deadline`.
    ///
    /// Dropping the future leaves the connection in step; the request may or may not have been carried out.
    ///
    /// # Errors
    /// What the protocol says, or a [`Break`].
    pub async fn call(&self, deadline: Instant, request: &P::Request<'_>) -> Answer<P, P::Reply> {
        let (caller, reply) = oneshot::channel();
        self.send(deadline, std::slice::from_ref(request), To::One(caller)).await?;
        self.wait(deadline, reply).await
    }

    /// Sends `requests` together and waits for all their replies, which come in the same order, until `deadline`.
    ///
    /// # Errors
    /// As for [`call`](Self::call). Some requests may have been carried out all the same.
    pub async fn call_many(&self, deadline: Instant, requests: &[P::Request<'_>]) -> Answer<P, Vec<P::Reply>> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let (caller, replies) = oneshot::channel();
        self.send(deadline, requests, To::LastOfBatch(caller)).await?;
        self.wait(deadline, replies).await
    }

    /// Ends the connection and every call on it: for a caller that reads its reply by itself and finds that it is none.
    pub fn fail(&self, error: P::Error) {
        self.shared.fail(error);
    }

    /// Whether the connection is of no use any more.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.shared.places.is_closed()
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn ended(&self) -> Option<Ended<P::Error>> {
        self.shared.ended()
    }

    async fn send(&self, deadline: Instant, requests: &[P::Request<'_>], to: To<P>) -> Answer<P, ()> {
        let weight = self.shared.limits.weight(requests.iter().map(P::size).sum());
        self.room(deadline, weight).await?;
        let weight = weight as usize;
        self.shared.queue(requests, weight, to).inspect_err(|_| self.shared.places.add_permits(weight))
    }

    /// Takes up room, which the driver gives back with the reply.
    async fn room(&self, deadline: Instant, weight: u32) -> Answer<P, ()> {
        let places = &self.shared.places;
        let room = match places.try_acquire_many(weight) {
            Ok(room) => Some(room),
            Err(TryAcquireError::Closed) => None,
            // Rare, so it shall not make the future of every call larger.
            Err(TryAcquireError::NoPermits) => {
                match Box::pin(timeout_at(deadline, places.acquire_many(weight))).await {
                    Ok(room) => room.ok(),
                    Err(_) => return Err(Failure::unsent(Break::Timeout.into())),
                }
            }
        };
        match room {
            Some(room) => {
                room.forget();
                Ok(())
            }
            None => Err(Failure::unsent(self.shared.reason())),
        }
    }

    async fn wait<T>(&self, deadline: Instant, reply: oneshot::Receiver<Answer<P, T>>) -> Answer<P, T> {
        match timeout_at(deadline, reply).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Failure { error: Break::Gone.into(), unsent: false }),
            Err(_) => {
                self.shared.missed();
                Err(Failure { error: Break::Timeout.into(), unsent: false })
            }
        }
    }
}

impl<P: Protocol> Drop for Connection<P> {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

impl<P: Protocol> fmt::Debug for Connection<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("is_ended", &self.is_ended()).finish_non_exhaustive()
    }
}
