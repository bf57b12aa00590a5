//! Answers to `raw` commands, and which of these must not share a connection.

use bytes::Bytes;
use redis::Value;

use super::failure;
use crate::{Operation, Result, far::Reply};

/// Commands that change the connection they come on, hold it up, or have other than one reply. Each gets a connection of its
/// own, which is closed afterwards.
const ALONE: [&str; 38] = [
    "ASKING",
    "AUTH",
    "BLMOVE",
    "BLMPOP",
    "BLPOP",
    "BRPOP",
    "BRPOPLPUSH",
    "BZMPOP",
    "BZPOPMAX",
    "BZPOPMIN",
    "CLIENT",
    "DEBUG",
    "DISCARD",
    "EXEC",
    "FAILOVER",
    "HELLO",
    "MONITOR",
    "MULTI",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "QUIT",
    "READONLY",
    "READWRITE",
    "RESET",
    "SELECT",
    "SHUTDOWN",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SYNC",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WAIT",
    "WAITAOF",
    "WATCH",
    "XREAD",
    "XREADGROUP",
];

pub(super) fn needs_a_connection_of_its_own(command: &[u8]) -> bool {
    ALONE.iter().any(|name| command.eq_ignore_ascii_case(name.as_bytes()))
}

/// The server's reply as ours.
pub(super) fn from_value(value: Value) -> Result<Reply> {
    let all = |values: Vec<Value>| values.into_iter().map(from_value).collect::<Result<_>>();
    Ok(match value {
        Value::Nil => Reply::Nil,
        Value::Okay => Reply::Ok,
        Value::Boolean(truth) => Reply::Boolean(truth),
        Value::Int(number) => Reply::Integer(number),
        Value::Double(number) => Reply::Double(number),
        Value::BulkString(bytes) | Value::BigNumber(bytes) => Reply::Bytes(bytes.into()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Reply::Bytes(Bytes::from(text)),
        Value::Array(values) | Value::Set(values) | Value::Push { data: values, .. } => Reply::Array(all(values)?),
        Value::Map(pairs) => {
            let pairs = pairs.into_iter().map(|(key, value)| Ok((from_value(key)?, from_value(value)?)));
            Reply::Map(pairs.collect::<Result<_>>()?)
        }
        Value::Attribute { data, .. } => from_value(*data)?,
        Value::ServerError(error) => return Err(failure::from_redis(&error.into(), Operation::Raw)),
        _ => return Err(failure::unexpected()),
    })
}
