//! Tells a live entry of the far tier from what only stands in its place: a value past its ttl, the knowledge that there is
//! none, a lease. To every verb but a load those are nothing.

use std::time::Duration;

use super::{Engine, Far};
use crate::{
    Result,
    entry::{Content, Entry, Freshness},
    far::{Call, Found, Item, Token, Want},
};

/// What stands under a key of the store.
pub(super) enum Inspected {
    /// Nothing at all.
    Absent,
    /// An entry that is not one any more, or not yet, how long the store keeps it, and its token.
    Dead { left: Option<Duration>, token: Option<Token>, entry: Entry },
    /// A live entry, the time it has left, its token, and what it is beside its value.
    Live { left: Option<Duration>, token: Option<Token>, entry: Entry },
}

impl Inspected {
    pub(super) fn is_alive(&self) -> bool {
        matches!(self, Self::Live { .. })
    }
}

impl<V: Clone + Send + Sync + 'static> Engine<V> {
    /// Reads what stands under `wire`.
    pub(super) async fn inspect(&self, far: &Far<V>, call: Call, wire: &str) -> Result<Inspected> {
        let want = if far.capability.compare_and_set { Want::EVERYTHING } else { Want::VALUE_AND_TTL };
        let found = far.store.get(call, &[wire], want).await?.pop().flatten();
        Ok(found.map_or(Inspected::Absent, |found| self.judge(far, found)))
    }

    /// Reads what is `wanted` of `keys`, and the ttl too of entries of which only that tells whether they are fresh.
    pub(super) async fn read(
        &self,
        far: &Far<V>,
        call: Call,
        keys: &[&str],
        wanted: Want,
    ) -> Result<Vec<Option<Found>>> {
        let with_ttl = Want { ttl: true, ..wanted };
        if wanted.ttl || self.expects_remains() {
            return far.store.get(call, keys, with_ttl).await;
        }
        let mut found = far.store.get(call, keys, wanted).await?;
        if self.bare || !far.capability.expire {
            return Ok(found);
        }
        // Another program may expect some where this one does not.
        let has_grace = |found: &Option<Found>| found.as_ref().is_some_and(|found| Entry::has_grace(&found.value));
        let graced: Vec<usize> = (0..found.len()).filter(|&index| has_grace(&found[index])).collect();
        if graced.is_empty() {
            return Ok(found);
        }
        let again: Vec<&str> = graced.iter().map(|&index| keys[index]).collect();
        let whole = far.store.get(call, &again, with_ttl).await?;
        for (index, whole) in graced.into_iter().zip(whole) {
            found[index] = whole;
        }
        Ok(found)
    }

    /// Whether loads of this cache leave more in the store than live entries.
    fn expects_remains(&self) -> bool {
        !self.bare && (self.policy.leaves_remains() || self.loads.have_left_remains())
    }

    /// Of which of `keys` a live entry stands in the store; `None` if nothing else is expected there.
    pub(super) async fn alive(&self, far: &Far<V>, call: Call, keys: &[&str]) -> Result<Option<Vec<bool>>> {
        if !self.expects_remains() {
            return Ok(None);
        }
        let found = far.store.get(call, keys, Want::VALUE_AND_TTL).await?;
        let is_alive = |found: Option<Found>| found.is_some_and(|found| self.judge(far, found).is_alive());
        Ok(Some(found.into_iter().map(is_alive).collect()))
    }

    fn judge(&self, far: &Far<V>, found: Found) -> Inspected {
        let Found { value, ttl, token } = found;
        let entry = self.entry(&value);
        match (&entry.content, entry.freshness(ttl, far.capability.ttl_resolution)) {
            (Content::Value(_), Freshness::Fresh { left }) => Inspected::Live { left, token, entry },
            (Content::Value(_), Freshness::Stale) | (Content::Negative | Content::Lease(_), _) => {
                Inspected::Dead { left: ttl, token, entry }
            }
        }
    }

    /// Puts `item` where nothing lives, after the store has said that something stands there; says whether it did.
    pub(super) async fn put_over_the_dead(&self, far: &Far<V>, call: Call, item: &Item<'_>) -> Result<bool> {
        if self.bare {
            return Ok(false);
        }
        loop {
            let written = match self.inspect(far, call, item.key).await? {
                Inspected::Live { .. } | Inspected::Dead { token: None, .. } => return Ok(false),
                Inspected::Absent => far.store.add(call, item).await?,
                Inspected::Dead { token: Some(token), .. } => far.store.compare_and_set(call, item, &token).await?,
            };
            // Each turn somebody else has changed the entry; the deadline ends this if they never stop.
            if written {
                return Ok(true);
            }
        }
    }

    /// Gives the live entry under `wire` another ttl; says whether there was one. A load under way is void.
    pub(super) async fn expire_far(&self, far: &Far<V>, call: Call, wire: &str, ttl: Option<Duration>) -> Result<bool> {
        if self.bare || !far.capability.expire {
            return far.store.expire(call, wire, ttl).await;
        }
        loop {
            let (live, changed) = match self.inspect(far, call, wire).await? {
                Inspected::Absent | Inspected::Dead { token: None, .. } => return Ok(false),
                Inspected::Dead { token: Some(token), entry, .. } if !matches!(entry.content, Content::Value(_)) => {
                    (false, far.store.compare_and_delete(call, wire, &token).await?)
                }
                // Stale, and nobody loads it: it stays as it is.
                Inspected::Dead { entry, .. } if entry.reload.is_none() => return Ok(false),
                Inspected::Dead { left, token: Some(token), entry } => {
                    let item = Item { key: wire, value: Entry { reload: None, ..entry }.seal(), ttl: left };
                    (false, far.store.compare_and_set(call, &item, &token).await?)
                }
                // What it tells of itself is counted from its end.
                Inspected::Live { entry, token: Some(token), .. }
                    if !entry.grace.is_zero() || entry.reload.is_some() =>
                {
                    let kept = ttl.map(|ttl| ttl.saturating_add(entry.grace));
                    let grace = if ttl.is_some() { entry.grace } else { Duration::ZERO };
                    let item = Item { key: wire, value: Entry { grace, reload: None, ..entry }.seal(), ttl: kept };
                    (true, far.store.compare_and_set(call, &item, &token).await?)
                }
                Inspected::Live { .. } => return far.store.expire(call, wire, ttl).await,
            };
            // Each turn somebody else has changed the entry; the deadline ends this if they never stop.
            if changed {
                return Ok(live);
            }
        }
    }
}
