//! The settings of a client, and the properties that librdkafka gets.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::{ClientError, ErrorKind};

/// The properties on which the protocol depends.
const FIXED: [&str; 8] = [
    "bootstrap.servers",
    "group.id",
    "transactional.id",
    "isolation.level",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "auto.offset.reset",
];

const TIMEOUT: &str = "transaction.timeout.ms";

/// The settings of an [`RdClient`](crate::RdClient).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RdConfig {
    /// The addresses of some brokers: `host:port`, separated by commas.
    pub brokers: String,
    /// The group of consumers.
    pub group: String,
    /// The transactional id, which no other worker may have. A worker that starts again has the same
    /// one. Without it there are no transactions, for
    /// [`Delivery::AtLeastOnce`](crate::Delivery::AtLeastOnce).
    pub transactional_id: Option<String>,
    /// How long [`RdClient::connect`](crate::RdClient::connect) waits for the brokers.
    pub connect_timeout: Duration,
    /// Further properties of librdkafka. The prefixes `consumer.` and `producer.` name the client that
    /// gets one; other properties go to both.
    pub properties: BTreeMap<String, String>,
}

impl RdConfig {
    /// Creates the default settings.
    pub fn new(brokers: impl Into<String>, group: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            group: group.into(),
            transactional_id: None,
            connect_timeout: Duration::from_secs(30),
            properties: BTreeMap::new(),
        }
    }

    /// Sets the transactional id.
    #[must_use]
    pub fn with_transactional_id(mut self, id: impl Into<String>) -> Self {
        self.transactional_id = Some(id.into());
        self
    }

    /// Sets a property of librdkafka.
    #[must_use]
    pub fn with_property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    /// The properties of the producer.
    pub(super) fn producer(&self) -> Result<ClientConfig, ClientError> {
        let mut config = self.base();
        // The Java client's partitioner: all producers put a key into the same partition.
        config.set("partitioner", "murmur2_random");
        // The worker waits when the queue is full. librdkafka's own default is 1 GiB.
        config.set("queue.buffering.max.kbytes", "131072");
        config.set("queue.buffering.max.messages", "1000000");
        config.set("linger.ms", "5");
        config.set("enable.idempotence", "true");
        if let Some(id) = &self.transactional_id {
            config.set("transactional.id", id);
            // Below the session timeout: a task that goes to another worker is not blocked for longer
            // by the offsets in a transaction of a worker that hangs.
            config.set(TIMEOUT, "30000");
        }
        self.add("producer.", "consumer.", &mut config)?;
        Ok(config)
    }

    /// After how long the broker aborts a transaction.
    pub(super) fn transaction_timeout(&self) -> Result<Duration, ClientError> {
        let config = self.producer()?;
        let text = config.get(TIMEOUT).unwrap_or("60000");
        let millis = text.parse().map_err(|_| {
            ClientError::new(ErrorKind::Fatal, format!("{TIMEOUT} is not a number: {text}"))
        })?;
        Ok(Duration::from_millis(millis))
    }

    /// The properties of the consumer of a number of topics.
    pub(super) fn consumer(&self, topics: usize) -> Result<ClientConfig, ClientError> {
        let mut config = self.base();
        config.set("group.id", &self.group);
        config.set("isolation.level", "read_committed");
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        // The worker says where to start. An offset that is gone is an error: records were lost.
        config.set("auto.offset.reset", "error");
        config.set("session.timeout.ms", "45000");
        config.set("statistics.interval.ms", "2000");
        config.set("fetch.wait.max.ms", "100");
        config.set("queued.max.messages.kbytes", "65536");
        // A full queue is looked at again after that time. With the default of 1 s the worker waited
        // for most of the time: 180,000 records a second instead of 1,160,000.
        config.set("fetch.queue.backoff.ms", "10");
        // Of several topics a worker needs the same partitions, which only `range` gives it.
        let strategy = if topics > 1 { "range" } else { "cooperative-sticky" };
        config.set("partition.assignment.strategy", strategy);
        self.add("consumer.", "producer.", &mut config)?;
        Ok(config)
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", "kleene");
        // Lost connections are on this level.
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }

    fn add(&self, own: &str, other: &str, config: &mut ClientConfig) -> Result<(), ClientError> {
        for (name, value) in &self.properties {
            let bare = name.strip_prefix(own).or_else(|| name.strip_prefix(other)).unwrap_or(name);
            if FIXED.contains(&bare) {
                return Err(ClientError::new(
                    ErrorKind::Fatal,
                    format!("the property {name} cannot be set: exactly-once processing needs it"),
                ));
            }
            if !name.starts_with(other) {
                config.set(bare, value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_go_to_their_clients() {
        let config = RdConfig::new("127.0.0.1:1", "group")
            .with_transactional_id("one")
            .with_property("consumer.session.timeout.ms", "7000")
            .with_property("producer.transaction.timeout.ms", "4000")
            .with_property("client.id", "mine");
        let (producer, consumer) = (config.producer().unwrap(), config.consumer(1).unwrap());
        assert_eq!(consumer.get("session.timeout.ms"), Some("7000"));
        assert_eq!(producer.get("session.timeout.ms"), None);
        assert_eq!(producer.get("client.id"), Some("mine"));
        assert_eq!(consumer.get("client.id"), Some("mine"));
        assert_eq!(consumer.get("transactional.id"), None);
        assert_eq!(config.transaction_timeout().unwrap(), Duration::from_secs(4));
    }

    #[test]
    fn what_the_protocol_needs_cannot_be_changed() {
        for name in ["isolation.level", "consumer.enable.auto.commit", "producer.transactional.id"]
        {
            let config = RdConfig::new("127.0.0.1:1", "group").with_property(name, "x");
            let error = config.producer().unwrap_err();
            assert_eq!(error.kind, ErrorKind::Fatal);
            assert!(error.message.contains(name), "{error}");
            assert!(config.consumer(1).is_err());
        }
    }

    #[test]
    fn several_topics_keep_their_partitions_together() {
        let config = RdConfig::new("127.0.0.1:1", "group");
        let strategy = |topics| {
            let config = config.consumer(topics).unwrap();
            config.get("partition.assignment.strategy").unwrap().to_owned()
        };
        assert_eq!((strategy(1), strategy(2)), ("cooperative-sticky".into(), "range".into()));
    }
}
