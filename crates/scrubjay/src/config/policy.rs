//! How a cache loads: plain data, merged from the process's, the cache's and the call's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Parameters, Result, Ttl, ttl::parse_duration};

/// How [`get_or_load`](crate::Cache::get_or_load) and `#[cached]` load, and how long what they loaded may be served.
///
/// What is `None` is decided further out: a call's policy goes over the cache's, the cache's over the
/// [process's](crate::caches::Config::policy), and that over the defaults told below. It is read from a URL
/// (`?grace=1m&soft-timeout=50ms`), from a table of configuration, or built:
///
/// ```
/// use std::time::Duration;
/// use scrubjay::Policy;
///
/// let policy = Policy { grace: Some(Duration::from_secs(60)), ..Policy::default() };
/// let patient = Policy { load_timeout: Some(Duration::from_secs(5)), ..Policy::default() };
/// assert_eq!(patient.over(&policy).grace, policy.grace);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    /// How long after its ttl a value may still be served: while it is loaded anew, and when that fails. None by default.
    #[serde(with = "seconds")]
    pub grace: Option<Duration>,
    /// How long a caller waits for a load before it takes a stale value that is at hand; zero is not at all. By default it
    /// waits for the load.
    #[serde(with = "seconds")]
    pub soft_timeout: Option<Duration>,
    /// How long a caller waits for a load at most; then the load is given up. Unlimited by default.
    #[serde(with = "seconds")]
    pub load_timeout: Option<Duration>,
    /// How long after a failed load a stale value is served without trying again. 10 s by default.
    #[serde(with = "seconds")]
    pub back_off: Option<Duration>,
    /// How eagerly a value is loaded anew before its ttl ends (the β of `XFetch`; 1 suits most), never in the first nine tenths of
    /// its life. 0, never, by default.
    pub early_refresh: Option<f64>,
    /// By which share of itself a ttl may be shortened, at random, so that entries written together do not expire together.
    /// 0 by default, at most 1.
    pub jitter: Option<f64>,
    /// How long it is remembered that a loader found nothing. Zero, not at all, by default.
    #[serde(with = "seconds")]
    pub negative_ttl: Option<Duration>,
    /// Whether one process loads for all that share the store.
    pub lease: Option<Lease>,
    /// What happens to a load when the cache fails.
    pub on_failure: Option<OnFailure>,
    /// How many loads that nobody waits for any more may go on at once. 64 by default; one too many is cancelled.
    pub detached_loads: Option<u32>,
}

/// Whether one process loads for all that share a store. In one process there is always one load per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Lease {
    /// Each process loads for itself. An entry never shows anything but values to other programs.
    Off,
    /// Who loads holds the key on the store for this long (2 s by default), renewed while it lives. If it dies somebody else
    /// loads after that time, and what the dead one may still write is refused.
    For(Duration),
}

/// What happens to a load when the store fails. A configuration error is always one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OnFailure {
    /// The loader answers as if there were no store, which is left alone for a second.
    #[default]
    Load,
    /// The caller gets the error.
    Fail,
}

/// The back-off of a policy that does not say.
const BACK_OFF: Duration = Duration::from_secs(10);
/// The lease of a policy that does not say.
const LEASE: Duration = Duration::from_secs(2);
/// The detached loads of a policy that does not say.
const DETACHED_LOADS: u32 = 64;

impl Policy {
    /// Says nothing: what a `Default` gives, as a constant.
    pub const UNDECIDED: Self = Self {
        grace: None,
        soft_timeout: None,
        load_timeout: None,
        back_off: None,
        early_refresh: None,
        jitter: None,
        negative_ttl: None,
        lease: None,
        on_failure: None,
        detached_loads: None,
    };

    /// This policy where it says something, `under` where it does not.
    #[must_use]
    pub fn over(self, under: &Self) -> Self {
        Self {
            grace: self.grace.or(under.grace),
            soft_timeout: self.soft_timeout.or(under.soft_timeout),
            load_timeout: self.load_timeout.or(under.load_timeout),
            back_off: self.back_off.or(under.back_off),
            early_refresh: self.early_refresh.or(under.early_refresh),
            jitter: self.jitter.or(under.jitter),
            negative_ttl: self.negative_ttl.or(under.negative_ttl),
            lease: self.lease.or(under.lease),
            on_failure: self.on_failure.or(under.on_failure),
            detached_loads: self.detached_loads.or(under.detached_loads),
        }
    }

    /// Checks that the values can be meant.
    pub(crate) fn validate(&self) -> Result<()> {
        let wrong = |field: &str, why: &str| Err(Error::config(format!("option `{field}`: {why}")));
        if self.jitter.is_some_and(|jitter| !(0.0..=1.0).contains(&jitter)) {
            return wrong("jitter", "a share from 0 to 1 is expected");
        }
        if self.early_refresh.is_some_and(|beta| !(0.0..=100.0).contains(&beta)) {
            return wrong("early-refresh", "a number from 0 (never) to 100 is expected, 1 for most");
        }
        if self.soft_timeout.is_some() && self.grace() == Duration::ZERO {
            return wrong("soft-timeout", "it serves stale values, which are kept only with `grace`");
        }
        if let (Some(soft), Some(hard)) = (self.soft_timeout, self.load_timeout)
            && soft >= hard
        {
            return wrong("soft-timeout", "it must be shorter than `load-timeout`");
        }
        if self.load_timeout == Some(Duration::ZERO) {
            return wrong("load-timeout", "a load needs more time than none");
        }
        if matches!(self.lease, Some(Lease::For(hold)) if hold < Duration::from_millis(10)) {
            return wrong("lease", "it must be held for 10 ms at least, or be `off`");
        }
        for (field, ttl) in [("grace", self.grace), ("negative-ttl", self.negative_ttl)]
            .map(|(field, ttl)| (field, ttl.filter(|ttl| !ttl.is_zero())))
        {
            if let Some(ttl) = ttl
                && let Err(error) = Ttl::After(ttl).lifetime()
            {
                return wrong(field, &error.to_string());
            }
        }
        Ok(())
    }

    /// Takes what options say of loading.
    pub(crate) fn from_parameters(parameters: &mut Parameters) -> Result<Self> {
        let number = "a number";
        let policy = Self {
            grace: parameters.take_duration("grace")?,
            soft_timeout: parameters.take_duration("soft-timeout")?,
            load_timeout: parameters.take_duration("load-timeout")?,
            back_off: parameters.take_duration("back-off")?,
            early_refresh: parameters.take("early-refresh", number)?,
            jitter: parameters.take("jitter", number)?,
            negative_ttl: parameters.take_duration("negative-ttl")?,
            lease: parameters
                .take_text("lease")
                .map(Lease::try_from)
                .transpose()
                .map_err(|error| Error::config(format!("option `lease`: {error}")))?,
            on_failure: match parameters.take_text("on-failure").as_deref() {
                None => None,
                Some("load") => Some(OnFailure::Load),
                Some("fail") => Some(OnFailure::Fail),
                Some(other) => {
                    return Err(Error::config(format!("option `on-failure`: expected load or fail, found {other:?}")));
                }
            },
            detached_loads: parameters.take("detached-loads", "a whole number")?,
        };
        Ok(policy)
    }

    pub(crate) fn grace(&self) -> Duration {
        self.grace.unwrap_or_default()
    }

    pub(crate) fn back_off(&self) -> Duration {
        self.back_off.unwrap_or(BACK_OFF)
    }

    pub(crate) fn lease(&self) -> Lease {
        self.lease.unwrap_or(Lease::For(LEASE))
    }

    pub(crate) fn on_failure(&self) -> OnFailure {
        self.on_failure.unwrap_or_default()
    }

    pub(crate) fn detached_loads(&self) -> u32 {
        self.detached_loads.unwrap_or(DETACHED_LOADS)
    }

    pub(crate) fn refreshes_early(&self) -> bool {
        self.early_refresh.is_some_and(|beta| beta > 0.0)
    }

    /// Whether what it loads may leave something in the store that is no live entry.
    pub(crate) fn leaves_remains(&self) -> bool {
        !self.grace().is_zero() || self.negative_ttl.is_some_and(|ttl| !ttl.is_zero())
    }

    /// The first field, if there is one, by which entries have more to tell than their value.
    pub(crate) fn field_that_needs_more_than_values(&self) -> Option<&'static str> {
        let fields = [
            ("grace", !self.grace().is_zero()),
            ("negative-ttl", self.negative_ttl.is_some_and(|ttl| !ttl.is_zero())),
            ("early-refresh", self.refreshes_early()),
        ];
        fields.into_iter().find_map(|(field, needs)| needs.then_some(field))
    }
}

impl TryFrom<String> for Lease {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        match &*text {
            "off" => Ok(Self::Off),
            _ => parse_duration(&text)
                .map(Self::For)
                .map_err(|_| Error::config(format!("expected off or how long it is held (2s, 500ms), found {text:?}"))),
        }
    }
}

impl From<Lease> for String {
    fn from(lease: Lease) -> Self {
        match lease {
            Lease::Off => "off".to_owned(),
            Lease::For(hold) => seconds::text(hold),
        }
    }
}

/// Durations as text with a unit, read as options are: `"500ms"`, `"10s"`, or a number of seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::parse_duration;

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_serde_and_tells_what_is_wrong() {
        let policy = Policy {
            grace: Some(Duration::from_secs(60)),
            soft_timeout: Some(Duration::from_millis(50)),
            jitter: Some(0.05),
            lease: Some(Lease::For(Duration::from_millis(1500))),
            on_failure: Some(OnFailure::Fail),
            ..Policy::default()
        };
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy, "{text}");
        policy.validate().unwrap();
        let error = serde_json::from_str::<Policy>(r#"{"grcae": 1}"#).unwrap_err().to_string();
        assert!(error.contains("grcae") && error.contains("soft-timeout"), "{error}");
    }

    #[test]
    fn incoherent_values_name_their_field() {
        let second = Some(Duration::from_secs(1));
        let cases = [
            ("jitter", Policy { jitter: Some(1.5), ..Policy::default() }),
            ("early-refresh", Policy { early_refresh: Some(-1.0), ..Policy::default() }),
            ("soft-timeout", Policy { soft_timeout: second, ..Policy::default() }),
            ("soft-timeout", Policy { soft_timeout: second, load_timeout: second, grace: second, ..Policy::default() }),
            ("load-timeout", Policy { load_timeout: Some(Duration::ZERO), ..Policy::default() }),
            ("negative-ttl", Policy { negative_ttl: Some(Duration::MAX), ..Policy::default() }),
            ("lease", Policy { lease: Some(Lease::For(Duration::ZERO)), ..Policy::default() }),
        ];
        for (field, policy) in cases {
            let error = policy.validate().unwrap_err().to_string();
            assert!(error.contains(&format!("`{field}`")), "{error}");
        }
    }
}
