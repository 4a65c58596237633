//! Prints the committed records of a topic, from its beginning to its end.
//!
//! ```text
//! cargo run --release -p kleene-kafka --features rdkafka --example consume -- \
//!     TOPIC [--brokers 127.0.0.1:9092] [--keys yes]
//! ```
//!
//! Records of open and aborted transactions are not printed. With `--keys yes` each line begins with
//! partition, offset and key, separated by tabs.

#![allow(clippy::print_stdout, reason = "an example says what it does")]

mod common;

use std::io::{BufWriter, Write};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::common::{Outcome, option, positional};

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let &[topic] = &positional(&arguments)[..] else {
        return Err("usage: consume TOPIC [--brokers LIST] [--keys yes]".into());
    };
    let with_keys = option(&arguments, "--keys", "no") == "yes";
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", option(&arguments, "--brokers", "127.0.0.1:9092"))
        // A consumer of librdkafka needs a group, even if it commits nothing.
        .set("group.id", "kleene-consume")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(20))?;
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    if partitions == 0 {
        return Err(format!("there is no topic {topic}").into());
    }
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions)? {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut ended = std::collections::BTreeSet::new();
    while ended.len() < partitions {
        match consumer.poll(Duration::from_secs(20)) {
            Some(Ok(message)) => {
                if with_keys {
                    let key = String::from_utf8_lossy(message.key().unwrap_or_default());
                    write!(out, "{}\t{}\t{key}\t", message.partition(), message.offset())?;
                }
                out.write_all(message.payload().unwrap_or_default())?;
                out.write_all(b"\n")?;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ended.insert(partition);
            }
            Some(Err(error)) => return Err(error.into()),
            None => return Err("the brokers do not answer".into()),
        }
    }
    out.flush()?;
    Ok(())
}
