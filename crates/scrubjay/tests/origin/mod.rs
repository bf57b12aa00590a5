//! A loader that counts its calls, and answers 42 when it is told to.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use scrubjay::Result;
use tokio::sync::Notify;

#[derive(Clone, Default)]
pub(crate) struct Origin {
    pub(crate) calls: Arc<AtomicU32>,
    pub(crate) reached: Arc<Notify>,
    pub(crate) answer: Arc<Notify>,
}

impl Origin {
    pub(crate) async fn load(self) -> Result<u32> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.reached.notify_one();
        self.answer.notified().await;
        Ok(42)
    }

    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}
