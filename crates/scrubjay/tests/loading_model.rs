//! The whole policy of loading against a reference that fits on a page: random calls on two keys, in virtual time.
//!
//! A sequence that differs tells its seed; `SCRUBJAY_SEED=n` plays that one alone.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test tells its figures, and what fails fails it")]

mod random;

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use random::Random;
use scrubjay::{Cache, Clock, Error, Lookup, Memory, Outcome, Policy, Remaining, far::MemoryStore, serializer::Json};

const SEEDS: u64 = 2_000;
const OPS: usize = 40;
/// The ttl of a call that does not say.
const TTL: u64 = 10;

impl Random {
    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

/// What a loader comes to. Times are in seconds, here and below.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Store(u64),
    StoreFor(u64, u64),
    DontStore(u64),
    NotFound,
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reading {
    Everywhere,
    SkipRead,
    ForceRefresh,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Advance(u64),
    Load {
        key: usize,
        answer: Answer,
        reading: Reading,
        skip_write: bool,
        ttl: Option<u64>,
    },
    /// Both keys; what is found of each, if the loader does not fail.
    LoadMany(Option<[Option<u64>; 2]>),
    Set(usize, u64, u64),
    Add(usize, u64, u64),
    Expire(usize, u64),
    Delete(usize),
}

fn op(random: &mut Random, value: u64) -> Op {
    let key = usize::try_from(random.below(2)).unwrap();
    let answer = match random.below(8) {
        0..3 => Answer::Store(value),
        3 => Answer::StoreFor(value, 1 + random.below(6)),
        4 => Answer::DontStore(value),
        5 => Answer::NotFound,
        _ => Answer::Fail,
    };
    match random.below(12) {
        0..3 => Op::Advance(1 + random.below(6)),
        3 => Op::Set(key, value, 1 + random.below(12)),
        4 => Op::Add(key, value, 1 + random.below(12)),
        5 => Op::Expire(key, 1 + random.below(12)),
        6 => Op::Delete(key),
        7 => {
            let mut found = |value| (random.below(3) > 0).then_some(value);
            let found = [found(value), found(value + 1_000)];
            Op::LoadMany((random.below(3) > 0).then_some(found))
        }
        _ => Op::Load {
            key,
            answer,
            reading: random.one_of(&[
                Reading::Everywhere,
                Reading::Everywhere,
                Reading::SkipRead,
                Reading::ForceRefresh,
            ]),
            skip_write: random.below(5) == 0,
            ttl: (random.below(3) == 0).then(|| 1 + random.below(6)),
        },
    }
}

/// What is held under a key.
#[derive(Clone, Copy, Debug)]
enum Held {
    Value { value: u64, fresh_until: u64, grace: u64 },
    Negative { until: u64 },
}

/// What a key is at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Fresh(u64, u64),
    Stale(u64),
    Negative,
    Miss,
}

/// The reference.
struct Model {
    now: u64,
    grace: u64,
    back_off: u64,
    negative_ttl: Option<u64>,
    held: [Option<Held>; 2],
    rests_until: [u64; 2],
}

impl Model {
    fn state(&self, key: usize) -> State {
        match self.held[key] {
            Some(Held::Value { value, fresh_until, .. }) if self.now < fresh_until => {
                State::Fresh(value, fresh_until - self.now)
            }
            Some(Held::Value { value, fresh_until, grace }) if self.now < fresh_until + grace => State::Stale(value),
            Some(Held::Negative { until }) if self.now < until => State::Negative,
            _ => State::Miss,
        }
    }

    fn keep(&mut self, key: usize, value: u64, ttl: u64, grace: u64) {
        self.held[key] = Some(Held::Value { value, fresh_until: self.now + ttl, grace });
        self.rests_until[key] = 0;
    }

    /// The answer without calling the loader, else the stale value that it sees.
    fn before(&self, key: usize, reading: Reading) -> Result<Option<u64>, Option<u64>> {
        let reads = reading == Reading::Everywhere;
        let stale = match self.state(key) {
            State::Fresh(value, _) if reads => return Ok(Some(value)),
            State::Negative if reads => return Ok(None),
            State::Fresh(value, _) | State::Stale(value) => Some(value).filter(|_| self.grace > 0),
            State::Negative | State::Miss => None,
        };
        if reads && stale.is_some() && self.now < self.rests_until[key] { Ok(stale) } else { Err(stale) }
    }

    /// What a call of the loader comes to.
    fn after(
        &mut self,
        key: usize,
        stale: Option<u64>,
        answer: Answer,
        ttl: u64,
        writes: bool,
    ) -> Result<Option<u64>, ()> {
        match answer {
            Answer::Store(value) | Answer::StoreFor(value, _) => {
                let ttl = if let Answer::StoreFor(_, ttl) = answer { ttl } else { ttl };
                if writes {
                    self.keep(key, value, ttl, self.grace);
                }
                Ok(Some(value))
            }
            Answer::DontStore(value) => Ok(Some(value)),
            Answer::NotFound => {
                if let (true, Some(ttl)) = (writes, self.negative_ttl) {
                    self.held[key] = Some(Held::Negative { until: self.now + ttl });
                }
                Ok(None)
            }
            Answer::Fail => {
                let stale = stale.ok_or(())?;
                self.rests_until[key] = self.now + self.back_off;
                Ok(Some(stale))
            }
        }
    }

    /// Carries out `op`; tells what it answers and how often a loader is called.
    fn play(&mut self, op: Op) -> (String, u32) {
        let told = |answer: Result<Option<u64>, ()>| {
            answer.map_or_else(|()| "an error".to_owned(), |value| format!("{value:?}"))
        };
        match op {
            Op::Advance(by) => {
                self.now += by;
                (String::new(), 0)
            }
            Op::Load { key, answer, reading, skip_write, ttl } => match self.before(key, reading) {
                Ok(value) => (told(Ok(value)), 0),
                Err(stale) => {
                    let after = self.after(key, stale, answer, ttl.unwrap_or(TTL), !skip_write);
                    (told(after) + &format!(" having seen {stale:?}"), 1)
                }
            },
            Op::LoadMany(found) => {
                let before = [0, 1].map(|key| self.before(key, Reading::Everywhere));
                let calls = u32::from(before.iter().any(Result::is_err));
                let answers = [0, 1].map(|key| match before[key] {
                    Ok(value) => Ok(value),
                    Err(stale) => {
                        let answer =
                            found.map_or(Answer::Fail, |found| found[key].map_or(Answer::NotFound, Answer::Store));
                        self.after(key, stale, answer, TTL, true)
                    }
                });
                (
                    answers[0].and_then(|first| Ok(format!("{:?}", [first, answers[1]?]))).unwrap_or("an error".into()),
                    calls,
                )
            }
            Op::Set(key, value, ttl) => {
                self.keep(key, value, ttl, 0);
                (String::new(), 0)
            }
            Op::Add(key, value, ttl) => {
                let absent = !matches!(self.state(key), State::Fresh(..));
                self.rests_until[key] = 0;
                if absent {
                    self.keep(key, value, ttl, 0);
                }
                (absent.to_string(), 0)
            }
            Op::Expire(key, ttl) => {
                let state = self.state(key);
                self.rests_until[key] = 0;
                match (&mut self.held[key], state) {
                    (Some(Held::Value { fresh_until, .. }), State::Fresh(..)) => *fresh_until = self.now + ttl,
                    (held, State::Negative) => *held = None,
                    _ => {}
                }
                (matches!(state, State::Fresh(..)).to_string(), 0)
            }
            Op::Delete(key) => {
                let live = matches!(self.state(key), State::Fresh(..));
                (self.held[key], self.rests_until[key]) = (None, 0);
                (live.to_string(), 0)
            }
        }
    }
}

const KEYS: [&str; 2] = ["a", "b"];

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// As [`Model::play`], by the cache itself.
async fn play(cache: &Cache<u64>, clock: &Clock, op: Op) -> (String, u32) {
    let calls = Cell::new(0);
    let told = |answer: Result<Option<u64>, Error>| {
        answer.map_or_else(|_| "an error".to_owned(), |value| format!("{value:?}"))
    };
    let said = match op {
        Op::Advance(by) => {
            clock.advance(seconds(by));
            String::new()
        }
        Op::Load { key, answer, reading, skip_write, ttl } => {
            let seen = parking_lot::Mutex::new(None);
            let request = cache.get_or_load_with(KEYS[key], |load| {
                *seen.lock() = Some(load.stale().copied());
                std::future::ready(match answer {
                    Answer::Store(value) => Ok(Outcome::Store(value)),
                    Answer::StoreFor(value, ttl) => Ok(Outcome::StoreFor(value, seconds(ttl).into())),
                    Answer::DontStore(value) => Ok(Outcome::DontStore(value)),
                    Answer::NotFound => Ok(Outcome::NotFound),
                    Answer::Fail => Err(std::io::Error::other("down")),
                })
            });
            let request = match reading {
                Reading::Everywhere => request,
                Reading::SkipRead => request.skip_read(),
                Reading::ForceRefresh => request.force_refresh(),
            };
            let request = if skip_write { request.skip_write() } else { request };
            let said = told(if let Some(ttl) = ttl { request.ttl(seconds(ttl)).await } else { request.await });
            let seen = seen.into_inner();
            calls.set(u32::from(seen.is_some()));
            seen.map_or(said.clone(), |stale| format!("{said} having seen {stale:?}"))
        }
        Op::LoadMany(found) => {
            let called = std::sync::atomic::AtomicU32::new(0);
            let load = |keys: Vec<String>| {
                called.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let values = |found: [Option<u64>; 2]| {
                    let all: BTreeMap<&str, Option<u64>> = KEYS.into_iter().zip(found).collect();
                    keys.iter().filter_map(|key| Some((key.clone(), all[&**key]?))).collect::<HashMap<_, _>>()
                };
                std::future::ready(found.map(values).ok_or_else(|| std::io::Error::other("down")))
            };
            let answer = cache.get_or_load_many(KEYS, load).await;
            calls.set(called.into_inner());
            answer.map_or_else(|_| "an error".to_owned(), |values| format!("{values:?}"))
        }
        Op::Set(key, value, ttl) => {
            cache.set(KEYS[key], value).ttl(seconds(ttl)).await.unwrap();
            String::new()
        }
        Op::Add(key, value, ttl) => cache.add(KEYS[key], value).ttl(seconds(ttl)).await.unwrap().to_string(),
        Op::Expire(key, ttl) => cache.expire(KEYS[key], seconds(ttl)).await.unwrap().to_string(),
        Op::Delete(key) => cache.delete(KEYS[key]).await.unwrap().to_string(),
    };
    (said, calls.get())
}

/// What every reading verb says of `key`.
async fn look(cache: &Cache<u64>, key: &str) -> String {
    let state = match cache.lookup(key).await.unwrap() {
        Lookup::Fresh { value, .. } => format!("fresh {value}"),
        Lookup::Stale { value, .. } => format!("stale {value}"),
        Lookup::Negative { .. } => "negative".to_owned(),
        _ => "miss".to_owned(),
    };
    let left = match cache.ttl(key).await.unwrap() {
        Remaining::Absent => None,
        Remaining::Never => Some(u64::MAX),
        Remaining::For(left) => Some(left.as_secs()),
    };
    format!("{state}, {:?}, {}, {left:?}", cache.get(key).await.unwrap(), cache.exists(key).await.unwrap())
}

fn expected(state: State) -> String {
    match state {
        State::Fresh(value, left) => format!("fresh {value}, Some({value}), true, Some({left})"),
        State::Stale(value) => format!("stale {value}, None, false, None"),
        State::Negative => "negative, None, false, None".to_owned(),
        State::Miss => "miss, None, false, None".to_owned(),
    }
}

fn cache(tiers: &str, clock: &Clock, policy: Policy) -> Cache<u64> {
    let near = || Memory::builder().clock(clock.clone()).build();
    let far = || MemoryStore::new(Memory::builder().clock(clock.clone()).build());
    let builder = Cache::builder().clock(clock.clone()).ttl(seconds(TTL)).policy(policy);
    match tiers {
        "near" => builder.near(near()),
        "far" => builder.far(far()).serializer(Json),
        _ => builder.near(near()).far(far()).serializer(Json),
    }
    .build()
    .unwrap()
}

/// Plays the sequence of `seed`; answers how it differs.
async fn differs(tiers: &str, seed: u64) -> Option<String> {
    let mut random = Random(seed);
    let (grace, back_off) = (random.one_of(&[0, 5, 20]), random.one_of(&[2, 10]));
    let negative_ttl = random.one_of(&[None, Some(4)]);
    let policy = Policy {
        grace: Some(seconds(grace)),
        back_off: Some(seconds(back_off)),
        negative_ttl: negative_ttl.map(seconds),
        ..Policy::default()
    };
    let clock = Clock::manual();
    let cache = cache(tiers, &clock, policy);
    let mut model = Model { now: 0, grace, back_off, negative_ttl, held: [None; 2], rests_until: [0; 2] };
    let mut played = Vec::new();
    for value in 0..OPS as u64 {
        let op = op(&mut random, value);
        played.push(op);
        let (expected_answer, answer) = (model.play(op), play(&cache, &clock, op).await);
        if answer != expected_answer {
            return Some(format!("{policy:?}\n{played:?}\nanswered {answer:?}, expected {expected_answer:?}"));
        }
        for (key, name) in KEYS.into_iter().enumerate() {
            let (found, expected) = (look(&cache, name).await, expected(model.state(key)));
            if found != expected {
                return Some(format!("{policy:?}\n{played:?}\n{name} is {found:?}, expected {expected:?}"));
            }
        }
    }
    None
}

async fn agrees(tiers: &str) {
    let only = std::env::var("SCRUBJAY_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds = only.map_or(0..SEEDS, |seed| seed..seed + 1);
    println!("{tiers}: {} sequences of {OPS} calls, seeds {seeds:?}", seeds.end - seeds.start);
    for seed in seeds {
        if let Some(difference) = differs(tiers, seed).await {
            panic!("{tiers}, SCRUBJAY_SEED={seed}: {difference}");
        }
    }
}

#[tokio::test]
async fn near() {
    agrees("near").await;
}

#[tokio::test]
async fn far() {
    agrees("far").await;
}

#[tokio::test]
async fn two_tiers() {
    agrees("two tiers").await;
}
