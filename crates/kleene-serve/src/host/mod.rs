//! The thread of an engine over files and HTTP: it takes what sources send, gives results to sinks,
//! and keeps a checkpoint that says where it was.
//!
//! A checkpoint holds the engine, the position of each source and the length of each file of
//! results. After a crash, files are cut back to these lengths and sources are read from these
//! positions, so that each result is there once.

mod checkpointer;
mod head;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use kleene::RuleSet;
use kleene::stream::PushError;
use kleene_host::checkpoint::Directory;
use serde_json::Value;

use self::checkpointer::{Checkpointer, Done, Job};
use self::head::{head, knows_sink, position};
use crate::config::{Config, Source, SourceKind};
use crate::hub::Hub;
use crate::journal::{Journal, JournalSettings, Resume};
use crate::links::{Command, Links};
use crate::rules::{log_changes, verdicts};
use crate::sink::Sinks;
use crate::sink::outbox::OutboxQueue;
use crate::source::follow::{self, FileSource};
use crate::source::inbox::{Arrived, Inbox, SourcePosition};
use crate::source::posted;
use crate::status::{Clock, Phase, SHOW, TaskStatus};
use crate::task::{Page, Task};

/// The interval at which silent sources, files of rules and sinks are looked at.
const TICK: Duration = Duration::from_millis(100);

/// Says why the engine has stopped.
fn stopped(pushed: Result<(), PushError>) -> Result<()> {
    pushed.context("the engine has stopped")
}

/// A source of the engine.
#[derive(Debug)]
struct HostSource {
    source: Source,
    /// The position up to which the engine has its events.
    position: SourcePosition,
    has_ended: bool,
}

/// The engine of a service with its sources and sinks.
#[derive(Debug)]
pub(crate) struct Host {
    task: Task,
    sources: Vec<HostSource>,
    sinks: Sinks,
    page: Page,
    checkpointer: Checkpointer,
    can_follow: bool,
    /// The positions in journals that the checkpoint being written names.
    posted: Vec<(String, u64)>,
    /// True if no checkpoint knows a sink.
    is_new: bool,
    /// True if something has come since the last checkpoint.
    has_changed: bool,
    next_checkpoint: Instant,
    every: Duration,
    /// Events that may wait for a source that holds the clock, before others have to wait as well.
    most_buffered: u64,
    clock: Clock,
    /// The journals of sources over HTTP, by their names.
    journals: BTreeMap<String, Arc<Journal>>,
    inbox: Arc<Inbox>,
    commands: Receiver<Command>,
    links: Links,
}

impl Host {
    /// Opens the state and the sinks, and makes the engine as the last checkpoint has it.
    pub(crate) fn open(
        config: &Config,
        rules: &RuleSet,
        links: Links,
        (inbox, commands, hub): (Arc<Inbox>, Receiver<Command>, Option<Arc<Hub>>),
    ) -> Result<Host> {
        let mut directory = Directory::open(&config.state.join("engine"))?;
        let found = directory.newest(|text| tracing::warn!("{text}"))?;
        let (head, snapshots) = match found {
            Some(checkpoint) => (Some(checkpoint.head), checkpoint.snapshots),
            None => (None, Vec::new()),
        };
        let sources: Vec<HostSource> = config
            .sources
            .iter()
            .map(|source| HostSource {
                source: source.clone(),
                position: position(head.as_ref(), &source.name),
                has_ended: false,
            })
            .collect();
        let mut journals = BTreeMap::new();
        for HostSource { source, position, .. } in &sources {
            if let SourceKind::Http { backlog, durable } = source.kind {
                let settings = JournalSettings {
                    max_unread: backlog,
                    is_durable: durable,
                    ..JournalSettings::new(config.state.join("journal").join(&source.name))
                };
                let resume = match head {
                    Some(_) => Resume::AtLeast(position.at.offset),
                    None => Resume::Keep,
                };
                let journal = Journal::open(settings, resume);
                let journal = journal.with_context(|| format!("the source `{}`", source.name))?;
                journals.insert(source.name.clone(), Arc::new(journal));
            }
        }
        let (task, replacement) = Task::new(config, rules, &snapshots)?;
        if let Some(replacement) = replacement {
            let stats = task.engine().stats();
            let (events, partials) = (stats.events, stats.partials);
            tracing::info!(events, partials, "going on from the checkpoint");
            log_changes(&replacement);
        }
        let sinks = Sinks::open(config, head.as_ref().map(|head| &head["sinks"]), hub)?;
        Ok(Host {
            task,
            sources,
            sinks,
            page: Page::default(),
            checkpointer: Checkpointer::start(directory),
            can_follow: false,
            posted: Vec::new(),
            is_new: config.sinks.iter().any(|sink| !knows_sink(head.as_ref(), &sink.name)),
            has_changed: true,
            next_checkpoint: Instant::now(),
            every: config.checkpoint_every,
            most_buffered: config.limits.buffered as u64 / 2,
            clock: Clock::default(),
            journals,
            inbox,
            commands,
            links,
        })
    }

    /// Returns the journals of sources over HTTP, by their names.
    pub(crate) fn journals(&self) -> BTreeMap<String, Arc<Journal>> {
        self.journals.clone()
    }

    /// Returns the queues of webhooks. To close them ends a wait for their room.
    pub(crate) fn queues(&self) -> Vec<OutboxQueue> {
        self.sinks.queues()
    }

    /// Starts the threads of the sources.
    fn start_sources(&mut self) {
        for (number, HostSource { source, position, .. }) in self.sources.iter_mut().enumerate() {
            let (inbox, stop) = (self.inbox.clone(), self.links.stop.clone());
            let SourceKind::File { path, follow } = &source.kind else {
                if let Some(journal) = self.journals.get(&source.name) {
                    let ahead = self.task.parse_ahead(number);
                    posted::start(journal.clone(), (number, position.clone()), ahead, inbox, stop);
                }
                continue;
            };
            *position = follow::resume(path, position.clone());
            if position.at.offset > 0
                && let Some(block) = follow::beginning(path, source.form)
            {
                self.task.read_header(number, &block);
            }
            let file = FileSource { path: path.clone(), form: source.form, follows: *follow };
            // The parser knows the header by now.
            let ahead = self.task.parse_ahead(number);
            file.start((number, position.clone()), ahead, inbox, stop);
        }
    }

    /// Runs until it is stopped, or cannot go on. Ends with a checkpoint.
    pub(crate) fn run(mut self) -> Result<()> {
        if self.is_new {
            // Results before the first checkpoint would be there twice after a crash.
            self.keep_now().context("the service cannot start")?;
        }
        self.start_sources();
        self.links.status.lock().phase = Phase::Running;
        let ended = self.run_until_stopped();
        self.inbox.close();
        if !matches!(self.links.status.lock().phase, Phase::Failed(_)) {
            self.links.status.lock().phase = Phase::Stopping;
        }
        let last = "the service ends without a last checkpoint";
        let kept = ended.and_then(|()| self.keep_now().context(last));
        self.show();
        self.sinks.stop();
        kept
    }

    fn run_until_stopped(&mut self) -> Result<()> {
        let (mut next_tick, mut next_show) = (Instant::now(), Instant::now());
        while !self.links.stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            if now >= next_tick {
                next_tick = now + TICK;
                self.tick(now)?;
            }
            if now >= next_show {
                next_show = now + SHOW;
                self.show();
            }
            self.follow_checkpoint(now)?;
            if self.sinks.hold_up() {
                std::thread::sleep(Duration::from_millis(20));
                self.sinks.flush();
                continue;
            }
            let deadline = next_tick.min(self.next_checkpoint.max(now + Duration::from_millis(1)));
            let inbox = self.inbox.clone();
            let Some((number, arrived)) = inbox.take(deadline, |ready| self.choose(ready)) else {
                // Nothing has come: what is there is shown now.
                self.sinks.flush();
                continue;
            };
            self.take(number, arrived)?;
            if self.sources.iter().all(|source| source.has_ended) {
                if !self.links.stop.load(Ordering::Relaxed) {
                    tracing::info!("all sources have ended");
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// Chooses the source to take from: the one that the others wait for, as far as it has sent
    /// something. Where many events wait for a source that is silent, no other is taken from.
    fn choose(&self, ready: &[usize]) -> Option<usize> {
        let earliest = ready.iter().copied().min_by_key(|lane| self.task.watermark_of(*lane))?;
        if self.task.engine().stats().buffered < self.most_buffered {
            return Some(earliest);
        }
        match self.task.clock_holder() {
            Some(holder) if !ready.contains(&holder) => None,
            _ => Some(earliest),
        }
    }

    fn take(&mut self, number: usize, arrived: Arrived) -> Result<()> {
        let now = Instant::now();
        match arrived {
            Arrived::Lines { block, end, at } => {
                let pushed = self.task.push(number, block, now, &mut self.page);
                self.links.metrics.pushed(now.elapsed());
                let has_results = self.page.has_results();
                self.deliver();
                if has_results {
                    self.links.metrics.delivered(at);
                }
                stopped(pushed)?;
                self.sources[number].position = end;
                self.has_changed = true;
            }
            Arrived::Restart => self.task.restart_source(number),
            Arrived::End(result) => {
                let source = &mut self.sources[number];
                source.has_ended = true;
                let name = &source.source.name;
                result
                    .with_context(|| format!("the source `{name}` cannot be read any further"))?;
                if !self.links.stop.load(Ordering::Relaxed) {
                    tracing::info!(source = name, "the source has ended");
                }
                let pushed = self.task.end_source(number, &mut self.page);
                self.deliver();
                stopped(pushed)?;
            }
        }
        Ok(())
    }

    /// Gives what the engine has reported to the sinks.
    fn deliver(&mut self) {
        if !self.page.is_empty() {
            self.sinks.deliver(&self.page);
            self.page.clear();
        }
    }

    /// Does what is due now and then.
    fn tick(&mut self, now: Instant) -> Result<()> {
        let pushed = self.task.tick(now, &mut self.page);
        self.deliver();
        stopped(pushed)?;
        self.clock.update(&self.task, SystemTime::now());
        self.sinks.flush();
        let links = self.links.clone();
        links.follow_files(|rules| self.replace(&rules));
        while let Ok(Command::Replace { rules, reply }) = self.commands.try_recv() {
            // Nobody listens if the request has timed out.
            let _ = reply.send(self.replace(&rules));
        }
        Ok(())
    }

    fn replace(&mut self, rules: &RuleSet) -> Result<Value, String> {
        match self.task.replace(rules) {
            Ok(replacement) => {
                self.links.status.lock().reloads += 1;
                log_changes(&replacement);
                self.has_changed = true;
                Ok(verdicts(&replacement))
            }
            Err(refused) => {
                self.links.refuse_rules(&refused.to_string());
                Err(refused.to_string())
            }
        }
    }

    /// Starts a checkpoint if it is time, and looks after the one that is written.
    fn follow_checkpoint(&mut self, now: Instant) -> Result<()> {
        if let Some(result) = self.checkpointer.poll() {
            self.finish_checkpoint(result);
        }
        if now < self.next_checkpoint || self.checkpointer.is_busy() {
            return Ok(());
        }
        self.next_checkpoint = now + self.every;
        if !self.has_changed {
            return Ok(());
        }
        match self.job() {
            Ok(job) => {
                self.has_changed = false;
                self.checkpointer.start_writing(job);
                Ok(())
            }
            Err(error) if self.task.engine().failure().is_some() => Err(error),
            Err(error) => {
                self.fail_checkpoint(&error);
                Ok(())
            }
        }
    }

    fn job(&mut self) -> Result<Job> {
        let (lengths, files) = self.sinks.prepare()?;
        let (snapshot, is_whole) = self.task.snapshot(self.can_follow);
        if let Some(failure) = self.task.engine().failure() {
            bail!("the engine has stopped: {failure}");
        }
        let positions = self.sources.iter().map(|one| (&*one.source.name, &one.position));
        let posted = positions.clone().map(|(name, at)| (name.to_owned(), at.at.offset));
        self.posted = posted.filter(|(name, _)| self.journals.contains_key(name)).collect();
        Ok(Job { head: head(positions, &lengths), snapshot, is_whole, files })
    }

    fn finish_checkpoint(&mut self, result: Result<Done>) {
        match result {
            Ok(done) => {
                self.can_follow = done.can_follow;
                self.release_journals();
                self.links.status.lock().checkpoint.add(done.took, done.bytes);
            }
            Err(error) => {
                // The changes since the checkpoint before are lost for the next one.
                self.can_follow = false;
                self.has_changed = true;
                self.fail_checkpoint(&error);
            }
        }
    }

    /// Removes what was posted before the checkpoint.
    fn release_journals(&self) {
        for (name, offset) in &self.posted {
            let Some(journal) = self.journals.get(name) else { continue };
            if let Err(error) = journal.release(*offset) {
                tracing::warn!(source = name, "cannot remove what was read: {error}");
            }
        }
    }

    fn fail_checkpoint(&self, error: &anyhow::Error) {
        let failures = &mut self.links.status.lock().checkpoint.failures;
        *failures += 1;
        if failures.is_power_of_two() {
            tracing::error!("no checkpoint: {error:#}");
        }
    }

    /// Writes a checkpoint, and waits for it.
    fn keep_now(&mut self) -> Result<()> {
        if let Some(result) = self.checkpointer.wait() {
            self.finish_checkpoint(result);
        }
        let job = self.job()?;
        self.checkpointer.start_writing(job);
        match self.checkpointer.wait() {
            Some(Ok(done)) => {
                self.finish_checkpoint(Ok(done));
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => bail!("the thread that writes checkpoints has ended"),
        }
    }

    fn show(&self) {
        let task = TaskStatus::of(&self.task, None, &self.clock);
        let names = self.sources.iter().map(|one| one.source.name.clone());
        let waiting = names.zip(self.inbox.waiting()).collect();
        let mut status = self.links.status.lock();
        status.tasks = vec![task];
        status.sinks = self.sinks.status();
        status.waiting = waiting;
    }
}
