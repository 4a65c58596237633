//! What a host implements: one state for each task.

use crate::{Outbox, ProcessorError, Record};

/// The host's side of a worker: one engine for each task.
///
/// A task is one partition number of all input topics. Between [`open`](Self::open) and
/// [`close`](Self::close) of a task it belongs to this worker alone.
///
/// An error ends the worker, and nothing since the last commit is committed. A record that cannot be
/// read is no error: the processor skips it, or sends it to a topic for such records.
#[expect(clippy::missing_errors_doc, reason = "any error ends the worker, as said above")]
pub trait Processor {
    /// Loads the state that `snapshot` names, or begins with an empty one.
    ///
    /// The task may be open already, after an aborted transaction. Then the loaded state replaces its
    /// state. A missing snapshot must be an error: an empty state would lose results.
    fn open(&mut self, task: i32, snapshot: Option<&str>) -> Result<(), ProcessorError>;

    /// Processes records of a task. Each topic's records come in their order, all offsets once.
    fn push(
        &mut self,
        task: i32,
        records: &[Record],
        out: &mut Outbox,
    ) -> Result<(), ProcessorError>;

    /// Processes what is due by the clock alone. Returns true if the state changed.
    ///
    /// The worker calls it for each task every `WorkerConfig::due_interval`.
    fn due(&mut self, task: i32, out: &mut Outbox) -> Result<bool, ProcessorError> {
        let _ = (task, out);
        Ok(false)
    }

    /// Writes the state, syncs it to storage, and returns its name.
    ///
    /// The name goes into the metadata of the committed offsets. It must be new: no worker may have
    /// used it, not even for a snapshot that was never committed, because a worker that lost its
    /// partitions may still be writing. It has at least 1 byte and, by the broker's default, at most
    /// 4096. Other workers that may get the task must be able to read the snapshot.
    fn snapshot(&mut self, task: i32) -> Result<String, ProcessorError>;

    /// Learns that `snapshot` is committed. Snapshots of this task may be removed, except this one and
    /// the one that was committed before it.
    fn committed(&mut self, task: i32, snapshot: &str);

    /// Drops the state of a task. Its snapshots stay.
    fn close(&mut self, task: i32);
}
