//! The one error of the crate.

use std::{borrow::Cow, fmt, sync::Arc};

use crate::{
    pipe::Break,
    wire::{InvalidExpiry, Refusal, Unsayable, Violation},
};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with which server, and whether it can have seen the request. Cheap to clone; shows no password and no
/// value.
#[derive(Clone)]
pub struct Error(Arc<Details>);

#[derive(Clone)]
struct Details {
    kind: ErrorKind,
    message: Cow<'static, str>,
    server: Option<Box<str>>,
    sent: Sent,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    No,
    Maybe,
}

/// The classes of failure that a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration cannot work, or no tokio runtime is there.
    Config,
    /// A ttl of zero, or one that ends after memcached's clock (January 2038).
    InvalidTtl,
    /// The server is too old for this, or the command is no single line.
    Unsupported,
    /// The value is larger than the server, or this client, accepts. A `set` that fails so has removed the old entry.
    TooLarge,
    /// A counter was asked of something that is not a whole number in decimal text.
    NotANumber,
    /// User and password are missing or wrong.
    Unauthenticated,
    /// The server could not be reached.
    Connect,
    /// The connection broke.
    Connection,
    /// The call's deadline passed.
    Timeout,
    /// The server sent what memcached would not. The connection was closed.
    Protocol,
    /// The server answered with an error.
    Server,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Details { kind, message: message.into(), server: None, sent: Sent::No, source: None }))
    }

    pub(crate) fn with_server(mut self, server: &impl fmt::Display) -> Self {
        self.details().server.get_or_insert_with(|| server.to_string().into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.details().source = Some(Arc::new(source));
        self
    }

    /// For a request that may have reached the server.
    pub(crate) fn maybe_sent(mut self) -> Self {
        self.details().sent = Sent::Maybe;
        self
    }

    fn details(&mut self) -> &mut Details {
        Arc::make_mut(&mut self.0)
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The server's address, where the failure concerns one.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.0.server.as_deref()
    }

    /// Whether no byte of the request has left this process: trying again cannot do anything twice.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        self.0.sent == Sent::No
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = &self.0.server {
            write!(f, "memcached at {server}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        f.debug_struct("Error")
            .field("kind", &details.kind)
            .field("server", &details.server)
            .field("message", &details.message)
            .field("is_unsent", &self.is_unsent())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<Break> for Error {
    fn from(end: Break) -> Self {
        let kind = match end {
            Break::Timeout => ErrorKind::Timeout,
            Break::Surplus => ErrorKind::Protocol,
            Break::Ended | Break::Io(_) | Break::Silent | Break::Gone | Break::Closed => ErrorKind::Connection,
        };
        Self::new(kind, end.to_string())
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::new(ErrorKind::Protocol, violation.to_string())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::TooLarge => ErrorKind::TooLarge,
            Refusal::NotANumber => ErrorKind::NotANumber,
            Refusal::Unauthenticated => ErrorKind::Unauthenticated,
            Refusal::Other(_) => ErrorKind::Server,
        };
        Self::new(kind, refusal.to_string())
    }
}

impl From<Unsayable> for Error {
    fn from(unsayable: Unsayable) -> Self {
        let kind = match unsayable {
            Unsayable::TooLarge(_) => ErrorKind::TooLarge,
            Unsayable::Line | Unsayable::Listed(_) | Unsayable::Classic(_) => ErrorKind::Unsupported,
        };
        Self::new(kind, unsayable.to_string())
    }
}

impl From<InvalidExpiry> for Error {
    fn from(invalid: InvalidExpiry) -> Self {
        Self::new(ErrorKind::InvalidTtl, invalid.to_string())
    }
}
