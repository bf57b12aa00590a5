//! What the client reports, as our [`Error`]s. Its own show no secret, no key and no value.

use scrubjay_memcached::ErrorKind as Theirs;

use crate::{Error, ErrorKind, Retryable};

/// What `error` says of a call.
pub(super) fn from_client(error: &scrubjay_memcached::Error) -> Error {
    let kind = match error.kind() {
        // After the client was made, there is nothing wrong with its configuration: it lacks a runtime.
        Theirs::Config | Theirs::Unsupported => ErrorKind::Unsupported,
        // No load goes on as if nothing were wrong: it is for somebody to mend.
        Theirs::Unauthenticated => ErrorKind::Config,
        Theirs::InvalidTtl => ErrorKind::InvalidTtl,
        Theirs::NotANumber => ErrorKind::NotANumber,
        Theirs::Connect | Theirs::Connection | Theirs::Protocol => ErrorKind::Connection,
        Theirs::Timeout => ErrorKind::Timeout,
        _ => ErrorKind::Server,
    };
    let text = error.to_string();
    // memcached says so of a moment's lack of memory, and of nothing that lasts.
    let passing = error.kind() == Theirs::Server && text.contains("SERVER_ERROR out of memory");
    let ours = Error::new(kind, text);
    if passing { ours.with_retryable(Retryable::Yes) } else { ours }
}

/// What `error` says of a configuration.
pub(super) fn of_configuration(error: &scrubjay_memcached::Error) -> Error {
    Error::config(error.to_string())
}
