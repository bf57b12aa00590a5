//! The one error of the crate: what was tried, on what, what went wrong and whether a retry may help.
//!
//! An [`Error`] is cheap to clone, because all waiters of a failed load get it. It never holds a value or a secret, and it
//! holds keys only shortened.

use std::{borrow::Cow, fmt, sync::Arc};

use crate::Operation;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and whether trying again may help.
///
/// ```
/// use scrubjay::{Cache, ErrorKind};
///
/// let error = Cache::<String>::from_url("redsi://localhost").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Config);
/// assert!(error.to_string().contains("unknown scheme `redsi`"));
/// ```
#[derive(Clone)]
pub struct Error(Arc<Details>);

#[derive(Clone)]
struct Details {
    kind: ErrorKind,
    message: Cow<'static, str>,
    operation: Option<Operation>,
    key: Option<Box<str>>,
    retryable: bool,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of failure that a caller may want to distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration cannot work: an unknown name or option, parts that do not fit together, or a server that does not
    /// accept user and password, or forbids the command.
    Config,
    /// The key cannot be held by this cache.
    InvalidKey,
    /// A ttl of zero, or of more than a hundred years.
    InvalidTtl,
    /// The store cannot do this at all, or there is no tokio runtime to wait on; the message says which.
    Unsupported,
    /// The entry is not a decimal integer, or the serializer cannot read counters.
    NotANumber,
    /// A counter would leave the range of its type.
    Overflow,
    /// The value could not be turned into bytes.
    Encode,
    /// The stored bytes are not what this cache's serializer writes.
    Decode,
    /// The call's deadline passed. The command may or may not have been carried out.
    Timeout,
    /// The server could not be reached, or the connection broke.
    Connection,
    /// The server answered with an error.
    Server,
    /// The call was refused without being tried: a circuit is open, or a limit is reached.
    Overloaded,
    /// Another caller has changed the entry, or may hold the lock, in the meantime.
    Conflict,
    /// The loader failed; the [source](std::error::Error::source) is its error.
    Load,
    /// A load would wait for itself, through its own loader.
    Recursion,
    /// A loader found no value, and this caller expects one.
    NotFound,
    /// A named cache holds values of another type.
    WrongType,
}

/// How much of a key an error shows.
const KEY_SHOWN: usize = 64;

impl Error {
    /// An error of `kind`; `message` says what was expected and what to do.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Details {
            kind,
            message: message.into(),
            operation: None,
            key: None,
            retryable: matches!(kind, ErrorKind::Timeout | ErrorKind::Connection | ErrorKind::Overloaded),
            source: None,
        }))
    }

    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    pub(crate) fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A loader's own error. One of this crate stays what it is.
    pub(crate) fn load(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        match error.into().downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self::new(ErrorKind::Load, "the loader failed").with_source(error),
        }
    }

    /// The loader's own error, if it is an `E`.
    #[must_use]
    pub fn loader_error<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.source.as_deref()?.downcast_ref()
    }

    /// Adds the operation that failed, unless one is named already.
    #[must_use]
    pub fn with_operation(mut self, operation: Operation) -> Self {
        self.details().operation.get_or_insert(operation);
        self
    }

    /// Adds the key it failed on (shortened to 64 characters), unless one is named already.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.details().key.get_or_insert_with(|| shorten(key));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.details().source = Some(Arc::from(source.into()));
        self
    }

    /// Sets [`is_retryable`](Self::is_retryable), instead of the default of the kind.
    #[must_use]
    pub fn with_retryable(mut self, retryable: Retryable) -> Self {
        self.details().retryable = retryable == Retryable::Yes;
        self
    }

    fn details(&mut self) -> &mut Details {
        Arc::make_mut(&mut self.0)
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The cache command that failed, if one did.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The key, shortened, if the failure concerns one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Whether the same call may succeed later, with nothing changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

/// Whether the same call may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retryable {
    /// It may: the cause is temporary.
    Yes,
    /// It will not, unless something is changed.
    No,
}

fn shorten(key: &str) -> Box<str> {
    match key.char_indices().nth(KEY_SHOWN) {
        None => key.into(),
        Some((end, _)) => format!("{}…", &key[..end]).into(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        match (details.operation, &details.key) {
            (Some(operation), Some(key)) => write!(f, "{operation} {key:?}: ")?,
            (Some(operation), None) => write!(f, "{operation}: ")?,
            (None, Some(key)) => write!(f, "key {key:?}: ")?,
            (None, None) => {}
        }
        f.write_str(&details.message)?;
        match &details.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_tried_on_what_and_why() {
        let error = Error::new(ErrorKind::NotANumber, "the stored value is not a decimal integer")
            .with_operation(Operation::Increment)
            .with_key("visits");
        assert_eq!(error.to_string(), "increment \"visits\": the stored value is not a decimal integer");
        assert!(!error.is_retryable());
    }

    #[test]
    fn the_first_operation_and_key_named_stand() {
        let error = Error::new(ErrorKind::Timeout, "late").with_operation(Operation::Get).with_key("inner");
        let error = error.with_operation(Operation::Lookup).with_key("outer");
        assert_eq!((error.operation(), error.key()), (Some(Operation::Get), Some("inner")));
    }

    #[test]
    fn long_keys_are_shortened_on_a_character_boundary() {
        let error = Error::new(ErrorKind::Decode, "bad bytes").with_key(&"é".repeat(100));
        assert_eq!(error.key(), Some(&*format!("{}…", "é".repeat(64))));
    }
}
