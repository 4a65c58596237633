//! Records in and results out of Apache Kafka, exactly once.
//!
//! A [`Worker`] reads the partitions of input topics, gives their records to a [`Processor`], and
//! sends its outputs. It commits the outputs, the offsets and the name of a snapshot of the state in
//! one transaction, so that a crash at any moment neither loses nor doubles an output:
//!
//! 1. The outputs are sent within an open transaction, as they come.
//! 2. Each task that changed writes snapshot *n* and syncs it.
//! 3. The offsets go into the same transaction. Their metadata names snapshot *n*.
//! 4. The transaction is committed.
//!
//! If the worker dies before step 4, the broker aborts the transaction, and the metadata still names
//! snapshot *n - 1*. At its next start the worker reads the committed offsets, loads the snapshot that
//! their metadata names, and reads on from there. No second phase is needed, as two snapshots of each
//! task are kept. The alternative, two-phase commit with the broker as a participant (KIP-939), is in
//! no released broker.
//!
//! A *task* is one partition number of all input topics, as in Kafka Streams. Its key of records must
//! be the key of the rules: [`partitioner`] checks that.
//!
//! The crate does not know the engine. [`Client`] is what it needs of Kafka; with the feature
//! `rdkafka`, [`RdClient`] implements it with librdkafka.
//!
//! With the features `avro` and `protobuf`, [`formats`] writes values of these formats as JSON.

#![forbid(unsafe_code)]

mod client;
mod config;
mod error;
pub mod formats;
#[cfg(any(feature = "rdkafka", test))]
mod merge;
pub mod partitioner;
mod processor;
#[cfg(feature = "rdkafka")]
mod rd_client;
mod record;
mod stats;
#[cfg(feature = "rdkafka")]
mod topic_lines;
mod worker;

pub use client::{Client, Committed, Event, Flow, PollLimit, Position};
pub use config::{Delivery, Start, WorkerConfig};
pub use error::{ClientError, ErrorKind, ProcessorError, WorkerError};
pub use processor::Processor;
#[cfg(feature = "rdkafka")]
pub use rd_client::{RdClient, RdConfig};
pub use record::{Header, OutRecord, Outbox, Partition, Record};
pub use stats::{StatsReading, WorkerStats};
#[cfg(feature = "rdkafka")]
pub use topic_lines::TopicLines;
pub use worker::Worker;
