//! A store as somebody else would write it: a map behind a lock, which can as little or as much as a test gives it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use scrubjay::{
    Clock, Error, ErrorKind, Moment, Operation, Result,
    far::{Call, Capability, Change, Claim, Found, Item, Reply, Scope, Store, StoreInfo, Token, Want},
};

/// A map on a clock. Its tokens are the bytes themselves, as those of a server without versions.
#[derive(Clone)]
pub(crate) struct Shelf {
    entries: Arc<Mutex<HashMap<String, Entry>>>,
    clock: Clock,
    capability: Capability,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    deadline: Moment,
}

impl Shelf {
    /// Can do no more than every store must, with ttls of whole seconds.
    pub(crate) fn least(clock: Clock) -> Self {
        Self::new(clock, Capability { ttl_resolution: Duration::from_secs(1), ..Capability::NONE })
    }

    /// Can do what a server can that others use too.
    pub(crate) fn shared(clock: Clock) -> Self {
        let capability = Capability {
            ttl_resolution: Duration::from_millis(1),
            expire: true,
            increment: true,
            compare_and_set: true,
            clear_prefix: true,
            clear_everything: true,
            atomic_batches: true,
            ..Capability::NONE
        };
        Self::new(clock, capability)
    }

    fn new(clock: Clock, capability: Capability) -> Self {
        Self { entries: Arc::default(), clock, capability }
    }

    fn deadline(&self, ttl: Option<Duration>) -> Moment {
        let step = self.capability.ttl_resolution.as_nanos().max(1);
        let rounded = ttl.map(|ttl| u64::try_from(ttl.as_nanos().div_ceil(step) * step).unwrap_or(u64::MAX));
        rounded.map_or(Moment::NEVER, |nanos| self.clock.precise().after(Duration::from_nanos(nanos)))
    }

    fn with_live<T>(&self, work: impl FnOnce(&mut HashMap<String, Entry>) -> T) -> T {
        let mut entries = self.entries.lock();
        let now = self.clock.precise();
        entries.retain(|_, entry| entry.deadline > now);
        work(&mut entries)
    }

    fn can(&self, declared: bool, operation: Operation) -> Result<()> {
        if declared { Ok(()) } else { Err(self.info().unsupported(operation)) }
    }
}

impl Store for Shelf {
    fn info(&self) -> StoreInfo {
        StoreInfo::new("shelf")
    }

    fn capability(&self) -> Capability {
        self.capability
    }

    async fn get(&self, _: Call, keys: &[&str], want: Want) -> Result<Vec<Option<Found>>> {
        let now = self.clock.precise();
        let found = |entry: &Entry| Found {
            value: entry.value.clone(),
            ttl: (want.ttl && self.capability.expire && entry.deadline != Moment::NEVER)
                .then(|| now.until(entry.deadline)),
            token: (want.token && self.capability.compare_and_set).then(|| Token::Value(entry.value.clone())),
        };
        Ok(self.with_live(|entries| keys.iter().map(|key| entries.get(*key).map(found)).collect()))
    }

    async fn set(&self, _: Call, items: &[Item<'_>]) -> Result<()> {
        self.with_live(|entries| {
            for item in items {
                entries.insert(
                    item.key.to_owned(),
                    Entry { value: item.value.clone(), deadline: self.deadline(item.ttl) },
                );
            }
        });
        Ok(())
    }

    async fn add(&self, _: Call, item: &Item<'_>) -> Result<bool> {
        let entry = Entry { value: item.value.clone(), deadline: self.deadline(item.ttl) };
        Ok(self.with_live(|entries| {
            let absent = !entries.contains_key(item.key);
            entries.entry(item.key.to_owned()).or_insert(entry);
            absent
        }))
    }

    async fn compare_and_set(&self, _: Call, item: &Item<'_>, token: &Token) -> Result<bool> {
        self.can(self.capability.compare_and_set, Operation::CompareAndSet)?;
        let entry = Entry { value: item.value.clone(), deadline: self.deadline(item.ttl) };
        Ok(self.with_live(|entries| {
            let unchanged = match (token, entries.get(item.key)) {
                (Token::Absent, None) => true,
                (Token::Value(then), Some(now)) => *then == now.value,
                _ => false,
            };
            if unchanged {
                entries.insert(item.key.to_owned(), entry);
            }
            unchanged
        }))
    }

    async fn claim(&self, call: Call, item: &Item<'_>) -> Result<Claim> {
        self.can(self.capability.compare_and_set, call.operation)?;
        let entry = Entry { value: item.value.clone(), deadline: self.deadline(item.ttl) };
        let now = self.clock.precise();
        Ok(self.with_live(|entries| {
            if let Some(held) = entries.get(item.key) {
                let ttl = (held.deadline != Moment::NEVER).then(|| now.until(held.deadline));
                let token = Some(Token::Value(held.value.clone()));
                return Claim::Held(Found { value: held.value.clone(), ttl, token });
            }
            entries.insert(item.key.to_owned(), entry);
            Claim::Won(Token::Value(item.value.clone()))
        }))
    }

    async fn compare_and_delete(&self, _: Call, key: &str, token: &Token) -> Result<bool> {
        self.can(self.capability.compare_and_set, Operation::CompareAndSet)?;
        Ok(self.with_live(|entries| {
            let unchanged = entries.get(key).is_some_and(|entry| *token == Token::Value(entry.value.clone()));
            unchanged && entries.remove(key).is_some()
        }))
    }

    async fn increment(&self, _: Call, change: Change<'_>) -> Result<i64> {
        self.can(self.capability.increment, Operation::Increment)?;
        let created = self.deadline(change.ttl);
        self.with_live(|entries| {
            let held = entries.get(change.key);
            let before = match held {
                None => 0,
                Some(held) => std::str::from_utf8(&held.value)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| Error::new(ErrorKind::NotANumber, "not a decimal number"))?,
            };
            let after = i64::checked_add(before, change.by).ok_or_else(|| Error::new(ErrorKind::Overflow, "no i64"))?;
            let deadline = held.map_or(created, |held| held.deadline);
            entries.insert(change.key.to_owned(), Entry { value: after.to_string().into(), deadline });
            Ok(after)
        })
    }

    async fn expire(&self, _: Call, key: &str, ttl: Option<Duration>) -> Result<bool> {
        self.can(self.capability.expire, Operation::Expire)?;
        let deadline = self.deadline(ttl);
        Ok(self.with_live(|entries| entries.get_mut(key).map(|entry| entry.deadline = deadline).is_some()))
    }

    async fn delete(&self, _: Call, keys: &[&str]) -> Result<Vec<bool>> {
        Ok(self.with_live(|entries| keys.iter().map(|key| entries.remove(*key).is_some()).collect()))
    }

    async fn clear(&self, _: Call, scope: Scope<'_>) -> Result<()> {
        if let Scope::Prefix(prefix) = scope {
            self.can(self.capability.clear_prefix, Operation::Clear)?;
            self.with_live(|entries| entries.retain(|key, _| !key.starts_with(prefix)));
        } else {
            self.can(self.capability.clear_everything, Operation::ClearServer)?;
            self.with_live(HashMap::clear);
        }
        Ok(())
    }

    async fn raw(&self, _: Call, _: &[Bytes]) -> Result<Reply> {
        Err(self.info().unsupported(Operation::Raw))
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
