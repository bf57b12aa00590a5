//! Just enough of Redis's protocol to ask a server how it is.

use std::io::{BufRead, BufReader, Read, Write};

/// Sends `command` over `stream` and shows the reply as `redis-cli` would: arrays one item a line, nothing as `(nil)`.
///
/// A reply that is an error is an error.
pub(super) fn call<S>(stream: &S, command: &[&str]) -> Result<String, String>
where
    for<'a> &'a S: Read + Write,
{
    let arguments = command.iter().map(|argument| format!("${}\r\n{argument}\r\n", argument.len()));
    let request = format!("*{}\r\n{}", command.len(), arguments.collect::<String>());
    let (mut writer, reader) = (stream, stream);
    writer.write_all(request.as_bytes()).map_err(|error| format!("cannot send: {error}"))?;
    reply(&mut BufReader::new(reader))
}

fn reply(reader: &mut impl BufRead) -> Result<String, String> {
    let unreadable = |error| format!("cannot read the reply: {error}");
    let mut line = String::new();
    reader.read_line(&mut line).map_err(unreadable)?;
    let line = line.strip_suffix("\r\n").ok_or_else(|| format!("the reply ends early, after {line:?}"))?;
    let Some((kind, rest)) = line.split_at_checked(1) else { return Err("the reply is empty".to_owned()) };
    let length = || rest.parse::<i64>().map_err(|error| format!("a reply of length {rest:?}: {error}"));
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "-" => Err(rest.to_owned()),
        "$" => {
            let Ok(length) = usize::try_from(length()?) else { return Ok("(nil)".to_owned()) };
            let mut text = vec![0; length + 2];
            reader.read_exact(&mut text).map_err(unreadable)?;
            Ok(String::from_utf8_lossy(&text[..length]).into_owned())
        }
        "*" => {
            let Ok(length) = usize::try_from(length()?) else { return Ok("(nil)".to_owned()) };
            let items = (0..length).map(|_| reply(reader)).collect::<Result<Vec<_>, _>>()?;
            Ok(items.join("\n"))
        }
        _ => Err(format!("no reply of Redis: {line:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_shown_as_text() {
        let show = |bytes: &str| reply(&mut bytes.as_bytes());
        assert_eq!(show("+PONG\r\n").unwrap(), "PONG");
        assert_eq!(show(":-7\r\n").unwrap(), "-7");
        assert_eq!(show("$5\r\na\r\nbc\r\n").unwrap(), "a\r\nbc");
        assert_eq!(show("$-1\r\n").unwrap(), "(nil)");
        assert_eq!(show("*2\r\n$1\r\na\r\n*1\r\n:1\r\n").unwrap(), "a\n1");
        assert_eq!(show("-ERR no\r\n").unwrap_err(), "ERR no");
        assert!(show("$5\r\na").is_err());
        assert!(show("").is_err());
    }
}
