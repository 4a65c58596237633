//! The callbacks of librdkafka: they store what happened, and the client's calls read it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::lists::partitions_of;
use crate::stats::locked;
use crate::{Event, Partition};

/// The callbacks of the consumer.
#[derive(Debug, Default)]
pub(super) struct ConsumerHooks {
    events: Mutex<VecDeque<Event>>,
    /// Set when the consumer is closed: nobody answers events then.
    closing: OnceLock<()>,
    ends: Mutex<BTreeMap<Partition, i64>>,
    error: Mutex<Option<KafkaError>>,
}

impl ConsumerHooks {
    pub(super) fn next_event(&self) -> Option<Event> {
        locked(&self.events).pop_front()
    }

    pub(super) fn add_event(&self, event: Event) {
        locked(&self.events).push_back(event);
    }

    pub(super) fn has_event(&self) -> bool {
        !locked(&self.events).is_empty()
    }

    pub(super) fn close(&self) {
        let _ = self.closing.set(());
    }

    pub(super) fn ends(&self) -> BTreeMap<Partition, i64> {
        locked(&self.ends).clone()
    }

    pub(super) fn take_error(&self) -> Option<KafkaError> {
        locked(&self.error).take()
    }
}

impl ClientContext for ConsumerHooks {
    fn stats(&self, statistics: Statistics) {
        let mut ends = BTreeMap::new();
        #[expect(clippy::iter_over_hash_type, reason = "the entries go into a map with an order")]
        for (topic, details) in &statistics.topics {
            let topic: Arc<str> = topic.as_str().into();
            #[expect(clippy::iter_over_hash_type, reason = "as above")]
            for (number, partition) in &details.partitions {
                // A reader of committed records gets no further than the last stable offset.
                let end = partition.ls_offset.max(partition.lo_offset);
                if *number >= 0 && end >= 0 {
                    ends.insert(Partition::new(topic.clone(), *number), end);
                }
            }
        }
        *locked(&self.ends) = ends;
    }

    fn error(&self, error: KafkaError, _reason: &str) {
        *locked(&self.error) = Some(error);
    }
}

impl ConsumerContext for ConsumerHooks {
    /// Stores the event. The worker answers it when it has loaded or committed the tasks.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        if self.closing.get().is_some() {
            // Without an answer the consumer would wait for ever.
            let _ = match consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
                RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
            };
            return;
        }
        let partitions = partitions_of(list);
        self.add_event(match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Event::Assigned(partitions),
            _ if consumer.assignment_lost() => Event::Lost(partitions),
            _ => Event::Revoked(partitions),
        });
    }
}

/// The callbacks of the producer.
#[derive(Debug, Default)]
pub(super) struct ProducerHooks {
    pending: AtomicUsize,
    /// True if there is a failure: the lock is not taken for each record.
    has_failed: AtomicBool,
    failure: Mutex<Option<(String, KafkaError)>>,
    /// The last error of a connection, with the reason.
    connection: Mutex<Option<(KafkaError, String)>>,
}

impl ProducerHooks {
    pub(super) fn add_pending(&self, bytes: usize) {
        self.pending.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn remove_pending(&self, bytes: usize) {
        self.pending.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Returns the last error of a connection since the last call, with the reason.
    pub(super) fn take_connection_error(&self) -> Option<(KafkaError, String)> {
        locked(&self.connection).take()
    }

    /// Returns the first failed delivery since the last call: the topic and the reason.
    pub(super) fn take_failure(&self) -> Option<(String, KafkaError)> {
        if !self.has_failed.swap(false, Ordering::AcqRel) {
            return None;
        }
        locked(&self.failure).take()
    }
}

impl ClientContext for ProducerHooks {
    /// Stores the error. A call that fails for it says no more than that the time is over.
    fn error(&self, error: KafkaError, reason: &str) {
        // It follows the error of the last broker, which has the reason.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *locked(&self.connection) = Some((error, reason.to_owned()));
        }
    }

    /// Stores why a connection was lost. librdkafka reports that as an error only if no broker is
    /// left, and then without the reason.
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL" {
            // The name of a thread of librdkafka comes first.
            let reason = message.split_once("]: ").map_or(message, |(_, reason)| reason);
            let lost = || KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
            locked(&self.connection).get_or_insert_with(|| (lost(), reason.to_owned()));
        }
    }
}

impl ProducerContext for ProducerHooks {
    /// The bytes of the record.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, bytes: usize) {
        self.remove_pending(bytes);
        if let Err((error, message)) = result {
            let purged = matches!(
                error.rdkafka_error_code(),
                Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
            );
            // The client's own abort purges the queue.
            if !purged {
                locked(&self.failure).get_or_insert((message.topic().to_owned(), error.clone()));
                self.has_failed.store(true, Ordering::Release);
            }
        }
    }
}
