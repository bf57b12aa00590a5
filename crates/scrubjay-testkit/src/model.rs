//! The reference model: what a cache is, in a map and a clock, and random sequences of operations that hold a real one to it.
//!
//! [`check`] runs sequences against fresh subjects and shrinks what fails; [`play`] runs one, so that a sequence that once
//! failed stays a test. Bounds are no part of the model: give it an unbounded subject.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
    test_runner::{TestCaseError, TestError, TestRunner},
};
use scrubjay::{
    Cache, ErrorKind, Remaining, Result, Ttl,
    far::{Capability, Token},
};
use serde_json::{Value, json};

use crate::Subject;
#[doc(no_inline)]
pub use proptest::test_runner::Config;

/// One call of a verb, or the passing of time.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "they are the verbs and their arguments")]
#[non_exhaustive]
pub enum Op {
    Get(Place),
    GetMany(&'static str, Vec<&'static str>),
    Lookup(Place),
    Exists(Place),
    ReadTtl(Place),
    Set(Place, Value, Option<Ttl>),
    SetMany(&'static str, Vec<(&'static str, Value)>, Option<Ttl>),
    Add(Place, Value, Option<Ttl>),
    Increment(Place, i64, Option<Ttl>),
    Expire(Place, Ttl),
    Delete(Place),
    DeleteMany(&'static str, Vec<&'static str>),
    /// Reads a token, which the next [`CompareAndSet`](Self::CompareAndSet) uses.
    GetForUpdate(Place),
    CompareAndSet(Value, Option<Ttl>),
    Clear(&'static str),
    ClearServer,
    Advance(Duration),
}

/// A namespace and a key in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The namespace.
    pub namespace: &'static str,
    /// The key.
    pub key: &'static str,
}

impl Place {
    /// That key in that namespace.
    #[must_use]
    pub const fn new(namespace: &'static str, key: &'static str) -> Self {
        Self { namespace, key }
    }
}

/// Names that begin alike, and names that a pattern, a separator or an escape would give a meaning. The empty one is none.
const NAMESPACES: [&str; 9] = ["", "a", "user", "users", "use", "us*", "*", "u[s]er", "user:a"];
/// Few enough that operations meet. In a store, `a:b` without a namespace is `b` in the namespace `a`.
const KEYS: [&str; 4] = ["a", "b", "", "a:b"];

/// Sequences of operations.
pub fn sequences() -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 1..60)
}

fn op() -> impl Strategy<Value = Op> {
    let namespace = || select(NAMESPACES.as_slice());
    let key = || select(KEYS.as_slice());
    let keys = || vec(key(), 0..6);
    let place = || (namespace(), key()).prop_map(|(namespace, key)| Place { namespace, key });
    prop_oneof![
        4 => place().prop_map(Op::Get),
        3 => (namespace(), keys()).prop_map(|(namespace, keys)| Op::GetMany(namespace, keys)),
        1 => place().prop_map(Op::Lookup),
        2 => place().prop_map(Op::Exists),
        2 => place().prop_map(Op::ReadTtl),
        6 => (place(), value(), ttl()).prop_map(|(place, value, ttl)| Op::Set(place, value, ttl)),
        3 => (namespace(), vec((key(), value()), 0..6), ttl()).prop_map(|(at, entries, ttl)| Op::SetMany(at, entries, ttl)),
        4 => (place(), value(), ttl()).prop_map(|(place, value, ttl)| Op::Add(place, value, ttl)),
        4 => (place(), by(), ttl()).prop_map(|(place, by, ttl)| Op::Increment(place, by, ttl)),
        3 => (place(), some_ttl()).prop_map(|(place, ttl)| Op::Expire(place, ttl)),
        3 => place().prop_map(Op::Delete),
        2 => (namespace(), keys()).prop_map(|(namespace, keys)| Op::DeleteMany(namespace, keys)),
        3 => place().prop_map(Op::GetForUpdate),
        3 => (value(), ttl()).prop_map(|(value, ttl)| Op::CompareAndSet(value, ttl)),
        2 => namespace().prop_map(Op::Clear),
        1 => Just(Op::ClearServer),
        5 => select([0, 1, 2, 1_000, 4_999, 5_000, 10_000].as_slice()).prop_map(|ms| Op::Advance(Duration::from_millis(ms))),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => (-2..3_i64).prop_map(Value::from),
        1 => select([i64::MIN, i64::MAX].as_slice()).prop_map(Value::from),
        1 => select([json!(null), json!(false), json!(""), json!("5"), json!(0.5), json!([1]), json!({"a": 1})].to_vec()),
    ]
}

fn by() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -2..3_i64, 1 => any::<i64>(), 1 => select([i64::MIN, i64::MAX].as_slice())]
}

fn ttl() -> impl Strategy<Value = Option<Ttl>> {
    prop_oneof![1 => Just(None), 2 => some_ttl().prop_map(Some)]
}

/// Edges included: nothing, the least, steps around a near tier's five seconds, the longest, and beyond.
fn some_ttl() -> impl Strategy<Value = Ttl> {
    let day = Duration::from_secs(24 * 60 * 60);
    let lengths = [1, 2, 1_000, 1_500, 4_999, 5_000, 5_001, 10_000].map(Duration::from_millis);
    prop_oneof![
        2 => Just(Ttl::Never),
        8 => select(lengths.as_slice().to_vec()).prop_map(Ttl::After),
        1 => select(vec![Duration::ZERO, Duration::from_nanos(1), day * 31, day * 36_500, Duration::MAX]).prop_map(Ttl::After),
    ]
}

/// Holds caches over fresh subjects to the model, for as many sequences as `config` says.
///
/// # Panics
/// With the shortest sequence found that a cache and the model disagree on.
pub fn check(subject: impl Fn() -> Subject, config: Config) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { panic!("no runtime") };
    let checked = TestRunner::new(config).run(&sequences(), |ops| {
        let played = runtime.block_on(play(&subject(), &ops));
        played.map_err(TestCaseError::fail)
    });
    match checked {
        Ok(()) => {}
        Err(TestError::Fail(reason, ops)) => panic!("{reason}\nafter the last of {ops:#?}"),
        Err(error) => panic!("{error}"),
    }
}

/// Plays one sequence on a cache over `subject` and on the model.
///
/// # Errors
/// What the cache answered where the model answers something else.
pub async fn play(subject: &Subject, ops: &[Op]) -> Result<(), String> {
    let cache = subject.cache().map_err(|error| error.to_string())?;
    let mut model = Model::of(subject);
    let mut token = None;
    for op in ops {
        step(subject, &cache, &mut model, &mut token, op)
            .await
            .map_err(|difference| format!("{op:?}: {difference}"))?;
    }
    for namespace in NAMESPACES {
        let found = cache.get_many(KEYS).namespace(namespace).await;
        same(found, Ok(KEYS.map(|key| model.get(Place { namespace, key })).to_vec()))
            .map_err(|difference| format!("at the end, in {namespace:?}: {difference}"))?;
    }
    Ok(())
}

/// A token as the cache gave it, and what the model knows of the same moment.
struct Taken {
    place: Place,
    token: Token,
    entry: Option<Entry>,
}

async fn step(
    subject: &Subject,
    cache: &Cache<Value>,
    model: &mut Model,
    taken: &mut Option<Taken>,
    op: &Op,
) -> Result<(), String> {
    macro_rules! call {
        ($request:expr, $namespace:expr) => {
            $request.namespace($namespace).await
        };
        ($request:expr, $namespace:expr, $ttl:expr) => {
            match *$ttl {
                Some(ttl) => $request.namespace($namespace).ttl(ttl).await,
                None => $request.namespace($namespace).await,
            }
        };
    }
    match op {
        Op::Get(at) => same(call!(cache.get(at.key), at.namespace), Ok(model.get(*at))),
        Op::Lookup(at) => {
            let found = call!(cache.lookup(at.key), at.namespace);
            same(found.map(scrubjay::Lookup::into_value), Ok(model.get(*at)))
        }
        Op::GetMany(namespace, keys) => {
            let expected = keys.iter().map(|key| model.get(Place { namespace, key })).collect();
            same(call!(cache.get_many(keys.iter().copied()), namespace), Ok(expected))
        }
        Op::Exists(at) => same(call!(cache.exists(at.key), at.namespace), Ok(model.get(*at).is_some())),
        Op::ReadTtl(at) => same(call!(cache.ttl(at.key), at.namespace), model.ttl(*at)),
        Op::Set(at, value, ttl) => {
            let found = call!(cache.set(at.key, value.clone()), at.namespace, ttl);
            same(found, model.set_many(at.namespace, &[(at.key, value.clone())], *ttl))
        }
        Op::SetMany(namespace, entries, ttl) => {
            let found = call!(cache.set_many(entries.iter().cloned()), namespace, ttl);
            same(found, model.set_many(namespace, entries, *ttl))
        }
        Op::Add(at, value, ttl) => {
            same(call!(cache.add(at.key, value.clone()), at.namespace, ttl), model.add(*at, value, *ttl))
        }
        Op::Increment(at, by, ttl) => {
            same(call!(cache.increment(at.key, *by), at.namespace, ttl), model.increment(*at, *by, *ttl))
        }
        Op::Expire(at, ttl) => same(call!(cache.expire(at.key, *ttl), at.namespace), model.expire(*at, *ttl)),
        Op::Delete(at) => {
            let expected = model.delete_many(at.namespace, &[at.key]) == 1;
            same(call!(cache.delete(at.key), at.namespace), Ok(expected))
        }
        Op::DeleteMany(namespace, keys) => {
            let found = call!(cache.delete_many(keys.iter().copied()), namespace);
            same(found, Ok(model.delete_many(namespace, keys)))
        }
        Op::GetForUpdate(at) => {
            let found = call!(cache.get_for_update(at.key), at.namespace);
            if let Ok(current) = &found {
                *taken = Some(Taken { place: *at, token: current.token.clone(), entry: model.find(*at).cloned() });
            }
            same(found.map(|current| current.value), model.get_for_update(*at))
        }
        Op::CompareAndSet(value, ttl) => {
            let Some(taken) = taken else { return Ok(()) };
            let request = cache.compare_and_set(taken.place.key, value.clone(), taken.token.clone());
            same(call!(request, taken.place.namespace, ttl), model.compare_and_set(taken, value, *ttl))
        }
        Op::Clear(namespace) => same(call!(cache.clear(), namespace), model.clear(namespace)),
        Op::ClearServer => same(cache.clear_server().await, model.clear_server()),
        Op::Advance(by) => {
            subject.advance(*by).await;
            model.now += *by;
            Ok(())
        }
    }
}

/// A cache's answer against the model's; errors agree if their kinds do.
#[expect(clippy::needless_pass_by_value, reason = "both sides are made for this")]
fn same<T: PartialEq + Debug>(found: Result<T>, expected: Answer<T>) -> Result<(), String> {
    let found = found.map_err(|error| error.kind());
    if found == expected { Ok(()) } else { Err(format!("the cache answers {found:?}, the model {expected:?}")) }
}

/// What a cache is.
#[derive(Debug)]
struct Model {
    entries: BTreeMap<(String, String), Entry>,
    now: Duration,
    version: u64,
    capability: Capability,
    on_wire: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    value: Value,
    deadline: Option<Duration>,
    version: u64,
}

type Answer<T> = Result<T, ErrorKind>;

impl Model {
    fn of(subject: &Subject) -> Self {
        Self {
            entries: BTreeMap::new(),
            now: Duration::ZERO,
            version: 0,
            capability: subject.capability(),
            on_wire: subject.store().is_some(),
        }
    }

    /// Near, the pair itself; in a store what it sees, where a key without a namespace may be another's with one.
    fn slot(&self, Place { namespace, key }: Place) -> (String, String) {
        match namespace {
            _ if !self.on_wire => (namespace.to_owned(), key.to_owned()),
            "" => (String::new(), key.to_owned()),
            _ => (String::new(), format!("{}:{key}", namespace.replace(':', "%3A"))),
        }
    }

    fn find(&self, at: Place) -> Option<&Entry> {
        let entry = self.entries.get(&self.slot(at))?;
        entry.deadline.is_none_or(|deadline| self.now < deadline).then_some(entry)
    }

    fn get(&self, at: Place) -> Option<Value> {
        self.find(at).map(|entry| entry.value.clone())
    }

    fn ttl(&self, at: Place) -> Answer<Remaining> {
        can(self.capability.expire)?;
        Ok(match self.find(at) {
            None => Remaining::Absent,
            Some(Entry { deadline: None, .. }) => Remaining::Never,
            Some(Entry { deadline: Some(deadline), .. }) => Remaining::For(deadline.saturating_sub(self.now)),
        })
    }

    fn put(&mut self, at: Place, value: Value, deadline: Option<Duration>) {
        self.version += 1;
        self.entries.insert(self.slot(at), Entry { value, deadline, version: self.version });
    }

    fn set_many(&mut self, namespace: &'static str, entries: &[(&'static str, Value)], ttl: Option<Ttl>) -> Answer<()> {
        let deadline = self.deadline(ttl)?;
        for (key, value) in entries {
            self.put(Place { namespace, key }, value.clone(), deadline);
        }
        Ok(())
    }

    fn add(&mut self, at: Place, value: &Value, ttl: Option<Ttl>) -> Answer<bool> {
        let deadline = self.deadline(ttl)?;
        let absent = self.find(at).is_none();
        if absent {
            self.put(at, value.clone(), deadline);
        }
        Ok(absent)
    }

    fn increment(&mut self, at: Place, by: i64, ttl: Option<Ttl>) -> Answer<i64> {
        let created = self.deadline(ttl)?;
        can(self.capability.increment)?;
        let (before, deadline) = match self.find(at) {
            None => (0, created),
            Some(entry) => (entry.value.as_i64().ok_or(ErrorKind::NotANumber)?, entry.deadline),
        };
        let after = before.checked_add(by).ok_or(ErrorKind::Overflow)?;
        self.put(at, after.into(), deadline);
        Ok(after)
    }

    fn expire(&mut self, at: Place, ttl: Ttl) -> Answer<bool> {
        let deadline = self.deadline(Some(ttl))?;
        can(self.capability.expire)?;
        let live = self.find(at).is_some();
        if live && let Some(entry) = self.entries.get_mut(&self.slot(at)) {
            entry.deadline = deadline;
        }
        Ok(live)
    }

    fn delete_many(&mut self, namespace: &'static str, keys: &[&'static str]) -> usize {
        let mut live = 0;
        for key in keys {
            let at = Place { namespace, key };
            live += usize::from(self.find(at).is_some());
            self.entries.remove(&self.slot(at));
        }
        live
    }

    fn get_for_update(&self, at: Place) -> Answer<Option<Value>> {
        can(self.capability.compare_and_set)?;
        Ok(self.get(at))
    }

    /// A store may tell a change by a version or by the bytes; its token says which.
    fn compare_and_set(&mut self, taken: &Taken, value: &Value, ttl: Option<Ttl>) -> Answer<bool> {
        let deadline = self.deadline(ttl)?;
        let unchanged = match (&taken.token, &taken.entry, self.find(taken.place)) {
            (Token::Absent, _, now) => now.is_none(),
            (Token::Value(_), Some(then), Some(now)) => then.value == now.value,
            (_, Some(then), Some(now)) => then.version == now.version,
            _ => false,
        };
        if unchanged {
            self.put(taken.place, value.clone(), deadline);
        }
        Ok(unchanged)
    }

    fn clear(&mut self, namespace: &'static str) -> Answer<()> {
        if namespace.is_empty() {
            return if self.capability.private { self.clear_server() } else { Err(ErrorKind::Config) };
        }
        can(self.capability.clear_prefix)?;
        let (in_namespace, prefix) = self.slot(Place { namespace, key: "" });
        self.entries.retain(|(space, key), _| *space != in_namespace || !key.starts_with(&prefix));
        Ok(())
    }

    fn clear_server(&mut self) -> Answer<()> {
        can(self.capability.clear_everything)?;
        self.entries.clear();
        Ok(())
    }

    /// When an entry written now is to expire: whole steps of the store's resolution from now.
    fn deadline(&self, ttl: Option<Ttl>) -> Answer<Option<Duration>> {
        let ttl = ttl.unwrap_or(Ttl::Never).lifetime().map_err(|error| error.kind())?;
        let step = self.capability.ttl_resolution.as_nanos().max(1);
        let rounded = ttl.map(|ttl| u64::try_from(ttl.as_nanos().div_ceil(step) * step).unwrap_or(u64::MAX));
        Ok(rounded.map(|nanos| self.now + Duration::from_nanos(nanos)))
    }
}

fn can(declared: bool) -> Answer<()> {
    if declared { Ok(()) } else { Err(ErrorKind::Unsupported) }
}
