//! From pages of results to files and webhooks.

pub(crate) mod file;
pub(crate) mod outbox;
pub(crate) mod webhook;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kleene::RuleSet;
use kleene_report::output::EventForm;
use serde_json::{Map, Value, json};

use self::file::{FileSink, SinkCounts, Unsettled};
use self::outbox::{Outbox, OutboxQueue, OutboxSettings};
use self::webhook::{Webhook, WebhookSettings};
use crate::config::{self, Config, OnFailure, Secret, SinkKind, WebhookSink};
use crate::hub::Hub;
use crate::status::SinkStatus;
use crate::task::{Page, PageResult};

/// The name of the file of rejected events among the sinks of a checkpoint. A sink of the
/// configuration cannot have this name.
const REJECTS: &str = "*rejects*";

/// The time for a last checkpoint while a webhook has no room.
const GRACE: Duration = Duration::from_secs(5);

/// Ends the wait of an engine for a webhook that has no room, some time after the service is to stop.
pub(crate) fn end_waits(queues: Vec<OutboxQueue>, stop: Arc<AtomicBool>) {
    if queues.is_empty() {
        return;
    }
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(100));
        }
        thread::sleep(GRACE);
        queues.iter().for_each(OutboxQueue::close);
    });
}

/// A sink that is open.
#[derive(Debug)]
struct OpenSink {
    name: String,
    /// The rules whose results go here; all where it is `None`.
    rules: Option<HashSet<String>>,
    form: EventForm,
    outlet: Outlet,
}

/// The end of a sink.
#[derive(Debug)]
enum Outlet {
    File(FileSink),
    Webhook(Box<WebhookOutlet>),
}

/// A webhook with the results that wait for it.
#[derive(Debug)]
struct WebhookOutlet {
    outbox: Outbox,
    webhook: Webhook,
    bytes: u64,
    /// The reason why results cannot be written to the outbox.
    failure: Option<String>,
    /// Bytes that wait in memory for that.
    unwritten: u64,
    /// Results that were lost because too much waited there.
    lost: u64,
    limit: u64,
    on_failure: OnFailure,
}

impl WebhookOutlet {
    fn open(
        sink: &config::Sink,
        hook: &WebhookSink,
        state: &Path,
        kept: Option<u64>,
    ) -> Result<WebhookOutlet> {
        let settings = OutboxSettings {
            name: sink.name.clone(),
            directory: state.join("outbox").join(&sink.name),
            max_bytes: sink.buffer,
            on_failure: sink.on_failure,
        };
        let outbox = Outbox::open(settings, kept)?;
        let settings = WebhookSettings {
            name: sink.name.clone(),
            url: hook.url.clone(),
            secret: hook.secret.as_ref().map(|secret| Secret::reveal(secret).to_owned()),
            headers: hook.headers.clone(),
            timeout: hook.timeout,
            max_retry_time: Some(hook.retry_for),
            max_batch: hook.max_batch,
        };
        let webhook = Webhook::start(settings, outbox.queue())?;
        let (limit, on_failure) = (sink.buffer, sink.on_failure);
        let (unwritten, lost, failure) = (0, 0, None);
        Ok(WebhookOutlet { outbox, webhook, bytes: 0, failure, unwritten, lost, limit, on_failure })
    }

    fn add(&mut self, result: &PageResult<'_>) {
        let bytes = result.line.len() as u64;
        if self.failure.is_some() {
            if self.unwritten + bytes > self.limit && self.on_failure == OnFailure::Drop {
                self.lost += 1;
                return;
            }
            self.unwritten += bytes;
        }
        self.bytes += bytes;
        // Most results are only held until the next flush, which says whether they can be written.
        if let Err(error) = self.outbox.push(result.line) {
            self.look(Err(error));
        }
    }

    fn flush(&mut self) {
        let flushed = self.outbox.flush();
        self.look(flushed);
    }

    /// What cannot be written stays in memory, and is tried again.
    fn look(&mut self, result: Result<()>) {
        match result {
            Ok(()) => (self.failure, self.unwritten) = (None, 0),
            Err(error) => {
                if self.failure.is_none() {
                    tracing::error!("{error:#}; trying again");
                }
                self.failure = Some(format!("{error:#}"));
            }
        }
    }

    /// True if the service has to wait until results can be written.
    fn holds_up(&self) -> bool {
        self.failure.is_some() && self.on_failure == OnFailure::Wait && self.unwritten > self.limit
    }

    fn status(&self) -> (SinkCounts, Option<String>) {
        let counters = self.webhook.counters();
        let counts = SinkCounts {
            results: counters.delivered(),
            bytes: self.bytes,
            failures: counters.retries(),
            dropped: self.webhook.dropped() + counters.dead() + self.lost,
            waiting: self.webhook.waiting_bytes(),
        };
        (counts, self.failure.clone().or_else(|| counters.last_error()))
    }
}

impl Outlet {
    fn flush(&mut self) {
        match self {
            Outlet::File(file) => file.flush(),
            Outlet::Webhook(hook) => hook.flush(),
        }
    }

    /// Returns the length for a checkpoint, and what has to be settled before.
    fn prepare(&mut self) -> Result<(u64, Option<Unsettled>)> {
        match self {
            Outlet::File(file) => match file.prepare() {
                Some(prepared) => Ok(prepared),
                None => bail!("{}", file.failure().unwrap_or("it cannot be written")),
            },
            Outlet::Webhook(hook) => Ok((hook.outbox.sync()?, None)),
        }
    }
}

/// All sinks of a service that are not topics of Kafka.
#[derive(Debug)]
pub(crate) struct Sinks {
    open: Vec<OpenSink>,
    rejects: Option<FileSink>,
    /// The streams over HTTP.
    hub: Option<Arc<Hub>>,
}

impl Sinks {
    /// Opens the sinks. `kept` are the lengths of their files at the checkpoint.
    pub(crate) fn open(
        config: &Config,
        kept: Option<&Value>,
        hub: Option<Arc<Hub>>,
    ) -> Result<Sinks> {
        let length = |name: &str| kept.and_then(|kept| kept[name].as_u64());
        let mut open = Vec::new();
        for sink in &config.sinks {
            let kept = length(&sink.name);
            let outlet = match &sink.kind {
                SinkKind::Kafka { .. } => continue,
                SinkKind::File(path) => {
                    Outlet::File(FileSink::open(path, kept, (sink.buffer, sink.on_failure))?)
                }
                SinkKind::Webhook(hook) => {
                    let opened = WebhookOutlet::open(sink, hook, &config.state, kept);
                    let opened = opened.with_context(|| format!("the sink `{}`", sink.name))?;
                    Outlet::Webhook(Box::new(opened))
                }
            };
            let rules = sink.rules.as_ref().map(|rules| rules.iter().cloned().collect());
            open.push(OpenSink { name: sink.name.clone(), rules, form: sink.events, outlet });
        }
        let rejects = config
            .rejects
            .as_ref()
            .map(|path| FileSink::open(path, length(REJECTS), (64 << 20, OnFailure::Drop)));
        Ok(Sinks { open, rejects: rejects.transpose()?, hub })
    }

    /// Says which rules sinks name that are not there.
    pub(crate) fn check_rules(config: &Config, rules: &RuleSet) {
        for sink in &config.sinks {
            for name in sink.rules.iter().flatten().filter(|name| rules.rule(name).is_none()) {
                tracing::warn!(
                    sink = sink.name,
                    "there is no rule `{name}`, which this sink names"
                );
            }
        }
    }

    /// Returns the queues of webhooks. To close them ends a wait for their room.
    pub(crate) fn queues(&self) -> Vec<OutboxQueue> {
        let queue = |sink: &OpenSink| match &sink.outlet {
            Outlet::File(_) => None,
            Outlet::Webhook(hook) => Some(hook.outbox.queue()),
        };
        self.open.iter().filter_map(queue).collect()
    }

    /// Gives a page to the sinks.
    pub(crate) fn deliver(&mut self, page: &Page) {
        for OpenSink { rules, form, outlet, .. } in &mut self.open {
            let named = |result: &PageResult<'_>| {
                rules.as_ref().is_none_or(|rules| rules.contains(&**result.rule))
            };
            match (outlet, &rules) {
                (Outlet::File(file), None) => file.add(page.all(*form), page.len() as u64),
                (Outlet::File(file), Some(_)) => {
                    page.results(*form).filter(named).for_each(|result| file.add(result.line, 1));
                }
                (Outlet::Webhook(hook), _) => {
                    page.results(*form).filter(named).for_each(|result| hook.add(&result));
                }
            }
        }
        if let Some(hub) = &self.hub {
            let results = page.results(EventForm::Full);
            hub.publish_all(results.map(|one| (one.rule, one.line)));
        }
        if let Some(file) = self.rejects.as_mut().filter(|_| !page.rejects.is_empty()) {
            let lines = memchr::memchr_iter(b'\n', &page.rejects).count();
            file.add(&page.rejects, lines as u64);
        }
    }

    /// Writes what is held.
    pub(crate) fn flush(&mut self) {
        self.open.iter_mut().for_each(|sink| sink.outlet.flush());
        self.rejects.iter_mut().for_each(FileSink::flush);
    }

    /// True if the service has to wait for a sink.
    pub(crate) fn hold_up(&self) -> bool {
        self.open.iter().any(|sink| match &sink.outlet {
            Outlet::File(file) => file.holds_up(),
            // An outbox waits by itself where it has no room; its file may be unwritable.
            Outlet::Webhook(hook) => hook.holds_up(),
        })
    }

    /// Returns the lengths of the files for a checkpoint, and what has to be settled before. Fails
    /// with the name of a sink that cannot be written: no checkpoint covers its results.
    pub(crate) fn prepare(&mut self) -> Result<(Value, Vec<Unsettled>)> {
        let mut lengths = Map::new();
        let mut unsettled = Vec::new();
        for OpenSink { name, outlet, .. } in &mut self.open {
            let prepared = outlet.prepare();
            let context = || format!("the sink `{name}` cannot be written");
            let (length, rest) = prepared.with_context(context)?;
            lengths.insert(name.clone(), json!(length));
            unsettled.extend(rest);
        }
        if let Some(file) = &mut self.rejects {
            let Some((length, rest)) = file.prepare() else {
                bail!("the rejects cannot be written: {}", file.failure().unwrap_or_default());
            };
            lengths.insert(REJECTS.to_owned(), json!(length));
            unsettled.extend(rest);
        }
        Ok((lengths.into(), unsettled))
    }

    /// Ends the deliveries. What waits is delivered after the next start.
    pub(crate) fn stop(self) {
        for sink in self.open {
            if let Outlet::Webhook(hook) = sink.outlet {
                hook.webhook.stop();
            }
        }
    }

    /// Returns the state of each sink.
    pub(crate) fn status(&self) -> Vec<SinkStatus> {
        let of_file = |file: &FileSink| (file.counts, file.failure().map(str::to_owned));
        let status = |name: &str, (counts, failure): (SinkCounts, Option<String>)| SinkStatus {
            name: name.to_owned(),
            counts,
            failure,
        };
        let open = self.open.iter().map(|sink| {
            let found = match &sink.outlet {
                Outlet::File(file) => of_file(file),
                Outlet::Webhook(hook) => hook.status(),
            };
            status(&sink.name, found)
        });
        let rejects = self.rejects.iter().map(|file| status("rejects", of_file(file)));
        open.chain(rejects).collect()
    }
}
