use std::collections::HashMap;

use scrubjay::{cached, cached_many};

#[cached(tll = "10s")]
fn unknown(number: u32) -> u32 {
    number
}

#[cached(ttl = "10 parsecs")]
fn not_a_duration(number: u32) -> u32 {
    number
}

#[cached(ttl = 10)]
fn without_a_unit(number: u32) -> u32 {
    number
}

#[cached(ttl = "1s", ttl = "2s")]
fn twice(number: u32) -> u32 {
    number
}

#[cached(none = "nothing")]
fn not_a_choice(number: u32) -> Option<u32> {
    Some(number)
}

#[cached(none = "negative")]
fn without_its_ttl(number: u32) -> Option<u32> {
    Some(number)
}

#[cached(negative_ttl = "1s")]
fn never_none(number: u32) -> u32 {
    number
}

#[cached(errors = "each")]
fn no_errors(number: u32) -> u32 {
    number
}

#[cached(skip(nobody))]
fn no_such_argument(number: u32) -> u32 {
    number
}

#[cached(single_flight = false, grace = "1s")]
fn grace_without_flight(number: u32) -> u32 {
    number
}

#[cached(keys = "ids")]
fn not_many(ids: &[u32]) -> HashMap<u32, u32> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cached_many(none = "value")]
fn nothing_to_keep(ids: &[u32]) -> HashMap<u32, u32> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cached_many]
fn which_ids(ids: &[u32], others: &[u32]) -> HashMap<u32, u32> {
    ids.iter().chain(others).map(|id| (*id, *id)).collect()
}

fn main() {}
