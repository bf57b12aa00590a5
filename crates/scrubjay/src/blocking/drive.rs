//! Runs a far call to its end on a thread that is not async.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::runtime::{self, Handle, Runtime};

use crate::{Error, Result};

/// Runs a future that needs no runtime: the calling thread polls, and parks in between.
pub(super) fn park<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    /// Made at a thread's first call that needs it; sockets are driven on the calling thread, never on another.
    static RUNTIME: Option<Runtime> = runtime::Builder::new_current_thread().enable_all().build().ok();
}

/// Runs a future that needs a runtime: on this thread's own, or, where a runtime is already running on this thread, on a
/// helper thread's. The helper costs a thread a call; an async program calls the async face.
pub(super) fn run<T: Send>(future: impl Future<Output = Result<T>> + Send) -> Result<T> {
    if Handle::try_current().is_err() {
        return run_here(future);
    }
    thread::scope(|scope| {
        let helper = thread::Builder::new().name("scrubjay-blocking".into()).spawn_scoped(scope, || run_here(future));
        let helper =
            helper.map_err(|error| Error::unsupported("no helper thread could be started").with_source(error))?;
        helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn run_here<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    RUNTIME.with(|runtime| match runtime {
        Some(runtime) => runtime.block_on(future),
        None => Err(Error::unsupported("no runtime could be started on this thread to wait with")),
    })
}
