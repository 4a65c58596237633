//! Counts the records of each key, and sends each third one of a key to another topic, exactly once.
//! It is a whole processor with its snapshots, and what `tests/broker.rs` kills.
//!
//! ```text
//! cargo run --release -p kleene-kafka --features rdkafka --example count -- \
//!     FROM TO FOLDER NAME [--brokers 127.0.0.1:9092] [--group NAME] [--interval MILLISECONDS]
//!     [--delivery at-least-once] [--seconds N] [--tasks NUMBER,NUMBER]
//! ```
//!
//! `FROM` is one topic, or several with commas between. `FOLDER` has the snapshots of all workers.
//! `NAME` is the name of this worker, which is unique.

#![allow(clippy::print_stdout, reason = "an example says what it does")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kleene_kafka::{
    Delivery, OutRecord, Outbox, Processor, ProcessorError, RdClient, RdConfig, Record, Worker,
    WorkerConfig,
};

use crate::common::{Outcome, option, positional};

/// The state of a task, and its committed snapshots.
#[derive(Default)]
struct Task {
    counts: BTreeMap<String, u64>,
    kept: Vec<String>,
}

struct Counting {
    folder: PathBuf,
    to: Arc<str>,
    /// No other process has it, so that names of snapshots are new.
    unique: String,
    written: u64,
    tasks: BTreeMap<i32, Task>,
}

impl Processor for Counting {
    fn open(&mut self, task: i32, snapshot: Option<&str>) -> Result<(), ProcessorError> {
        let mut state = Task::default();
        if let Some(name) = snapshot {
            state.counts = serde_json::from_slice(&fs::read(self.folder.join(name))?)?;
            state.kept.push(name.to_owned());
        }
        self.tasks.insert(task, state);
        Ok(())
    }

    fn push(
        &mut self,
        task: i32,
        records: &[Record],
        out: &mut Outbox,
    ) -> Result<(), ProcessorError> {
        let state = self.tasks.get_mut(&task).ok_or("the task is not open")?;
        for record in records {
            let key = String::from_utf8(record.key.clone().unwrap_or_default())?;
            let count = state.counts.entry(key.clone()).or_default();
            *count += 1;
            if count.is_multiple_of(3) {
                let value = format!("{key} {count}").into_bytes();
                out.push(OutRecord::new(Arc::clone(&self.to), value).with_key(key.into_bytes()));
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, task: i32) -> Result<String, ProcessorError> {
        let state = self.tasks.get(&task).ok_or("the task is not open")?;
        self.written += 1;
        let name = format!("{task}-{}-{}", self.unique, self.written);
        let mut file = File::create_new(self.folder.join(&name))?;
        file.write_all(&serde_json::to_vec(&state.counts)?)?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        Ok(name)
    }

    fn committed(&mut self, task: i32, snapshot: &str) {
        if let Some(state) = self.tasks.get_mut(&task) {
            state.kept.push(snapshot.to_owned());
            while state.kept.len() > 2 {
                // Another worker may have removed it.
                let _ = fs::remove_file(self.folder.join(state.kept.remove(0)));
            }
        }
    }

    fn close(&mut self, task: i32) {
        self.tasks.remove(&task);
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let &[from, to, folder, name] = &positional(&arguments)[..] else {
        return Err("usage: count FROM TO FOLDER NAME [--brokers LIST] [--group NAME] ...".into());
    };
    fs::create_dir_all(folder)?;
    let brokers = option(&arguments, "--brokers", "127.0.0.1:9092");
    let group = option(&arguments, "--group", "kleene-count");
    let mut client = RdConfig::new(brokers, group);
    // A killed worker leaves its group early, for tests.
    client = client
        .with_property("consumer.session.timeout.ms", "6000")
        .with_property("consumer.heartbeat.interval.ms", "500")
        .with_property("producer.transaction.timeout.ms", "5000");
    let mut config = WorkerConfig::new(from.split(',').map(str::to_owned).collect());
    let tasks = option(&arguments, "--tasks", "");
    if !tasks.is_empty() {
        config.tasks = Some(tasks.split(',').map(str::parse).collect::<Result<_, _>>()?);
    }
    config.outputs = vec![to.to_owned()];
    config.commit_interval =
        Duration::from_millis(option(&arguments, "--interval", "1000").parse()?);
    if option(&arguments, "--delivery", "exactly-once") == "at-least-once" {
        config.delivery = Delivery::AtLeastOnce;
    } else {
        client = client.with_transactional_id(format!("{group}-{name}"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let processor = Counting {
        folder: folder.into(),
        to: to.into(),
        unique: format!("{name}-{now}"),
        written: 0,
        tasks: BTreeMap::new(),
    };
    let mut worker = Worker::new(RdClient::connect(client)?, processor, config);
    let stats = worker.stats();
    let stop = Arc::new(AtomicBool::new(false));
    let seconds: u64 = option(&arguments, "--seconds", "3600").parse()?;
    let timer = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(seconds));
        timer.store(true, Ordering::Release);
    });
    let outcome = worker.run(&stop);
    println!("{:#?}", stats.read());
    Ok(outcome?)
}
