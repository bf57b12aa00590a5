//! Waiting inside a far call, with an error instead of a panic where there is no runtime to wait on.

use std::time::{Duration, Instant};

use tokio::{runtime::Handle, time};

use crate::{Error, Result};

/// Waits until `deadline`.
pub(crate) async fn sleep_until(deadline: Instant) -> Result<()> {
    require_runtime()?;
    time::sleep_until(deadline.into()).await;
    Ok(())
}

/// Waits for `duration`.
pub(crate) async fn sleep(duration: Duration) -> Result<()> {
    require_runtime()?;
    time::sleep(duration).await;
    Ok(())
}

/// `future`'s output, or `None` once `deadline` has passed.
pub(crate) async fn until<T>(deadline: Instant, future: impl Future<Output = T>) -> Result<Option<T>> {
    require_runtime()?;
    Ok(time::timeout_at(deadline.into(), future).await.ok())
}

fn require_runtime() -> Result<()> {
    match Handle::try_current() {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(Error::unsupported("waiting in a far tier needs a tokio runtime: call from inside one, or blocking"))
        }
    }
}
