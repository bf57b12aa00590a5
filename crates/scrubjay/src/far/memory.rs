//! A store of bytes in this process, on the engine that the near tier uses: `memory://?serializer=json`.

use std::time::Duration;

use bytes::Bytes;

use super::{Call, Capability, Change, Claim, Found, Item, Reply, Scope, Store, StoreInfo, Token, Want};
use crate::{Error, ErrorKind, Operation, QualifiedKey, Remaining, Result, near::Memory};

/// Bytes in this process. Bounded by default, as [`Memory`] is; clones share the entries.
///
/// Its `raw` language: `PING`, `GET key`, `SET key value`, `DEL key…`, `EXISTS key…`, `PTTL key`, `DBSIZE`, `FLUSHALL`,
/// answered as Redis does.
#[derive(Clone, Debug)]
pub struct MemoryStore(Memory<Bytes>);

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Memory::builder().build())
    }
}

impl MemoryStore {
    /// A store over `memory`, which sets bound and clock.
    #[must_use]
    pub fn new(memory: Memory<Bytes>) -> Self {
        Self(memory)
    }

    fn find(&self, key: &str, want: Want) -> Option<Found> {
        if !want.value && !want.token {
            return match self.0.ttl(key) {
                Remaining::Absent => None,
                Remaining::Never => Some(Found::default()),
                Remaining::For(left) => Some(Found { ttl: Some(left), ..Found::default() }),
            };
        }
        let held = self.0.read(key)?;
        let token = want.token.then_some(Token::Version(held.version));
        Some(Found { value: held.value, ttl: held.ttl.filter(|_| want.ttl), token })
    }

    /// Reads, computes and compares until nobody came between: no user code runs under the engine's lock.
    fn change(&self, change: Change<'_>) -> Result<i64> {
        loop {
            let held = self.0.read(change.key);
            let before = held.as_ref().map_or(Ok(0), |held| decimal(&held.value))?;
            let after = before.checked_add(change.by).ok_or_else(overflow)?;
            let value = Bytes::from(after.to_string());
            let written = match held {
                None => self.0.add(change.key, value, change.ttl),
                Some(held) => self.0.compare_and_set(change.key, held.version, value, held.ttl),
            };
            if written {
                return Ok(after);
            }
        }
    }
}

/// The integer that a counter's text holds.
pub(super) fn decimal(text: &[u8]) -> Result<i64> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Error::new(ErrorKind::NotANumber, "the stored value is not a whole number in decimal text"))
}

pub(crate) fn overflow() -> Error {
    Error::new(ErrorKind::Overflow, "the counter would leave the range of a 64-bit signed integer")
}

impl Store for MemoryStore {
    fn info(&self) -> StoreInfo {
        StoreInfo::new("memory")
    }

    fn capability(&self) -> Capability {
        Capability {
            expire: true,
            increment: true,
            compare_and_set: true,
            clear_prefix: true,
            clear_everything: true,
            raw: true,
            private: true,
            keeps_deadlines: true,
            needs_runtime: false,
            ..Capability::NONE
        }
    }

    async fn get(&self, _: Call, keys: &[&str], want: Want) -> Result<Vec<Option<Found>>> {
        Ok(keys.iter().map(|key| self.find(key, want)).collect())
    }

    async fn set(&self, _: Call, items: &[Item<'_>]) -> Result<()> {
        for item in items {
            self.0.set(item.key, item.value.clone(), item.ttl);
        }
        Ok(())
    }

    async fn add(&self, _: Call, item: &Item<'_>) -> Result<bool> {
        Ok(self.0.add(item.key, item.value.clone(), item.ttl))
    }

    async fn compare_and_set(&self, call: Call, item: &Item<'_>, token: &Token) -> Result<bool> {
        match token {
            Token::Absent => self.add(call, item).await,
            Token::Version(version) => Ok(self.0.compare_and_set(item.key, *version, item.value.clone(), item.ttl)),
            Token::Value(_) => Err(self.info().unsupported(Operation::CompareAndSet)),
        }
    }

    async fn claim(&self, _: Call, item: &Item<'_>) -> Result<Claim> {
        loop {
            if let Some(found) = self.find(item.key, Want::EVERYTHING) {
                return Ok(Claim::Held(found));
            }
            if let Some(version) = self.0.claim(item.key, item.value.clone(), item.ttl) {
                return Ok(Claim::Won(Token::Version(version)));
            }
        }
    }

    async fn compare_and_delete(&self, _: Call, key: &str, token: &Token) -> Result<bool> {
        match token {
            Token::Version(version) => Ok(self.0.compare_and_delete(key, *version)),
            Token::Absent => Ok(false),
            Token::Value(_) => Err(self.info().unsupported(Operation::CompareAndSet)),
        }
    }

    async fn increment(&self, _: Call, change: Change<'_>) -> Result<i64> {
        self.change(change)
    }

    async fn expire(&self, _: Call, key: &str, ttl: Option<Duration>) -> Result<bool> {
        Ok(self.0.expire(key, ttl))
    }

    async fn delete(&self, _: Call, keys: &[&str]) -> Result<Vec<bool>> {
        Ok(keys.iter().map(|key| self.0.delete(*key)).collect())
    }

    async fn clear(&self, _: Call, scope: Scope<'_>) -> Result<()> {
        match scope {
            Scope::Prefix(prefix) => self.0.clear_where(|wire: QualifiedKey<'_>| wire.key.starts_with(prefix)),
            Scope::Everything => self.0.clear_all(),
        }
        Ok(())
    }

    async fn raw(&self, _: Call, command: &[Bytes]) -> Result<Reply> {
        let words: Option<Vec<&str>> = command.iter().map(|word| std::str::from_utf8(word).ok()).collect();
        let words = words.unwrap_or_default();
        let name = words.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
        let count = |number: usize| Reply::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        Ok(match (&*name, words.get(1..).unwrap_or_default()) {
            ("PING", []) => Reply::Bytes(Bytes::from_static(b"PONG")),
            ("GET", [key]) => self.0.get(*key).map_or(Reply::Nil, Reply::Bytes),
            ("SET", [key, _]) => {
                self.0.set(*key, command[2].clone(), None);
                Reply::Ok
            }
            ("DEL", keys @ [_, ..]) => count(keys.iter().filter(|key| self.0.delete(**key)).count()),
            ("EXISTS", keys @ [_, ..]) => count(keys.iter().filter(|key| self.0.exists(**key)).count()),
            ("PTTL", [key]) => Reply::Integer(match self.0.ttl(*key) {
                Remaining::Absent => -2,
                Remaining::Never => -1,
                Remaining::For(left) => i64::try_from(left.as_millis()).unwrap_or(i64::MAX),
            }),
            ("DBSIZE", []) => count(self.0.len()),
            ("FLUSHALL", []) => {
                self.0.clear_all();
                Reply::Ok
            }
            _ => {
                let known = "PING, GET key, SET key value, DEL key…, EXISTS key…, PTTL key, DBSIZE, FLUSHALL";
                return Err(Error::unsupported(format!("{} knows no such command; known: {known}", self.info()))
                    .with_operation(Operation::Raw));
            }
        })
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
