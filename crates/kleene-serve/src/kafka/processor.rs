//! One engine for each partition: what a worker gives records to.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use hashbrown::HashMap;
use kleene::RuleSet;
use kleene_input::{Block, Cursor, InputItem, Parser};
use kleene_kafka::formats::ValueDecoder;
use kleene_kafka::{Outbox, Processor, ProcessorError, Record};

use super::decoders::decoder;
use super::key_check::KeyCheck;
use super::lines::Lines;
use super::rules::CurrentRules;
use super::store::SnapshotStore;
use crate::config::{Config, Sink, Source};
use crate::links::Links;
use crate::rules::log_changes;
use crate::sink::Sinks;
use crate::status::{Clock, SHOW, TaskStatus};
use crate::task::{Page, Task};

/// What the processors of all workers share.
#[derive(Debug)]
pub(super) struct SharedParts {
    pub(super) config: Arc<Config>,
    /// The folder of snapshots; one folder for each partition.
    pub(super) folder: PathBuf,
    pub(super) rules: CurrentRules,
    /// The sinks that are not topics.
    pub(super) sinks: Mutex<Sinks>,
    pub(super) links: Links,
    /// The number of partitions of the topics.
    pub(super) partitions: i32,
}

/// The engine of a partition.
#[derive(Debug)]
struct Partition {
    task: Task,
    store: SnapshotStore,
    /// The edition of the rules that run.
    edition: u64,
    checks: Vec<KeyCheck>,
    clock: Clock,
    shown: Instant,
    snapshot_bytes: usize,
    snapshot_took: Duration,
}

/// The engines of the partitions of a worker.
#[derive(Debug)]
pub(super) struct Partitions {
    shared: Arc<SharedParts>,
    /// The decoder of each topic, where its values are not JSON.
    decoders: Vec<Option<Box<dyn ValueDecoder>>>,
    /// The topics of the sinks, by the number of the sink.
    outputs: Vec<(usize, Arc<str>)>,
    open: HashMap<i32, Partition>,
    page: Page,
    lines: Lines,
}

impl Partitions {
    pub(super) fn new(shared: Arc<SharedParts>) -> Result<Partitions> {
        let topics = shared.config.sources.iter().filter_map(Source::topic);
        let sinks = shared.config.sinks.iter().enumerate();
        let output = |(number, sink): (usize, &Sink)| Some((number, sink.topic()?.into()));
        Ok(Partitions {
            decoders: topics.map(|topic| decoder(&topic.encoding)).collect::<Result<_>>()?,
            outputs: sinks.filter_map(output).collect(),
            shared,
            open: HashMap::new(),
            page: Page::default(),
            lines: Lines::default(),
        })
    }

    /// Puts the rules in force that are current now.
    fn follow_rules(&mut self, task: i32) {
        let Some(partition) = self.open.get_mut(&task) else { return };
        let edition = self.shared.rules.edition();
        if partition.edition == edition {
            return;
        }
        partition.edition = edition;
        let rules = self.shared.rules.get();
        match partition.task.replace(&rules) {
            Ok(replacement) => self.shared.rules.was_applied(edition, Ok(replacement)),
            Err(refused) => {
                tracing::error!("the rules were not reloaded, the old ones go on: {refused}");
                self.shared.rules.was_applied(edition, Err(refused.to_string()));
            }
        }
    }

    /// Pushes records of one topic.
    fn push_topic(
        &mut self,
        task: i32,
        number: usize,
        records: &[Record],
    ) -> Result<(), ProcessorError> {
        let Partitions { shared, decoders, open, page, lines, .. } = self;
        let source = &shared.config.sources[number];
        let topic = source.topic().ok_or("the source is not a topic")?;
        let partition = open.get_mut(&task).ok_or("the partition is not open")?;
        lines.clear();
        let mut reject = |record: &Record, reason: &str| {
            let origin = (record.partition, record.offset);
            let value = record.value.as_deref().unwrap_or_default();
            partition.task.reject(number, origin, (value, reason), page);
        };
        let fields = &topic.fields;
        match &mut decoders[number] {
            None => lines.add_all(records, fields),
            Some(decoder) => lines.decode_all(records, (&mut **decoder, fields), &mut reject)?,
        }
        if partition.checks[number].is_open() && !shared.trusts_partitions() {
            let rules = shared.rules.get();
            let check = &mut partition.checks[number];
            check_keys(check, &rules, source, (records, lines), shared.partitions)?;
        }
        partition.task.count_deletions(number, std::mem::take(&mut lines.tombstones));
        let places = page.places.get_or_insert_default();
        places.partition = task;
        places.offsets.clear();
        places.offsets.extend(lines.records.iter().map(|index| records[*index].offset));
        let text = std::mem::take(&mut lines.text);
        // The number of a line is that of its record among these.
        let block = Block::new(text, 0);
        let now = Instant::now();
        let pushed = partition.task.push(number, block, now, page);
        shared.links.metrics.pushed(now.elapsed());
        lines.text = partition.task.take_block(number).into_bytes();
        pushed?;
        if page.has_results()
            && let Some(millis) = records.last().and_then(|record| record.timestamp)
        {
            let at = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
            shared.links.metrics.delivered(SystemTime::UNIX_EPOCH + at);
        }
        Ok(())
    }

    /// Sends what the engine has reported.
    fn deliver(&mut self, out: &mut Outbox) {
        let Partitions { shared, outputs, page, .. } = self;
        if page.is_empty() {
            return;
        }
        for (number, topic) in outputs {
            let sink = &shared.config.sinks[*number];
            for result in page.results(sink.events) {
                let named = |rules: &Vec<String>| rules.iter().any(|rule| **rule == **result.rule);
                if !sink.rules.as_ref().is_none_or(named) {
                    continue;
                }
                let line = result.line.strip_suffix(b"\n").unwrap_or(result.line);
                let key = (!result.key.is_empty()).then_some(result.key);
                out.push_copy(topic, key, line);
            }
        }
        let mut sinks = shared.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.deliver(page);
        page.clear();
    }

    fn show(&mut self, task: i32) {
        let Some(partition) = self.open.get_mut(&task) else { return };
        let now = Instant::now();
        if now < partition.shown {
            return;
        }
        partition.shown = now + SHOW;
        partition.clock.update(&partition.task, SystemTime::now());
        let shown = TaskStatus::of(&partition.task, Some(task), &partition.clock);
        let mut sinks = self.shared.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.flush();
        let mut status = self.shared.links.status.lock();
        status.tasks.retain(|known| known.partition != Some(task));
        status.tasks.push(shown);
        status.tasks.sort_by_key(|task| task.partition);
        status.sinks = sinks.status();
    }
}

impl SharedParts {
    fn trusts_partitions(&self) -> bool {
        self.partitions == 1
            || self.config.kafka.as_ref().is_none_or(|kafka| kafka.trusts_partitions)
    }
}

impl Processor for Partitions {
    fn open(&mut self, task: i32, snapshot: Option<&str>) -> Result<(), ProcessorError> {
        let root = self.shared.folder.join(task.to_string());
        let (store, parts) = SnapshotStore::open(&root, snapshot)?;
        let edition = self.shared.rules.edition();
        let rules = self.shared.rules.get();
        let (engine, replacement) = Task::new(&self.shared.config, &rules, &parts)?;
        if let Some(replacement) = replacement {
            let partials = engine.engine().stats().partials;
            tracing::info!(
                partition = task,
                partials,
                "going on from snapshot {}",
                snapshot.unwrap_or("")
            );
            if replacement
                .rules
                .iter()
                .any(|rule| rule.verdict != kleene::stream::Verdict::Unchanged)
            {
                log_changes(&replacement);
            }
        } else {
            tracing::info!(partition = task, "a new partition");
        }
        let partition = Partition {
            task: engine,
            store,
            edition,
            checks: self.decoders.iter().map(|_| KeyCheck::default()).collect(),
            clock: Clock::default(),
            shown: Instant::now(),
            snapshot_bytes: 0,
            snapshot_took: Duration::ZERO,
        };
        self.open.insert(task, partition);
        Ok(())
    }

    fn push(
        &mut self,
        task: i32,
        records: &[Record],
        out: &mut Outbox,
    ) -> Result<(), ProcessorError> {
        self.follow_rules(task);
        for records in records.chunk_by(|one, next| one.topic == next.topic) {
            let Some(first) = records.first() else { continue };
            let topics = self.shared.config.sources.iter().filter_map(Source::topic);
            let number = topics.map(|topic| &*topic.topic).position(|topic| topic == &*first.topic);
            let number =
                number.ok_or_else(|| format!("no source reads the topic {}", first.topic))?;
            let pushed = self.push_topic(task, number, records);
            self.deliver(out);
            pushed?;
        }
        self.show(task);
        Ok(())
    }

    fn due(&mut self, task: i32, out: &mut Outbox) -> Result<bool, ProcessorError> {
        self.follow_rules(task);
        let Some(partition) = self.open.get_mut(&task) else { return Ok(false) };
        let before = partition.task.engine().watermark();
        let ticked = partition.task.tick(Instant::now(), &mut self.page);
        let has_changed = partition.task.engine().watermark() != before || !self.page.is_empty();
        self.deliver(out);
        ticked?;
        self.show(task);
        Ok(has_changed)
    }

    fn snapshot(&mut self, task: i32) -> Result<String, ProcessorError> {
        let partition = self.open.get_mut(&task).ok_or("the partition is not open")?;
        let start = Instant::now();
        let (snapshot, is_whole) = partition.task.snapshot(partition.store.can_follow());
        if let Some(failure) = partition.task.engine().failure() {
            return Err(failure.clone().into());
        }
        let name = partition.store.write(&snapshot, is_whole)?;
        partition.snapshot_bytes = snapshot.len();
        partition.snapshot_took = start.elapsed();
        Ok(name)
    }

    fn committed(&mut self, task: i32, snapshot: &str) {
        let Some(partition) = self.open.get_mut(&task) else { return };
        partition.store.committed(snapshot);
        let (took, bytes) = (partition.snapshot_took, partition.snapshot_bytes);
        self.shared.links.status.lock().checkpoint.add(took, bytes);
    }

    fn close(&mut self, task: i32) {
        if self.open.remove(&task).is_some() {
            tracing::info!(partition = task, "the partition is closed");
        }
        self.shared.links.status.lock().tasks.retain(|known| known.partition != Some(task));
    }
}

/// Looks at the first records of a topic.
fn check_keys(
    check: &mut KeyCheck,
    rules: &RuleSet,
    source: &Source,
    (records, lines): (&[Record], &Lines),
    partitions: i32,
) -> Result<(), ProcessorError> {
    let mut parser = Parser::new(source.form, rules.schema(), source.reading.clone());
    let mut cursor = Cursor::default();
    let block = Block::new(lines.text.clone(), 0);
    while check.is_open() {
        let number = usize::try_from(cursor.lines()).unwrap_or(usize::MAX);
        match parser.next_item(&block, &mut cursor) {
            None => return Ok(()),
            Some(InputItem::Event(event, _)) => {
                let record = lines.records.get(number).and_then(|index| records.get(*index));
                let Some(record) = record else { return Ok(()) };
                check.check(rules, &event, record, partitions)?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}
