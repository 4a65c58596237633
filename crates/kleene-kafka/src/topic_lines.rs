//! A topic as lines: its records up to the end that it has now.

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::merge::Merge;
use crate::{ClientError, ErrorKind, Flow};

/// How long the brokers may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// A partition with more records that wait is not read until it has half as many.
const MAX_WAITING: usize = 100_000;

/// The committed records of a topic as lines, from the first one to the end that it has now. The
/// records of several partitions are merged by their timestamps.
///
/// A record's value is one line; a newline in it becomes a space, as in JSON that is laid out over
/// several lines. Records without a value are left out. No offset is committed.
pub struct TopicLines {
    consumer: BaseConsumer,
    topic: String,
    merge: Merge<Vec<u8>>,
    flows: Vec<Flow>,
    line: Vec<u8>,
    /// The number of bytes of the line that were read.
    read: usize,
}

impl fmt::Debug for TopicLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicLines").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl TopicLines {
    /// Opens a topic.
    ///
    /// # Errors
    /// The brokers do not answer, or there is no such topic.
    pub fn open(brokers: &str, topic: &str) -> Result<TopicLines, ClientError> {
        let failed = |error: KafkaError| {
            let text = format!("cannot read the topic {topic} at {brokers}: {error}");
            ClientError::new(ErrorKind::Fatal, text)
        };
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            // A consumer of librdkafka needs a group, even if it commits nothing.
            .set("group.id", "kleene-run")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("fetch.queue.backoff.ms", "10")
            .create()
            .map_err(failed)?;
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).map_err(failed)?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        if partitions == 0 {
            let text = format!("there is no topic {topic} at {brokers}");
            return Err(ClientError::new(ErrorKind::Fatal, text));
        }
        let mut list = TopicPartitionList::new();
        for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            list.add_partition_offset(topic, partition, Offset::Beginning).map_err(failed)?;
        }
        consumer.assign(&list).map_err(failed)?;
        Ok(TopicLines {
            consumer,
            topic: topic.to_owned(),
            merge: Merge::new(partitions),
            flows: vec![Flow::Running; partitions],
            line: Vec::new(),
            read: 0,
        })
    }

    /// Makes the next record the line. Returns false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        loop {
            if let Some((partition, left, line)) = self.merge.pop() {
                (self.line, self.read) = (line, 0);
                if self.flows[partition] == Flow::Paused && left < MAX_WAITING / 2 {
                    self.flows[partition] = Flow::Running;
                    let list = self.partition(partition);
                    self.consumer.resume(&list).map_err(io::Error::other)?;
                }
                return Ok(true);
            }
            if self.merge.awaited().is_none() {
                return Ok(false);
            }
            self.poll()?;
        }
    }

    fn poll(&mut self) -> io::Result<()> {
        let (partition, time, line) = match self.consumer.poll(PATIENCE) {
            Some(Ok(message)) => {
                let partition = usize::try_from(message.partition()).unwrap_or_default();
                let Some(value) = message.payload() else { return Ok(()) };
                let blank = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
                let mut line: Vec<u8> = value.iter().map(blank).collect();
                line.push(b'\n');
                (partition, message.timestamp().to_millis().unwrap_or(i64::MIN), line)
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.merge.end(usize::try_from(partition).unwrap_or_default());
                return Ok(());
            }
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => {
                let text = format!("the brokers of the topic {} do not answer", self.topic);
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
        };
        let waiting = self.merge.push(partition, time, line);
        if waiting >= MAX_WAITING && self.flows[partition] == Flow::Running {
            self.flows[partition] = Flow::Paused;
            let list = self.partition(partition);
            self.consumer.pause(&list).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn partition(&self, partition: usize) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, i32::try_from(partition).unwrap_or(i32::MAX));
        list
    }
}

impl Read for TopicLines {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < space.len() {
            if self.read == self.line.len() {
                // What is there is passed on before a wait.
                if filled > 0 && self.merge.awaited().is_some() {
                    break;
                }
                if !self.advance()? {
                    break;
                }
            }
            let rest = &self.line[self.read..];
            let count = rest.len().min(space.len() - filled);
            space[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
            self.read += count;
        }
        Ok(filled)
    }
}
