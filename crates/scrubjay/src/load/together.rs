//! Futures polled together, as far as loads need it: one beside another, whichever is first, all of several.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

/// `main`, with `side` polled until either ends.
pub(super) async fn beside<T>(main: impl Future<Output = T>, side: impl Future<Output = ()>) -> T {
    let (mut main, mut side, mut ended) = (pin!(main), pin!(side), false);
    poll_fn(|context| {
        let answer = main.as_mut().poll(context);
        if answer.is_pending() && !ended {
            ended = side.as_mut().poll(context).is_ready();
        }
        answer
    })
    .await
}

/// Whichever ends first.
pub(super) async fn first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => other.as_mut().poll(context),
    })
    .await;
}

/// What all of `futures` come to, in their order.
pub(crate) async fn all<'f, T>(futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'f>) -> Vec<T> {
    enum Part<'f, T> {
        Running(Pin<Box<dyn Future<Output = T> + Send + 'f>>),
        Done(Option<T>),
    }
    let mut parts: Vec<Part<'f, T>> = futures.into_iter().map(|future| Part::Running(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut running = false;
        for part in &mut parts {
            if let Part::Running(future) = part {
                match future.as_mut().poll(context) {
                    Poll::Ready(answer) => *part = Part::Done(Some(answer)),
                    Poll::Pending => running = true,
                }
            }
        }
        if running { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let answer = |part| match part {
        Part::Done(answer) => answer,
        Part::Running(_) => None,
    };
    parts.into_iter().filter_map(answer).collect()
}
