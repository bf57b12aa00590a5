//! Signed counters on a server whose own are not.
//!
//! memcached adds and subtracts by itself, but as if there were no signs: it goes from 2⁶⁴ − 1 on to zero, stops below zero, and
//! pads a number that lost a digit with spaces. So its arithmetic is used where none of that can happen, which is most of the
//! time: a number that grows, far from the end. Anything else is read, computed here, and compared and set.

use std::time::Duration;

use scrubjay_memcached::{Client, ErrorKind as ClientErrorKind, Found, Item, Mode, Outcome, Want};

use super::commands::{lifetime, told};
use crate::{
    Result,
    far::{Change, memory::decimal, overflow},
};

/// What stands so far below the end of the range does not reach it while a request is under way.
const FAR_FROM_THE_END: i64 = i64::MAX / 2;

/// Changes a counter; answers its new value.
pub(super) async fn change(client: &Client, change: Change<'_>) -> Result<i64> {
    let Change { key, by, ttl } = change;
    let mut want = Want::VALUE_AND_CAS;
    loop {
        let Some(found) = client.fetch(key, want).await.map_err(told)? else {
            if client.add(key, by.to_string(), lifetime(ttl)).await.map_err(told)? {
                return Ok(by);
            }
            continue;
        };
        let before = decimal(found.value.trim_ascii_end())?;
        let after = before.checked_add(by).ok_or_else(overflow)?;
        if let Some(by) = growth(&found, before, by, after) {
            match client.increment(key, by, None).await {
                Ok(Some(after)) => return i64::try_from(after).map_err(|_| overflow()),
                Ok(None) => {}
                // It was a number a moment ago.
                Err(error) if error.kind() == ClientErrorKind::NotANumber => {}
                Err(error) => return Err(told(error)),
            }
        } else if want == Want::ALL {
            let text = after.to_string();
            // What is left of it is given again: an entry that can be read has a second at least.
            let left = found.ttl.map(|left| left.max(Duration::from_secs(1)));
            let item = Item::new(key, &text, left).flags(found.flags);
            if client.store(Mode::CompareAndSet(found.cas), &item).await.map_err(told)? == Outcome::Done {
                return Ok(after);
            }
        } else {
            want = Want::ALL;
        }
    }
}

/// By how much memcached itself may change the counter, if it may. Its text must be as we write it: the next one is as long.
fn growth(found: &Found, before: i64, by: i64, after: i64) -> Option<u64> {
    let safe = before >= 0 && after <= FAR_FROM_THE_END && *found.value == *before.to_string().as_bytes();
    u64::try_from(by).ok().filter(|_| safe)
}
