//! Sends orders and their payments at a steady rate, reads the results of `tools/kafka/latency.cep`
//! from another topic, and prints how long a payment took to become a committed result.
//!
//! ```text
//! cargo run --release -p kleene-kafka --features rdkafka --example latency -- \
//!     IN OUT --rate PER-SECOND [--seconds 20] [--warm-up 5] [--brokers 127.0.0.1:9092]
//! ```
//!
//! A time is counted from the moment at which the record was due to be sent, even if it was sent
//! later: a service that stops for a while makes all records late that were due meanwhile. Results
//! of the first seconds (`--warm-up`) are not counted. The topics have to exist, and be empty.

#![allow(clippy::print_stdout, reason = "an example says what it does")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::common::{Outcome, option, positional};

/// The number of orders that are not paid yet at any moment.
const OPEN: u64 = 5000;

/// How long results are waited for after the last record.
const PATIENCE: Duration = Duration::from_secs(15);

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let &[input, output] = &positional(&arguments)[..] else {
        return Err("usage: latency IN OUT --rate N [--seconds N] [--brokers LIST]".into());
    };
    let brokers = option(&arguments, "--brokers", "127.0.0.1:9092");
    let rate: u32 = option(&arguments, "--rate", "10000").parse()?;
    let seconds: u32 = option(&arguments, "--seconds", "20").parse()?;
    let warm_up: u64 = option(&arguments, "--warm-up", "5").parse()?;
    let consumer = reader(brokers, output)?;
    let paid = Arc::new(AtomicU64::new(u64::MAX));
    let (producer, topic, total) = (writer(brokers)?, input.to_owned(), paid.clone());
    let start = micros();
    let sending = thread::spawn(move || {
        let count = send_all(&producer, &topic, rate, seconds);
        total.store(count, Ordering::Release);
        count
    });
    let (mut times, mut read) = (Vec::new(), 0_u64);
    let mut last = Instant::now();
    while read < paid.load(Ordering::Acquire) && last.elapsed() < PATIENCE {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message?;
        let sent = sent_of(message.payload().unwrap_or_default()).ok_or("a result has no time")?;
        read += 1;
        last = Instant::now();
        if sent > start + warm_up * 1_000_000 {
            times.push(micros().saturating_sub(sent));
        }
    }
    let paid = sending.join().map_err(|_| "the sender panicked")?;
    times.sort_unstable();
    let at = |part: f64| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index below the length"
        )]
        let index = (times.len() as f64 * part) as usize;
        times.get(index.min(times.len().saturating_sub(1))).map_or(0.0, |micros| {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds to print")]
            let millis = *micros as f64 / 1000.0;
            millis
        })
    };
    println!(
        "{rate} a second, {read} of {paid} results, {} counted: p50 {:.1} ms, p99 {:.1} ms, p99.9 \
         {:.1} ms, max {:.1} ms",
        times.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    if read < paid { Err("results are missing".into()) } else { Ok(()) }
}

fn micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

fn writer(brokers: &str) -> Outcome<ThreadedProducer<DefaultProducerContext>> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("partitioner", "murmur2_random")
        .set("enable.idempotence", "true")
        .set("linger.ms", "1");
    Ok(config.create()?)
}

fn reader(brokers: &str, topic: &str) -> Outcome<BaseConsumer> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "kleene-latency")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        // The broker answers as soon as there is a record.
        .set("fetch.min.bytes", "1")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(20))?;
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions)? {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}

/// Sends an order with each even number, and the payment of an older order with each odd number.
/// Returns the number of payments.
fn send_all(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    rate: u32,
    seconds: u32,
) -> u64 {
    let (began, epoch) = (Instant::now(), micros());
    let mut paid = 0;
    for number in 0..u64::from(rate) * u64::from(seconds) {
        let after = number * 1_000_000 / u64::from(rate);
        let due = began + Duration::from_micros(after);
        let now = Instant::now();
        // Sleeping is not exact to less than that.
        if due > now + Duration::from_micros(200) {
            thread::sleep(due - now);
        }
        let sent = epoch + after;
        let (order, kind) = if number.is_multiple_of(2) {
            (number / 2, "order_created")
        } else if number / 2 >= OPEN {
            (number / 2 - OPEN, "order_paid")
        } else {
            continue;
        };
        if kind == "order_paid" {
            paid += 1;
        }
        let ts = sent / 1000;
        let text = format!(
            "{{\"ts\":{ts},\"type\":\"{kind}\",\"order_id\":{order},\"user_id\":{},\"amount\":12.5,\
             \"sent\":{sent}}}",
            order % 1000
        );
        send(producer, topic, &order.to_string(), &text);
    }
    // Nobody reads the outcome: records that are missing have no result.
    let _ = producer.flush(Duration::from_secs(10));
    paid
}

fn send(producer: &ThreadedProducer<DefaultProducerContext>, topic: &str, key: &str, text: &str) {
    while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) =
        producer.send(BaseRecord::to(topic).key(key).payload(text))
    {
        thread::sleep(Duration::from_millis(1));
    }
}

/// The value of the field `sent` that the rule emits.
fn sent_of(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    let rest = text.split_once("\"sent_at\":")?.1;
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}
