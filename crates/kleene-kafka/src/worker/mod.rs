//! The loop of one worker.

mod commit;
mod recover;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::{
    Client, ClientError, Delivery, ErrorKind, Event, Flow, Outbox, Partition, PollLimit, Processor,
    ProcessorError, Record, WorkerConfig, WorkerError, WorkerStats,
};

/// A task that this worker has.
#[derive(Debug)]
struct Task {
    /// The offsets of the next records.
    positions: BTreeMap<Partition, i64>,
    /// True if the state or a position changed since the last commit.
    changed: bool,
}

/// What the next turn begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The client is connected, and not subscribed.
    Connected,
    /// The client is subscribed.
    Running,
    /// The client must be rebuilt.
    Broken,
}

/// Reads records, gives them to a processor, and commits outputs, offsets and states together.
///
/// See the [head of the crate](crate) for the protocol.
#[derive(Debug)]
pub struct Worker<C, P> {
    client: C,
    processor: P,
    config: WorkerConfig,
    stats: Arc<WorkerStats>,
    tasks: BTreeMap<i32, Task>,
    batch: Vec<Record>,
    outbox: Outbox,
    phase: Phase,
    /// True if a transaction is open. It is opened by the first output, or by the commit.
    open: bool,
    flow: Flow,
    last_commit: Instant,
    last_due: Instant,
    last_lag: Instant,
    /// Aborts since the last commit.
    aborts: u32,
    /// Failed rebuilds since the last one that succeeded.
    failures: u32,
}

impl<C: Client, P: Processor> Worker<C, P> {
    /// Creates a worker with a connected client.
    pub fn new(client: C, processor: P, config: WorkerConfig) -> Self {
        let now = Instant::now();
        Self {
            client,
            processor,
            config,
            stats: Arc::default(),
            tasks: BTreeMap::new(),
            batch: Vec::new(),
            outbox: Outbox::default(),
            phase: Phase::Connected,
            open: false,
            flow: Flow::Running,
            last_commit: now,
            last_due: now,
            last_lag: now,
            aborts: 0,
            failures: 0,
        }
    }

    /// Returns the counters. They stay valid while the worker runs in another thread.
    pub fn stats(&self) -> Arc<WorkerStats> {
        Arc::clone(&self.stats)
    }

    /// Returns the processor.
    pub fn processor(&self) -> &P {
        &self.processor
    }

    /// Returns the client and the processor.
    pub fn into_parts(self) -> (C, P) {
        (self.client, self.processor)
    }

    /// Runs until `stop` is true, then commits and closes all tasks.
    ///
    /// # Errors
    ///
    /// An error ends the worker if the processor failed, another worker fenced this one, or Kafka
    /// refused a call for good. All results up to the last commit are valid then, and nothing else is
    /// visible: a new worker goes on from there.
    pub fn run(&mut self, stop: &AtomicBool) -> Result<(), WorkerError> {
        while !stop.load(Ordering::Acquire) {
            self.turn()?;
        }
        self.finish()
    }

    /// Runs one turn: one poll, and what it brings. Hosts with a loop of their own call it.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    pub fn turn(&mut self) -> Result<(), WorkerError> {
        let outcome = match self.phase {
            Phase::Connected => self.start(),
            Phase::Running => self.work(),
            Phase::Broken => return self.rebuild(),
        };
        outcome.or_else(|error| self.recover(error))
    }

    /// Commits, closes all tasks and gives up the partitions.
    ///
    /// # Errors
    ///
    /// If the commit fails, nothing since the commit before it is visible.
    pub fn finish(&mut self) -> Result<(), WorkerError> {
        let outcome = if self.phase == Phase::Running { self.commit() } else { Ok(()) };
        if outcome.is_err() {
            self.abandon();
        }
        let partitions = self.partitions();
        self.close_all();
        if outcome.is_ok() && !partitions.is_empty() {
            // The group learns it from the end of the client, too.
            let _ = self.client.release(&partitions);
        }
        self.phase = Phase::Connected;
        outcome
    }

    /// Checks the input topics, and subscribes.
    fn start(&mut self) -> Result<(), WorkerError> {
        for topic in self.config.outputs.clone() {
            self.partition_count(&topic)?;
        }
        let mut counts = Vec::new();
        for topic in self.config.topics.clone() {
            let count = self.partition_count(&topic)?;
            counts.push((topic, count));
        }
        if let Some(pair) = counts.windows(2).find(|pair| pair[0].1 != pair[1].1) {
            return Err(WorkerError::Layout(format!(
                "topic {} has {} partitions and topic {} has {}: give all input topics the same \
                 number of partitions",
                pair[0].0, pair[0].1, pair[1].0, pair[1].1
            )));
        }
        self.client.subscribe(&self.config.topics, self.config.tasks.as_deref())?;
        self.phase = Phase::Running;
        Ok(())
    }

    fn partition_count(&mut self, topic: &str) -> Result<i32, WorkerError> {
        let count = self.retry(|client, timeout| client.partition_count(topic, timeout))?;
        count.ok_or_else(|| {
            WorkerError::Layout(format!("there is no topic {topic}: create it first"))
        })
    }

    /// Polls, and processes what the poll brings.
    fn work(&mut self) -> Result<(), WorkerError> {
        let limit = PollLimit {
            records: self.config.poll_records,
            bytes: self.config.poll_bytes,
            wait: self.poll_wait(),
        };
        let mut batch = std::mem::take(&mut self.batch);
        let polled = self.client.poll(limit, &mut batch);
        let pushed = self.push_batch(&batch);
        self.client.recycle(&mut batch);
        self.batch = batch;
        pushed?;
        match polled {
            Ok(Some(event)) => self.handle(event)?,
            Ok(None) => {}
            // The client reconnects by itself. No record is lost.
            Err(error) if error.kind == ErrorKind::Retriable => {
                self.stats.record_error(&error.message);
                self.stats.retries.add(1);
                std::thread::sleep(self.config.backoff);
            }
            Err(error) => return Err(error.into()),
        }
        self.run_due()?;
        self.balance_flow()?;
        if self.last_commit.elapsed() >= self.config.commit_interval {
            self.commit()?;
        }
        self.measure_lag();
        Ok(())
    }

    /// How long the next poll may wait: not beyond the next commit, if there is something to commit.
    fn poll_wait(&self) -> Duration {
        let wait = self.config.poll_wait.min(self.config.due_interval);
        if self.tasks.values().any(|task| task.changed) {
            wait.min(self.config.commit_interval.saturating_sub(self.last_commit.elapsed()))
        } else {
            wait
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), WorkerError> {
        match event {
            Event::Assigned(partitions) => self.take_on(&partitions),
            Event::Revoked(partitions) => self.revoke(&partitions),
            Event::Lost(partitions) => self.lose(&partitions),
        }
    }

    /// Pushes records, in runs of one partition.
    fn push_batch(&mut self, batch: &[Record]) -> Result<(), WorkerError> {
        for run in batch.chunk_by(|a, b| a.partition == b.partition && a.topic == b.topic) {
            self.push_run(run)?;
        }
        Ok(())
    }

    fn push_run(&mut self, run: &[Record]) -> Result<(), WorkerError> {
        let number = run[0].partition;
        let partition = Partition { topic: Arc::clone(&run[0].topic), number };
        let Some(task) = self.tasks.get_mut(&number) else {
            // The worker that has the task reads its records.
            return Ok(());
        };
        let position = task.positions.entry(partition).or_default();
        for record in run {
            // A gap is common: control records and compaction leave it. The way back is an error.
            if record.offset < *position {
                return Err(out_of_order(record).into());
            }
            *position = record.offset + 1;
        }
        task.changed = true;
        self.stats.records.add(run.len());
        self.stats.bytes.add(run.iter().map(Record::size).sum());
        self.processor
            .push(number, run, &mut self.outbox)
            .map_err(|source| failed(number, "process records of", source))?;
        self.send_outputs()
    }

    /// Lets all tasks process what is due by the clock.
    fn run_due(&mut self) -> Result<(), WorkerError> {
        if self.last_due.elapsed() < self.config.due_interval {
            return Ok(());
        }
        self.last_due = Instant::now();
        for number in self.tasks.keys().copied().collect::<Vec<_>>() {
            let changed = self
                .processor
                .due(number, &mut self.outbox)
                .map_err(|source| failed(number, "process what is due of", source))?;
            if let Some(task) = self.tasks.get_mut(&number) {
                task.changed |= changed || !self.outbox.is_empty();
            }
            self.send_outputs()?;
        }
        Ok(())
    }

    /// Sends the outputs within the open transaction.
    fn send_outputs(&mut self) -> Result<(), WorkerError> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        self.begin()?;
        let outbox = std::mem::take(&mut self.outbox);
        let sent = outbox.records().iter().try_for_each(|record| self.send(record));
        self.outbox = outbox;
        self.stats.sent.add(self.outbox.len());
        self.stats.sent_bytes.add(self.outbox.records().iter().map(crate::OutRecord::size).sum());
        self.outbox.clear();
        Ok(sent?)
    }

    /// Queues one output. A full queue is waited for.
    fn send(&mut self, record: &crate::OutRecord) -> Result<(), ClientError> {
        // The clock is read only if the queue is full.
        let mut began = None;
        loop {
            match self.client.send(record) {
                Err(error)
                    if error.kind == ErrorKind::Retriable
                        && began.get_or_insert_with(Instant::now).elapsed()
                            < self.config.call_timeout =>
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
                outcome => return outcome,
            }
        }
    }

    /// Pauses all partitions while too many bytes are not delivered.
    fn balance_flow(&mut self) -> Result<(), WorkerError> {
        let pending = self.client.pending_bytes();
        let flow = match self.flow {
            Flow::Running if pending > self.config.pause_above => Flow::Paused,
            Flow::Paused if pending < self.config.resume_below => Flow::Running,
            Flow::Running | Flow::Paused => return Ok(()),
        };
        let partitions = self.partitions();
        self.client.set_flow(&partitions, flow)?;
        self.flow = flow;
        self.count_paused();
        Ok(())
    }

    fn count_paused(&self) {
        let paused = if self.flow == Flow::Paused { self.partitions().len() } else { 0 };
        self.stats.paused.set(paused as u64);
    }

    /// All partitions of all open tasks.
    fn partitions(&self) -> Vec<Partition> {
        self.tasks.values().flat_map(|task| task.positions.keys().cloned()).collect()
    }

    /// Opens a transaction if none is open.
    fn begin(&mut self) -> Result<(), WorkerError> {
        if self.config.delivery == Delivery::ExactlyOnce && !self.open {
            self.client.begin()?;
        }
        self.open = true;
        Ok(())
    }

    fn measure_lag(&mut self) {
        if self.last_lag.elapsed() < Duration::from_secs(1) {
            return;
        }
        self.last_lag = Instant::now();
        let mut lag = BTreeMap::new();
        for end in self.client.known_ends() {
            let task = self.tasks.get(&end.partition.number);
            if let Some(position) = task.and_then(|task| task.positions.get(&end.partition)) {
                lag.insert(end.partition, (end.offset - position).max(0));
            }
        }
        self.stats.set_lag(lag);
    }
}

fn failed(task: i32, doing: &'static str, source: ProcessorError) -> WorkerError {
    WorkerError::Processor { task, doing, source }
}

fn out_of_order(record: &Record) -> ClientError {
    let Record { topic, partition, offset, .. } = record;
    ClientError::new(
        ErrorKind::Abort,
        format!("offset {offset} of {topic}/{partition} came after a later one: it is read again"),
    )
}
