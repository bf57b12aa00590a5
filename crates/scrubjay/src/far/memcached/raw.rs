//! The server's own language: words make a line, and a block of data stands behind it.

use bytes::Bytes;
use scrubjay_memcached::{Address, Client, wire::Refusal};

use super::commands::told;
use crate::{Error, Result, far::Reply};

/// Commands with a block of data, and which word says its length.
const STORING: [(&str, usize); 7] =
    [("set", 4), ("add", 4), ("replace", 4), ("append", 4), ("prepend", 4), ("cas", 4), ("ms", 2)];

/// Commands whose second word is a key; so it is of the storing ones.
const KEYED: [&str; 10] = ["get", "gets", "touch", "delete", "incr", "decr", "mg", "md", "ma", "me"];

/// Commands whose third word is a key.
const KEYED_LATER: [&str; 2] = ["gat", "gats"];

/// The server that `command` is for, `None` if it names no key and there are several.
pub(super) fn server<'a>(client: &'a Client, command: &[Bytes]) -> Option<&'a Address> {
    let key = if is_of(command, &KEYED) || length_of_data(command).is_some() {
        command.get(1)
    } else if is_of(command, &KEYED_LATER) {
        command.get(2)
    } else {
        None
    };
    let mut servers = client.servers();
    match (key, servers.next(), servers.next()) {
        (Some(key), ..) => Some(client.server_of(key)),
        (None, only, None) => only,
        _ => None,
    }
}

/// Sends `command` to `server`; answers the line that comes back, or all of them.
pub(super) async fn send(client: &Client, server: &Address, command: &[Bytes]) -> Result<Reply> {
    let (words, data) = match (length_of_data(command), command.split_last()) {
        (Some(length), Some((data, words))) => {
            // The server would wait for what is missing, and take what is too much for a command.
            if words.get(length).is_none_or(|word| *word != *data.len().to_string()) {
                let message = format!("word {length} of the command should say the length of its data, {}", data.len());
                return Err(Error::unsupported(message));
            }
            (words, Some(&**data))
        }
        _ => (command, None),
    };
    let line = words.join(&b' ');
    let mut lines = client.raw(server, line, data).await.map_err(told)?;
    if let Some(refusal) = lines.first().and_then(|line| Refusal::of(line)) {
        return Err(told(refusal.into()));
    }
    Ok(match lines.pop() {
        None => Reply::Nil,
        Some(only) if lines.is_empty() => Reply::Bytes(only),
        Some(last) => Reply::Array(lines.into_iter().chain([last]).map(Reply::Bytes).collect()),
    })
}

/// Which word says the length of the data, if there is any.
fn length_of_data(command: &[Bytes]) -> Option<usize> {
    STORING.iter().find(|(name, _)| is_of(command, &[name])).map(|(_, length)| *length)
}

fn is_of(command: &[Bytes], names: &[&str]) -> bool {
    command.first().is_some_and(|name| names.iter().any(|known| known.as_bytes() == *name))
}
