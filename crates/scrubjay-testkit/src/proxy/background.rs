//! A thread with a runtime of its own.

use std::{
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    runtime, select,
    sync::oneshot,
    time::sleep,
};

/// Work that goes on in the background until this is dropped.
#[derive(Debug)]
pub(super) struct Background {
    /// Dropped to say that it is over.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Runs what `work` makes, with everything it spawns, on a thread called `name`.
    pub(super) fn run<W, F>(name: &str, work: W) -> Result<Self, String>
    where
        W: FnOnce() -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let cannot = |error| format!("cannot start {name}: {error}");
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let (running, over) = oneshot::channel();
        let until_over = move || {
            runtime.block_on(async {
                select! {
                    () = work() => {}
                    _ = over => {}
                }
            });
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(until_over).map_err(cannot)?;
        Ok(Self { running: Some(running), thread: Some(thread) })
    }
}

/// The next connection.
pub(super) async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((client, _)) => return client,
            // A client that left while it waited, or too many open files: both pass.
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.running.take();
        // If it panicked it has said so, and a second panic here would hide the test's own.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
