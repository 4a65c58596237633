//! Workers on a real broker, while workers and the broker are killed and stopped.
//!
//! ```text
//! tools/kafka/broker start /tmp/kafka 19092
//! KLEENE_KAFKA=127.0.0.1:19092 KLEENE_KAFKA_DIR=/tmp/kafka cargo test --release -p kleene-kafka \
//!     --features rdkafka --test broker -- --ignored --nocapture --test-threads 1
//! ```
//!
//! The workers are processes of the example `count`. `KLEENE_KAFKA_DIR` is the folder of the broker,
//! for those tests that disturb the broker.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]
#![allow(clippy::print_stdout, reason = "a test of some minutes says what it does")]

#[path = "../examples/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

const PARTITIONS: i32 = 4;

/// A generator of numbers, so that a run can be repeated in kind.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Topics, workers and their folder of one test.
struct Bench {
    brokers: String,
    name: String,
    folder: tempfile::TempDir,
    workers: Vec<Child>,
    starts: usize,
    options: Vec<&'static str>,
}

impl Bench {
    fn new(test: &str, workers: usize, options: &[&'static str]) -> Self {
        let brokers = std::env::var("KLEENE_KAFKA").expect("KLEENE_KAFKA is host:port of a broker");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let name = format!("{test}-{now}");
        for topic in ["in", "out"] {
            common::create_topic(&brokers, &format!("{name}-{topic}"), PARTITIONS).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let options = options.to_vec();
        let mut bench = Self { brokers, name, folder, workers: Vec::new(), starts: 0, options };
        for worker in 0..workers {
            let child = bench.start(worker);
            bench.workers.push(child);
        }
        bench
    }

    /// Starts a worker, with the name that it had before.
    fn start(&mut self, worker: usize) -> Child {
        self.starts += 1;
        let test = std::env::current_exe().unwrap();
        let example: PathBuf = test.parent().unwrap().parent().unwrap().join("examples/count");
        Command::new(example)
            .args([format!("{}-in", self.name), format!("{}-out", self.name)])
            .arg(self.folder.path())
            .args([format!("w{worker}"), "--brokers".into(), self.brokers.clone()])
            .args(["--group", &self.name])
            .args(&self.options)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn kill(&mut self, worker: usize) {
        self.workers[worker].kill().unwrap();
        self.workers[worker].wait().unwrap();
        self.workers[worker] = self.start(worker);
    }

    /// Starts workers that ended by themselves, as a service manager does.
    fn revive(&mut self) -> usize {
        let mut ended = 0;
        for worker in 0..self.workers.len() {
            if self.workers[worker].try_wait().unwrap().is_some() {
                self.workers[worker] = self.start(worker);
                ended += 1;
            }
        }
        ended
    }

    fn signal(&self, worker: usize, name: &str) {
        let pid = self.workers[worker].id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Sends records at a steady rate. Returns the outputs of an undisturbed run.
    fn produce(&self, records: u32, seconds: u32) -> thread::JoinHandle<Vec<String>> {
        let topic = format!("{}-in", self.name);
        let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("enable.idempotence", "true")
            .create()
            .unwrap();
        thread::spawn(move || {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            let mut expected = Vec::new();
            let mut random = Random(88_172_645_463_325_252);
            let began = Instant::now();
            for n in 0..records {
                let key = format!("k{}", random.below(500));
                producer.send(BaseRecord::to(&topic).key(&key).payload("x")).unwrap();
                let count = counts.entry(key.clone()).or_default();
                *count += 1;
                if (*count).is_multiple_of(3) {
                    expected.push(format!("{key} {count}"));
                }
                if n.is_multiple_of(100) {
                    let due = began + Duration::from_secs(seconds.into()) * n / records;
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                }
            }
            producer.flush(Duration::from_mins(1)).unwrap();
            expected.sort();
            expected
        })
    }

    /// The committed outputs, sorted.
    fn outputs(&self) -> Vec<String> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", "test")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        let topic = format!("{}-out", self.name);
        for partition in 0..PARTITIONS {
            list.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let mut ended = std::collections::BTreeSet::new();
        let mut outputs = Vec::new();
        while ended.len() < usize::try_from(PARTITIONS).unwrap() {
            match consumer.poll(Duration::from_secs(30)).expect("the broker answers") {
                Ok(message) => {
                    outputs.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
                }
                Err(KafkaError::PartitionEOF(partition)) => drop(ended.insert(partition)),
                Err(error) => println!("reading outputs: {error}"),
            }
        }
        outputs.sort();
        outputs
    }

    /// Waits until no output is missing, and compares. Returns how many were doubled.
    fn compare(&mut self, expected: &[String]) -> usize {
        let began = Instant::now();
        let mut outputs = self.outputs();
        let mut unique = outputs.clone();
        unique.dedup();
        while unique.len() < expected.len() && began.elapsed() < Duration::from_secs(90) {
            thread::sleep(Duration::from_millis(500));
            self.revive();
            outputs = self.outputs();
            unique.clone_from(&outputs);
            unique.dedup();
        }
        println!("settled after {:.1} s", began.elapsed().as_secs_f64());
        // Outputs that come too much would come now.
        thread::sleep(Duration::from_secs(2));
        outputs = self.outputs();
        unique.clone_from(&outputs);
        unique.dedup();
        let lost = expected.iter().filter(|one| unique.binary_search(one).is_err()).count();
        let doubled = outputs.len() - unique.len();
        println!(
            "{}: {} outputs, lost {lost}, doubled {doubled}, {} starts of workers",
            self.name,
            outputs.len(),
            self.starts
        );
        assert_eq!(lost, 0);
        assert_eq!(unique, expected);
        doubled
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

fn broker(command: &str) {
    let dir = std::env::var("KLEENE_KAFKA_DIR").expect("KLEENE_KAFKA_DIR is the broker's folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/kafka/broker");
    println!("broker {command}");
    assert!(Command::new(script).args([command, &dir]).status().unwrap().success());
}

#[test]
#[ignore = "needs a broker"]
fn workers_are_killed() {
    let mut bench = Bench::new("killed", 2, &["--interval", "100"]);
    let producing = bench.produce(300_000, 40);
    let mut random = Random(u64::from(std::process::id()) + 1);
    let mut kills = 0;
    while !producing.is_finished() {
        thread::sleep(Duration::from_millis(200 + random.below(1800)));
        let worker = usize::try_from(random.below(2)).unwrap();
        bench.kill(worker);
        kills += 1;
    }
    println!("{kills} kills");
    assert_eq!(bench.compare(&producing.join().unwrap()), 0);
}

/// Without a group to wait for, a worker is at work soon, and killed in all phases of a commit.
#[test]
#[ignore = "needs a broker"]
fn a_worker_with_fixed_tasks_is_killed_often() {
    let mut bench = Bench::new("fixed", 1, &["--tasks", "0,1,2,3", "--interval", "10"]);
    let producing = bench.produce(300_000, 60);
    let mut random = Random(u64::from(std::process::id()) + 1);
    let mut kills = 0;
    while !producing.is_finished() {
        thread::sleep(Duration::from_millis(150 + random.below(500)));
        bench.kill(0);
        kills += 1;
    }
    println!("{kills} kills");
    assert_eq!(bench.compare(&producing.join().unwrap()), 0);
}

/// A worker that hangs loses its partitions, goes on, and must not commit.
#[test]
#[ignore = "needs a broker"]
fn workers_hang() {
    let mut bench = Bench::new("hang", 2, &["--interval", "100"]);
    let producing = bench.produce(200_000, 50);
    let mut random = Random(u64::from(std::process::id()) + 1);
    let mut ended = 0;
    while !producing.is_finished() {
        thread::sleep(Duration::from_millis(500 + random.below(2000)));
        let worker = usize::try_from(random.below(2)).unwrap();
        bench.signal(worker, "-STOP");
        thread::sleep(Duration::from_millis(4000 + random.below(6000)));
        bench.signal(worker, "-CONT");
        ended += bench.revive();
    }
    println!("{ended} workers ended by themselves");
    assert_eq!(bench.compare(&producing.join().unwrap()), 0);
}

/// The broker is killed, started again, and stopped for longer than the transaction's timeout.
#[test]
#[ignore = "needs a broker"]
fn the_broker_is_killed() {
    let mut bench = Bench::new("broker", 2, &["--interval", "100"]);
    let producing = bench.produce(200_000, 60);
    let mut ended = 0;
    for _ in 0..3 {
        thread::sleep(Duration::from_secs(4));
        broker("kill");
        broker("restart");
        thread::sleep(Duration::from_secs(4));
        broker("pause");
        thread::sleep(Duration::from_secs(7));
        broker("resume");
        ended += bench.revive();
    }
    println!("{ended} workers ended by themselves");
    assert_eq!(bench.compare(&producing.join().unwrap()), 0);
}

#[test]
#[ignore = "needs a broker"]
fn nothing_is_lost_at_least_once() {
    let mut bench = Bench::new("plain", 2, &["--delivery", "at-least-once", "--interval", "100"]);
    let producing = bench.produce(200_000, 20);
    let mut random = Random(u64::from(std::process::id()) + 1);
    while !producing.is_finished() {
        thread::sleep(Duration::from_millis(500 + random.below(2500)));
        bench.kill(usize::try_from(random.below(2)).unwrap());
    }
    bench.compare(&producing.join().unwrap());
}
