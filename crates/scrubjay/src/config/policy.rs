//! How a cache loads: plain data, merged from the process's, the cache's and the call's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;
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
/// let policy = Policy::new().grace(Duration::from_secs(60)).soft_timeout(Duration::from_millis(50));
/// let patient = Policy::new().load_timeout(Duration::from_secs(5));
/// assert_eq!(patient.over(policy).grace, Some(Duration::from_secs(60)));
/// ```
#[must_use = "a policy does nothing until a cache or a call is given it"]
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

impl Policy {
    /// Says nothing yet; the setters chain.
    pub const fn new() -> Self {
        Self {
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
        }
    }

    /// Sets the field [`grace`](field@Self::grace).
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Sets the field [`soft_timeout`](field@Self::soft_timeout).
    pub const fn soft_timeout(mut self, soft_timeout: Duration) -> Self {
        self.soft_timeout = Some(soft_timeout);
        self
    }

    /// Sets the field [`load_timeout`](field@Self::load_timeout).
    pub const fn load_timeout(mut self, load_timeout: Duration) -> Self {
        self.load_timeout = Some(load_timeout);
        self
    }

    /// Sets the field [`back_off`](field@Self::back_off).
    pub const fn back_off(mut self, back_off: Duration) -> Self {
        self.back_off = Some(back_off);
        self
    }

    /// Sets the field [`early_refresh`](field@Self::early_refresh).
    pub const fn early_refresh(mut self, early_refresh: f64) -> Self {
        self.early_refresh = Some(early_refresh);
        self
    }

    /// Sets the field [`jitter`](field@Self::jitter).
    pub const fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// Sets the field [`negative_ttl`](field@Self::negative_ttl).
    pub const fn negative_ttl(mut self, negative_ttl: Duration) -> Self {
        self.negative_ttl = Some(negative_ttl);
        self
    }

    /// Sets the field [`lease`](field@Self::lease).
    pub const fn lease(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Sets the field [`on_failure`](field@Self::on_failure).
    pub const fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = Some(on_failure);
        self
    }

    /// Sets the field [`detached_loads`](field@Self::detached_loads).
    pub const fn detached_loads(mut self, detached_loads: u32) -> Self {
        self.detached_loads = Some(detached_loads);
        self
    }

    /// This policy where it says something, `under` where it does not.
    pub fn over(self, under: Self) -> Self {
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
        if self.soft_timeout.is_some() && self.grace.unwrap_or_default().is_zero() {
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
        let lease = match self.lease {
            Some(Lease::For(hold)) => Some(hold),
            Some(Lease::Off) | None => None,
        };
        for (field, time) in [
            ("grace", self.grace),
            ("soft-timeout", self.soft_timeout),
            ("load-timeout", self.load_timeout),
            ("back-off", self.back_off),
            ("negative-ttl", self.negative_ttl),
            ("lease", lease),
        ] {
            if let Some(time) = time.filter(|time| !time.is_zero())
                && let Err(error) = Ttl::After(time).lifetime()
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn survives_serde_and_tells_what_is_wrong() {
        let policy = Policy::new()
            .grace(Duration::from_secs(60))
            .soft_timeout(Duration::from_millis(50))
            .jitter(0.05)
            .lease(Lease::For(Duration::from_millis(1500)))
            .on_failure(OnFailure::Fail);
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy, "{text}");
        policy.validate().unwrap();
        let error = serde_json::from_str::<Policy>(r#"{"grcae": 1}"#).unwrap_err().to_string();
        assert!(error.contains("grcae") && error.contains("soft-timeout"), "{error}");
    }

    #[test]
    fn each_setter_sets_its_field_and_no_other() {
        let (second, lease) = (Duration::from_secs(1), Lease::For(Duration::from_secs(2)));
        let cases = [
            ("grace", Policy::new().grace(second)),
            ("soft-timeout", Policy::new().soft_timeout(second)),
            ("load-timeout", Policy::new().load_timeout(second)),
            ("back-off", Policy::new().back_off(second)),
            ("early-refresh", Policy::new().early_refresh(1.0)),
            ("jitter", Policy::new().jitter(0.5)),
            ("negative-ttl", Policy::new().negative_ttl(second)),
            ("lease", Policy::new().lease(lease)),
            ("on-failure", Policy::new().on_failure(OnFailure::Fail)),
            ("detached-loads", Policy::new().detached_loads(1)),
        ];
        for (field, policy) in cases {
            let Value::Object(fields) = serde_json::to_value(policy).unwrap() else { panic!("a policy is an object") };
            let set: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name).collect();
            assert_eq!(set, [field]);
        }
    }

    #[test]
    fn incoherent_values_name_their_field() {
        let second = Duration::from_secs(1);
        let cases = [
            ("jitter", Policy::new().jitter(1.5)),
            ("early-refresh", Policy::new().early_refresh(-1.0)),
            ("soft-timeout", Policy::new().soft_timeout(second)),
            ("soft-timeout", Policy::new().soft_timeout(second).load_timeout(second).grace(second)),
            ("load-timeout", Policy::new().load_timeout(Duration::ZERO)),
            ("negative-ttl", Policy::new().negative_ttl(Duration::MAX)),
            ("lease", Policy::new().lease(Lease::For(Duration::ZERO))),
        ];
        for (field, policy) in cases {
            let error = policy.validate().unwrap_err().to_string();
            assert!(error.contains(&format!("`{field}`")), "{error}");
        }
    }
}
