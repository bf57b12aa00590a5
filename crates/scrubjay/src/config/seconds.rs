//! Durations as text with a unit, read as options are: `"500ms"`, `"10s"`, or a number of seconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

use crate::ttl::parse_duration;

pub(super) fn text(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "serde asks for it")]
pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serializer.serialize_some(&text(*duration)),
        None => serializer.serialize_none(),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Seconds(f64),
        Text(String),
    }
    match Option::<Given>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Given::Seconds(seconds)) => Duration::try_from_secs_f64(seconds).map(Some).map_err(de::Error::custom),
        Some(Given::Text(text)) => parse_duration(&text).map(Some).map_err(de::Error::custom),
    }
}
