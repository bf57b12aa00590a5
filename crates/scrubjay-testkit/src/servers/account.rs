//! Who logs in.

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A user's name, empty for the default user, and password. It is shown as it stands in a URL.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) user: String,
    pub(super) password: String,
}

impl Account {
    pub(super) fn new(user: &str, password: &str) -> Self {
        Self { user: user.to_owned(), password: password.to_owned() }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [user, password] = [&self.user, &self.password].map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC));
        write!(f, "{user}:{password}@")
    }
}
