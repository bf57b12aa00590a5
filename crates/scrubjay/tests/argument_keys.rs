//! Canonical argument keys: another one for every other call, and always the same one for the same.

#![expect(clippy::print_stdout, reason = "figures are printed")]
#![cfg(feature = "macros")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher as _},
};

use proptest::prelude::*;
use scrubjay::__cached::{Argument as Told, ArgumentKey, PartOfSet as _, Style, Text};
use serde::Serialize;

fn key<T: Serialize>(argument: &T) -> String {
    key_of(|key| key.argument("argument", argument)).unwrap().into_string()
}

/// The key of a call of `app::f` with what `tell` adds.
fn key_of(tell: impl FnOnce(&mut ArgumentKey)) -> scrubjay::Result<Text> {
    let mut key = ArgumentKey::new(&["app", "::f"]);
    tell(&mut key);
    key.finish(Style::Short)
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Newtype(u8);

#[derive(Serialize)]
struct Fields<'a> {
    path: &'a str,
    #[serde(rename = "a:1,b")]
    odd: Option<()>,
}

#[derive(Serialize)]
enum Choice {
    Nothing,
    One(u8),
    Two(u8, i8),
    Named { text: char },
}

/// The keys of other processes and builds: this table does not change.
#[test]
fn keys_are_what_they_always_were() {
    for (found, expected) in [
        (key(&42_u64), "app::f(42u64)"),
        (key(&i64::MIN), "app::f(-9223372036854775808i64)"),
        (key(&u128::MAX), "app::f(340282366920938463463374607431768211455u128)"),
        (key(&-0.0_f64), "app::f(-0.0f64)"),
        (key(&0.1_f32), "app::f(0.1f32)"),
        (key(&f64::INFINITY), "app::f(0x7ff0000000000000f64)"),
        (key(&"a\"b\\c"), r#"app::f("a\"b\\c")"#),
        (key(&'\''), "app::f(''')"),
        (key(&(true, ())), "app::f((true,(),))"),
        (key(&Some(Some(1_u8))), "app::f(Some(Some(1u8)))"),
        (key(&None::<u8>), "app::f(None)"),
        (key(&[1_i8, 2]), "app::f((1i8,2i8,))"),
        (key(&vec![1_i8, 2]), "app::f([1i8,2i8])"),
        (key(&Unit), "app::f(Unit)"),
        (key(&Newtype(1)), "app::f(Newtype(1u8))"),
        (key(&Fields { path: "/", odd: None }), r#"app::f(Fields{path:"/",r#"a:1,b":None})"#),
        (key(&Choice::Nothing), "app::f(Choice::Nothing)"),
        (key(&Choice::One(1)), "app::f(Choice::One(1u8))"),
        (key(&Choice::Two(1, -1)), "app::f(Choice::Two(1u8,-1i8,))"),
        (key(&Choice::Named { text: 'x' }), "app::f(Choice::Named{text:'x'})"),
        (key(&std::net::Ipv4Addr::LOCALHOST), "app::f(\"127.0.0.1\")"),
        (key(&"x".repeat(500)), &format!("app::f(\"{}~1fc53b1cb898a4798cd96c38d7c38bce", "x".repeat(112))),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn arguments_do_not_run_into_each_other() {
    let two = |one: &str, other: &str| {
        key_of(|key| {
            key.argument("one", one);
            key.argument("other", other);
        })
        .unwrap()
        .into_string()
    };
    assert_ne!(two("a", "b"), key(&"a:b"));
    assert_ne!(two("a\",\"b", "c"), two("a", "b\",\"c"));
    assert_ne!(key(&1), key(&"1"));
    assert_ne!(key(&1_u8), key(&1_u16));
    assert_ne!(key(&0.0), key(&-0.0));
}

#[test]
fn an_argument_that_cannot_tell_itself_is_named() {
    #[cfg(unix)]
    {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};
        let path = Path::new(OsStr::from_bytes(b"\xff"));
        let error = key_of(|key| key.argument("path", path)).unwrap_err();
        assert!(error.to_string().contains("argument `path` of app::f"), "{error}");
    }
}

proptest! {
    #[test]
    fn maps_have_one_key_in_whatever_order_they_are_told(entries: BTreeMap<String, Vec<u8>>) {
        let hashed: HashMap<_, _> = entries.clone().into_iter().collect();
        prop_assert_eq!(key(&hashed), key(&entries));
    }

    #[test]
    fn sets_have_one_key_in_whatever_order_they_are_told(elements: HashSet<String>) {
        let again: HashSet<_> = elements.iter().cloned().collect();
        let add = |set: &HashSet<String>| key_of(|key| (&&Told(set)).add_to(key, "set")).unwrap().into_string();
        prop_assert_eq!(add(&elements), add(&again));
        let reference = &elements;
        prop_assert_eq!(add(&elements), key_of(|key| (&&Told(&reference)).add_to(key, "set")).unwrap().into_string());
    }

    #[test]
    fn keys_meet_if_and_only_if_arguments_do(one: (String, Option<i8>, Vec<char>), other: (String, Option<i8>, Vec<char>)) {
        prop_assert_eq!(key(&one) == key(&other), one == other);
        prop_assert_eq!(key(&one), key(&one.clone()));
    }

    #[test]
    fn floats_have_the_keys_of_their_bits(one: u64, other: u64) {
        let (one, other) = (f64::from_bits(one), f64::from_bits(other));
        prop_assert_eq!(key(&one) == key(&other), one.to_bits() == other.to_bits());
    }
}

/// An argument of a generated call. Serde tells no names of it, so that the key alone says which of these it is.
#[derive(Hash, Serialize)]
#[serde(untagged)]
enum Argument {
    Byte(u8),
    Word(u64),
    Signed(i64),
    Letter(char),
    Text(String),
    Unit(()),
    Maybe(Option<Box<Argument>>),
    Pair(Box<Argument>, Box<Argument>),
    List(Vec<Argument>),
    Map(BTreeMap<String, Argument>),
}

/// Numbers that look random, the same ones in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Text of the characters that mean something in a key.
    fn text(&mut self) -> String {
        const LETTERS: [char; 12] = ['"', '\\', ',', ':', '(', ')', '1', 'u', '8', '~', '\'', 'é'];
        (0..self.below(6)).map(|_| LETTERS[usize::try_from(self.below(12)).unwrap()]).collect()
    }

    fn argument(&mut self, depth: u32) -> Argument {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0 => Argument::Byte(u8::try_from(self.below(256)).unwrap()),
            1 => Argument::Word(self.below(1_000_000)),
            2 => Argument::Signed(500_000 - i64::try_from(self.below(1_000_000)).unwrap()),
            3 => Argument::Letter(['"', '\'', ',', '1'][usize::try_from(self.below(4)).unwrap()]),
            4 => Argument::Text(self.text()),
            5 => Argument::Unit(()),
            6 => Argument::Maybe((self.below(4) > 0).then(|| Box::new(self.argument(depth - 1)))),
            7 => Argument::Pair(Box::new(self.argument(depth - 1)), Box::new(self.argument(depth - 1))),
            8 => Argument::List((0..self.below(4)).map(|_| self.argument(depth - 1)).collect()),
            _ => Argument::Map((0..self.below(3)).map(|_| (self.text(), self.argument(depth - 1))).collect()),
        }
    }
}

fn hash(what: &impl Hash, salt: u8) -> u64 {
    let mut hasher = DefaultHasher::new();
    (salt, what).hash(&mut hasher);
    hasher.finish()
}

/// How many different pairs of arguments there are among `count` generated ones, and how many of them share a key with another.
fn collisions(count: usize) -> (usize, usize) {
    let mut numbers = Numbers(4);
    let mut calls: Vec<([u64; 2], u64)> = (0..count)
        .map(|_| {
            let (one, other) = (numbers.argument(2), numbers.argument(2));
            let key = key_of(|key| {
                key.argument("one", &one);
                key.argument("other", &other);
            });
            let key = key.unwrap();
            ([hash(&&*key, 0), hash(&&*key, 1)], hash(&(one, other), 2))
        })
        .collect();
    calls.sort_unstable();
    calls.dedup();
    let collisions = calls.windows(2).filter(|calls| calls[0].0 == calls[1].0).count();
    (calls.len(), collisions)
}

#[test]
fn no_two_calls_share_a_key() {
    let (different, collisions) = collisions(100_000);
    assert!(different > 50_000, "{different} of 100000 differ: too alike to say anything");
    assert_eq!(collisions, 0);
}

#[test]
#[ignore = "takes a minute unoptimised: `cargo xtask test keys` runs it in release"]
fn no_two_of_ten_million_calls_share_a_key() {
    let (different, collisions) = collisions(10_000_000);
    println!("10000000 generated argument pairs, {different} different: {collisions} collisions");
    assert!(different > 5_000_000);
    assert_eq!(collisions, 0);
}
