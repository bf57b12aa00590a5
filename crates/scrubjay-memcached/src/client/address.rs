//! Where a server is.

use std::{fmt, net::Ipv6Addr, path::PathBuf, str::FromStr};

use crate::{Error, ErrorKind};

/// The port that memcached listens on unless told otherwise.
const PORT: u16 = 11211;

/// Where a server is: `host`, `host:port`, `[::1]:port`, `/path/to/socket` or `unix:/path/to/socket`.
///
/// ```
/// use scrubjay_memcached::Address;
///
/// let address: Address = "cache.example".parse().unwrap();
/// assert_eq!(address.to_string(), "cache.example:11211");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A host and a port.
    Tcp {
        /// A name, or an IP address without brackets.
        host: String,
        /// 11211 unless told otherwise.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('/') {
            return Ok(Self::Unix(path.into()));
        }
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(|| invalid(text))?)),
            None => match text.split_once(':') {
                Some(_) if text.parse::<Ipv6Addr>().is_ok() => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = port.map_or(Ok(PORT), |port| port.parse().map_err(|_| invalid(text)))?;
        if host.is_empty() || host.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return Err(invalid(text));
        }
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

fn invalid(text: &str) -> Error {
    let expected = "expected `host`, `host:port`, `[::1]:port` or `/path/to/socket`";
    // What stands before an @ would be a password.
    let shown = text.rsplit('@').next().unwrap_or_default();
    Error::new(ErrorKind::Config, format!("{shown:?} is no server address; {expected}"))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood() {
        for (text, shown) in [
            ("localhost", "localhost:11211"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[::1]:5", "[::1]:5"),
            ("::1", "[::1]:11211"),
            ("[::1]", "[::1]:11211"),
            ("/run/m.sock", "/run/m.sock"),
            ("unix:/run/m.sock", "/run/m.sock"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
        for text in ["", ":1", "a:b", "a:70000", "[::1]x", "a b"] {
            assert_eq!(text.parse::<Address>().unwrap_err().kind(), ErrorKind::Config, "{text:?}");
        }
        assert!(!"user:secret@host:x".parse::<Address>().unwrap_err().to_string().contains("secret"));
    }
}
