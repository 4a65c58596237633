//! The settings of a worker.

use std::time::Duration;

/// What a crash may do to outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Delivery {
    /// Outputs and offsets are committed in one transaction. Readers with
    /// `isolation.level=read_committed` see each output once.
    #[default]
    ExactlyOnce,
    /// Outputs are delivered before the offsets are committed, without a transaction. After a crash
    /// outputs since the last commit are sent again.
    AtLeastOnce,
}

/// Where a partition is read from before its first commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Start {
    /// From its first record.
    #[default]
    Earliest,
    /// From the record after its last one.
    Latest,
}

/// The settings of a [`Worker`](crate::Worker).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerConfig {
    /// The input topics. All have the same number of partitions.
    pub topics: Vec<String>,
    /// The topics to which the processor sends. The worker does not start without them: librdkafka
    /// says only after a timeout that a topic is missing.
    pub outputs: Vec<String>,
    /// The tasks of this worker. Without them the group decides.
    pub tasks: Option<Vec<i32>>,
    /// What a crash may do to outputs.
    pub delivery: Delivery,
    /// Where a partition is read from before its first commit.
    pub start: Start,
    /// The time between commits.
    pub commit_interval: Duration,
    /// The time between calls of [`Processor::due`](crate::Processor::due).
    pub due_interval: Duration,
    /// How long a poll waits for the first record.
    pub poll_wait: Duration,
    /// How many records a poll returns.
    pub poll_records: usize,
    /// How many bytes a poll returns.
    pub poll_bytes: usize,
    /// Partitions are paused while more bytes of outputs than that are not delivered.
    pub pause_above: usize,
    /// Paused partitions are resumed when fewer bytes of outputs than that are not delivered.
    pub resume_below: usize,
    /// How long a call to Kafka may take.
    pub call_timeout: Duration,
    /// How often a retriable call is made before the client is rebuilt.
    pub call_attempts: u32,
    /// The first pause after a failure. It doubles with each further one.
    pub backoff: Duration,
    /// The longest pause after a failure.
    pub backoff_max: Duration,
    /// How many aborts without a commit between them end the worker. A record that the broker never
    /// accepts would otherwise be sent for ever.
    pub abort_limit: u32,
}

impl WorkerConfig {
    /// Creates the default settings for these input topics.
    pub fn new(topics: Vec<String>) -> Self {
        Self {
            topics,
            outputs: Vec::new(),
            tasks: None,
            delivery: Delivery::default(),
            start: Start::default(),
            commit_interval: Duration::from_secs(1),
            due_interval: Duration::from_millis(100),
            poll_wait: Duration::from_millis(100),
            // With 10,000 a batch and its results do not stay in the cache, and W1 takes 1.2 times
            // as long.
            poll_records: 2_000,
            poll_bytes: 8 << 20,
            pause_above: 32 << 20,
            resume_below: 8 << 20,
            call_timeout: Duration::from_secs(10),
            call_attempts: 3,
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            abort_limit: 20,
        }
    }
}
