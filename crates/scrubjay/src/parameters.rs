//! Options by name, from a URL's query or a configuration table, with errors for unknown ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    time::Duration,
};

use crate::{Error, Result, ttl::parse_duration};

/// Named options, each taken at most once by the part that knows it.
///
/// A factory of a registered store, layer, serializer or plugin takes its own options. An option that is left at the end is an
/// error, which lists the names of all options that were looked for.
///
/// ```
/// use scrubjay::Parameters;
///
/// let mut parameters = Parameters::from_iter([("level", "7"), ("colour", "blue")]);
/// assert_eq!(parameters.take::<u32>("level", "a whole number").unwrap(), Some(7));
/// let error = parameters.finish("example").unwrap_err();
/// assert_eq!(error.to_string(), "example: unknown option `colour`; known: level");
/// ```
#[derive(Clone, Default)]
pub struct Parameters {
    given: BTreeMap<String, String>,
    known: BTreeSet<String>,
}

impl Parameters {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an option, or replaces it.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.given.insert(name.into(), value.into());
    }

    /// Adds an option unless one of that name is there; says whether it did.
    pub fn insert_new(&mut self, name: &str, value: &str) -> bool {
        let new = !self.given.contains_key(name);
        if new {
            self.insert(name, value);
        }
        new
    }

    /// Takes the option `name` as text.
    pub fn take_text(&mut self, name: &str) -> Option<String> {
        self.known.insert(name.to_owned());
        self.given.remove(name)
    }

    /// Takes the option `name` as a `T`; `expected` describes the right values in an error.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the text is not a `T`.
    pub fn take<T: FromStr>(&mut self, name: &str, expected: &str) -> Result<Option<T>> {
        let Some(text) = self.take_text(name) else { return Ok(None) };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(Error::config(format!("option `{name}`: expected {expected}, found {text:?}"))),
        }
    }

    /// Takes the option `name` as a duration: `10s`, `500ms`, or plain seconds.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the text is no duration.
    pub fn take_duration(&mut self, name: &str) -> Result<Option<Duration>> {
        let duration = self.take_text(name).map(|text| parse_duration(&text)).transpose();
        duration.map_err(|error| Error::config(format!("option `{name}`: {error}")))
    }

    /// Takes the option `name` as a switch: `true`, `yes`, `on`, `1` or nothing at all, and their opposites.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the text is no switch.
    pub fn take_switch(&mut self, name: &str) -> Result<Option<bool>> {
        let Some(text) = self.take_text(name) else { return Ok(None) };
        match &*text.to_ascii_lowercase() {
            "" | "true" | "yes" | "on" | "1" => Ok(Some(true)),
            "false" | "no" | "off" | "0" => Ok(Some(false)),
            _ => Err(Error::config(format!("option `{name}`: expected true or false, found {text:?}"))),
        }
    }

    /// After a part was shown a copy, `shown`: keeps the options it left there, and remembers the names it asked for.
    pub(crate) fn keep_untaken(&mut self, shown: &Self) {
        self.given.retain(|name, _| shown.given.contains_key(name));
        self.known.extend(shown.known.iter().cloned());
    }

    /// Checks that every option was taken.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming an unknown option and all the known ones. Values are not shown.
    pub fn finish(&self, owner: &str) -> Result<()> {
        let Some(unknown) = self.given.keys().next() else { return Ok(()) };
        let known = self.known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        Err(Error::config(format!("{owner}: unknown option `{unknown}`; known: {known}")))
    }
}

impl<N: Into<String>, T: Into<String>> FromIterator<(N, T)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(pairs: I) -> Self {
        let given = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { given, known: BTreeSet::new() }
    }
}

/// Shows the names only: a value may be a secret.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.given.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_taken_once_and_named_when_wrong() {
        let mut parameters =
            Parameters::from_iter([("timeout", "250ms"), ("verbose", ""), ("quiet", "maybe"), ("level", "high")]);
        assert_eq!(parameters.take_duration("timeout").unwrap(), Some(Duration::from_millis(250)));
        assert_eq!(parameters.take_duration("timeout").unwrap(), None);
        assert_eq!(parameters.take_switch("verbose").unwrap(), Some(true));
        assert!(parameters.take_switch("quiet").unwrap_err().to_string().contains("`quiet`"));
        assert!(parameters.take::<u8>("level", "0 to 9").unwrap_err().to_string().contains("expected 0 to 9"));
        parameters.finish("test").unwrap();
    }

    #[test]
    fn values_are_not_shown() {
        let parameters = Parameters::from_iter([("password", "hunter2")]);
        assert_eq!(format!("{parameters:?}"), r#"{"password"}"#);
        assert!(!parameters.finish("test").unwrap_err().to_string().contains("hunter2"));
    }
}
