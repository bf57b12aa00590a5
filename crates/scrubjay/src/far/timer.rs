//! Waiting inside a far call, with an error instead of a panic where there is no runtime to wait on.

use std::time::{Duration, Instant};

use tokio::{
    runtime::{self, Handle},
    time,
};

use crate::{Error, Result};

/// Waits until `deadline`.
pub(crate) async fn sleep_until(deadline: Instant) -> Result<()> {
    runtime()?;
    time::sleep_until(deadline.into()).await;
    Ok(())
}

/// Waits for `duration`.
pub(crate) async fn sleep(duration: Duration) -> Result<()> {
    runtime()?;
    time::sleep(duration).await;
    Ok(())
}

/// `future`'s output, or `None` once `deadline` has passed.
pub(crate) async fn until<T>(deadline: Instant, future: impl Future<Output = T>) -> Result<Option<T>> {
    runtime()?;
    Ok(time::timeout_at(deadline.into(), future).await.ok())
}

/// The runtime to wait on.
pub(crate) fn runtime() -> Result<runtime::Id> {
    Handle::try_current().map(|runtime| runtime.id()).map_err(|_| {
        Error::unsupported("waiting in a far tier needs a tokio runtime: call from inside one, or blocking")
    })
}
