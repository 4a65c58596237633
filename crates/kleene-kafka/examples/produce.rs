//! Sends the lines of a file to a topic, and creates the topic.
//!
//! ```text
//! cargo run --release -p kleene-kafka --features rdkafka --example produce -- \
//!     FILE TOPIC --key FIELD [--partitions 4] [--brokers 127.0.0.1:9092] [--rate PER-SECOND]
//!     [--delete KEY,KEY]
//! ```
//!
//! A line is a JSON object. The rows of a file `*.csv` become objects, by the names in its first row.
//! The key of a record is the text of the field. With `--partitions 0` the topic has to exist.
//! `--delete` sends records without a value (tombstones) for some keys after all others.

#![allow(clippy::print_stdout, reason = "an example says what it does")]

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use serde_json::{Map, Value};

use crate::common::{Outcome, create_topic, option, positional};

/// Ends the program if a record cannot be delivered.
struct Strict;

impl rdkafka::ClientContext for Strict {}

impl ProducerContext for Strict {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            println!("cannot deliver a record: {error}");
            std::process::exit(1);
        }
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let &[file, topic] = &positional(&arguments)[..] else {
        return Err(
            "usage: produce FILE TOPIC --key FIELD [--partitions N] [--brokers LIST] [--rate N]"
                .into(),
        );
    };
    let brokers = option(&arguments, "--brokers", "127.0.0.1:9092");
    let key = option(&arguments, "--key", "");
    let rate: f64 = option(&arguments, "--rate", "0").parse()?;
    let partitions = option(&arguments, "--partitions", "4").parse()?;
    if partitions > 0 {
        create_topic(brokers, topic, partitions)?;
    }
    let producer: ThreadedProducer<Strict> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("partitioner", "murmur2_random")
        .set("enable.idempotence", "true")
        .set("linger.ms", "20")
        .create_with_context(Strict)?;
    let mut lines = BufReader::with_capacity(1 << 20, File::open(file)?).lines();
    let is_csv = Path::new(file).extension().is_some_and(|extension| extension == "csv");
    let mut names = None;
    if is_csv {
        names = Some(split_row(&lines.next().ok_or("the file is empty")??));
    }
    let began = Instant::now();
    let mut count = 0_u32;
    for line in lines {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let (object, text) = match &names {
            Some(names) => {
                let object = object_of(names, &line);
                let text = serde_json::to_string(&object)?;
                (object, text)
            }
            None if key.is_empty() => (Map::new(), line),
            None => (serde_json::from_str(&line)?, line),
        };
        let key = match object.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(value) => Some(value.to_string()),
            None => None,
        };
        send(&producer, topic, key.as_deref(), Some(&text))?;
        count += 1;
        if rate > 0.0 {
            let due = began + Duration::from_secs_f64(f64::from(count) / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    for key in option(&arguments, "--delete", "").split(',').filter(|key| !key.is_empty()) {
        send(&producer, topic, Some(key), None)?;
        count += 1;
    }
    producer.flush(Duration::from_mins(1))?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{count} records in {seconds:.2} s, {:.0} a second", f64::from(count) / seconds);
    Ok(())
}

/// Queues a record, and waits while the queue is full.
fn send(
    producer: &ThreadedProducer<Strict>,
    topic: &str,
    key: Option<&str>,
    text: Option<&str>,
) -> Outcome<()> {
    loop {
        let mut record: BaseRecord<'_, str, str> = BaseRecord::to(topic);
        record.key = key;
        record.payload = text;
        match producer.send(record) {
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            outcome => return outcome.map_err(|(error, _)| error.into()),
        }
    }
}

/// The object of a row. Numbers and bools are what they look like.
fn object_of(names: &[String], line: &str) -> Map<String, Value> {
    let value = |text: String| match serde_json::from_str::<Value>(&text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::String(text),
    };
    names.iter().cloned().zip(split_row(line).into_iter().map(value)).collect()
}

/// The fields of a row. A field in quotes may have commas, but no end of line.
fn split_row(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = line.trim_end_matches('\r').chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}
