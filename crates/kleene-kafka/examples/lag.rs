//! Prints the number of records of a topic that come after the committed offsets of a group.
//!
//! ```text
//! cargo run --release -p kleene-kafka --features rdkafka --example lag -- \
//!     TOPIC --group NAME [--brokers 127.0.0.1:9092]
//! ```
//!
//! Offsets in an open transaction are not committed: the program waits up to 20 s for its end.

#![allow(clippy::print_stdout, reason = "an example says what it does")]

mod common;

use std::time::Duration;

use kleene_kafka::{Client, Partition, RdClient, RdConfig};

use crate::common::{Outcome, option, positional};

const TIMEOUT: Duration = Duration::from_secs(20);

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let &[topic] = &positional(&arguments)[..] else {
        return Err("usage: lag TOPIC --group NAME [--brokers LIST]".into());
    };
    let brokers = option(&arguments, "--brokers", "127.0.0.1:9092");
    let group = option(&arguments, "--group", "");
    let mut client = RdClient::connect(RdConfig::new(brokers, group))?;
    let count = client.partition_count(topic, TIMEOUT)?.ok_or("there is no such topic")?;
    let partitions: Vec<Partition> = (0..count).map(|one| Partition::new(topic, one)).collect();
    // No partition is assigned: the client only has to have a consumer.
    client.subscribe(&[topic.to_owned()], Some(&[]))?;
    let mut lag = 0;
    for committed in client.committed(&partitions, TIMEOUT)? {
        let (low, high) = client.watermarks(&committed.partition, TIMEOUT)?;
        lag += high - committed.offset.unwrap_or(low);
    }
    println!("{lag}");
    Ok(())
}
