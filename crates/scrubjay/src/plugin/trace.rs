//! Reports every command to `tracing`.

use super::{Command, Completion, Plugin};

/// An event at debug level for every command: its name, how many keys, how it ended and how long it took. Never a key or
/// a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace;

impl Plugin for Trace {
    fn name(&self) -> &'static str {
        "tracing"
    }

    fn after(&self, command: &Command<'_>, completion: &Completion<'_>) {
        let (operation, keys, took) = (command.operation.name(), command.keys.len(), completion.took());
        match completion {
            Completion::Done { reads: Some(reads), .. } => {
                tracing::debug!(
                    target: "scrubjay",
                    operation,
                    keys,
                    near_hits = reads.near_hits,
                    far_hits = reads.far_hits,
                    misses = reads.misses,
                    ?took,
                    "done"
                );
            }
            Completion::Done { .. } => tracing::debug!(target: "scrubjay", operation, keys, ?took, "done"),
            Completion::Failed { error, .. } => {
                tracing::debug!(target: "scrubjay", operation, keys, kind = ?error.kind(), ?took, "failed");
            }
            Completion::Cancelled { .. } => tracing::debug!(target: "scrubjay", operation, keys, ?took, "cancelled"),
        }
    }

    fn measures_time(&self) -> bool {
        true
    }
}
