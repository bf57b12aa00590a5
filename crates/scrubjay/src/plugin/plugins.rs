//! The plugins of one cache, and the observation of one command.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Command, Completion, Plugin, Reads};
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

    /// The time since [`before`](Self::before), if a plugin asks for it.
    pub(crate) fn took(started: Option<Instant>) -> Option<Duration> {
        started.map(|started| clock::stopwatch().saturating_duration_since(started))
    }

    /// Tells every plugin that `command` has ended.
    pub(crate) fn after(&self, command: &Command<'_>, completion: &Completion<'_>) {
        self.list.iter().for_each(|plugin| plugin.after(command, completion));
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
        self.tell(&Completion::of(answer, reads, Plugins::took(self.started)));
        self.ended = true;
    }

    fn tell(&self, completion: &Completion<'_>) {
        let command = Command { operation: self.operation, namespace: self.namespace, keys: &self.keys, ttl: self.ttl };
        self.plugins.after(&command, completion);
    }
}

impl Drop for Observation<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.tell(&Completion::Cancelled { took: Plugins::took(self.started) });
        }
    }
}
