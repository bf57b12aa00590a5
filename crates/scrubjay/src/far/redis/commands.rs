//! The port's verbs as Redis commands, and replies as the port's answers. Every verb is one round trip, but for `clear`.

use std::{collections::HashMap, mem, time::Duration};

use bytes::Bytes;
use redis::{Cmd, Pipeline, Value, cmd};

use super::{
    Redis, failure, glob, reply,
    scripts::{self, Script},
    topology::Request,
};
use crate::{
    Result,
    far::{Call, Capability, Change, Claim, Found, Item, Reply, Scope, Store, StoreInfo, Token, Want},
};

/// How many keys a `SCAN` looks at in one go, and an `UNLINK` removes.
const SCANNED: usize = 512;

impl Store for Redis {
    fn info(&self) -> StoreInfo {
        self.info.clone()
    }

    fn capability(&self) -> Capability {
        Capability {
            ttl_resolution: Duration::from_millis(1),
            expire: true,
            increment: true,
            compare_and_set: true,
            clear_prefix: true,
            clear_everything: true,
            raw: true,
            atomic_batches: !self.connections.is_cluster(),
            keeps_deadlines: true,
            needs_runtime: true,
            ..Capability::NONE
        }
    }

    async fn get(&self, call: Call, keys: &[&str], want: Want) -> Result<Vec<Option<Found>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let wants_value = want.value || want.token;
        let request = match (keys, wants_value, want.ttl) {
            ([key], true, false) => Request::One(command("GET", [key.as_bytes()])),
            (_, true, false) => Request::One(mget(keys)),
            // The ttl is read before the value, so that no value is told that has died since; an entry that appears in
            // between is not seen yet.
            (_, true, true) => Request::Several(pipeline(each(keys, "PTTL").chain([mget(keys)]))),
            (_, false, true) => of_each(keys, "PTTL"),
            (_, false, false) => of_each(keys, "EXISTS"),
        };
        let mut replies = self.connections.ask(call, &request).await?;
        let values = match (keys, wants_value) {
            ([_], true) if !want.ttl => mem::take(&mut replies),
            (_, true) => match replies.pop() {
                Some(Value::Array(values)) => values,
                _ => return Err(failure::unexpected()),
            },
            (_, false) => Vec::new(),
        };
        let whole = |part: &[Value], wanted: bool| !wanted || part.len() == keys.len();
        if !whole(&values, wants_value) || !whole(&replies, want.ttl || !wants_value) {
            return Err(failure::unexpected());
        }
        match (wants_value, want.ttl) {
            (true, false) => values.into_iter().map(|value| found(value, want)).collect(),
            (true, true) => replies.iter().zip(values).map(|(left, value)| found_alive(left, value, want)).collect(),
            (false, true) => replies.iter().map(alive).collect(),
            (false, false) => replies.iter().map(|count| Ok(is_one(count)?.then(Found::default))).collect(),
        }
    }

    async fn set(&self, call: Call, items: &[Item<'_>]) -> Result<()> {
        let request = match items {
            [] => return Ok(()),
            [item] => Request::One(set(item)),
            items if self.connections.is_cluster() => {
                // These go out at once, so of two under one key only the later may.
                let last: HashMap<&str, &Item<'_>> = items.iter().map(|item| (item.key, item)).collect();
                Request::Several(pipeline(last.into_values().map(set)))
            }
            items if items.iter().all(|item| item.ttl.is_none()) => {
                let mut all = cmd("MSET");
                items.iter().for_each(|item| {
                    all.arg(item.key).arg(&*item.value);
                });
                Request::One(all)
            }
            items => Request::Atomic(transaction(items.iter().map(set))),
        };
        self.connections.ask(call, &request).await.map(drop)
    }

    async fn add(&self, call: Call, item: &Item<'_>) -> Result<bool> {
        let reply = self.one(call, set_if_absent(item)).await?;
        Ok(reply != Value::Nil)
    }

    async fn compare_and_set(&self, call: Call, item: &Item<'_>, token: &Token) -> Result<bool> {
        match token {
            Token::Absent => self.add(call, item).await,
            Token::Value(before) => {
                let mut arguments = vec![item.key.as_bytes(), before, &item.value];
                let ttl = item.ttl.map(|ttl| milliseconds(ttl).to_string());
                arguments.extend(ttl.as_ref().map(String::as_bytes));
                is_one(&self.script(call, &scripts::COMPARE_AND_SET, &arguments).await?)
            }
            Token::Version(_) => Err(self.info.unsupported(call.operation)),
        }
    }

    async fn claim(&self, call: Call, item: &Item<'_>) -> Result<Claim> {
        let ttl = item.ttl.map(|ttl| milliseconds(ttl).to_string());
        let mut arguments = vec![item.key.as_bytes(), &item.value];
        arguments.extend(ttl.as_ref().map(String::as_bytes));
        match self.script(call, &scripts::CLAIM, &arguments).await? {
            Value::Nil => Ok(Claim::Won(Token::Value(item.value.clone()))),
            Value::Array(parts) => {
                let [value, left] = <[Value; 2]>::try_from(parts).map_err(|_| failure::unexpected())?;
                let held = found_alive(&left, value, Want::EVERYTHING)?;
                held.map(Claim::Held).ok_or_else(failure::unexpected)
            }
            _ => Err(failure::unexpected()),
        }
    }

    async fn compare_and_delete(&self, call: Call, key: &str, token: &Token) -> Result<bool> {
        match token {
            Token::Absent => Ok(false),
            Token::Value(before) => {
                is_one(&self.script(call, &scripts::COMPARE_AND_DELETE, &[key.as_bytes(), before]).await?)
            }
            Token::Version(_) => Err(self.info.unsupported(call.operation)),
        }
    }

    async fn increment(&self, call: Call, change: Change<'_>) -> Result<i64> {
        let increment = command("INCRBY", [change.key.as_bytes(), change.by.to_string().as_bytes()]);
        let request = match change.ttl {
            None => Request::One(increment),
            // The zero brings the ttl, and only where there was nothing.
            Some(ttl) => {
                let zero = Item { key: change.key, value: Bytes::from_static(b"0"), ttl: Some(ttl) };
                Request::Atomic(transaction([set_if_absent(&zero), increment]))
            }
        };
        let replies = self.connections.ask(call, &request).await?;
        replies.last().map_or_else(|| Err(failure::unexpected()), integer)
    }

    async fn expire(&self, call: Call, key: &str, ttl: Option<Duration>) -> Result<bool> {
        let request = match ttl {
            Some(ttl) => {
                let left = milliseconds(ttl).to_string();
                Request::One(command("PEXPIRE", [key.as_bytes(), left.as_bytes()]))
            }
            // PERSIST says the same of an entry without a ttl and of none.
            None => Request::Atomic(transaction(["PERSIST", "EXISTS"].map(|name| command(name, [key.as_bytes()])))),
        };
        let replies = self.connections.ask(call, &request).await?;
        replies.last().map_or_else(|| Err(failure::unexpected()), is_one)
    }

    async fn delete(&self, call: Call, keys: &[&str]) -> Result<Vec<bool>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let replies = self.connections.ask(call, &of_each(keys, "UNLINK")).await?;
        replies.iter().map(is_one).collect()
    }

    async fn clear(&self, call: Call, scope: Scope<'_>) -> Result<()> {
        match scope {
            Scope::Everything => self.one(call, cmd("FLUSHDB")).await.map(drop),
            Scope::Prefix(prefix) if self.connections.is_cluster() => {
                for (host, port) in self.masters(call).await? {
                    let node = |command| Request::Node { command, host: host.clone(), port };
                    self.clear_where(call, &glob::beginning_with(prefix), node).await?;
                }
                Ok(())
            }
            Scope::Prefix(prefix) => self.clear_where(call, &glob::beginning_with(prefix), Request::One).await,
        }
    }

    async fn raw(&self, call: Call, command: &[Bytes]) -> Result<Reply> {
        let mut words = Cmd::new();
        command.iter().for_each(|word| {
            words.arg(&**word);
        });
        let alone = command.first().is_some_and(|name| reply::needs_a_connection_of_its_own(name));
        let replies = match (alone, self.connections.is_cluster()) {
            (true, true) => return Err(self.info.unsupported(call.operation)),
            (true, false) => self.connections.ask_alone(call, &Request::One(words)).await?,
            (false, _) => self.connections.ask(call, &Request::One(words)).await?,
        };
        replies.into_iter().next().map_or_else(|| Err(failure::unexpected()), reply::from_value)
    }

    async fn close(&self) -> Result<()> {
        self.connections.close();
        Ok(())
    }
}

impl Redis {
    async fn one(&self, call: Call, command: Cmd) -> Result<Value> {
        let replies = self.connections.ask(call, &Request::One(command)).await?;
        replies.into_iter().next().ok_or_else(failure::unexpected)
    }

    /// Runs `script`, whose first argument is the key; a server that does not know it yet is given its text.
    async fn script(&self, call: Call, script: &Script, arguments: &[&[u8]]) -> Result<Value> {
        let by_hash = cmd("EVALSHA").arg(script.hash()).arg(1).arg(arguments).to_owned();
        match self.one(call, by_hash).await {
            Err(error) if error.to_string().starts_with("NOSCRIPT") => {
                self.one(call, cmd("EVAL").arg(script.text()).arg(1).arg(arguments).to_owned()).await
            }
            answer => answer,
        }
    }

    async fn clear_where(&self, call: Call, pattern: &[u8], at: impl Fn(Cmd) -> Request) -> Result<()> {
        let mut cursor = Value::BulkString(b"0".to_vec());
        loop {
            let Value::BulkString(position) = &cursor else { return Err(failure::unexpected()) };
            let mut scan = cmd("SCAN");
            scan.arg(position).arg("MATCH").arg(pattern).arg("COUNT").arg(SCANNED);
            let reply = self.connections.ask(call, &at(scan)).await?.into_iter().next();
            let Some(Value::Array(page)) = reply else { return Err(failure::unexpected()) };
            let Ok([next, Value::Array(keys)]) = <[Value; 2]>::try_from(page) else {
                return Err(failure::unexpected());
            };
            if !keys.is_empty() {
                let mut unlink = cmd("UNLINK");
                for key in keys {
                    let Value::BulkString(key) = key else { return Err(failure::unexpected()) };
                    unlink.arg(key);
                }
                self.one(call, unlink).await?;
            }
            if next == Value::BulkString(b"0".to_vec()) {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// The address of every master of a cluster.
    async fn masters(&self, call: Call) -> Result<Vec<(String, u16)>> {
        let slots = self.one(call, cmd("CLUSTER").arg("SLOTS").to_owned()).await?;
        let ranges: Vec<(u16, u16, (String, u16))> = match slots {
            Value::Array(ranges) => {
                ranges.into_iter().map(range).collect::<Option<_>>().ok_or_else(failure::unexpected)?
            }
            _ => return Err(failure::unexpected()),
        };
        let mut masters: Vec<_> = ranges.into_iter().map(|(_, _, master)| master).collect();
        masters.sort_unstable();
        masters.dedup();
        Ok(masters)
    }
}

/// A range of slots: its first and last, and the master, which stands before the replicas.
fn range(range: Value) -> Option<(u16, u16, (String, u16))> {
    let Value::Array(parts) = range else { return None };
    let mut parts = parts.into_iter();
    let first = redis::from_redis_value(parts.next()?).ok()?;
    let last = redis::from_redis_value(parts.next()?).ok()?;
    let Value::Array(master) = parts.next()? else { return None };
    let mut master = master.into_iter();
    let host = redis::from_redis_value(master.next()?).ok()?;
    let port = redis::from_redis_value(master.next()?).ok()?;
    Some((first, last, (host, port)))
}

/// One command for each of `keys`.
fn each(keys: &[&str], name: &'static str) -> impl Iterator<Item = Cmd> {
    keys.iter().map(move |key| command(name, [key.as_bytes()]))
}

fn of_each(keys: &[&str], name: &'static str) -> Request {
    match keys {
        [key] => Request::One(command(name, [key.as_bytes()])),
        keys => Request::Several(pipeline(each(keys, name))),
    }
}

/// A command whose place in memory never has to grow.
fn command<'a>(name: &str, arguments: impl IntoIterator<Item = &'a [u8], IntoIter: Clone>) -> Cmd {
    let arguments = arguments.into_iter();
    let (count, size) = arguments.clone().fold((1, name.len()), |(count, size), word| (count + 1, size + word.len()));
    let mut command = Cmd::with_capacity(count, size);
    command.arg(name);
    arguments.for_each(|word| {
        command.arg(word);
    });
    command
}

fn mget(keys: &[&str]) -> Cmd {
    command("MGET", keys.iter().map(|key| key.as_bytes()))
}

fn pipeline(commands: impl IntoIterator<Item = Cmd>) -> Pipeline {
    let mut pipeline = Pipeline::new();
    commands.into_iter().for_each(|command| {
        pipeline.add_command(command);
    });
    pipeline
}

fn transaction(commands: impl IntoIterator<Item = Cmd>) -> Pipeline {
    let mut transaction = pipeline(commands);
    transaction.atomic();
    transaction
}

fn set(item: &Item<'_>) -> Cmd {
    let (key, value): (_, &[u8]) = (item.key.as_bytes(), &item.value);
    match item.ttl {
        Some(ttl) => command("SET", [key, value, b"PX", milliseconds(ttl).to_string().as_bytes()]),
        None => command("SET", [key, value]),
    }
}

fn set_if_absent(item: &Item<'_>) -> Cmd {
    let mut set = set(item);
    set.arg("NX");
    set
}

/// Rounded up: an entry never dies early.
fn milliseconds(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn found(value: Value, want: Want) -> Result<Option<Found>> {
    let value = match value {
        Value::Nil => return Ok(None),
        Value::BulkString(value) => Bytes::from(value),
        _ => return Err(failure::unexpected()),
    };
    let token = want.token.then(|| Token::Value(value.clone()));
    let value = if want.value { value } else { Bytes::new() };
    Ok(Some(Found { value, ttl: None, token }))
}

fn found_alive(left: &Value, value: Value, want: Want) -> Result<Option<Found>> {
    let (alive, found) = (alive(left)?, found(value, want)?);
    Ok(alive.zip(found).map(|(alive, found)| Found { ttl: alive.ttl, ..found }))
}

/// What `PTTL` says: -2 for nothing there, -1 for no deadline, or the milliseconds that are left.
fn alive(left: &Value) -> Result<Option<Found>> {
    Ok(match integer(left)? {
        -2 => None,
        left => Some(Found { ttl: u64::try_from(left).ok().map(Duration::from_millis), ..Found::default() }),
    })
}

fn integer(value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        _ => Err(failure::unexpected()),
    }
}

fn is_one(value: &Value) -> Result<bool> {
    Ok(integer(value)? == 1)
}
