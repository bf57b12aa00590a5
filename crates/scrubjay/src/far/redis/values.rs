//! Reads whole RESP frames, whose bounds [`Frames`] has checked, as redis-rs's values.

use redis::{ErrorKind, RedisError, RedisResult, Value};

use super::frames::Frames;

/// The value that `frames` begins with.
pub(super) fn first(mut frames: &[u8]) -> RedisResult<Value> {
    loop {
        let (value, rest) = read(frames)?;
        // What a server pushed before the reply is not it.
        if rest.is_empty() || !matches!(value, Value::Push { .. }) {
            return Ok(value);
        }
        frames = rest;
    }
}

/// All values of `frames`, without what the server pushed in between if there are more than `count`.
pub(super) fn all(mut frames: &[u8], count: usize) -> RedisResult<Vec<Value>> {
    let mut values = Vec::with_capacity(count);
    while !frames.is_empty() {
        let (value, rest) = read(frames)?;
        values.push(value);
        frames = rest;
    }
    if values.len() > count {
        values.retain(|value| !matches!(value, Value::Push { .. }));
    }
    Ok(values)
}

/// The first value and what follows it. The common kinds are read here, the others by redis-rs.
fn read(frames: &[u8]) -> RedisResult<(Value, &[u8])> {
    let (kind, rest) = frames.split_first().ok_or_else(cut)?;
    match kind {
        b'$' => match number(rest)? {
            (-1, rest) => Ok((Value::Nil, rest)),
            (length, rest) => {
                let length = usize::try_from(length).map_err(|_| cut())?;
                let text = rest.get(..length).ok_or_else(cut)?;
                Ok((Value::BulkString(text.to_vec()), rest.get(length + 2..).ok_or_else(cut)?))
            }
        },
        b':' => number(rest).map(|(number, rest)| (Value::Int(number), rest)),
        b'+' if rest.starts_with(b"OK\r\n") => Ok((Value::Okay, &rest[4..])),
        b'*' => match number(rest)? {
            (-1, rest) => Ok((Value::Nil, rest)),
            (count, mut rest) => {
                // Not by the number announced: each takes three bytes at least.
                let room = usize::try_from(count).map_err(|_| cut())?.min(rest.len() / 3);
                let mut values = Vec::with_capacity(room);
                for _ in 0..count {
                    let (value, behind) = read(rest)?;
                    values.push(value);
                    rest = behind;
                }
                Ok((Value::Array(values), rest))
            }
        },
        _ => {
            let length = Frames::default().next(frames).ok().flatten().ok_or_else(cut)?;
            Ok((redis::parse_redis_value(&frames[..length])?, &frames[length..]))
        }
    }
}

/// The number on the line that `bytes` begins with, and what follows the line.
fn number(bytes: &[u8]) -> RedisResult<(i64, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\r').ok_or_else(cut)?;
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| cut())?;
    let number = text.parse().map_err(|_| cut())?;
    Ok((number, bytes.get(end + 2..).ok_or_else(cut)?))
}

fn cut() -> RedisError {
    (ErrorKind::Parse, "a reply is not what its frame promised").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// redis-rs knows every kind; what is read here must be the same.
    #[test]
    fn values_are_those_that_redis_rs_reads() {
        for frame in [
            "$5\r\na\r\nbc\r\n",
            "$0\r\n\r\n",
            "$-1\r\n",
            "*-1\r\n",
            ":-42\r\n",
            "+OK\r\n",
            "+PONG\r\n",
            "-ERR no\r\n",
            "*0\r\n",
            "*3\r\n$1\r\na\r\n$-1\r\n*2\r\n:1\r\n-WRONGTYPE no\r\n",
            "%1\r\n+a\r\n:1\r\n",
            "_\r\n",
            "#t\r\n",
            ",1.5\r\n",
        ] {
            let expected = redis::parse_redis_value(frame.as_bytes()).unwrap();
            assert_eq!(first(frame.as_bytes()).unwrap(), expected, "{frame:?}");
            let twice = frame.repeat(2);
            assert_eq!(all(twice.as_bytes(), 2).unwrap(), [expected.clone(), expected], "{frame:?}");
        }
    }

    #[test]
    fn what_a_server_pushes_between_replies_is_left_out() {
        let frames = b">2\r\n+invalidate\r\n+a\r\n:1\r\n>1\r\n+b\r\n:2\r\n";
        assert_eq!(first(frames).unwrap(), Value::Int(1));
        assert_eq!(all(frames, 2).unwrap(), [Value::Int(1), Value::Int(2)]);
        let alone = b">2\r\n+subscribe\r\n+a\r\n";
        assert!(matches!(first(alone).unwrap(), Value::Push { .. }));
    }

    #[test]
    fn what_is_no_whole_frame_is_an_error() {
        for frame in ["", "$", "$5\r\nab", "$-7\r\n", ":x\r\n", "*2\r\n:1\r\n", "*9223372036854775807\r\n:1\r\n", "+OK"]
        {
            assert!(first(frame.as_bytes()).is_err(), "{frame:?}");
        }
    }
}
