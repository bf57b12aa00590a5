//! A store of one's own: another cache crate (`quick_cache`) as a far tier, with a URL scheme of its own.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use bytes::Bytes;
use quick_cache::sync::{Cache as QuickCache, EntryAction, EntryResult};
use scrubjay::{
    Cache, Clock, ErrorKind, Moment, Operation, Remaining, Result,
    far::{
        self, AnyStore, Call, Capability, Change, Claim, Found, Item, Reply, Scope, Store, StoreConfig, StoreInfo,
        Token, Want,
    },
};

/// Bytes in a `quick_cache`, which knows nothing of ttls: each entry carries its deadline.
struct QuickStore(QuickCache<String, Entry>);

#[derive(Clone)]
struct Entry {
    value: Bytes,
    deadline: Moment,
}

impl Entry {
    fn new(item: &Item<'_>) -> Self {
        Self { value: item.value.clone(), deadline: deadline(item.ttl) }
    }

    fn is_live(&self) -> bool {
        self.deadline > Clock::System.coarse()
    }

    fn found(self, want: Want) -> Found {
        let ttl = want.ttl && self.deadline != Moment::NEVER;
        Found { value: self.value, ttl: ttl.then(|| Clock::System.precise().until(self.deadline)), token: None }
    }
}

fn deadline(ttl: Option<Duration>) -> Moment {
    ttl.map_or(Moment::NEVER, |ttl| Clock::System.precise().after(ttl))
}

impl Store for QuickStore {
    fn info(&self) -> StoreInfo {
        StoreInfo::new("quick")
    }

    /// Everything here answers at once, so it keeps deadlines and needs no runtime.
    fn capability(&self) -> Capability {
        Capability {
            expire: true,
            clear_prefix: true,
            clear_everything: true,
            private: true,
            keeps_deadlines: true,
            needs_runtime: false,
            ..Capability::NONE
        }
    }

    async fn get(&self, _: Call, keys: &[&str], want: Want) -> Result<Vec<Option<Found>>> {
        let live = |key: &&str| self.0.get(*key).filter(Entry::is_live);
        Ok(keys.iter().map(|key| live(key).map(|entry| entry.found(want))).collect())
    }

    async fn set(&self, _: Call, items: &[Item<'_>]) -> Result<()> {
        items.iter().for_each(|item| self.0.insert(item.key.to_owned(), Entry::new(item)));
        Ok(())
    }

    async fn add(&self, _: Call, item: &Item<'_>) -> Result<bool> {
        let unless_live = |_: &String, entry: &mut Entry| {
            if entry.is_live() { EntryAction::Retain(()) } else { EntryAction::ReplaceWithGuard }
        };
        Ok(match self.0.entry(item.key, None, unless_live) {
            EntryResult::Vacant(place) | EntryResult::Replaced(place, _) => place.insert(Entry::new(item)).is_ok(),
            _ => false,
        })
    }

    async fn expire(&self, _: Call, key: &str, ttl: Option<Duration>) -> Result<bool> {
        let deadline = deadline(ttl);
        let move_if_live = |_: &String, entry: &mut Entry| {
            let live = entry.is_live();
            if live {
                entry.deadline = deadline;
            }
            EntryAction::Retain(live)
        };
        Ok(matches!(self.0.entry(key, None, move_if_live), EntryResult::Retained(true)))
    }

    async fn delete(&self, _: Call, keys: &[&str]) -> Result<Vec<bool>> {
        Ok(keys.iter().map(|key| self.0.remove(*key).is_some_and(|(_, entry)| entry.is_live())).collect())
    }

    async fn clear(&self, _: Call, scope: Scope<'_>) -> Result<()> {
        match scope {
            Scope::Prefix(prefix) => self.0.retain(|key, _| !key.starts_with(prefix)),
            Scope::Everything => self.0.clear(),
            _ => return Err(self.info().unsupported(Operation::Clear)),
        }
        Ok(())
    }

    // What it cannot do it says, here and by leaving it out of its capability.

    async fn compare_and_set(&self, _: Call, _: &Item<'_>, _: &Token) -> Result<bool> {
        Err(self.info().unsupported(Operation::CompareAndSet))
    }

    async fn claim(&self, call: Call, _: &Item<'_>) -> Result<Claim> {
        Err(self.info().unsupported(call.operation))
    }

    async fn compare_and_delete(&self, call: Call, _: &str, _: &Token) -> Result<bool> {
        Err(self.info().unsupported(call.operation))
    }

    async fn increment(&self, _: Call, _: Change<'_>) -> Result<i64> {
        Err(self.info().unsupported(Operation::Increment))
    }

    async fn raw(&self, _: Call, _: &[Bytes]) -> Result<Reply> {
        Err(self.info().unsupported(Operation::Raw))
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Makes the store of a URL. An option that it does not take is an error, which is not its business.
fn from_config(config: &mut StoreConfig) -> Result<AnyStore> {
    let entries = config.parameters.take("entries", "a number of entries")?;
    Ok(QuickStore(QuickCache::new(entries.unwrap_or(1_000))).into())
}

fn main() -> Result<()> {
    far::register("quick", from_config)?;
    let cache = Cache::<Vec<u32>>::from_url("quick://?entries=500&namespace=primes&ttl=60s")?.blocking();
    println!("{}", cache.info());

    cache.set("small", vec![2, 3, 5, 7])?;
    assert_eq!(cache.get("small")?, Some(vec![2, 3, 5, 7]));
    assert!(matches!(cache.ttl("small")?, Remaining::For(left) if left <= Duration::from_secs(60)));
    assert!(!cache.add("small", vec![])?, "a live value stands there");

    // What is no part of the store works all the same: namespaces, serializers, batches, a near tier.
    cache.with().namespace("other").set("small", vec![1])?;
    cache.clear()?;
    assert_eq!(cache.get("small")?, None);
    assert_eq!(cache.with().namespace("other").get_many(["small", "large"])?, [Some(vec![1]), None]);

    let Err(error) = cache.raw(["PING"]) else { unreachable!("it has no language of its own") };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    println!("{error}");
    Ok(())
}
