//! The calls to Kafka that a worker makes.

use std::time::Duration;

use crate::{ClientError, OutRecord, Partition, Record};

/// A change of the partitions that a worker reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// These partitions are new. The worker answers with [`Client::assign`].
    Assigned(Vec<Partition>),
    /// These partitions go to another worker. The worker commits, then answers with
    /// [`Client::release`].
    Revoked(Vec<Partition>),
    /// These partitions went to another worker already. The worker aborts, then answers with
    /// [`Client::release`].
    Lost(Vec<Partition>),
}

/// The bounds of one poll.
#[derive(Clone, Copy, Debug)]
pub struct PollLimit {
    /// The number of records.
    pub records: usize,
    /// The bytes of keys and values. The record that exceeds them is the last one.
    pub bytes: usize,
    /// How long to wait for the first record.
    pub wait: Duration,
}

/// What was last committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The partition.
    pub partition: Partition,
    /// The offset of the next record; `None` before the first commit.
    pub offset: Option<i64>,
    /// The metadata: the name of the snapshot. Empty before the first commit.
    pub metadata: String,
}

/// A partition and the offset of the next record in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: Partition,
    /// The offset of the next record.
    pub offset: i64,
}

/// What becomes of the records of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// They are read.
    Running,
    /// They are not read for now. The partitions stay with this worker.
    Paused,
}

/// A consumer and a producer of one worker.
///
/// The producer is transactional for [`Delivery::ExactlyOnce`](crate::Delivery::ExactlyOnce). No call
/// waits longer than its timeout. An error says by its [`ErrorKind`](crate::ErrorKind) what to do.
#[expect(clippy::missing_errors_doc, reason = "ClientError says what each kind of error means")]
pub trait Client {
    /// Returns the number of partitions of a topic, or `None` if there is no such topic.
    fn partition_count(
        &mut self,
        topic: &str,
        timeout: Duration,
    ) -> Result<Option<i32>, ClientError>;

    /// Returns the offsets of the first record and of the record after the last one.
    fn watermarks(
        &mut self,
        partition: &Partition,
        timeout: Duration,
    ) -> Result<(i64, i64), ClientError>;

    /// Subscribes to topics. With `tasks` there is no rebalance: these partitions of all topics are
    /// assigned for good. Either way, a poll returns [`Event::Assigned`].
    fn subscribe(&mut self, topics: &[String], tasks: Option<&[i32]>) -> Result<(), ClientError>;

    /// Adds records to `records`, and returns an event that happened after them.
    ///
    /// No record of an event's partitions is returned before the event was answered. If there is an
    /// error, the records in `records` are valid.
    fn poll(
        &mut self,
        limit: PollLimit,
        records: &mut Vec<Record>,
    ) -> Result<Option<Event>, ClientError>;

    /// Takes records that were processed, so that a later poll can use their memory.
    fn recycle(&mut self, records: &mut Vec<Record>) {
        records.clear();
    }

    /// Returns what was last committed, in the order of `partitions`.
    ///
    /// An open transaction of another producer may hold offsets of these partitions. Then the call
    /// waits for its end, and is retriable after the timeout.
    fn committed(
        &mut self,
        partitions: &[Partition],
        timeout: Duration,
    ) -> Result<Vec<Committed>, ClientError>;

    /// Takes the partitions of [`Event::Assigned`], which are read from these positions.
    fn assign(&mut self, positions: &[Position]) -> Result<(), ClientError>;

    /// Gives up the partitions of [`Event::Revoked`] or [`Event::Lost`].
    fn release(&mut self, partitions: &[Partition]) -> Result<(), ClientError>;

    /// Reads assigned partitions from these positions. Records that were fetched before are dropped.
    fn seek(&mut self, positions: &[Position], timeout: Duration) -> Result<(), ClientError>;

    /// Pauses or resumes partitions.
    fn set_flow(&mut self, partitions: &[Partition], flow: Flow) -> Result<(), ClientError>;

    /// Begins a transaction.
    fn begin(&mut self) -> Result<(), ClientError>;

    /// Queues a record. The error is retriable if the queue is full.
    ///
    /// A record that cannot be delivered makes a later call fail, at the latest
    /// [`commit`](Self::commit) or [`flush`](Self::flush).
    fn send(&mut self, record: &OutRecord) -> Result<(), ClientError>;

    /// Returns the bytes of queued records that the broker did not acknowledge yet.
    fn pending_bytes(&self) -> usize;

    /// Waits until all records are delivered.
    fn flush(&mut self, timeout: Duration) -> Result<(), ClientError>;

    /// Adds offsets to the transaction, with the generation that the worker's group has now.
    /// Without transactions it commits them.
    fn send_offsets(&mut self, offsets: &[Committed], timeout: Duration)
    -> Result<(), ClientError>;

    /// Commits the transaction. After a retriable error the outcome is unknown: the call can be
    /// repeated, or [`rebuild`](Self::rebuild) ends the transaction in one way or the other.
    fn commit(&mut self, timeout: Duration) -> Result<(), ClientError>;

    /// Aborts the transaction, and drops queued records.
    fn abort(&mut self, timeout: Duration) -> Result<(), ClientError>;

    /// Drops all connections and connects again.
    ///
    /// The new producer has the same transactional id. It ends the transaction of the old one: a
    /// commit that has begun is completed, anything else is aborted. The worker subscribes again.
    fn rebuild(&mut self, timeout: Duration) -> Result<(), ClientError>;

    /// Returns the last known ends of assigned partitions. It does not ask the broker.
    fn known_ends(&self) -> Vec<Position>;
}
