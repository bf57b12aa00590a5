//! Why a format refused, said without the value: serde's own messages quote what they found.

use std::fmt;

use crate::{Error, ErrorKind};

/// The error of the formats written here, and what any other format's error becomes on its way to the user.
#[derive(Debug)]
pub(super) struct Failure(String);

impl Failure {
    /// `cause`, without the value it may quote.
    pub(super) fn new(cause: impl fmt::Display) -> Self {
        Self(without_value(&cause.to_string()))
    }

    /// What a caller sees when a value could not be turned into bytes; `tried` names the format.
    pub(super) fn encode(tried: &'static str, cause: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Encode, tried).with_source(Self::new(cause))
    }

    /// What a caller sees when bytes could not be turned into a value; `tried` names the format.
    pub(super) fn decode(tried: &'static str, cause: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Decode, tried).with_source(Self::new(cause))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl serde::de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl serde::ser::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

/// How serde begins a message that goes on to quote what it found, and how the quotation ends.
const QUOTING: [&str; 3] = ["invalid type: ", "invalid value: ", "unknown variant "];
const EXPECTED: &str = ", expected ";

/// ``invalid type: string "secret", expected u8`` becomes `invalid type: string, expected u8`.
fn without_value(message: &str) -> String {
    let Some(start) = QUOTING.iter().filter_map(|prefix| Some(message.find(prefix)? + prefix.len())).min() else {
        return message.to_owned();
    };
    let Some(quote) = message[start..].find(['`', '"']).map(|at| start + at) else { return message.to_owned() };
    // The last one: the quoted value may hold the same words.
    let end = message.rfind(EXPECTED).filter(|end| *end > quote).unwrap_or(message.len());
    format!("{}{}", message[..quote].trim_end(), &message[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_not_quoted() {
        for (said, shown) in [
            (
                r#"invalid type: string "s, expected e", expected u8 at line 1"#,
                "invalid type: string, expected u8 at line 1",
            ),
            ("invalid value: integer `4711`, expected u8", "invalid value: integer, expected u8"),
            ("unknown variant `secret`, expected `A` or `B`", "unknown variant, expected `A` or `B`"),
            ("invalid type: map, expected a string", "invalid type: map, expected a string"),
            ("line 3: invalid type: string \"s\"", "line 3: invalid type: string"),
            ("missing field `email`", "missing field `email`"),
        ] {
            assert_eq!(without_value(said), shown);
        }
    }
}
