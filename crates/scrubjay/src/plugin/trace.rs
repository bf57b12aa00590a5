//! Reports every command to `tracing`.

use super::{Command, Outcome, Plugin};

/// An event at debug level for every command: its name, how many keys, how it ended and how long it took. Never a key or
/// a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace;

impl Plugin for Trace {
    fn name(&self) -> &'static str {
        "tracing"
    }

    fn after(&self, command: &Command<'_>, outcome: &Outcome<'_>) {
        let (operation, keys, took) = (command.operation.name(), command.keys.len(), outcome.took());
        match outcome {
            Outcome::Done { reads: Some(reads), .. } => {
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
            Outcome::Done { .. } => tracing::debug!(target: "scrubjay", operation, keys, ?took, "done"),
            Outcome::Failed { error, .. } => {
                tracing::debug!(target: "scrubjay", operation, keys, kind = ?error.kind(), ?took, "failed");
            }
            Outcome::Cancelled { .. } => tracing::debug!(target: "scrubjay", operation, keys, ?took, "cancelled"),
        }
    }

    fn measures_time(&self) -> bool {
        true
    }
}
