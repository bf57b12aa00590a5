//! The plugins of one cache, and the observation of one command.

use std::{any::Any, sync::Arc, time::Instant};

use super::{Command, Outcome, Plugin, Reads};
use crate::{Error, Key, Operation, Ttl, clock};

/// The plugins of one cache, in their order.
#[derive(Clone, Default)]
pub(crate) struct Plugins {
    list: Vec<Arc<dyn Plugin>>,
    timed: bool,
}

impl Plugins {
    pub(crate) fn push(&mut self, plugin: Arc<dyn Plugin>) {
        self.timed |= plugin.measures_time();
        self.list.push(plugin);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.list.iter().map(|plugin| plugin.name().to_owned()).collect()
    }

    /// The first plugin of type `P`.
    pub(crate) fn find<P: Plugin>(&self) -> Option<Arc<P>> {
        self.list.iter().find_map(|plugin| {
            let plugin: Arc<dyn Plugin> = Arc::clone(plugin);
            let plugin: Arc<dyn Any + Send + Sync> = plugin;
            plugin.downcast().ok()
        })
    }

    /// Tells every plugin that `command` starts; answers when, if one of them asks.
    pub(crate) fn before(&self, command: &Command<'_>) -> Option<Instant> {
        let started = self.timed.then(clock::stopwatch);
        self.list.iter().for_each(|plugin| plugin.before(command));
        started
    }

    /// Tells every plugin that `command` has ended.
    pub(crate) fn after(&self, command: &Command<'_>, started: Option<Instant>, end: &End<'_>) {
        let took = started.map(|started| clock::stopwatch().saturating_duration_since(started));
        let outcome = match *end {
            End::Done(reads) => Outcome::Done { reads, took },
            End::Failed(error) => Outcome::Failed { error, took },
            End::Cancelled => Outcome::Cancelled { took },
        };
        self.list.iter().for_each(|plugin| plugin.after(command, &outcome));
    }
}

/// How a command ended, before the time is added.
pub(crate) enum End<'a> {
    Done(Option<Reads>),
    Failed(&'a Error),
    Cancelled,
}

impl<'a> End<'a> {
    pub(crate) fn of<T>(answer: &'a Result<T, Error>, reads: Option<Reads>) -> Self {
        match answer {
            Ok(_) => Self::Done(reads),
            Err(error) => Self::Failed(error),
        }
    }
}

/// A command under way in the far tier, of which the plugins have seen the start: dropping it unended tells them that it
/// was cancelled.
pub(crate) struct Observation<'a> {
    pub(crate) plugins: &'a Plugins,
    pub(crate) started: Option<Instant>,
    pub(crate) operation: Operation,
    pub(crate) namespace: &'a str,
    pub(crate) keys: Vec<Key<'static>>,
    pub(crate) ttl: Option<Ttl>,
    pub(crate) ended: bool,
}

impl Observation<'_> {
    /// Tells the plugins how the command ended.
    pub(crate) fn end<T>(mut self, answer: &Result<T, Error>, reads: Option<Reads>) {
        self.tell(&End::of(answer, reads));
        self.ended = true;
    }

    fn tell(&self, end: &End<'_>) {
        let command = Command { operation: self.operation, namespace: self.namespace, keys: &self.keys, ttl: self.ttl };
        self.plugins.after(&command, self.started, end);
    }
}

impl Drop for Observation<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.tell(&End::Cancelled);
        }
    }
}
