//! The client of librdkafka.

mod config;
mod errors;
mod hooks;
mod lists;

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

pub use self::config::RdConfig;
use self::errors::{classify, classify_in_transaction, classify_unanswered};
use self::hooks::{ConsumerHooks, ProducerHooks};
use self::lists::{list_of, list_of_offsets, list_of_positions, partitions_of};
use crate::record::{MAX_SPARE, refill};
use crate::{
    Client, ClientError, Committed, ErrorKind, Event, Flow, Header, OutRecord, Partition,
    PollLimit, Position, Record,
};

type RdConsumer = BaseConsumer<ConsumerHooks>;
type RdProducer = ThreadedProducer<ProducerHooks>;

/// How long old connections may take to close. After that they are left to a thread of their own.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of librdkafka: one consumer and one producer.
pub struct RdClient {
    config: RdConfig,
    /// `None` before the subscription.
    consumer: Option<Arc<RdConsumer>>,
    /// `None` after a failed rebuild.
    producer: Option<RdProducer>,
    /// When the open transaction began.
    begun: Option<Instant>,
    /// After how long the broker aborts a transaction.
    transaction_timeout: Duration,
    /// True if the partitions are fixed.
    is_manual: bool,
    /// An error of a poll that had records to return first.
    held: Option<ClientError>,
    /// The names of the topics, so that records share them.
    topics: Vec<Arc<str>>,
    /// Records that were processed, for their memory.
    spare: Vec<Record>,
}

impl fmt::Debug for RdClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RdClient")
            .field("config", &self.config)
            .field("is_subscribed", &self.consumer.is_some())
            .finish_non_exhaustive()
    }
}

impl RdClient {
    /// Connects to the brokers.
    ///
    /// With a transactional id it fences older clients with that id, and ends their transactions.
    ///
    /// # Errors
    ///
    /// The error is retriable if no broker answered in time.
    pub fn connect(config: RdConfig) -> Result<Self, ClientError> {
        let timeout = config.connect_timeout;
        let transaction_timeout = config.transaction_timeout()?;
        let mut client = Self {
            config,
            consumer: None,
            producer: None,
            begun: None,
            transaction_timeout,
            is_manual: false,
            held: None,
            topics: Vec::new(),
            spare: Vec::new(),
        };
        // Wrong settings of the consumer are reported here, and not after the subscription.
        let checked = client.config.consumer(1)?.create_native_config();
        checked.map_err(|error| classify("configure a consumer", &error))?;
        client.start_producer(timeout)?;
        Ok(client)
    }

    fn start_producer(&mut self, timeout: Duration) -> Result<(), ClientError> {
        let producer: RdProducer = self
            .config
            .producer()?
            .create_with_context(ProducerHooks::default())
            .map_err(|error| classify("create a producer", &error))?;
        if self.config.transactional_id.is_some() {
            producer
                .init_transactions(timeout)
                .map_err(|error| unanswered(&producer, "register the transactional id", &error))?;
        }
        self.producer = Some(producer);
        Ok(())
    }

    fn consumer(&self) -> Result<&Arc<RdConsumer>, ClientError> {
        self.consumer.as_ref().ok_or_else(|| missing("subscribe first"))
    }

    fn producer(&self) -> Result<&RdProducer, ClientError> {
        self.producer.as_ref().ok_or_else(|| missing("rebuild the client first"))
    }

    /// Closes consumer and producer. librdkafka may wait for a broker then, so a thread does it.
    fn close(&mut self) {
        let (consumer, producer) = (self.consumer.take(), self.producer.take());
        if consumer.is_none() && producer.is_none() {
            return;
        }
        let (sender, receiver) = mpsc::channel::<()>();
        let closing = move || {
            if let Some(consumer) = consumer {
                consumer.context().close();
                // An event that was not answered would keep the consumer from closing.
                let _ = consumer.unassign();
                drop(consumer);
            }
            drop(producer);
            drop(sender);
        };
        if thread::Builder::new().name("kafka-close".into()).spawn(closing).is_ok() {
            let _ = receiver.recv_timeout(CLOSE_TIMEOUT);
        }
    }

    fn topic(&mut self, name: &str) -> Arc<str> {
        if let Some(topic) = self.topics.iter().find(|topic| &***topic == name) {
            return Arc::clone(topic);
        }
        let topic: Arc<str> = name.into();
        self.topics.push(Arc::clone(&topic));
        topic
    }

    fn record(&mut self, message: &BorrowedMessage<'_>) -> Record {
        let topic = self.topic(message.topic());
        let mut record = self.spare.pop().unwrap_or_else(|| Record {
            topic: Arc::clone(&topic),
            partition: 0,
            offset: 0,
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp: None,
        });
        record.topic = topic;
        record.partition = message.partition();
        record.offset = message.offset();
        refill(&mut record.key, message.key());
        refill(&mut record.value, message.payload());
        record.headers.clear();
        if let Some(headers) = message.headers() {
            let header = |one: rdkafka::message::Header<'_, &[u8]>| Header {
                name: one.key.to_owned(),
                value: one.value.map(<[u8]>::to_vec),
            };
            record.headers.extend(headers.iter().map(header));
        }
        record.timestamp = message.timestamp().to_millis();
        record
    }

    fn failed(&self, doing: &str, error: &KafkaError) -> ClientError {
        let age = self.begun.map(|begun| begun.elapsed());
        classify_in_transaction(doing, error, age, self.transaction_timeout)
    }

    /// The error of the first record that could not be delivered.
    fn check_deliveries(&self) -> Result<(), ClientError> {
        let Some((topic, error)) = self.producer()?.context().take_failure() else {
            return Ok(());
        };
        let mut failure = self.failed(&format!("deliver a record to {topic}"), &error);
        if failure.kind == ErrorKind::Retriable {
            failure = ClientError::new(
                ErrorKind::Abort,
                format!("cannot deliver a record to {topic}: {error}: its transaction is aborted"),
            );
        }
        Err(failure)
    }

    /// Waits until the queue is empty. `Producer::flush` waits in steps of 100 ms, which each commit
    /// would take.
    fn drain(&self, timeout: Duration) -> Result<(), ClientError> {
        let began = Instant::now();
        let producer = self.producer()?;
        while producer.in_flight_count() > 0 {
            self.check_deliveries()?;
            if began.elapsed() > timeout {
                return Err(ClientError::new(
                    ErrorKind::Retriable,
                    "the brokers do not acknowledge records: it is tried again",
                ));
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.check_deliveries()
    }

    fn is_incremental(&self) -> bool {
        !self.is_manual
            && self.consumer.as_ref().is_some_and(|consumer| {
                matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
            })
    }

    /// Commits offsets without a transaction. The call of librdkafka has no timeout.
    fn commit_plainly(
        &self,
        offsets: TopicPartitionList,
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let consumer = Arc::clone(self.consumer()?);
        let (sender, receiver) = mpsc::channel();
        let commit = move || {
            let _ = sender.send(consumer.commit(&offsets, CommitMode::Sync));
        };
        thread::Builder::new().name("kafka-commit".into()).spawn(commit).map_err(|error| {
            ClientError::new(ErrorKind::Retriable, format!("cannot start a thread: {error}"))
        })?;
        match receiver.recv_timeout(timeout) {
            Ok(outcome) => outcome.map_err(|error| classify("commit offsets", &error)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(ClientError::new(
                    ErrorKind::Retriable,
                    "the group's coordinator does not answer: the commit is tried again",
                ))
            }
        }
    }
}

/// Makes an error of a call that a broker has to answer.
fn unanswered(producer: &RdProducer, doing: &str, error: &KafkaError) -> ClientError {
    classify_unanswered(doing, error, producer.context().take_connection_error())
}

impl Drop for RdClient {
    fn drop(&mut self) {
        self.close();
    }
}

impl Client for RdClient {
    fn partition_count(
        &mut self,
        topic: &str,
        timeout: Duration,
    ) -> Result<Option<i32>, ClientError> {
        let doing = || format!("read the partitions of topic {topic}");
        let producer = self.producer()?;
        let metadata = producer.client().fetch_metadata(Some(topic), timeout);
        let metadata = metadata.map_err(|error| unanswered(producer, &doing(), &error))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(None);
        };
        match found.error().map(RDKafkaErrorCode::from) {
            None => Ok(i32::try_from(found.partitions().len()).ok().filter(|count| *count > 0)),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(None),
            Some(code) => Err(classify(&doing(), &KafkaError::MetadataFetch(code))),
        }
    }

    fn watermarks(
        &mut self,
        partition: &Partition,
        timeout: Duration,
    ) -> Result<(i64, i64), ClientError> {
        self.producer()?
            .client()
            .fetch_watermarks(&partition.topic, partition.number, timeout)
            .map_err(|error| classify(&format!("read the ends of {partition}"), &error))
    }

    fn subscribe(&mut self, topics: &[String], tasks: Option<&[i32]>) -> Result<(), ClientError> {
        let consumer: RdConsumer = self
            .config
            .consumer(topics.len())?
            .create_with_context(ConsumerHooks::default())
            .map_err(|error| classify("create a consumer", &error))?;
        self.is_manual = tasks.is_some();
        if let Some(tasks) = tasks {
            let mut partitions = Vec::new();
            for topic in topics {
                let topic = self.topic(topic);
                partitions.extend(tasks.iter().map(|task| Partition::new(topic.clone(), *task)));
            }
            consumer.context().add_event(Event::Assigned(partitions));
        } else {
            let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
            consumer
                .subscribe(&topics)
                .map_err(|error| classify("subscribe to the input topics", &error))?;
        }
        self.consumer = Some(Arc::new(consumer));
        Ok(())
    }

    fn poll(
        &mut self,
        limit: PollLimit,
        records: &mut Vec<Record>,
    ) -> Result<Option<Event>, ClientError> {
        let consumer = Arc::clone(self.consumer()?);
        if let Some(event) = consumer.context().next_event() {
            return Ok(Some(event));
        }
        if let Some(error) = self.held.take() {
            return Err(error);
        }
        let deadline = Instant::now() + limit.wait;
        let mut bytes = 0;
        while records.len() < limit.records && bytes < limit.bytes {
            // The first record is waited for, and the others are taken if they are there.
            let wait = if records.is_empty() {
                deadline.saturating_duration_since(Instant::now())
            } else {
                Duration::ZERO
            };
            match consumer.poll(wait) {
                Some(Ok(message)) => {
                    let record = self.record(&message);
                    bytes += record.size();
                    records.push(record);
                }
                Some(Err(error)) => {
                    let error = classify("read records", &error);
                    if records.is_empty() {
                        return Err(error);
                    }
                    self.held = Some(error);
                    break;
                }
                None if consumer.context().has_event() => break,
                None if records.is_empty() && Instant::now() < deadline => {}
                None => break,
            }
        }
        if let Some(error) = consumer.context().take_error()
            && self.held.is_none()
        {
            let error = classify("read records", &error);
            // librdkafka reports other errors for information: it reconnects by itself.
            if error.kind == ErrorKind::Fatal || error.kind == ErrorKind::Fenced {
                self.held = Some(error);
            }
        }
        Ok(consumer.context().next_event())
    }

    fn recycle(&mut self, records: &mut Vec<Record>) {
        if self.spare.is_empty() {
            std::mem::swap(&mut self.spare, records);
        } else {
            records.truncate(MAX_SPARE.saturating_sub(self.spare.len()));
            self.spare.append(records);
        }
    }

    fn committed(
        &mut self,
        partitions: &[Partition],
        timeout: Duration,
    ) -> Result<Vec<Committed>, ClientError> {
        let failed = |error: &KafkaError| classify("read committed offsets", error);
        let list = self
            .consumer()?
            .committed_offsets(list_of(partitions), timeout)
            .map_err(|error| failed(&error))?;
        let read = |partition: &Partition| {
            let element = list
                .find_partition(&partition.topic, partition.number)
                .ok_or_else(|| missing("the broker left out a partition"))?;
            element.error().map_err(|error| failed(&error))?;
            let offset = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            let metadata = if offset.is_some() { element.metadata() } else { "" };
            Ok(Committed { partition: partition.clone(), offset, metadata: metadata.to_owned() })
        };
        partitions.iter().map(read).collect()
    }

    fn assign(&mut self, positions: &[Position]) -> Result<(), ClientError> {
        let failed = |error: KafkaError| classify("take assigned partitions", &error);
        let list = list_of_positions(positions).map_err(failed)?;
        let consumer = self.consumer()?;
        let outcome = if self.is_incremental() {
            consumer.incremental_assign(&list)
        } else {
            consumer.assign(&list)
        };
        outcome.map_err(failed)
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), ClientError> {
        let consumer = self.consumer()?;
        let outcome = if self.is_incremental() {
            // After a lost assignment librdkafka may have dropped some of them already.
            let assigned = consumer.assignment().map(|list| partitions_of(&list));
            let assigned = assigned.unwrap_or_default();
            let still = partitions.iter().filter(|partition| assigned.contains(partition));
            consumer.incremental_unassign(&list_of(still))
        } else {
            consumer.unassign()
        };
        outcome.map_err(|error| classify("give up partitions", &error))
    }

    fn seek(&mut self, positions: &[Position], timeout: Duration) -> Result<(), ClientError> {
        let failed = |error: &KafkaError| classify("seek", error);
        let list = list_of_positions(positions).map_err(|error| failed(&error))?;
        let list =
            self.consumer()?.seek_partitions(list, timeout).map_err(|error| failed(&error))?;
        list.elements()
            .iter()
            .try_for_each(|element| element.error().map_err(|error| failed(&error)))
    }

    fn set_flow(&mut self, partitions: &[Partition], flow: Flow) -> Result<(), ClientError> {
        let list = list_of(partitions);
        let consumer = self.consumer()?;
        let outcome = match flow {
            Flow::Paused => consumer.pause(&list),
            Flow::Running => consumer.resume(&list),
        };
        outcome.map_err(|error| classify("pause or resume partitions", &error))
    }

    fn begin(&mut self) -> Result<(), ClientError> {
        self.producer()?
            .begin_transaction()
            .map_err(|error| classify("begin a transaction", &error))?;
        self.begun = Some(Instant::now());
        Ok(())
    }

    fn send(&mut self, record: &OutRecord) -> Result<(), ClientError> {
        self.check_deliveries()?;
        let producer = self.producer()?;
        let bytes = record.size();
        let mut message: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(&record.topic, bytes);
        message.partition = record.partition;
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        message.timestamp = record.timestamp;
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            message.headers = Some(record.headers.iter().fold(headers, |headers, header| {
                headers.insert(rdkafka::message::Header {
                    key: &header.name,
                    value: header.value.as_ref(),
                })
            }));
        }
        producer.context().add_pending(bytes);
        producer.send(message).map_err(|(error, _)| {
            producer.context().remove_pending(bytes);
            self.failed(&format!("send a record to {}", record.topic), &error)
        })
    }

    fn pending_bytes(&self) -> usize {
        self.producer.as_ref().map_or(0, |producer| producer.context().pending())
    }

    fn flush(&mut self, timeout: Duration) -> Result<(), ClientError> {
        self.drain(timeout)
    }

    fn send_offsets(
        &mut self,
        offsets: &[Committed],
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let failed = |error: KafkaError| self.failed("add offsets to the transaction", &error);
        let list = list_of_offsets(offsets).map_err(failed)?;
        if self.config.transactional_id.is_none() {
            return self.commit_plainly(list, timeout);
        }
        // The generation changes without a rebalance of this worker, so it is read each time.
        let group = self
            .consumer()?
            .group_metadata()
            .ok_or_else(|| missing("the consumer has no group"))?;
        self.producer()?.send_offsets_to_transaction(&list, &group, timeout).map_err(failed)
    }

    fn commit(&mut self, timeout: Duration) -> Result<(), ClientError> {
        self.drain(timeout)?;
        self.producer()?
            .commit_transaction(timeout)
            .map_err(|error| self.failed("commit the transaction", &error))?;
        self.begun = None;
        Ok(())
    }

    fn abort(&mut self, timeout: Duration) -> Result<(), ClientError> {
        let producer = self.producer()?;
        if self.config.transactional_id.is_some() {
            // It drops queued records, too.
            producer
                .abort_transaction(timeout)
                .map_err(|error| self.failed("abort the transaction", &error))?;
            let began = Instant::now();
            while producer.in_flight_count() > 0 && began.elapsed() < timeout {
                thread::sleep(Duration::from_millis(1));
            }
        }
        // Failures of the aborted transaction do not concern the next one.
        let _ = producer.context().take_failure();
        self.begun = None;
        Ok(())
    }

    fn rebuild(&mut self, timeout: Duration) -> Result<(), ClientError> {
        self.close();
        self.held = None;
        self.begun = None;
        self.start_producer(timeout)
    }

    fn known_ends(&self) -> Vec<Position> {
        let ends = self.consumer.as_ref().map(|consumer| consumer.context().ends());
        let ends = ends.unwrap_or_default().into_iter();
        ends.map(|(partition, offset)| Position { partition, offset }).collect()
    }
}

fn missing(what: &str) -> ClientError {
    ClientError::new(ErrorKind::Retriable, format!("the client is not ready: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing listens on port 1.
    fn config() -> RdConfig {
        let mut config = RdConfig::new("127.0.0.1:1", "group").with_transactional_id("one");
        config.connect_timeout = Duration::from_millis(300);
        config
    }

    #[test]
    fn a_client_can_run_in_a_thread_of_its_own() {
        fn is_send<T: Send>() {}
        is_send::<RdClient>();
    }

    #[test]
    fn a_broker_that_is_not_there_is_not_waited_for() {
        let began = Instant::now();
        let error = RdClient::connect(config()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Retriable, "{error}");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }

    #[test]
    fn a_wrong_property_is_an_error_at_once() {
        for name in ["no.such.property", "consumer.no.such.property"] {
            let error = RdClient::connect(config().with_property(name, "1")).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Fatal, "{error}");
            assert!(error.message.contains("no.such.property"), "{error}");
        }
    }
}
