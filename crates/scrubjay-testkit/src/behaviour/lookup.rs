//! `lookup`: the whole truth about a key.

use scrubjay::{Lookup, MissReason, Result, Source};
use serde_json::json;

use crate::Subject;

/// A value comes with the tier that answered and what is left of its life there.
pub async fn lookup_tells_value_source_and_ttl(subject: &Subject) -> Result<()> {
    let cache = subject.cache()?;
    let expected = if cache.info().near.is_some() { Source::Near } else { Source::Far };
    cache.set("key", json!(1)).ttl(subject.grain() * 4).await?;
    subject.advance(subject.grain()).await;
    match cache.lookup("key").await? {
        Lookup::Fresh { value, source, ttl, .. } => {
            assert_eq!((value, source), (json!(1), expected));
            // A store that cannot tell a remaining ttl tells none.
            assert!(ttl.is_none_or(|ttl| ttl <= subject.grain() * 3), "{ttl:?}");
        }
        other => panic!("expected a value, found {other:?}"),
    }
    Ok(())
}

/// No value comes with its reason.
pub async fn lookup_says_why_there_is_no_value(subject: &Subject) -> Result<()> {
    let found = subject.cache()?.lookup("absent").await?;
    assert!(matches!(found, Lookup::Miss(MissReason::Absent)), "{found:?}");
    Ok(())
}
