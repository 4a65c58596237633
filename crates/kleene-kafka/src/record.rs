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
///
/// The memory of records that were sent is used again. With an allocation for each key and value,
/// `malloc` took a quarter of the worker's time: many small blocks live until the batch is sent, and
/// caches of free blocks hold a few only.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The outputs, and after them records whose memory can be used again.
    records: Vec<OutRecord>,
    /// The number of outputs.
    len: usize,
}

impl Outbox {
    /// Adds an output.
    pub fn push(&mut self, record: OutRecord) {
        if let Some(spare) = self.records.get_mut(self.len) {
            *spare = record;
        } else {
            self.records.push(record);
        }
        self.len += 1;
    }

    /// Adds an output without headers. The bytes are copied into the memory of an earlier output.
    pub fn push_copy(&mut self, topic: &Arc<str>, key: Option<&[u8]>, value: &[u8]) {
        if let Some(spare) = self.records.get_mut(self.len) {
            spare.topic.clone_from(topic);
            spare.partition = None;
            refill(&mut spare.key, key);
            refill(&mut spare.value, Some(value));
            spare.headers.clear();
            spare.timestamp = None;
        } else {
            let mut record = OutRecord::new(Arc::clone(topic), value.to_vec());
            record.key = key.map(<[u8]>::to_vec);
            self.records.push(record);
        }
        self.len += 1;
    }

    /// Returns the number of outputs that were not sent yet.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true if there is no output.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes all outputs and returns them.
    pub fn take(&mut self) -> Vec<OutRecord> {
        self.records.truncate(self.len);
        self.len = 0;
        std::mem::take(&mut self.records)
    }

    /// Removes all outputs, and keeps the memory of as many as a batch usually has.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.records.truncate(MAX_SPARE);
    }

    /// The outputs.
    pub(crate) fn records(&self) -> &[OutRecord] {
        &self.records[..self.len]
    }
}

/// The maximum number of records whose memory is kept.
pub(crate) const MAX_SPARE: usize = 20_000;

/// The largest key or value whose memory is kept.
const MAX_SPARE_BYTES: usize = 4096;

/// Replaces bytes, in the memory that they had.
pub(crate) fn refill(bytes: &mut Option<Vec<u8>>, new: Option<&[u8]>) {
    match (bytes, new) {
        (Some(bytes), Some(new)) if bytes.capacity() <= MAX_SPARE_BYTES => {
            bytes.clear();
            bytes.extend_from_slice(new);
        }
        (bytes, new) => *bytes = new.map(<[u8]>::to_vec),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbox_that_was_sent_has_nothing_of_its_old_records() {
        let (first, second): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut outbox = Outbox::default();
        let header = Header { name: "h".into(), value: None };
        let mut full =
            OutRecord::new(first.clone(), b"long value".to_vec()).with_key(b"k".to_vec());
        (full.partition, full.timestamp, full.headers) = (Some(3), Some(4), vec![header]);
        outbox.push(full);
        outbox.push_copy(&first, Some(b"key"), &[b'x'; 2 * MAX_SPARE_BYTES]);
        assert_eq!((outbox.len(), outbox.records().len()), (2, 2));
        outbox.clear();
        assert!(outbox.is_empty() && outbox.records().is_empty());
        outbox.push_copy(&second, None, b"v");
        outbox.push_copy(&second, Some(b"k2"), b"w");
        let expected = [
            OutRecord::new(second.clone(), b"v".to_vec()),
            OutRecord::new(second.clone(), b"w".to_vec()).with_key(b"k2".to_vec()),
        ];
        assert_eq!(outbox.records(), expected);
        outbox.push(OutRecord::new(second, b"z".to_vec()));
        assert_eq!(outbox.take().len(), 3);
        assert!(outbox.is_empty() && outbox.take().is_empty());
    }
}
