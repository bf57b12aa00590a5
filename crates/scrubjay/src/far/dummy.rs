//! A store that keeps nothing: for switching a cache off without touching the program.

use std::time::Duration;

use bytes::Bytes;

use super::{Call, Capability, Change, Claim, Found, Item, Reply, Scope, Store, StoreInfo, Token, Want};
use crate::{Operation, Result};

/// Succeeds and stores nothing (`dummy://`): reads miss, `add` returns `true`, `increment` returns the change.
#[derive(Clone, Copy, Debug, Default)]
pub struct DummyStore;

impl Store for DummyStore {
    fn info(&self) -> StoreInfo {
        StoreInfo::new("dummy")
    }

    fn capability(&self) -> Capability {
        Capability {
            expire: true,
            increment: true,
            compare_and_set: true,
            clear_prefix: true,
            clear_everything: true,
            atomic_batches: true,
            private: true,
            retains: false,
            keeps_deadlines: true,
            needs_runtime: false,
            ..Capability::NONE
        }
    }

    async fn get(&self, _: Call, keys: &[&str], _: Want) -> Result<Vec<Option<Found>>> {
        Ok(vec![None; keys.len()])
    }

    async fn set(&self, _: Call, _: &[Item<'_>]) -> Result<()> {
        Ok(())
    }

    async fn add(&self, _: Call, _: &Item<'_>) -> Result<bool> {
        Ok(true)
    }

    async fn compare_and_set(&self, _: Call, _: &Item<'_>, token: &Token) -> Result<bool> {
        Ok(*token == Token::Absent)
    }

    async fn claim(&self, _: Call, _: &Item<'_>) -> Result<Claim> {
        Ok(Claim::Won(Token::Absent))
    }

    async fn compare_and_delete(&self, _: Call, _: &str, _: &Token) -> Result<bool> {
        Ok(false)
    }

    async fn increment(&self, _: Call, change: Change<'_>) -> Result<i64> {
        Ok(change.by)
    }

    async fn expire(&self, _: Call, _: &str, _: Option<Duration>) -> Result<bool> {
        Ok(false)
    }

    async fn delete(&self, _: Call, keys: &[&str]) -> Result<Vec<bool>> {
        Ok(vec![false; keys.len()])
    }

    async fn clear(&self, _: Call, _: Scope<'_>) -> Result<()> {
        Ok(())
    }

    async fn raw(&self, _: Call, _: &[Bytes]) -> Result<Reply> {
        Err(self.info().unsupported(Operation::Raw))
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
