//! The port's `claim` and `compare_and_delete`, which leases and locks stand on. They are no verbs of a cache, so the store is
//! asked itself.

use std::time::Duration;

use scrubjay::{
    Operation, Result,
    far::{AnyStore, Call, Claim, Found, Item, Token, Want},
};
use tokio::task::JoinSet;

use crate::Subject;

const MINUTE: Duration = Duration::from_secs(60);

/// What was claimed is written, and its token is good for one write over it.
pub async fn a_claim_of_an_absent_key_wins_and_its_token_writes_once(subject: &Subject) -> Result<()> {
    let store = store(subject);
    let token = won(store.claim(call(), &item("claimed", Some(MINUTE))).await?);
    assert_eq!(value(store).await?.as_deref(), Some("claimed"));
    assert!(store.compare_and_set(call(), &item("filled", None), &token).await?);
    assert!(!store.compare_and_set(call(), &item("again", None), &token).await?, "the token was used");
    assert_eq!(value(store).await?.as_deref(), Some("filled"));
    Ok(())
}

/// Whoever comes second is told bytes, ttl and a token that is good, and has written nothing.
pub async fn a_claim_of_a_held_key_tells_what_stands_there(subject: &Subject) -> Result<()> {
    let store = store(subject);
    for ttl in [Some(MINUTE), None] {
        store.set(call(), &[item("held", ttl)]).await?;
        let found = held(store.claim(call(), &item("claimed", Some(MINUTE * 2))).await?);
        assert_eq!(found.value, "held");
        if subject.capability().expire {
            assert_eq!(found.ttl.is_some(), ttl.is_some(), "{found:?}");
            assert!(found.ttl.is_none_or(|left| MINUTE / 2 < left && left <= MINUTE), "{found:?}");
        }
        assert_eq!(value(store).await?.as_deref(), Some("held"));
        let Some(token) = found.token else { panic!("no token of what stands there") };
        assert!(store.compare_and_set(call(), &item("next", None), &token).await?);
        assert_eq!(held(store.claim(call(), &item("claimed", None)).await?).value, "next");
    }
    Ok(())
}

/// An expired entry is none.
pub async fn a_claim_wins_over_an_expired_entry(subject: &Subject) -> Result<()> {
    let store = store(subject);
    store.set(call(), &[item("expired", Some(subject.grain()))]).await?;
    subject.advance(subject.grain()).await;
    let token = won(store.claim(call(), &item("claimed", None)).await?);
    assert!(store.compare_and_set(call(), &item("filled", None), &token).await?);
    assert_eq!(value(store).await?.as_deref(), Some("filled"));
    Ok(())
}

/// A claim goes when its ttl is over, and not before; then somebody else wins, and the token is void.
pub async fn a_claim_lives_as_long_as_its_ttl(subject: &Subject) -> Result<()> {
    let (store, grain) = (store(subject), subject.grain());
    let first = won(store.claim(call(), &item("first", Some(grain * 2))).await?);
    subject.advance(grain).await;
    assert_eq!(held(store.claim(call(), &item("second", Some(MINUTE))).await?).value, "first");
    subject.advance(grain).await;
    let second = won(store.claim(call(), &item("second", Some(MINUTE))).await?);
    assert!(!store.compare_and_set(call(), &item("late", None), &first).await?);
    assert!(!store.compare_and_delete(call(), KEY, &first).await?);
    assert_eq!(value(store).await?.as_deref(), Some("second"));
    assert!(store.compare_and_delete(call(), KEY, &second).await?);
    Ok(())
}

/// Whatever is done to the key meanwhile stays, and the claimant is told.
pub async fn any_write_voids_the_token_of_a_claim(subject: &Subject) -> Result<()> {
    let store = store(subject);
    for (name, after) in [("set", Some("written")), ("delete", None), ("delete and add", Some("added"))] {
        let token = won(store.claim(call(), &item("claimed", Some(MINUTE))).await?);
        match name {
            "set" => store.set(call(), &[item("written", None)]).await?,
            _ => assert_eq!(store.delete(call(), &[KEY]).await?, [true]),
        }
        if name == "delete and add" {
            assert!(store.add(call(), &item("added", None)).await?);
        }
        assert!(!store.compare_and_set(call(), &item("late", None), &token).await?, "after a {name}");
        assert!(!store.compare_and_delete(call(), KEY, &token).await?, "after a {name}");
        assert_eq!(value(store).await?.as_deref(), after, "after a {name}");
        store.delete(call(), &[KEY]).await?;
    }
    Ok(())
}

/// Of a hundred who claim at once one wins; all others are told of that one's claim.
pub async fn one_of_a_hundred_concurrent_claims_wins(subject: &Subject) -> Result<()> {
    let store = store(subject);
    let mut claiming = JoinSet::new();
    for number in 0..100 {
        let store = store.clone();
        claiming.spawn(async move {
            let name = format!("claimant {number}");
            let item = Item { key: KEY, value: name.clone().into(), ttl: Some(MINUTE) };
            store.claim(call(), &item).await.map(|claim| (name, claim))
        });
    }
    let (mut winners, mut told) = (Vec::new(), Vec::new());
    for claim in claiming.join_all().await {
        match claim? {
            (name, Claim::Won(token)) => winners.push((name, token)),
            (_, Claim::Held(found)) => told.push(found),
            (_, other) => panic!("{other:?}"),
        }
    }
    let [(winner, token)] = &winners[..] else { panic!("these won: {winners:?}") };
    assert!(told.iter().all(|found| found.value == *winner.as_bytes() && found.token.is_some()), "{told:?}");
    assert!(store.compare_and_set(call(), &item("filled", None), token).await?);
    Ok(())
}

/// What is still as it was read goes; what is gone does not go twice.
pub async fn compare_and_delete_removes_what_has_not_changed(subject: &Subject) -> Result<()> {
    let store = store(subject);
    assert!(!store.compare_and_delete(call(), KEY, &Token::Absent).await?, "nothing is there to be removed");
    store.set(call(), &[item("value", None)]).await?;
    assert!(!store.compare_and_delete(call(), KEY, &Token::Absent).await?, "something stands there");
    let token = token(store).await?;
    assert!(store.compare_and_delete(call(), KEY, &token).await?);
    assert_eq!(value(store).await?, None);
    assert!(!store.compare_and_delete(call(), KEY, &token).await?);
    Ok(())
}

/// What has changed since it was read stays, and what has expired is not there to be removed.
pub async fn compare_and_delete_with_a_stale_token_removes_nothing(subject: &Subject) -> Result<()> {
    let store = store(subject);
    store.set(call(), &[item("before", None)]).await?;
    let stale = token(store).await?;
    store.set(call(), &[item("after", None)]).await?;
    assert!(!store.compare_and_delete(call(), KEY, &stale).await?);
    assert_eq!(value(store).await?.as_deref(), Some("after"));
    store.set(call(), &[item("timed", Some(subject.grain()))]).await?;
    let stale = token(store).await?;
    subject.advance(subject.grain()).await;
    assert!(!store.compare_and_delete(call(), KEY, &stale).await?);
    Ok(())
}

/// Of several who remove with one token, one does.
pub async fn one_of_ten_concurrent_compare_and_deletes_removes(subject: &Subject) -> Result<()> {
    let store = store(subject);
    store.set(call(), &[item("value", None)]).await?;
    let token = token(store).await?;
    let mut deleting = JoinSet::new();
    for _ in 0..10 {
        let (store, token) = (store.clone(), token.clone());
        deleting.spawn(async move { store.compare_and_delete(call(), KEY, &token).await });
    }
    let removed = deleting.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    assert_eq!(removed.iter().filter(|removed| **removed).count(), 1);
    assert_eq!(value(store).await?, None);
    Ok(())
}

const KEY: &str = "key";

fn store(subject: &Subject) -> &AnyStore {
    subject.store().unwrap_or_else(|| panic!("there is no store in {subject:?}"))
}

fn call() -> Call {
    Call::new(Operation::GetOrLoad, Duration::from_secs(10))
}

fn item(value: &'static str, ttl: Option<Duration>) -> Item<'static> {
    Item { key: KEY, value: value.into(), ttl }
}

fn won(claim: Claim) -> Token {
    match claim {
        Claim::Won(token) => token,
        other => panic!("expected to win, found {other:?}"),
    }
}

fn held(claim: Claim) -> Found {
    match claim {
        Claim::Held(found) => found,
        other => panic!("expected that something stands there, found {other:?}"),
    }
}

async fn read(store: &AnyStore) -> Result<Option<Found>> {
    Ok(store.get(call(), &[KEY], Want::VALUE_AND_TOKEN).await?.pop().flatten())
}

async fn value(store: &AnyStore) -> Result<Option<String>> {
    Ok(read(store).await?.map(|found| String::from_utf8_lossy(&found.value).into_owned()))
}

async fn token(store: &AnyStore) -> Result<Token> {
    let found = read(store).await?;
    Ok(found.and_then(|found| found.token).unwrap_or_else(|| panic!("no token of what stands there")))
}
