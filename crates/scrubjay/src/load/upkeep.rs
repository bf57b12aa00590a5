//! Keeping a lease while a loader runs.

use tokio::{runtime::Handle, sync::oneshot, task::JoinHandle};

use super::{
    lease::Lease,
    loading::Right,
    together::{beside, first},
};

/// `loading`, with `lease` renewed for as long as it takes, or until `released`. Answers the lease, if it is still held.
pub(super) async fn keeping<T>(
    lease: Box<Lease>,
    released: impl Future<Output = ()>,
    loading: impl Future<Output = T>,
) -> (T, Option<Box<Lease>>) {
    let mut held = Some(lease);
    let upkeep = async {
        if let Some(lease) = &mut held {
            first(released, lease.keep()).await;
        }
        held = None;
    };
    let loaded = beside(loading, upkeep).await;
    (loaded, held)
}

/// The right to put what is being loaded; a lease is renewed by a task of its own, whatever becomes of the caller's thread.
pub(super) enum Keeper {
    Task { stop: oneshot::Sender<()>, task: JoinHandle<Option<Box<Lease>>> },
    Nobody(Right),
}

impl Keeper {
    /// The lease of `right` is kept until it is wanted back, or `released`.
    pub(super) fn of(right: Right, released: impl Future<Output = ()> + Send + 'static) -> Self {
        match (right, Handle::try_current()) {
            (Right::Lease(lease), Ok(runtime)) => {
                let (stop, stopped) = oneshot::channel::<()>();
                let until_stopped = async { drop(stopped.await) };
                let task = runtime.spawn(async move { keeping(lease, released, until_stopped).await.1 });
                Self::Task { stop, task }
            }
            (right, _) => Self::Nobody(right),
        }
    }

    /// The right, if it is still one.
    pub(super) async fn stop(self) -> Right {
        match self {
            Self::Nobody(right) => right,
            Self::Task { stop, task } => {
                drop(stop);
                task.await.ok().flatten().map_or(Right::Lost, Right::Lease)
            }
        }
    }
}
