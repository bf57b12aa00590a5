//! Recipes from tables: TOML, JSON, or anything else that serde reads into a JSON value.

use serde_json::{Map, Value};

use super::Recipe;
use crate::{Error, Parameters, Result, far::StoreConfig, url::Url};

impl Recipe {
    /// The recipe that a URL or a table like this one describes:
    ///
    /// ```toml
    /// cache = "redis"                                      # a scheme, or a URL, to which the other keys are added
    /// endpoint = "localhost"
    /// port = 6379
    /// db = 1
    /// user = "me"
    /// password = "secret"
    /// timeout = "500ms"                                    # or a number of seconds
    /// ttl = 60
    /// namespace = "main"
    /// serializer = { name = "json+zstd", compression-level = 3 }   # or just the name
    /// plugins = ["hit-ratio", "timing"]
    /// max-entries = 500                                    # any option that a URL takes
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the key whose value cannot be read.
    pub fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::String(url) => Self::from_url(&url),
            Value::Object(table) => Self::from_table(table),
            _ => Err(Error::config("a cache is configured by a URL or a table")),
        }
    }

    fn from_table(mut table: Map<String, Value>) -> Result<Self> {
        let cache = take_text(&mut table, "cache")?.unwrap_or_else(|| "memory".to_owned());
        let is_url = cache.contains("://");
        let mut config = if is_url { StoreConfig::from(Url::parse(&cache)?) } else { StoreConfig::new(cache) };
        let port = take_text(&mut table, "port")?.map(|port| number(&port, "port")).transpose()?;
        if let Some(endpoint) = take_text(&mut table, "endpoint")? {
            config = config.host(endpoint, port);
        } else if port.is_some() {
            config = config.host("localhost", port);
        }
        if let Some(db) = take_text(&mut table, "db")? {
            config = config.db(number(&db, "db")?);
        }
        if let Some(user) = take_text(&mut table, "user")? {
            config = config.user(user);
        }
        if let Some(password) = take_text(&mut table, "password")? {
            config = config.password(password);
        }
        if let Some(serializer) = table.remove("serializer") {
            let name = named(serializer, &mut config.parameters, "serializer")?;
            config.parameters.insert("serializer", name);
        }
        if let Some(plugins) = table.remove("plugins") {
            let plugins = match plugins {
                Value::Array(plugins) => plugins,
                one => vec![one],
            };
            let parameters = &mut config.parameters;
            let names: Result<Vec<_>> =
                plugins.into_iter().map(|plugin| named(plugin, parameters, "plugins")).collect();
            parameters.insert("plugins", names?.join(","));
        }
        for (name, value) in table {
            let value = text(value).ok_or_else(|| unreadable(&name))?;
            config.parameters.insert(name, value);
        }
        Self::from_config(config)
    }
}

/// The name that a text, or a table with a `name` and options, gives; the options join the others.
fn named(value: Value, parameters: &mut Parameters, key: &str) -> Result<String> {
    let Value::Object(mut table) = value else { return text(value).ok_or_else(|| unreadable(key)) };
    let name = take_text(&mut table, "name")?;
    for (option, value) in table {
        let value = text(value).ok_or_else(|| unreadable(&option))?;
        if !parameters.insert_new(&option, &value) {
            return Err(Error::config(format!("option `{option}` is given twice")));
        }
    }
    name.ok_or_else(|| Error::config(format!("`{key}`: a table needs a `name`")))
}

fn take_text(table: &mut Map<String, Value>, key: &str) -> Result<Option<String>> {
    table.remove(key).map(|value| text(value).ok_or_else(|| unreadable(key))).transpose()
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(switch) => Some(switch.to_string()),
        _ => None,
    }
}

fn number<T: std::str::FromStr>(text: &str, key: &str) -> Result<T> {
    text.parse().map_err(|_| Error::config(format!("`{key}`: expected a number, found {text:?}")))
}

fn unreadable(key: &str) -> Error {
    Error::config(format!("`{key}`: expected a text, a number or a truth value"))
}
