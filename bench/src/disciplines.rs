//! What engines compete in.

use std::fmt;

use crate::{
    engines::{Contestant, Race, Stroke, value},
    keys::{Track, keys},
    random::{Random, SEED, Zipf},
};

/// One thing that is measured of every engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// `get` of what is there, by those whose entries do not expire.
    Hit,
    /// Likewise, by those whose entries do; `quick_cache` without ttl is the yardstick.
    TtlHit,
    /// `get` of what is not there.
    Miss,
    /// `set` of new keys into a full cache.
    Insert,
    /// `get`, and `set` where that found nothing: a full cache and ten times as many keys.
    GetOrInsert,
    /// The same by the engine's own single flight.
    Load,
}

/// Keys, and the order in which they are asked for.
#[derive(Debug)]
pub struct Course {
    stroke: Stroke,
    /// What is put in before.
    filling: Vec<String>,
    track: Track,
}

impl Discipline {
    /// Every discipline.
    pub const ALL: [Self; 6] = [Self::Hit, Self::TtlHit, Self::Miss, Self::Insert, Self::GetOrInsert, Self::Load];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::TtlHit => "ttl_hit",
            Self::Miss => "miss",
            Self::Insert => "insert",
            Self::GetOrInsert => "get_or_insert",
            Self::Load => "load",
        }
    }

    /// Who takes part.
    #[must_use]
    pub fn contestants(self) -> Vec<Contestant> {
        let takes_part = |contestant: &Contestant| match self {
            Self::Hit => !contestant.has_ttl(),
            Self::TtlHit => contestant.has_ttl() || contestant.name == "quick_cache",
            Self::Miss => contestant.name != "null",
            Self::Insert | Self::GetOrInsert => true,
            Self::Load => contestant.build(1).load("key").is_some(),
        };
        Contestant::ALL.into_iter().filter(takes_part).collect()
    }

    /// The course for engines of `capacity`.
    #[must_use]
    pub fn course(self, capacity: u32) -> Course {
        // Some engines evict before they are full, and a hit must be one.
        let fitting = capacity / 5 * 4;
        let many = capacity * 10;
        let length = many.next_power_of_two();
        let zipf = |ranks: u32| {
            let (zipf, mut random) = (Zipf::new(ranks, 0.99), Random::new(SEED));
            (0..length).map(|_| zipf.rank(&mut random)).collect::<Vec<_>>()
        };
        let (stroke, filling, track) = match self {
            Self::Hit | Self::TtlHit => (Stroke::Get, keys("user", fitting), Track::new("user", zipf(fitting))),
            Self::Miss => (Stroke::Get, keys("user", fitting), Track::new("none", zipf(fitting))),
            // 769 has no divisor in common with the number of keys: each comes up once, and no prefetcher foresees it.
            Self::Insert => {
                let scattered = (0..u64::from(length)).map(|turn| turn * 769 % u64::from(many));
                let order = scattered.map(|number| u32::try_from(number).unwrap_or(0));
                (Stroke::Set, keys("user", capacity), Track::new("user", order))
            }
            Self::GetOrInsert => (Stroke::GetOrInsert, Vec::new(), Track::new("user", zipf(many))),
            Self::Load => (Stroke::Load, Vec::new(), Track::new("user", zipf(many))),
        };
        Course { stroke, filling, track }
    }
}

impl Course {
    /// Builds the engine, fills it, and goes once round.
    #[must_use]
    pub fn prepare(&self, contestant: Contestant, capacity: u32) -> Box<dyn Race> {
        let engine = contestant.build(capacity as usize);
        self.filling.iter().for_each(|key| engine.set(key, value()));
        engine.settle();
        engine.race(self.stroke, &self.track, 0..self.track.len());
        engine.settle();
        engine
    }

    /// Goes the part of the course that has this number, `length` strokes long; after the last part comes the first.
    pub fn run(&self, engine: &dyn Race, part: usize, length: usize) {
        let start = part * length % self.track.len();
        let end = self.track.len().min(start + length);
        engine.race(self.stroke, &self.track, start..end);
    }

    /// So many strokes, from the start and round and round.
    pub fn run_from_start(&self, engine: &dyn Race, mut strokes: usize) {
        while strokes > 0 {
            let now = strokes.min(self.track.len());
            self.run(engine, 0, now);
            strokes -= now;
        }
    }
}

impl fmt::Display for Discipline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hit => "read hit",
            Self::TtlHit => "read hit with ttl",
            Self::Miss => "miss",
            Self::Insert => "insert at capacity",
            Self::GetOrInsert => "get or insert",
            Self::Load => "single-flight load",
        })
    }
}
