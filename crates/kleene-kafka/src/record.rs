//! Records that are read, and records that are sent.

use std::fmt;
use std::sync::Arc;

/// One partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic.
    pub topic: Arc<str>,
    /// The number of the partition, which is the number of its task.
    pub number: i32,
}

impl Partition {
    /// Creates the name of a partition.
    pub fn new(topic: impl Into<Arc<str>>, number: i32) -> Self {
        Self { topic: topic.into(), number }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

/// A header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name.
    pub name: String,
    /// The value, if there is one.
    pub value: Option<Vec<u8>>,
}

/// A record of an input topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition, which is the number of the task.
    pub partition: i32,
    /// The position in the partition.
    pub offset: i64,
    /// The key, if there is one.
    pub key: Option<Vec<u8>>,
    /// The value. It is missing in a record that deletes a key (a tombstone).
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<Header>,
    /// The time in milliseconds since 1970, set by the producer or by the broker.
    pub timestamp: Option<i64>,
}

impl Record {
    /// Returns the bytes of key and value.
    pub fn size(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// A record to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition. Without one the hash of the key decides.
    pub partition: Option<i32>,
    /// The key, if there is one.
    pub key: Option<Vec<u8>>,
    /// The value. A record without one deletes its key in a compacted topic.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<Header>,
    /// The time in milliseconds since 1970. Without one it is the time of sending.
    pub timestamp: Option<i64>,
}

impl OutRecord {
    /// Creates a record with a value and nothing else.
    pub fn new(topic: Arc<str>, value: Vec<u8>) -> Self {
        Self {
            topic,
            partition: None,
            key: None,
            value: Some(value),
            headers: Vec::new(),
            timestamp: None,
        }
    }

    /// Sets the key.
    #[must_use]
    pub fn with_key(mut self, key: Vec<u8>) -> Self {
        self.key = Some(key);
        self
    }

    /// Returns the bytes of key and value.
    pub fn size(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// The outputs of a processor, in their order. The worker sends them when the processor returns.
#[derive(Debug, Default)]
pub struct Outbox {
    records: Vec<OutRecord>,
}

impl Outbox {
    /// Adds an output.
    pub fn push(&mut self, record: OutRecord) {
        self.records.push(record);
    }

    /// Returns the number of outputs that were not sent yet.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns true if there is no output.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Removes all outputs and returns them.
    pub fn take(&mut self) -> Vec<OutRecord> {
        std::mem::take(&mut self.records)
    }

    /// Removes all outputs, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }

    /// The outputs.
    pub(crate) fn records(&self) -> &[OutRecord] {
        &self.records
    }
}
