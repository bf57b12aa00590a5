//! What redis-rs and the server report, as our [`Error`]s: classed, and without secrets or values.

use std::error::Error as _;

use redis::{RedisError, ServerErrorKind};

use crate::{Error, ErrorKind, Operation, Retryable};

/// The codes by which a server says that it does not know us, or does not let us do this.
pub(super) const FORBIDDEN: [&str; 3] = ["NOAUTH", "WRONGPASS", "NOPERM"];
/// How it says so of a command in a script.
const FORBIDDEN_IN_SCRIPTS: [&str; 2] = ["ACL failure in script", "can't run this command or subcommand"];

/// What `error` says, met while a command that serves `operation` was under way.
pub(super) fn from_redis(error: &RedisError, operation: Operation) -> Error {
    let refusal = error.clone().into_server_errors();
    if let Some(first) = refusal.as_deref().and_then(|errors| errors.first()) {
        return from_server(first.1.code(), first.1.details().unwrap_or_default(), operation);
    }
    match error.kind() {
        redis::ErrorKind::Io => unreachable(error, "the connection to the server was lost"),
        redis::ErrorKind::Parse => Error::new(ErrorKind::Connection, "the server does not speak the Redis protocol"),
        redis::ErrorKind::AuthenticationFailed => {
            let told = error.detail().map(without_arguments).unwrap_or_default();
            Error::config(format!("the server did not accept user and password: {told}"))
        }
        redis::ErrorKind::MasterNameNotFoundBySentinel => {
            Error::new(ErrorKind::Server, "no sentinel knows a master of that name")
        }
        redis::ErrorKind::RESP3NotSupported => Error::config("option `protocol`: the server does not speak version 3"),
        redis::ErrorKind::InvalidClientConfig => Error::config(text_of(error)),
        redis::ErrorKind::ClusterConnectionNotFound => {
            Error::new(ErrorKind::Connection, "no node of the cluster could be reached")
        }
        redis::ErrorKind::Client => Error::new(ErrorKind::Connection, text_of(error)),
        redis::ErrorKind::Server(kind) => from_server_kind(kind, error.detail().unwrap_or_default(), operation),
        _ => Error::new(ErrorKind::Server, text_of(error)),
    }
}

/// What `error` says, met before any command could be sent.
pub(super) fn from_redis_connecting(error: &RedisError, operation: Operation) -> Error {
    // A cluster's client tells in words alone why it has reached none of the nodes.
    let told = error.detail().unwrap_or_default();
    match error.kind() {
        redis::ErrorKind::Io if FORBIDDEN.iter().any(|code| told.contains(code)) => {
            Error::config(format!("no node of the cluster lets us in: {}", without_arguments(told)))
        }
        redis::ErrorKind::Io | redis::ErrorKind::Client => unreachable(error, "the server cannot be reached"),
        _ => from_redis(error, operation),
    }
}

/// The error of a reply that is no answer to the command.
pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Server, "the server's reply is of another type than the command's")
}

fn unreachable(error: &RedisError, message: &'static str) -> Error {
    let failure = Error::new(ErrorKind::Connection, message);
    // The cause alone: an error of the system or of TLS, which quotes nothing of ours.
    match error.source() {
        Some(cause) => failure.with_source(cause.to_string()),
        None => failure,
    }
}

fn from_server_kind(kind: ServerErrorKind, details: &str, operation: Operation) -> Error {
    let code = match kind {
        ServerErrorKind::BusyLoading => "LOADING",
        ServerErrorKind::TryAgain => "TRYAGAIN",
        ServerErrorKind::ClusterDown => "CLUSTERDOWN",
        ServerErrorKind::ReadOnly => "READONLY",
        ServerErrorKind::MasterDown => "MASTERDOWN",
        ServerErrorKind::ExecAbort => "EXECABORT",
        ServerErrorKind::NoScript => "NOSCRIPT",
        ServerErrorKind::CrossSlot => "CROSSSLOT",
        ServerErrorKind::NoPerm => "NOPERM",
        _ => "ERR",
    };
    from_server(code, details, operation)
}

fn from_server(code: &str, details: &str, operation: Operation) -> Error {
    let details = without_arguments(details);
    let no_counter = code == "WRONGTYPE" && operation == Operation::Increment;
    if no_counter || details.contains("not an integer") {
        return Error::new(ErrorKind::NotANumber, format!("{code} {details}"));
    }
    if details.contains("would overflow") {
        return crate::far::overflow();
    }
    // Who we are, or what we may do, is for somebody to mend: no load goes on as if nothing were wrong.
    if FORBIDDEN.contains(&code) || FORBIDDEN_IN_SCRIPTS.iter().any(|words| details.contains(words)) {
        return Error::config(format!("{code} {details}"));
    }
    let passing = matches!(code, "LOADING" | "TRYAGAIN" | "CLUSTERDOWN" | "READONLY" | "MASTERDOWN" | "BUSY");
    let retryable = if passing { Retryable::Yes } else { Retryable::No };
    Error::new(ErrorKind::Server, format!("{code} {details}")).with_retryable(retryable)
}

/// A server quotes the words of a command that it does not know: a password, or a value.
pub(super) fn without_arguments(details: &str) -> &str {
    details.split(", with args").next().unwrap_or_default()
}

fn text_of(error: &RedisError) -> String {
    without_arguments(&error.to_string()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Error {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        from_redis(&value.extract_error().unwrap_err(), Operation::Increment)
    }

    #[test]
    fn codes_are_kept_and_passing_ones_may_be_retried() {
        let loading = told("LOADING Redis is loading the dataset in memory");
        assert_eq!((loading.kind(), loading.is_retryable()), (ErrorKind::Server, true));
        assert_eq!(loading.to_string(), "LOADING Redis is loading the dataset in memory");
        for denied in ["NOPERM this user has no permissions", "NOAUTH Authentication required.", "WRONGPASS invalid"] {
            let denied = told(denied);
            assert_eq!((denied.kind(), denied.is_retryable()), (ErrorKind::Config, false), "{denied}");
        }
        assert!(told("OOM command not allowed").to_string().starts_with("OOM "));
    }

    #[test]
    fn counters_have_kinds_of_their_own() {
        assert_eq!(told("ERR value is not an integer or out of range").kind(), ErrorKind::NotANumber);
        assert_eq!(told("ERR increment or decrement would overflow").kind(), ErrorKind::Overflow);
    }

    #[test]
    fn what_a_server_quotes_is_not_shown() {
        let error = told("ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'me' 'hunter2' ");
        assert!(!format!("{error:?}").contains("hunter2"), "{error}");
    }
}
