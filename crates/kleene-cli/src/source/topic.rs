//! A topic of Kafka as an input of `kleene run`.

use std::path::Path;

use anyhow::Result;
#[cfg(not(feature = "kafka"))]
use anyhow::bail;
use kleene_input::Opened;
#[cfg(feature = "kafka")]
use kleene_input::Position;

/// A topic of Kafka as an input: `kafka://BROKERS/TOPIC`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Topic<'a> {
    brokers: &'a str,
    name: &'a str,
}

/// Returns the topic that an input names.
pub(super) fn topic_of(input: &Path) -> Option<Topic<'_>> {
    let (brokers, name) = input.to_str()?.strip_prefix(TOPIC)?.rsplit_once('/')?;
    Some(Topic { brokers, name })
}

/// The start of an input that is a topic of Kafka.
const TOPIC: &str = "kafka://";

/// True if the input is a topic of Kafka.
pub(crate) fn is_topic(input: &Path) -> bool {
    input.to_str().is_some_and(|input| input.starts_with(TOPIC))
}

/// Opens a topic, to be read up to the end that it has now.
#[cfg(feature = "kafka")]
pub(super) fn open_topic(topic: Topic<'_>) -> Result<Opened> {
    let lines = kleene_kafka::TopicLines::open(topic.brokers, topic.name)?;
    Ok(Opened::from_reader(lines, Position::default()))
}

#[cfg(not(feature = "kafka"))]
pub(super) fn open_topic(topic: Topic<'_>) -> Result<Opened> {
    bail!(
        "cannot read the topic {} at {}: this program was built without Kafka; build it with the \
         feature `kafka`",
        topic.name,
        topic.brokers
    )
}
