//! The two faces, async and blocking: one cache.

use std::{thread, time::Duration};

use scrubjay::{
    Current, Lookup, Remaining, Result, Ttl, blocking,
    far::{Reply, Token},
};
use serde_json::{Value, json};

use crate::Subject;

/// Every verb, blocking on a thread that has no runtime, answers as its async twin.
pub async fn the_faces_agree_on_a_plain_thread(subject: &Subject) -> Result<()> {
    let expected = with_async(subject).await?;
    let cache = subject.builder().namespace("blocking").build()?.blocking();
    let found =
        thread::spawn(move || with_blocking(&cache)).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    assert_eq!(found, expected);
    Ok(())
}

/// Every verb, blocking inside a runtime, answers as its async twin, and does not wait for itself.
pub async fn the_faces_agree_inside_a_runtime(subject: &Subject) -> Result<()> {
    let expected = with_async(subject).await?;
    let cache = subject.builder().namespace("blocking").build()?.blocking();
    assert_eq!(with_blocking(&cache), expected);
    Ok(())
}

/// What one face writes the other reads, and back again.
pub async fn the_faces_share_their_entries(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let blocking = cache.blocking();
    cache.set("key", json!(1)).await?;
    assert_eq!(blocking.get("key")?, Some(json!(1)));
    blocking.set("key", json!(2))?;
    assert_eq!(cache.get("key").await?, Some(json!(2)));
    assert!(blocking.asynchronous().delete("key").await?);
    assert_eq!(blocking.get("key")?, None);
    Ok(())
}

/// What the verbs answered, as text.
type Transcript = Vec<String>;

/// Says every verb once or more, in words that `$say` puts into one face's calls.
macro_rules! script {
    ($say:ident) => {
        vec![
            $say!(get("a")),
            $say!(set("a", json!({"n": 1}))),
            $say!(get("a")),
            $say!(set("a", json!(2)).ttl(Ttl::Never).timeout(SECOND)),
            $say!(set("a", json!(3)).namespace("elsewhere")),
            $say!(get("a")),
            $say!(get("a").namespace("elsewhere")),
            $say!(set("bad", json!(1)).ttl(Duration::ZERO)),
            $say!(add("a", json!(4)).ttl(SECOND * 60)),
            $say!(add("b", json!(5)).ttl(SECOND * 60)),
            $say!(remaining_ttl("a")),
            $say!(remaining_ttl("b")),
            $say!(remaining_ttl("absent")),
            $say!(expire("a", SECOND * 60)),
            $say!(expire("absent", SECOND)),
            $say!(remaining_ttl("a")),
            $say!(set_many([("c", json!(6)), ("d", Value::Null)]).ttl(SECOND * 60)),
            $say!(get_many(["d", "absent", "c", "d"])),
            $say!(exists("d")),
            $say!(lookup("c")),
            $say!(increment("n", 5)),
            $say!(increment("n", -7)),
            $say!(increment("d", 1)),
            $say!(get_for_update("c")),
            $say!(get_for_update("absent")),
            $say!(compare_and_set("e", json!(7), Token::Absent)),
            $say!(compare_and_set("e", json!(8), Token::Absent)),
            $say!(delete("e")),
            $say!(delete("e")),
            $say!(delete_many(["c", "d", "c", "absent"])),
            $say!(raw(["no-such-command"])),
            $say!(clear()),
            $say!(get_many(["a", "b"])),
            $say!(get("a").namespace("elsewhere")),
            $say!(clear_server()),
            $say!(get("a").namespace("elsewhere")),
            $say!(close()),
            $say!(get("a")),
        ]
    };
}

const SECOND: Duration = Duration::from_secs(1);

async fn with_async(subject: &Subject) -> Result<Transcript> {
    let cache = subject.builder().namespace("async").build()?;
    macro_rules! say {
        (increment($key:expr, $by:expr)) => {
            told(cache.increment($key, $by).await)
        };
        (remaining_ttl($key:expr)) => {
            told(cache.ttl($key).await)
        };
        ($verb:ident($($argument:expr),*) $(.$option:ident($value:expr))*) => {
            told(cache.$verb($($argument),*)$(.$option($value))*.await)
        };
    }
    Ok(script!(say))
}

fn with_blocking(cache: &blocking::Cache<Value>) -> Transcript {
    macro_rules! say {
        ($verb:ident($($argument:expr),*) $(.$option:ident($value:expr))*) => {
            told(cache.with()$(.$option($value))*.$verb($($argument),*))
        };
    }
    script!(say)
}

/// An answer as text that is the same whenever it is asked.
fn told<T: Told>(answer: Result<T>) -> String {
    answer.map_or_else(|error| format!("{:?}", error.kind()), |answer| answer.told())
}

/// What can be told of an answer without its times and tokens.
trait Told {
    fn told(&self) -> String;
}

macro_rules! told_in_full {
    ($($answer:ty),*) => {$(
        impl Told for $answer {
            fn told(&self) -> String {
                format!("{self:?}")
            }
        }
    )*};
}

told_in_full!((), bool, usize, i64, Option<Value>, Vec<Option<Value>>, Reply);

impl Told for Remaining {
    fn told(&self) -> String {
        if matches!(self, Self::For(_)) { "For".to_owned() } else { format!("{self:?}") }
    }
}

impl Told for Lookup<Value> {
    fn told(&self) -> String {
        match self {
            Self::Fresh { value, source, .. } => format!("{value} from {source:?}"),
            other => format!("{other:?}"),
        }
    }
}

impl Told for Current<Value> {
    fn told(&self) -> String {
        format!("{:?}", self.value)
    }
}
