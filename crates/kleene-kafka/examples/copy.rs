//! Copies a topic to another one exactly once, with the same client as a worker and nothing else: what
//! a worker can reach at most.
//!
//! ```text
//! cargo run --release -p kleene-kafka --features rdkafka --example copy -- \
//!     FROM TO [--brokers 127.0.0.1:9092] [--group NAME] [--every 1]
//! ```
//!
//! `--every N` sends each Nth record only, as rules with few results do. It ends when the topic does.

#![allow(clippy::print_stdout, reason = "an example says what it does")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kleene_kafka::{
    Client, Committed, ErrorKind, Event, OutRecord, Partition, PollLimit, Position, RdClient,
    RdConfig, Record,
};

use crate::common::{Outcome, create_topic, option, positional};

const TIMEOUT: Duration = Duration::from_secs(20);

/// The positions of the partitions, and what their ends were when they were assigned.
type Places = BTreeMap<Partition, (i64, i64)>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let &[from, to] = &positional(&arguments)[..] else {
        return Err("usage: copy FROM TO [--brokers LIST] [--group NAME] [--every N]".into());
    };
    let brokers = option(&arguments, "--brokers", "127.0.0.1:9092");
    let group = option(&arguments, "--group", "kleene-copy");
    let every: usize = option(&arguments, "--every", "1").parse()?;
    let config = RdConfig::new(brokers, group).with_transactional_id(group);
    let mut client = RdClient::connect(config)?;
    let count = client.partition_count(from, TIMEOUT)?.ok_or("there is no such topic")?;
    create_topic(brokers, to, count)?;
    client.subscribe(&[from.to_owned()], None)?;
    let to: Arc<str> = to.into();
    let mut places = Places::new();
    let mut records = Vec::new();
    let (mut read, mut sent) = (0_usize, 0_usize);
    let mut began = Instant::now();
    let mut last = Instant::now();
    client.begin()?;
    loop {
        let limit = PollLimit { records: 10_000, bytes: 8 << 20, wait: Duration::from_millis(100) };
        if let Some(Event::Assigned(partitions)) = client.poll(limit, &mut records)? {
            places = assign(&mut client, &partitions)?;
            began = Instant::now();
        }
        for record in records.drain(..) {
            if let Some(place) = places.get_mut(&partition_of(&record)) {
                place.0 = record.offset + 1;
            }
            read += 1;
            if read.is_multiple_of(every) {
                send(&mut client, &to, record)?;
                sent += 1;
            }
        }
        let ended = !places.is_empty() && places.values().all(|(position, end)| position >= end);
        if ended || last.elapsed() > Duration::from_secs(1) {
            client.send_offsets(&offsets(&places), TIMEOUT)?;
            client.commit(TIMEOUT)?;
            if ended {
                break;
            }
            client.begin()?;
            last = Instant::now();
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more")]
    let rate = read as f64 / seconds;
    println!("{read} records read and {sent} sent in {seconds:.2} s, {rate:.0} a second");
    Ok(())
}

fn partition_of(record: &Record) -> Partition {
    Partition::new(Arc::clone(&record.topic), record.partition)
}

fn assign(client: &mut RdClient, partitions: &[Partition]) -> Outcome<Places> {
    let mut places = Places::new();
    let mut positions = Vec::new();
    for committed in client.committed(partitions, TIMEOUT)? {
        let partition = committed.partition;
        let (low, high) = client.watermarks(&partition, TIMEOUT)?;
        let offset = committed.offset.unwrap_or(low);
        places.insert(partition.clone(), (offset, high));
        positions.push(Position { partition, offset });
    }
    client.assign(&positions)?;
    Ok(places)
}

fn send(client: &mut RdClient, to: &Arc<str>, record: Record) -> Outcome<()> {
    let copy = OutRecord {
        topic: Arc::clone(to),
        partition: None,
        key: record.key,
        value: record.value,
        headers: record.headers,
        timestamp: record.timestamp,
    };
    loop {
        match client.send(&copy) {
            Err(error) if error.kind == ErrorKind::Retriable => {
                std::thread::sleep(Duration::from_millis(1));
            }
            outcome => return Ok(outcome?),
        }
    }
}

fn offsets(places: &Places) -> Vec<Committed> {
    let offset = |(partition, (position, _)): (&Partition, &(i64, i64))| Committed {
        partition: partition.clone(),
        offset: Some(*position),
        metadata: String::new(),
    };
    places.iter().map(offset).collect()
}
