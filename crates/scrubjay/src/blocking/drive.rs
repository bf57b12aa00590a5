//! Runs a far call to its end on a thread that is not async.
//!
//! Outside a runtime the calling thread drives the sockets itself, on a small runtime of its own: no call hops to another
//! thread. Inside a runtime it may not; there the sockets belong to one helper thread for the whole process, so that
//! connections outlive the call, and the calling thread polls its own call and parks in between.
//!
//! A forked child keeps nothing of this: a runtime watches sockets through a handle that it would share with its parent.

use std::{
    cell::RefCell,
    mem, process,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use parking_lot::Mutex;
use tokio::{
    runtime::{self, Handle, Runtime},
    task,
};

use crate::{Error, Result};

/// What a far call is run by.
pub(super) enum Driver {
    /// The calling thread, for a future that needs no runtime.
    Thread,
    /// A runtime of the calling thread, or the helper's inside of one.
    Runtime,
    /// The helper's runtime.
    Helper,
}

impl Driver {
    pub(super) fn run<T>(self, future: impl Future<Output = Result<T>>) -> Result<T> {
        match self {
            Self::Thread => park(future),
            Self::Runtime => run(future),
            Self::Helper => run_beside(future),
        }
    }
}

/// Runs a future that needs no runtime: the calling thread polls, and parks in between.
fn park<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut future = std::pin::pin!(future);
    // A thread whose locals are gone already can still wait.
    let waker = UNPARK.try_with(Waker::clone).unwrap_or_else(|_| unparking());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        thread::park();
    }
}

thread_local! {
    static UNPARK: Waker = unparking();
}

/// What wakes this thread when it parks.
fn unparking() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future that needs a runtime: on this thread's own, or, where a runtime is already running on this thread, with the
/// helper's. That is correct, and slower by two hops between threads; an async program calls the async face.
pub(super) fn run<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    if Handle::try_current().is_err() {
        return run_here(future);
    }
    run_beside(future)
}

/// Runs a future that needs a runtime, and may start one itself: with the helper's, which is not entered but at hand.
fn run_beside<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let helper = helper()?;
    let _sockets_are_the_helpers = helper.enter();
    // The task around us has a budget that is only filled up when it yields, which it cannot while we park.
    park(task::unconstrained(future))
}

/// Whether a runtime is running on this thread, or at hand.
pub(super) fn is_inside_runtime() -> bool {
    Handle::try_current().is_ok()
}

/// Something of one process, which a forked child must neither use nor drop.
struct OfProcess<T> {
    process: u32,
    held: T,
}

thread_local! {
    /// Made at a thread's first call that needs it.
    static RUNTIME: RefCell<Option<OfProcess<Runtime>>> = const { RefCell::new(None) };
}

fn run_here<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    // Taken out for the call, so that a call within the call finds none, and not one in use.
    let mut own = RUNTIME.with(|place| place.borrow_mut().take());
    let process = process::id();
    if own.as_ref().is_some_and(|own| own.process != process) {
        mem::forget(own.take());
    }
    let own = match own {
        Some(own) => own,
        None => OfProcess { process, held: new_runtime()? },
    };
    let answer = own.held.block_on(future);
    RUNTIME.with(|place| *place.borrow_mut() = Some(own));
    answer
}

/// The helper of this process.
static HELPER: Mutex<Option<OfProcess<Handle>>> = Mutex::new(None);

/// A handle to the runtime of the helper thread, which is started when it is first needed.
fn helper() -> Result<Handle> {
    let mut helper = HELPER.lock();
    let process = process::id();
    if let Some(helper) = helper.as_ref().filter(|helper| helper.process == process) {
        return Ok(helper.held.clone());
    }
    let runtime = new_runtime()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("scrubjay-blocking".into())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .map_err(|error| Error::unsupported("no helper thread could be started").with_source(error))?;
    mem::forget(helper.replace(OfProcess { process, held: handle.clone() }));
    Ok(handle)
}

fn new_runtime() -> Result<Runtime> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::unsupported("no runtime could be started to wait with").with_source(error))
}
