//! Signed counters on a server whose own are not.
//!
//! memcached adds and subtracts by itself, but as if there were no signs: it goes from 2⁶⁴ − 1 on to zero, stops below zero, and
//! pads a number that lost a digit with spaces. So its arithmetic is used where none of that can happen, which is most of the
//! time: a number that grows, far from the end. Anything else is read, computed here, and compared and set. Of many who do
//! that at once only one would be in time, so those of one process go [together](super::together).

use std::time::Duration;

use scrubjay_memcached::{Client, ErrorKind as ClientErrorKind, Found, Item, Mode, Outcome, Want};

use super::{
    commands::{lifetime, told},
    together::{Together, Waiting},
};
use crate::{
    Result,
    far::{Call, Change, memory::decimal, overflow},
};

/// What stands so far below the end of the range does not reach it while a request is under way.
const FAR_FROM_THE_END: i64 = i64::MAX / 2;

/// Changes a counter with a `client` that keeps the call's deadline; answers the new value.
pub(super) async fn change(client: &Client, together: &Together, call: Call, change: Change<'_>) -> Result<i64> {
    let Change { key, by, ttl } = change;
    // Where some go together already, whoever overtakes them makes them begin again.
    while by >= 0 && !together.is_busy_with(key) {
        let Some(found) = client.fetch(key, Want::VALUE).await.map_err(told)? else {
            if client.add(key, by.to_string(), lifetime(ttl)).await.map_err(told)? {
                return Ok(by);
            }
            continue;
        };
        let Some(by) = growth(&found, by)? else { break };
        match client.increment(key, by, None).await {
            Ok(Some(after)) => return i64::try_from(after).map_err(|_| overflow()),
            Ok(None) => {}
            // It was a number a moment ago.
            Err(error) if error.kind() == ClientErrorKind::NotANumber => {}
            Err(error) => return Err(told(error)),
        }
    }
    together.change(client, call, change).await
}

/// By how much memcached itself may change the counter, if it may. Its text must be as we write it: the next one is as long.
fn growth(found: &Found, by: i64) -> Result<Option<u64>> {
    let before = decimal(found.value.trim_ascii_end())?;
    let after = before.checked_add(by).ok_or_else(overflow)?;
    let safe = before >= 0 && after <= FAR_FROM_THE_END && *found.value == *before.to_string().as_bytes();
    Ok(u64::try_from(by).ok().filter(|_| safe))
}

/// Makes all of these changes at once, one after another as far as their answers tell. `None` if somebody came between.
pub(super) async fn change_all(client: &Client, key: &str, changes: &[Waiting]) -> Result<Option<Vec<Result<i64>>>> {
    let found = client.fetch(key, Want::ALL).await.map_err(told)?;
    let mut count = found.as_ref().map_or(Ok(0), |found| decimal(found.value.trim_ascii_end()))?;
    let answers: Vec<Result<i64>> = changes
        .iter()
        .map(|change| {
            // One that leads out of the range changes nothing for the next.
            count = count.checked_add(change.by).ok_or_else(overflow)?;
            Ok(count)
        })
        .collect();
    let Some(first) = changes.iter().zip(&answers).find_map(|(change, answer)| answer.is_ok().then_some(change)) else {
        return Ok(Some(answers));
    };
    let text = count.to_string();
    let written = match found {
        None => client.add(key, &text, lifetime(first.ttl)).await.map_err(told)?,
        Some(found) => {
            // What is left of it is given again: an entry that can be read has a second at least.
            let left = found.ttl.map(|left| left.max(Duration::from_secs(1)));
            let item = Item::new(key, &text, left).flags(found.flags);
            client.store(Mode::CompareAndSet(found.cas), &item).await.map_err(told)? == Outcome::Done
        }
    };
    Ok(written.then_some(answers))
}
