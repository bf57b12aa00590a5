//! What a URL says, taken apart: for stores, serializers and caches alike.
//!
//! `scheme://user:password@host:port,host:port/path?name=value`, percent-decoded. Several hosts are ours; all else is the
//! `url` crate's reading of RFC 3986.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::{Error, Parameters, Result};

/// The parts of a URL. `Debug` shows no password and no option's value.
#[derive(Debug)]
pub(crate) struct Url {
    pub(crate) scheme: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) path: String,
    pub(crate) parameters: Parameters,
}

/// A server's name or address, and its port if one was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name or address, without brackets.
    pub name: String,
    /// The port, `None` for the store's default.
    pub port: Option<u16>,
}

/// A text that no `Debug` or `Display` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Url {
    /// Reads `text`. Errors show no more of it than the scheme: the rest may hold a secret.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let Some((scheme, _)) = text.split_once("://") else {
            return Err(Error::config("not a URL: expected something like memory:// or redis://host:6379/0"));
        };
        let malformed = |error: url::ParseError| Error::config(format!("malformed {scheme}:// URL")).with_source(error);
        let (first, others) = split_hosts(text, scheme.len() + 3);
        // A socket has a user and no host, which RFC 3986 allows and the `url` crate does not.
        let hostless = first.contains("@/").then(|| first.replacen("@/", "@nowhere/", 1));
        let url = url::Url::parse(hostless.as_ref().unwrap_or(&first)).map_err(malformed)?;
        let mut hosts: Vec<Host> = host(&url).into_iter().filter(|_| hostless.is_none()).collect();
        for other in others {
            let other = url::Url::parse(&format!("{scheme}://{other}")).map_err(malformed)?;
            hosts.extend(host(&other));
        }
        Ok(Self {
            scheme: url.scheme().to_owned(),
            user: Some(decode(url.username())?).filter(|user| !user.is_empty()),
            password: url.password().map(decode).transpose()?.map(Secret),
            hosts,
            path: decode(url.path())?,
            parameters: parse_query(url.query().unwrap_or_default())?,
        })
    }
}

/// The options in a URL's query.
///
/// Not `query_pairs`: that reads the `+` of `json+zstd` and `retry+breaker` as an HTML form's blank.
pub(crate) fn parse_query(query: &str) -> Result<Parameters> {
    let mut parameters = Parameters::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if !parameters.insert_new(&name, &value) {
            return Err(Error::config(format!("option `{name}` is given twice")));
        }
    }
    Ok(parameters)
}

/// The URL with only the first of its hosts, and the others.
fn split_hosts(text: &str, start: usize) -> (String, Vec<&str>) {
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |length| start + length);
    let start = text[start..end].rfind('@').map_or(start, |at| start + at + 1);
    let mut hosts = text[start..end].split(',');
    let first = hosts.next().unwrap_or_default();
    (format!("{}{first}{}", &text[..start], &text[end..]), hosts.collect())
}

fn host(url: &url::Url) -> Option<Host> {
    let name = url.host_str().filter(|name| !name.is_empty())?;
    let name = name.trim_start_matches('[').trim_end_matches(']');
    Some(Host { name: decode(name).unwrap_or_else(|_| name.to_owned()), port: url.port() })
}

fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| Error::config("a percent-encoded part of the URL is not UTF-8"))?.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_part_is_found() {
        let url = Url::parse("redis://me:p%40ss@[::1]:7000/3?ttl=10s&namespace=a%26b").unwrap();
        assert_eq!((&*url.scheme, url.user.as_deref()), ("redis", Some("me")));
        assert_eq!(url.password.as_ref().map(Secret::reveal), Some("p@ss"));
        assert_eq!(url.hosts, [Host { name: "::1".into(), port: Some(7000) }]);
        assert_eq!(url.path, "/3");
        let mut parameters = url.parameters;
        assert_eq!(parameters.take_text("namespace").as_deref(), Some("a&b"));
    }

    #[test]
    fn a_plus_is_a_plus_and_a_switch_needs_no_value() {
        let mut parameters = Url::parse("memory://?layers=retry+breaker&near&&name=a%20b").unwrap().parameters;
        let taken = ["layers", "near", "name"].map(|name| parameters.take_text(name).unwrap());
        assert_eq!(taken, ["retry+breaker", "", "a b"]);
        parameters.finish("test").unwrap();
    }

    #[test]
    fn a_socket_has_a_user_and_no_host() {
        let url = Url::parse("redis+unix://me:secret@/run/redis.sock").unwrap();
        assert_eq!((url.hosts.len(), &*url.path, url.user.as_deref()), (0, "/run/redis.sock", Some("me")));
    }

    #[test]
    fn several_hosts_keep_their_order() {
        let url = Url::parse("memcached://u:p@one:11211,two,[::2]:3/?hash=ketama").unwrap();
        let hosts: Vec<_> = url.hosts.iter().map(|host| (&*host.name, host.port)).collect();
        assert_eq!(hosts, [("one", Some(11211)), ("two", None), ("::2", Some(3))]);
        assert_eq!(url.user.as_deref(), Some("u"));
    }

    #[test]
    fn no_output_shows_a_secret() {
        let secret = "hunter2";
        let shown = format!("{:?}", Url::parse(&format!("redis://u:{secret}@h/?token={secret}")).unwrap());
        assert!(!shown.contains(secret), "{shown}");
        for broken in [format!("redis://u:{secret}@h:99999/"), secret.to_owned(), format!("redis://:{secret}@[h/")] {
            let error = format!("{:?}", Url::parse(&broken).unwrap_err());
            assert!(!error.contains(secret), "{error}");
        }
    }

    #[test]
    fn an_option_given_twice_is_an_error() {
        assert!(Url::parse("memory://?ttl=1&ttl=2").unwrap_err().to_string().contains("`ttl` is given twice"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z]{0,3}(://)?\\PC{0,40}") {
            let _ = Url::parse(&text);
        }
    }
}
